import asyncio
import random
import sqlite3
import threading
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.errors import DatabaseBusy, StoreError
from bot.store.files.cancellation import was_committed
from bot.store.files.database import Database, open_database
from bot.store.rows.inbox import Inbox
from bot.store.tables import conversations, hints
from tests.store.said import MORNING, ask
from tests.store.storms import cancel_half_of


def num_taken(database: Database) -> int:
    return database.engine.sync_engine.pool.checkedout()


async def test_every_pooled_connection_syncs_every_commit(database):
    async def read_pragmas() -> tuple[object, ...]:
        async def work(connection: AsyncConnection) -> tuple[object, ...]:
            names = ("journal_mode", "synchronous", "foreign_keys", "secure_delete", "busy_timeout")
            pragmas = [await connection.exec_driver_sql("PRAGMA " + name) for name in names]
            await all_are_taken.wait()
            return tuple(pragma.scalar_one() for pragma in pragmas)

        return await database.read(work)

    all_are_taken = asyncio.Barrier(5)
    pragmas = await asyncio.gather(*(read_pragmas() for _ in range(5)))

    assert database.engine.sync_engine.pool.size() == 5
    assert set(pragmas) == {("wal", 2, 1, 1, 5000)}


async def test_a_transaction_is_one_trip_to_the_connections_thread(database):
    async def work(connection: AsyncConnection) -> list[int]:
        await connection.execute(text("UPDATE alembic_version SET version_num = version_num"))
        return list(await connection.scalars(text("SELECT 1 UNION SELECT 2")))

    async def find_driver(connection: AsyncConnection) -> Any:
        return (await connection.get_raw_connection()).driver_connection

    trips, driver = [], await database.read(find_driver)
    execute = driver._execute
    driver._execute = lambda *arguments: trips.append(arguments) or execute(*arguments)

    assert await database.write(work) == [1, 2]

    assert len(trips) == 1


async def test_writers_do_not_lose_each_others_updates_nor_another_process_its_own(database, url):
    await Inbox(database).receive(ask(1))

    async def count_up(connection: AsyncConnection) -> None:
        value = await connection.scalar(select(conversations.c.epoch))
        await connection.execute(conversations.update().values(epoch=value + 1))

    async with open_database(url) as other:
        await asyncio.gather(*(writer.write(count_up) for _ in range(50) for writer in (database, other)))

    assert await database.read(lambda connection: connection.scalar(select(conversations.c.epoch))) == 100


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_storm_of_cancels_leaves_no_write_locked_and_none_unknown(database, seed):
    threads_before = threading.active_count()

    outcomes = await cancel_half_of(database, 500, random.Random(seed))

    rows = await database.read(lambda connection: connection.execute(select(hints.c.author_id)))
    known = {number for number, outcome in outcomes.items() if outcome == "written"}
    assert set(outcomes.values()) <= {"written", "not written"}
    assert {row.author_id for row in rows} == known
    assert len(known) >= 250
    assert num_taken(database) == 0
    assert threading.active_count() <= threads_before + 5


async def test_a_cancel_in_the_middle_of_a_write_waits_for_the_commit(database):
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(hints.insert().values(platform="t", author_id=1, day=MORNING.date()))
        begun.set()
        await go_on.wait()

    task = asyncio.create_task(database.write(work))
    await begun.wait()
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0)
    assert not task.done()
    go_on.set()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert len((await database.read(lambda connection: connection.execute(select(hints)))).all()) == 1


async def test_a_cancel_before_its_turn_writes_nothing(database):
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def hold(connection: AsyncConnection) -> None:
        begun.set()
        await go_on.wait()

    holder = asyncio.create_task(database.write(hold))
    await begun.wait()
    waiting = asyncio.create_task(Inbox(database).receive(ask(1)))
    await asyncio.sleep(0)
    waiting.cancel()

    with pytest.raises(asyncio.CancelledError) as cancelled:
        await waiting
    go_on.set()
    await holder
    assert not was_committed(cancelled.value)
    assert await Inbox(database).unfinished() == []


async def test_a_timeout_around_a_write_stays_a_timeout(database):
    async def work(connection: AsyncConnection) -> None:
        await asyncio.sleep(0.05)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await database.write(work)


async def test_closing_waits_for_what_runs_and_leaves_no_connection_and_no_log(url, file):
    async with open_database(url) as database:
        await asyncio.gather(*(Inbox(database).unfinished() for _ in range(5)))
        threads_open = threading.active_count()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(Inbox(database).receive(ask(1)))
            await asyncio.sleep(0)
            await database.close()

    async with asyncio.timeout(60):
        while threading.active_count() > threads_open - 5:  # noqa: ASYNC110 - a thread ends after its last answer
            await asyncio.sleep(0.01)
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("SELECT count(*) FROM inbox").fetchone() == (1,)


async def test_a_closed_database_opens_no_connection_any_more(url: str) -> None:
    async with open_database(url) as database:
        num_threads = threading.active_count()

    for transact in (database.read, database.write):
        with pytest.raises(DatabaseBusy, match="closed"):
            await transact(lambda connection: connection.exec_driver_sql("SELECT 1"))

    assert threading.active_count() <= num_threads


async def test_a_failed_write_is_rolled_back_whole_and_its_words_stay_out_of_the_error(database):
    async def work(connection: AsyncConnection) -> None:
        await connection.execute(hints.insert().values(platform="t", author_id=1, day=MORNING.date()))
        await connection.execute(text("INSERT INTO messages (content) VALUES (:content)"), {"content": "secret"})

    with pytest.raises(StoreError) as failure:
        await database.write(work)

    assert "secret" not in str(failure.value) + str(failure.value.__cause__)
    assert (await database.read(lambda connection: connection.execute(select(hints)))).all() == []
    assert num_taken(database) == 0


async def test_an_error_of_the_callers_own_passes_unchanged(database):
    async def work(connection: AsyncConnection) -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await database.write(work)
