"""Deletions by the hundred: those that concern nobody cost one read, those that do are all followed."""

import asyncio
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine

from bot.chat.chat import Chat
from bot.chat.queue import QuestionQueue
from bot.conversation.messages import ConversationKey, Question
from bot.conversation.window import TokenBudget
from bot.delivery.answers import Answers
from bot.delivery.sender import open_sender
from bot.store.rows.history import History
from tests.discord.house import House, ask
from tests.locks import lock
from tests.loopback import Message

NUM_FOREIGN = 100
NUM_OPEN = 1000


@contextmanager
def transactions() -> Iterator[list[str]]:
    """What the transactions of any SQLite file do meanwhile, as each ends: "read" or "write"."""
    seen: list[str] = []
    open_ones: dict[Connection, set[str]] = {}

    def note(connection: Connection, _cursor, statement: str, *_rest) -> None:
        open_ones.setdefault(connection, set()).add(statement.split(None, 1)[0])

    def note_end(connection: Connection) -> None:
        words = open_ones.pop(connection, set())
        if words:
            seen.append("read" if words == {"SELECT"} else "write")

    listeners = {"before_cursor_execute": note, "commit": note_end, "rollback": note_end}
    for name, listener in listeners.items():
        event.listen(Engine, name, listener)
    try:
        yield seen
    finally:
        for name, listener in listeners.items():
            event.remove(Engine, name, listener)


async def foreign(house: House) -> list[Message]:
    """What others said to each other."""
    bob, general = house.server.person("Bob"), house.server.channel("general")
    return [await bob.says(general, f"number {number}") for number in range(NUM_FOREIGN)]


async def is_forgotten(house: House, question: Message) -> None:
    """Waits until the question is in the history no more; looked up beside the bot, so that nothing is counted."""
    with closing(sqlite3.connect(house.database_path)) as other:
        async with asyncio.timeout(60):
            while other.execute("SELECT 1 FROM messages WHERE message_id = ?", (question.id,)).fetchone():  # noqa: ASYNC110
                await asyncio.sleep(0.02)


async def test_a_hundred_deletions_at_once_cost_one_read_and_those_that_concern_the_bot_a_write(house: House) -> None:
    question = await ask(house)
    others = await foreign(house)
    await ask(house, "another")

    with transactions() as seen:
        await house.server.person("Alice").deletes_many([*others, question])
        await is_forgotten(house, question)

    assert seen[0] == "read"
    assert seen.count("write") == 1


async def test_a_hundred_foreign_deletions_one_by_one_write_nothing(house: House) -> None:
    question = await ask(house)
    others = await foreign(house)
    alice = house.server.person("Alice")
    await ask(house, "another")

    with transactions() as seen:
        for message in others:
            await alice.deletes(message)
        await alice.deletes(question)
        await is_forgotten(house, question)

    assert seen.count("write") == 1
    assert seen.count("read") <= NUM_FOREIGN + 1


async def test_what_was_deleted_while_the_database_was_locked_is_followed_afterwards(house: House) -> None:
    question = await ask(house, "the word is swordfish")
    other = sqlite3.connect(house.database_path, isolation_level=None)
    await lock(other)
    await house.server.person("Alice").deletes(question)
    await asyncio.sleep(0.1)
    other.execute("ROLLBACK")
    other.close()
    await is_forgotten(house, question)

    await ask(house, "which word?")

    assert "swordfish" not in house.prompts[-1]


class Waiting:
    """An inbox that never commits anything, and a transport that nobody uses."""

    async def receive(self, *_: object, **__: object) -> bool:
        await asyncio.get_running_loop().create_future()
        return False

    receive_and_begin = receive


@pytest.mark.no_cover
async def test_with_a_thousand_open_questions_the_event_loop_does_not_stand() -> None:
    key, now = ConversationKey("discord", 1, 2), datetime.now(UTC)
    queue = QuestionQueue(max_waiting=2 * NUM_OPEN, max_waiting_per_person=NUM_OPEN)
    chat = Chat(History(None), Waiting(), None, None, None, None, TokenBudget(4096, 100_000, 1000), queue=queue)
    async with open_sender(Waiting()) as sender, asyncio.TaskGroup() as tasks:
        answers = Answers(chat, sender, tasks, lambda: now)
        for number in range(NUM_OPEN):
            answers.begin(chat.open(Question(key, number, 1, "Alice", "hello", now)))
        await asyncio.sleep(0)
        assert len(chat.exchanges) == queue.num_waiting + queue.num_running == NUM_OPEN

        rounds = []
        for _ in range(10):
            began_at = time.perf_counter()
            for number in range(NUM_OPEN, NUM_OPEN + NUM_FOREIGN):
                assert chat.exchanges.asked_by("discord", number) is None
                assert chat.exchanges.shown_by("discord", number) is None
            rounds.append(time.perf_counter() - began_at)

        await answers.drain(0)

    assert min(rounds) < 0.01  # the quickest, since others may want the core
    assert len(chat.exchanges) == queue.num_waiting == queue.num_running == 0
