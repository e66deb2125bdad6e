"""Faults by the hundred, and what has to be true after them; short in the tests, long in the soak."""

import asyncio
import multiprocessing
import os
import random
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.errors import StoreError
from bot.store.files.cancellation import was_committed
from bot.store.files.database import Database, open_database
from bot.store.rows.inbox import Inbox
from bot.store.tables import hints
from tests.store.said import MORNING, ask, hold_turn, said

AT_ONCE = 25


async def cancel_half_of(database: Database, num_writes: int, chance: random.Random) -> dict[int, str]:
    """Write the numbers below `num_writes`, cancelling half of the writers; returns what each was told."""
    outcomes: dict[int, str] = {}
    for start in range(0, num_writes, AT_ONCE):
        tasks = [asyncio.create_task(_write(database, number, outcomes)) for number in range(start, start + AT_ONCE)]
        for task in chance.sample(tasks, AT_ONCE // 2):
            await asyncio.sleep(chance.random() * 0.002)
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return outcomes


async def _write(database: Database, number: int, outcomes: dict[int, str]) -> None:
    async def work(connection: AsyncConnection) -> None:
        await connection.execute(hints.insert().values(platform="t", author_id=number, day=MORNING.date()))

    outcomes[number] = "not written"  # cancelled before it began
    try:
        await database.write(work)
        outcomes[number] = "written"
    except asyncio.CancelledError as cancelled:
        outcomes[number] = "written" if was_committed(cancelled) else "not written"
        raise
    except StoreError as error:
        outcomes[number] = str(error)


def _answer_until_killed(url: str, acknowledged: Path, first: int) -> None:
    async def run() -> None:
        async with open_database(url) as database:
            with acknowledged.open("a") as stream:
                for number in range(first, 1_000_000):
                    await hold_turn(database, ask(number, f"question {number}"))
                    stream.write(f"{number}\n")
                    stream.flush()

    asyncio.run(run())


def kill_while_answering(url: str, acknowledged: Path, *, num_bytes: int, first: int = 0) -> list[int]:
    """Have another process answer questions, and kill it when so many bytes of numbers are acknowledged.

    Returns the numbers.
    """
    acknowledged.touch()
    context = multiprocessing.get_context("spawn")
    killed = context.Process(target=_answer_until_killed, args=(url, acknowledged, first))
    killed.start()
    while acknowledged.stat().st_size < num_bytes:
        assert killed.is_alive()
        time.sleep(0.001)
    os.kill(killed.pid, signal.SIGKILL)
    killed.join(60)
    return [int(line) for line in acknowledged.read_text().split()]


async def find_all_acknowledged(url: str, file: Path, numbers: list[int]) -> int:
    """Every acknowledged turn is there, in order, and no half one; returns the number that comes next."""
    async with open_database(url) as database:
        asked = [int(question.split()[1]) for question, _ in await said(database)]
        unfinished = [left.question.message_id for left in await Inbox(database).unfinished()]

    assert set(numbers) <= set(asked)
    assert asked == sorted(set(asked))
    assert set(asked) - set(numbers) <= {max(numbers) + 1} | set(unfinished) | _unacknowledged(numbers)
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        num_seen = connection.execute("SELECT max(message_id) FROM inbox").fetchone()[0]
    return int(num_seen) + 1


def _unacknowledged(numbers: list[int]) -> set[int]:
    """The questions that earlier kills caught between commit and acknowledgement."""
    return set(range(max(numbers))) - set(numbers)
