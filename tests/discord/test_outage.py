"""A database that is away for a while, as people see it: they are answered or told, and nobody waits for nothing."""

import asyncio
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

import pytest

from bot.chat.time_limits import TimeLimits
from bot.delivery.outcomes import AWAY, MEMORY_AWAY, NO_MEMORY
from bot.store.files.timeouts import Timeouts
from tests.discord.conftest import OpenHouse
from tests.discord.house import House, ask, lose_session
from tests.engines import EchoEngine
from tests.locks import lock
from tests.loopback import LoopbackDiscord, Message

NUM_ASKERS = 100
# SQLite waits for a lock only for a moment, so that the test needn't.
BRIEF = Timeouts(busy_seconds=0.05)


@asynccontextmanager
async def database_away(house: House) -> AsyncIterator[None]:
    """Another process keeps the database to itself; a transaction of ours then fails at once."""
    with closing(sqlite3.connect(house.database_path, isolation_level=None)) as other:
        await lock(other)
        try:
            yield
        finally:
            other.execute("ROLLBACK")


def replies(server: LoopbackDiscord) -> dict[int, list[str]]:
    """What stands in reply to each message."""
    found: dict[int, list[str]] = {}
    for channel in server.world.channels.values():
        for message in channel.visible_messages():
            if message.reference is not None:
                found.setdefault(int(message.reference["message_id"]), []).append(message.content)
    return found


def notices(server: LoopbackDiscord) -> list[Message]:
    """The messages that say that the database is away."""
    visible = (message for channel in server.world.channels.values() for message in channel.visible_messages())
    return [message for message in visible if message.content == MEMORY_AWAY]


def noticed_places(server: LoopbackDiscord) -> Counter[int]:
    """How many messages say it in each channel in which one does."""
    channels = server.world.channels.values()
    return +Counter({each.id: sum(m.content == MEMORY_AWAY for m in each.visible_messages()) for each in channels})


@pytest.mark.no_cover
async def test_a_hundred_people_who_ask_while_the_database_is_away_are_all_answered_or_told(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    places = [server.channel(f"channel-{number}") for number in range(10)]
    began = time.monotonic()
    async with enter(server, timeouts=BRIEF) as house:
        async with database_away(house):
            asked = [
                await server.person(f"Person {number}").says(places[number % 10], f"question {number}", mention=True)
                for number in range(NUM_ASKERS)
            ]
            await server.wait_until(lambda: len(noticed_places(server)) == len(places), timeout=60)
            assert {await house.state(question) for question in asked} == {None}  # nothing is as if it were stored
        await server.wait_until(lambda: replies(server).keys() >= {question.id for question in asked}, timeout=100)
        async with asyncio.timeout(100):
            while (counts := await house.inbox.count_by_state())["answered"] < 96:  # noqa: ASYNC110 - as in the house
                await asyncio.sleep(0.05)

    most_notices = 1 + int((time.monotonic() - began) / AWAY.channel_seconds)
    assert all(count <= most_notices for count in noticed_places(server).values())
    assert all(len(replies(server)[question.id]) == 1 for question in asked)
    assert counts["answered"] >= 96  # what one guild may have waiting


async def test_who_was_waiting_for_an_answer_when_the_database_went_away_is_answered_afterwards(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    async with enter(server, engine=EchoEngine(is_held=True), timeouts=BRIEF) as house:
        asked = [
            await server.person(f"Person {number}").says(server.channel("general"), "hello", mention=True)
            for number in range(5)
        ]
        await server.wait_until(lambda: house.engine.num_running == 1, timeout=60)
        for question in asked[1:]:
            await house.reaches(question, "received")
        async with database_away(house):
            house.engine.gate.set()
            await server.wait_until(lambda: len(notices(server)) == 1, timeout=60)

        for question in asked:
            await house.reaches(question, "answered", 60)

    assert all(len(replies(server)[question.id]) == 1 for question in asked)


async def test_when_the_database_stays_away_each_is_told(server: LoopbackDiscord, enter: OpenHouse) -> None:
    async with enter(server, timeouts=BRIEF, time_limits=TimeLimits(outage_seconds=0.3)) as house, database_away(house):
        asked = [
            await server.person(f"Person {number}").says(server.channel("general"), "hello", mention=True)
            for number in range(8)
        ]
        await server.wait_until(lambda: replies(server).keys() >= {question.id for question in asked}, timeout=60)

    assert [replies(server)[question.id] for question in asked] == [[NO_MEMORY]] * 8
    assert len(notices(server)) == 1


async def test_what_waited_for_the_database_at_the_end_is_found_and_answered_by_the_next_process(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    async with enter(server, timeouts=BRIEF) as house:
        first = await server.person("Alice").says(server.channel("general"), "hello", mention=True)
        await house.reaches(first, "answered")
        async with database_away(house):
            asked = [
                await server.person(f"Person {number}").says(server.channel("general"), "still there?", mention=True)
                for number in range(3)
            ]
            await server.wait_until(lambda: len(notices(server)) == 1, timeout=60)
            house.stop.set()
            async with asyncio.timeout(30):
                await house.end()

    async with enter(server) as house:
        for question in asked:
            await house.reaches(question, "answered", 60)


async def test_who_asks_while_a_deletion_of_a_lost_session_waits_for_the_database_is_told_at_once(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    alice, bob, general = server.person("Alice"), server.person("Bob"), server.channel("general")
    async with enter(server, timeouts=BRIEF) as house:
        secret = await ask(house, "the word is swordfish")
        async with database_away(house):
            await lose_session(server, alice.deletes(secret), bob.says(general, "not for the bot"))
            live = await bob.says(general, "which word?", mention=True)
            elsewhere = await bob.says(server.channel("elsewhere"), "and here?", mention=True)
            began_at = time.monotonic()
            await server.wait_until(lambda: len(notices(server)) == 2, timeout=60)
            seconds = time.monotonic() - began_at
        for question in (live, elsewhere):
            await house.reaches(question, "answered")

    assert seconds < 30  # at the gate nobody waits for longer than a minute
    assert not [prompt for prompt in house.prompts[1:] if "swordfish" in prompt]


async def test_a_deletion_comes_before_what_is_asked_after_it_when_the_database_is_back(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    alice, general = server.person("Alice"), server.channel("general")
    async with enter(server, timeouts=BRIEF) as house:
        secrets = [await ask(house, f"secret {number}") for number in range(3)]
        async with database_away(house):
            await alice.says(server.channel("elsewhere"), "hello", mention=True)
            await server.wait_until(lambda: len(notices(server)) == 1, timeout=60)
            for secret in secrets:
                await alice.deletes(secret)
            question = await alice.says(general, "what was secret?", mention=True)
            await server.wait_until(lambda: len(notices(server)) == 2, timeout=60)
        await house.reaches(question, "answered")

    assert not [number for number in range(3) if f"secret {number}" in house.prompts[-1]]


async def test_what_is_edited_into_a_question_while_the_database_is_away_is_told_and_answered(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    alice, general = server.person("Alice"), server.channel("general")
    async with enter(server, timeouts=BRIEF) as house:
        message = await alice.says(general, "hello")
        async with database_away(house):
            await alice.edits(message, f"{server.bot.mention} hello you")
            await server.wait_until(lambda: notices(server), timeout=60)
        await house.reaches(message, "answered")

    assert "hello you" in house.prompts[-1]


async def test_an_edit_of_what_waits_for_the_database_counts(server: LoopbackDiscord, enter: OpenHouse) -> None:
    alice, general = server.person("Alice"), server.channel("general")
    async with enter(server, timeouts=BRIEF) as house:
        async with database_away(house):
            question = await alice.says(general, "first thoughts", mention=True)
            await server.wait_until(lambda: notices(server), timeout=60)
            await alice.edits(question, f"{server.bot.mention} second thoughts")
        await server.wait_until(lambda: house.prompts and "second thoughts" in house.prompts[-1], timeout=60)
        await house.reaches(question, "answered")


async def test_who_was_told_in_a_new_channel_that_the_database_is_away_is_answered_after_a_restart(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    alice, quiet = server.person("Alice"), server.channel("quiet")
    async with enter(server, timeouts=BRIEF, drain_seconds=0.0) as house:
        await ask(house)
        async with database_away(house):
            question = await alice.says(quiet, "hello", mention=True)
            await server.wait_until(lambda: len(notices(server)) == 1, timeout=60)
            house.stop.set()
            await house.end()

    async with enter(server) as house:
        await house.reaches(question, "answered")

    assert len(replies(server)[question.id]) == 1
