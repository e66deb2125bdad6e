"""What people see while they wait, and while an answer grows, end to end on a loopback Discord."""

import sqlite3
import time
from contextlib import closing

import pytest

from bot.chat.queue import QuestionQueue
from bot.chat.time_limits import TimeLimits
from bot.errors import EngineUnavailable, WaitedTooLong
from bot.store.files.database import open_database
from bot.store.rows.chosen_settings import Scope
from bot.store.rows.history import History
from bot.store.rows.own_words import OwnWords
from tests.discord.conftest import OpenHouse
from tests.discord.house import House
from tests.engines import EchoEngine
from tests.loopback import LoopbackDiscord, judge

TABLE = "See:\n\n| Name | Age |\n|---|---|\n| Ann | 7 |\n| Bartholomew | 41 |\n\nThat is all."
SHOWN_AT_FIRST = "See:\n\n```\nName  Age\n----  ---\nAnn   7\n```"
SHOWN = "See:\n\n```\nName         Age\n-----------  ---\nAnn          7\nBartholomew  41\n```\n\nThat is all."


async def test_a_table_grows_as_an_aligned_block_and_is_stored_as_it_was_said(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    engine = EchoEngine(answer=lambda _: TABLE, words_before_gate=12, is_held=True)
    alice, general = server.person("Alice"), server.channel("general")

    async with enter(server, engine=engine) as house:
        question = await alice.says(general, "who?", mention=True)
        await general.answer_to(question, until=lambda text: text == SHOWN_AT_FIRST)
        engine.gate.set()
        await house.reaches(question, "answered")
        stored = (await house.history.load(house.key)).turns[-1].answer

    assert server.answer_to(question).text == SHOWN
    assert stored == TABLE
    judge(server).require(turns=1, replies=1)


def hasty_queue() -> QuestionQueue:
    """One for which a minute has passed in a second."""
    return QuestionQueue(clock=lambda: 60 * time.monotonic())


def held_engine() -> EchoEngine:
    """One that says two words and then waits for the test."""
    return EchoEngine(answer=lambda _: "one two three", words_before_gate=2, is_held=True)


async def test_who_waits_long_is_told_in_the_message_that_becomes_the_answer(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    engine, general = held_engine(), server.channel("general")
    alice, bob, carol = server.person("Alice"), server.person("Bob"), server.person("Carol")

    async with enter(server, engine=engine, queue=hasty_queue()) as house:
        first = await alice.says(general, "hello", mention=True)
        second = await bob.says(general, "hello", mention=True)
        third = await carol.says(general, "hello", mention=True)
        waiting_line = await general.answer_to(second, until=lambda text: "One answer comes before yours" in text)
        await general.answer_to(third, until=lambda text: "2 answers come before yours" in text)
        engine.gate.set()
        for question in (first, second, third):
            await house.reaches(question, "answered")

    assert [part.id for part in server.answer_to(second).parts] == [part.id for part in waiting_line.parts]
    assert server.answer_to(second).text == server.answer_to(third).text == "one two three"
    judge(server).require(turns=3, replies=3)


@pytest.mark.parametrize("is_recorded", [True, False])
async def test_a_wait_that_was_told_becomes_the_answer_in_the_next_process(
    server: LoopbackDiscord, enter: OpenHouse, is_recorded: bool
) -> None:
    engine, general = held_engine(), server.channel("general")
    alice, bob = server.person("Alice"), server.person("Bob")
    async with enter(server, engine=engine, queue=hasty_queue(), drain_seconds=0.0) as house:
        first = await alice.says(general, "hello", mention=True)
        second = await bob.says(general, "hello", mention=True)
        waiting_line = await general.answer_to(second, until=lambda text: "before yours" in text)
    if not is_recorded:
        with closing(sqlite3.connect(house.database_path)) as connection, connection:
            connection.execute("DELETE FROM parts")

    async with enter(server) as house:
        for question in (first, second):
            await house.reaches(question, "answered")

    assert [part.id for part in server.answer_to(second).parts] == [part.id for part in waiting_line.parts]
    assert server.answer_to(second).text.startswith("echo")
    judge(server).require(turns=2, replies=2)


async def test_a_wait_that_was_told_and_then_took_too_long_ends_in_words(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    engine, general = held_engine(), server.channel("general")
    alice, bob = server.person("Alice"), server.person("Bob")

    limits = TimeLimits(waiting_seconds=8.0)
    async with enter(server, engine=engine, queue=hasty_queue(), time_limits=limits) as house:
        first = await alice.says(general, "hello", mention=True)
        second = await bob.says(general, "hello", mention=True)
        await general.answer_to(second, until=lambda text: "before yours" in text)
        await house.reaches(second, "refused")
        engine.gate.set()
        await house.reaches(first, "answered")

    assert server.answer_to(second).text == str(WaitedTooLong())
    assert not server.answer_to(second).is_marked


async def test_a_wait_that_was_told_ends_with_the_reset_of_its_conversation(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    engine, general = held_engine(), server.channel("general")
    alice, bob = server.person("Alice"), server.person("Bob")

    async with enter(server, engine=engine, queue=hasty_queue()) as house:
        first = await alice.says(general, "hello", mention=True)
        second = await bob.says(general, "hello", mention=True)
        await general.answer_to(second, until=lambda text: "before yours" in text)
        await house.chat.reset(house.key)
        engine.gate.set()
        for question in (first, second):
            await house.reaches(question, "withdrawn")

    assert "before yours" not in server.answer_to(second).text


@pytest.mark.parametrize("is_erased", [False, True])
async def test_a_wait_that_was_told_ends_also_where_the_process_died_with_the_reset(
    server: LoopbackDiscord, enter: OpenHouse, is_erased: bool
) -> None:
    alice, bob, general = server.person("Alice"), server.person("Bob"), server.channel("general")
    async with enter(server, engine=held_engine(), queue=hasty_queue(), drain_seconds=0.0) as house:
        await alice.says(general, "hello", mention=True)
        second = await bob.says(general, "hello", mention=True)
        await general.answer_to(second, until=lambda text: "before yours" in text)
    async with open_database(f"sqlite+aiosqlite:///{house.database_path}") as database:
        await (OwnWords(database).erase("discord", bob.id) if is_erased else History(database).reset(house.key))

    async with enter(server) as house:
        await house.reaches(second, "withdrawn")

    answer = server.answer_to(second)
    assert (answer is None) == is_erased
    assert answer is None or ("before yours" not in answer.text and not answer.is_marked)


async def test_a_pause_in_a_growing_answer_shows_that_more_comes(server: LoopbackDiscord, enter: OpenHouse) -> None:
    engine, general = held_engine(), server.channel("general")

    async with enter(server, engine=engine) as house:
        question = await server.person("Alice").says(general, "hello", mention=True)
        await general.answer_to(question, until=lambda text: text == "one two")
        num_before = sum(act.kind == "typing" for act in server.journal.acts_of(server.bot.user))
        await server.wait_until(
            lambda: sum(act.kind == "typing" for act in server.journal.acts_of(server.bot.user)) > num_before
        )
        engine.gate.set()
        await house.reaches(question, "answered")

    judge(server).require(turns=1, replies=1)


async def test_half_a_sentence_and_what_follows_the_first_message_notify_nobody(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    words = " ".join(f"word{index}" for index in range(600))
    engine = EchoEngine(answer=lambda _: words, words_before_gate=2, is_held=True)
    general = server.channel("general")

    async with enter(server, engine=engine) as house:
        question = await server.person("Alice").says(general, "hello", mention=True)
        begun = await general.answer_to(question, until=lambda text: text == "word0 word1")
        engine.gate.set()
        await house.reaches(question, "answered")

    assert begun.parts[0].is_silent
    assert [part.is_silent for part in server.answer_to(question).parts] == [True] * 3


async def test_a_notice_notifies_like_any_message(server: LoopbackDiscord, enter: OpenHouse) -> None:
    engine = EchoEngine(answer=lambda _: EngineUnavailable("loading"))
    alice = server.person("Alice")

    async with enter(server, engine=engine):
        answer = await alice.dm_channel().answer_to(await alice.dms("hello"))

    assert not answer.parts[0].is_silent


async def test_who_chose_it_is_mentioned_once_when_an_answer_took_long(house: House) -> None:
    server = house.server
    alice, general = server.person("Alice"), server.channel("general")
    await house.chat.settings.set(house.key, Scope.CHANNEL, "done_ping", "on", alice.id)

    late = await alice.says(general, "hello", mention=True, age_seconds=40)
    await house.reaches(late, "answered")
    early = await alice.says(general, "hello", mention=True)
    await house.reaches(early, "answered")

    answer, ping = server.answer_to(late).parts
    assert ping.content == f"{alice.mention} Your answer is ready."
    assert ping.mentions == [alice.user]
    assert not ping.is_silent
    assert answer.mentions == []
    assert len(server.answer_to(early).parts) == 1
    judge(server).require(turns=2, replies=2)


async def test_without_that_choice_nobody_is_mentioned_however_long_it_took(house: House) -> None:
    alice, general = house.server.person("Alice"), house.server.channel("general")

    question = await alice.says(general, "hello", mention=True, age_seconds=40)
    await house.reaches(question, "answered")

    assert len(house.server.answer_to(question).parts) == 1


async def test_the_presence_says_what_the_bot_does(server: LoopbackDiscord, enter: OpenHouse) -> None:
    engine, general, shown = held_engine(), server.channel("general"), server.gateway.presences

    async with enter(server, engine=engine, presence_seconds=0.05) as house:
        await server.wait_until(lambda: shown[-1] == ("online", "Mention me to talk"))
        questions = [
            await server.person(name).says(general, "hello", mention=True) for name in ("Alice", "Bob", "Carol")
        ]
        await server.wait_until(lambda: shown[-1] == ("online", "Answering, 2 waiting"))
        engine.gate.set()
        for question in questions:
            await house.reaches(question, "answered")
        await server.wait_until(lambda: shown[-1] == ("online", "Mention me to talk"))
        engine.is_asleep = True
        await server.wait_until(lambda: shown[-1] == ("idle", "Asleep, mention me to wake me"))
        engine.is_asleep = False
        await server.wait_until(lambda: shown[-1] == ("online", "Mention me to talk"))

    assert shown[0] == ("idle", "Starting")
    judge(server).require(turns=3, replies=3)


async def test_who_waits_long_for_her_to_wake_is_told_so(server: LoopbackDiscord, enter: OpenHouse) -> None:
    engine = EchoEngine(answer=lambda _: "one two three", is_held=True, is_asleep=True)
    alice, general = server.person("Alice"), server.channel("general")

    async with enter(server, engine=engine, queue=hasty_queue()) as house:
        question = await alice.says(general, "hello", mention=True)
        await general.answer_to(question, until=lambda text: "I am waking up." in text)
        engine.is_asleep = False
        engine.gate.set()
        await house.reaches(question, "answered")

    assert server.answer_to(question).text == "one two three"
    judge(server).require(turns=1, replies=1)
