"""A database that is older than the channel, or empty: answers that stand there are left alone, and none is lost."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from bot.store.files.backup import backup, restore
from tests.discord.conftest import OpenHouse
from tests.discord.house import House, ask
from tests.engines import EchoEngine
from tests.loopback import LoopbackDiscord, Message, judge

ANSWER = "one two three four five six seven eight"
LONG = " ".join(f"word{number}" for number in range(600))


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'trinity.db'}"


def answering(answer: str = ANSWER) -> EchoEngine:
    return EchoEngine(answer=lambda _: answer)


def contents(server: LoopbackDiscord) -> list[str]:
    return [message.content for message in server.channel("general").visible_messages()]


def empty_folder(folder: Path) -> None:
    for file in folder.glob("trinity.db*"):
        file.unlink()


@asynccontextmanager
async def back_in_the_past(
    server: LoopbackDiscord, enter: OpenHouse, url: str, tmp_path: Path, *, during: str
) -> AsyncIterator[tuple[House, list[Message]]]:
    """The house on a backup that was made before, or in the middle of, two answers that were finished since."""
    copy, engine = tmp_path / "copy.db", EchoEngine(answer=lambda _: ANSWER, words_before_gate=2)
    async with enter(server, engine=engine) as house:
        await ask(house, "the first of all")
        if during == "before":
            await backup(url, copy)
            since = [await ask(house, text) for text in ("then this", "and that")]
        else:
            engine.gate.clear()
            since = [await server.person("Alice").says(server.channel("general"), "then this", mention=True)]
            await server.wait_until(lambda: server.answer_to(since[0]))
            await backup(url, copy)
            engine.gate.set()
            await house.reaches(since[0], "answered")
            since.append(await ask(house, "and that"))
    await restore(copy, url)
    async with enter(server, engine=answering("something else")) as house:
        yield house, since


@pytest.mark.parametrize("during", ["before", "in the middle of"])
async def test_what_was_answered_after_a_backup_is_left_alone_and_known_as_answered(
    server: LoopbackDiscord, enter: OpenHouse, url: str, tmp_path: Path, during: str
) -> None:
    async with back_in_the_past(server, enter, url, tmp_path, during=during) as (house, since):
        before = contents(server)
        for question in since:
            await house.reaches(question, "answered")
        fresh = await ask(house, "now")

    assert contents(server)[: len(before)] == before
    assert len(house.engine.requests) == 1
    assert server.answer_to(fresh).text == "something else"
    judge(server).require(turns=4, replies=4)


async def test_with_an_empty_database_complete_answers_stay_as_they_are_over_several_starts(
    server: LoopbackDiscord, enter: OpenHouse, url: str, tmp_path: Path
) -> None:
    alice, general, other = server.person("Alice"), server.channel("general"), server.channel("other")
    async with enter(server, engine=answering()) as house:
        for number in range(3):
            for channel in (general, other):
                question = await alice.says(channel, f"question {number}", mention=True)
                await house.reaches(question, "answered")
    empty_folder(tmp_path)
    async with enter(server, engine=answering("something else")) as house:
        await ask(house, "the first of the new database")
    before = contents(server), [message.content for message in other.visible_messages()]
    unseen = await alice.says(other, "not answered yet", mention=True)

    for _ in range(2):
        async with enter(server, engine=answering("something else")) as house:
            await house.reaches(unseen, "answered")

    assert contents(server) == before[0]
    assert [message.content for message in other.visible_messages()][: len(before[1])] == before[1]
    assert server.answer_to(unseen).text == "something else"
    judge(server).require(turns=8, replies=8)


async def test_a_question_that_the_database_has_open_is_not_expired_over_its_finished_answer(
    server: LoopbackDiscord, enter: OpenHouse, url: str, tmp_path: Path
) -> None:
    async with enter(server, engine=answering()) as house:
        question = await ask(house)
    with closing(sqlite3.connect(tmp_path / "trinity.db")) as connection:
        connection.execute("DELETE FROM messages")
        connection.execute("DELETE FROM parts")
        connection.execute(
            "UPDATE inbox SET state = 'answering', content = 'hello', turn_id = NULL,"
            " created_at = '2026-01-02 00:00:00.000000'"
        )
        connection.commit()

    async with enter(server, engine=answering("something else")) as house:
        await house.reaches(question, "answered")

    assert server.answer_to(question).text == ANSWER
    assert not house.engine.requests


@pytest.mark.parametrize("answer", [ANSWER, LONG], ids=["one part", "three parts"])
@pytest.mark.parametrize("is_known", [True, False], ids=["the database knows it", "it was restored from before"])
async def test_the_beginning_that_a_crash_left_is_gone_on_with_whatever_the_database_knows(
    server: LoopbackDiscord, enter: OpenHouse, url: str, tmp_path: Path, answer: str, *, is_known: bool
) -> None:
    copy = tmp_path / "copy.db"
    words_shown = 2 if answer == ANSWER else 300
    engine = EchoEngine(answer=lambda _: answer if engine.requests[1:] else ANSWER, words_before_gate=words_shown)
    async with enter(server, engine=engine, drain_seconds=0) as house:
        await ask(house, "the first of all")
        await backup(url, copy)
        engine.gate.clear()
        begun = await server.person("Alice").says(server.channel("general"), "hello", mention=True)
        num_parts = 1 if answer == ANSWER else 2
        await server.wait_until(
            lambda: (shown := server.answer_to(begun)) and len(shown.parts) == num_parts and shown.is_marked
        )
        await asyncio.sleep(0.1)
    assert server.answer_to(begun).is_marked
    if not is_known:
        await restore(copy, url)

    async with enter(server, engine=answering(answer)) as house:
        await house.reaches(begun, "answered")

    shown = server.answer_to(begun)
    assert "".join(shown.text.split()) == "".join(answer.split())
    assert not shown.is_marked
    judge(server).require(turns=2, replies=2)


async def test_a_finished_answer_bears_no_mark_however_it_ends(server: LoopbackDiscord, enter: OpenHouse) -> None:
    async with enter(server, engine=answering(LONG)) as house:
        long = await ask(house)
        house.engine.answer = lambda _: "short"
        short = await ask(house)

    assert not server.answer_to(long).is_marked
    assert not server.answer_to(short).is_marked
    judge(server).require(turns=2, replies=2)


async def test_a_message_that_never_bore_the_mark_is_not_taken_for_finished(
    server: LoopbackDiscord, enter: OpenHouse, tmp_path: Path
) -> None:
    engine = EchoEngine(answer=lambda _: ANSWER, words_before_gate=2)
    engine.gate.clear()
    async with enter(server, engine=engine, drain_seconds=0) as house:
        begun = await server.person("Alice").says(server.channel("general"), "hello", mention=True)
        await server.wait_until(lambda: (shown := server.answer_to(begun)) and shown.is_marked)
    [part] = server.answer_to(begun).parts
    part.content = part.content.removesuffix("\u2060")  # as one that an earlier version left
    with closing(sqlite3.connect(tmp_path / "trinity.db")) as connection:
        connection.execute("UPDATE parts SET is_marked = FALSE")
        connection.commit()

    async with enter(server, engine=answering()) as house:
        await house.reaches(begun, "answered")

    assert server.answer_to(begun).text == ANSWER
    assert len(house.engine.requests) == 1
