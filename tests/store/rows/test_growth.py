"""Days of turns, log lines and retention in minutes: database and logs stop growing."""

import asyncio
import logging
import time
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from bot.conversation.messages import ConversationKey
from bot.logs import MAX_FILE_BYTES, NUM_OLD_FILES, configure_logging, flush_logs
from bot.store.files.database import Database, open_database
from bot.store.files.sqlite import database_file
from bot.store.rows.deletion import MAX_DELETED_AT_ONCE
from bot.store.rows.history import History
from bot.store.rows.inbox import Inbox
from tests.logging_state import logging_as_before
from tests.store.past import fill, hours
from tests.store.said import MORNING, Clock, ask, hold_turn

pytestmark = pytest.mark.sqlite_only  # it is the size of files

NUM_CHANNELS = 50
LOG_LINE = "answered discord:%d question %d: prompt %d tokens, %d cached, %d new, first after %.2f s, %.2f s in all, %s"


class Days(NamedTuple):
    num_hours: int
    retention_hours: int
    turns_per_hour: int


def megabytes(*paths: Path) -> float:
    return sum(path.stat().st_size for path in paths) / 2**20


@pytest.mark.no_cover
@pytest.mark.parametrize("days", [Days(10, 4, 20), pytest.param(Days(72, 24, 3600), marks=pytest.mark.soak)], ids=str)
async def test_with_retention_the_database_stops_growing_after_its_days(url: str, days: Days) -> None:
    """A turn a second, and once an hour what the daemon's housekeeping does."""
    clock, file, sizes, seconds, number = Clock(), database_file(url), [], [], 0
    retention = timedelta(hours=days.retention_hours)
    keys = [ConversationKey("discord", 1000 + channel, 7) for channel in range(NUM_CHANNELS)]
    async with open_database(url, clock=clock) as database:
        history = History(database)
        for begin, end in hours(MORNING, days.num_hours):
            await fill(database, keys, 10_000 + number, days.turns_per_hour, begin, end)
            number += days.turns_per_hour
            clock.move(hours=1)
            await hold_turn(database, ask(10**9 + number, key=keys[0], created_at=clock.now))
            if clock.now.hour == 0:
                await history.reset(keys[1])
            clock.move(minutes=2)
            began_at = time.monotonic()
            await history.delete_older_than(clock.now - retention)
            await history.purge_hidden(clock.now)
            seconds.append(time.monotonic() - began_at)
            clock.move(minutes=-2)
            sizes.append(megabytes(*file.parent.glob("trinity.db*")))
        left = await database.read(lambda c: c.exec_driver_sql("SELECT count(*), min(created_at) FROM messages"))
        num_messages, oldest = left.one()

    full = days.retention_hours
    print(
        f"\ndays of turns: {days.num_hours} h of {days.turns_per_hour} turns, retention {full} h, turns {number}, "
        f"kept {num_messages // 2}, database {sizes[full]:.1f} MiB when that is full, {sizes[-1]:.1f} MiB at the end, "
        f"retention once an hour {max(seconds):.2f} s at most"
    )
    assert num_messages // 2 <= 1.1 * full * days.turns_per_hour + full
    assert str(oldest) >= str((clock.now - retention).replace(tzinfo=None))
    assert sizes[-1] <= 1.15 * sizes[full] + 0.5


async def test_old_turns_by_the_thousand_let_others_write_in_between(database: Database) -> None:
    key, num_old = ConversationKey("discord", 1000, 7), 2 * MAX_DELETED_AT_ONCE + 500
    await fill(database, [key], 10_000, num_old, MORNING - timedelta(days=2), MORNING - timedelta(days=1))
    order: list[str] = []

    async def delete() -> None:
        assert await History(database).delete_older_than(MORNING) == num_old
        order.append("deleted")

    async def say() -> None:
        await Inbox(database).receive(ask(1))
        order.append("said")

    await asyncio.gather(delete(), say())

    left = await database.read(
        lambda c: c.exec_driver_sql("SELECT count(*) FROM messages UNION ALL SELECT count(*) FROM inbox")
    )
    assert [row[0] for row in left] == [0, 1]
    assert order == ["said", "deleted"]


@pytest.mark.parametrize("num_lines", [2_000, pytest.param(3 * 86_400, marks=pytest.mark.soak)])
def test_the_logs_of_a_day_take_no_more_than_their_files(tmp_path: Path, num_lines: int) -> None:
    """Three lines for each turn of a turn a second, a day long."""
    file, most = tmp_path / "logs" / "trinity.log", 0.0
    with logging_as_before():
        configure_logging("INFO", "json", file=file)
        log = logging.getLogger("bot.observer")
        for number in range(num_lines):
            log.info(LOG_LINE, 10**18 + number % 50, 10**18 + number, 900, 700, 120, 0.4, 6.2, "stop")
            if number % 1000 == 0:
                assert flush_logs(60)
                most = max(most, megabytes(*file.parent.iterdir()))
    most = max(most, megabytes(*file.parent.iterdir()))

    print(f"\nlogs: {num_lines} lines, at most {most:.1f} MiB in {len(list(file.parent.iterdir()))} files")
    assert most <= MAX_FILE_BYTES * (NUM_OLD_FILES + 1) / 2**20 <= 100
