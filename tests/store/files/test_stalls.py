"""A disk that stalls under SQLite: nobody waits for it longer than its timeouts, and it is used again afterwards."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.errors import DatabaseBusy
from bot.store.files.cancellation import was_committed
from bot.store.files.database import Database, open_database
from bot.store.files.timeouts import Timeouts
from bot.store.rows.inbox import Inbox
from bot.store.tables import hints
from tests.store.said import MORNING, ask

SHORT = Timeouts(step_seconds=0.4, busy_seconds=0.1, cancel_seconds=0.3, close_seconds=0.3)
SLACK_SECONDS = 10.0


class Disk:
    """Stalls the thread that works for a connection, until it is told to go on."""

    def __init__(self) -> None:
        self.is_stalled = threading.Event()
        self._goes_on = threading.Event()

    def wait(self, *_: object) -> int:
        self.is_stalled.set()
        self._goes_on.wait(60)
        return 1

    def go_on(self) -> None:
        self._goes_on.set()

    async def stall(self, connection: AsyncConnection) -> None:
        """A statement that doesn't come back."""
        driver = (await connection.get_raw_connection()).driver_connection
        await driver.create_function("wait_for_disk", 0, self.wait)
        await connection.exec_driver_sql("SELECT wait_for_disk()")

    async def stall_commit(self, connection: AsyncConnection) -> None:
        """The transaction's commit doesn't come back."""
        driver = (await connection.get_raw_connection()).driver_connection
        await driver.set_trace_callback(lambda statement: statement == "COMMIT" and self.wait())


@pytest.fixture
def disk() -> Iterator[Disk]:
    disk = Disk()
    yield disk
    disk.go_on()


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    async with open_database(url, timeouts=SHORT) as database:
        yield database


async def note(connection: AsyncConnection) -> None:
    await connection.execute(hints.insert().values(platform="t", author_id=1, day=MORNING.date()))


async def count(connection: AsyncConnection) -> int:
    return int((await connection.execute(select(func.count()).select_from(hints))).scalar_one())


async def eventually_received(database: Database, number: int) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                assert await Inbox(database).receive(ask(number))
            except DatabaseBusy:
                await asyncio.sleep(0.05)
            else:
                return


async def test_a_stalled_statement_is_given_up_and_rolled_back_when_the_disk_goes_on(
    database: Database, disk: Disk
) -> None:
    async def stall(connection: AsyncConnection) -> None:
        await note(connection)
        await disk.stall(connection)

    began_at = time.monotonic()
    outcomes = await asyncio.gather(
        database.write(stall), *(Inbox(database).receive(ask(number)) for number in range(5)), return_exceptions=True
    )
    seconds = time.monotonic() - began_at
    assert await database.read(count) == 0  # readers go on meanwhile
    disk.go_on()

    await eventually_received(database, 9)
    assert {type(outcome) for outcome in outcomes} == {DatabaseBusy}
    assert seconds < 3.0 + SLACK_SECONDS
    assert await database.read(count) == 0


async def test_a_stalled_commit_is_given_up_and_its_question_is_still_received_once(
    database: Database, disk: Disk
) -> None:
    async def stall(connection: AsyncConnection) -> None:
        await note(connection)
        await disk.stall_commit(connection)

    with pytest.raises(DatabaseBusy):
        await database.write(stall)
    disk.go_on()

    await eventually_received(database, 1)
    assert not await Inbox(database).receive(ask(1))


async def test_a_cancel_does_not_wait_for_a_stalled_commit(database: Database, disk: Disk) -> None:
    async def stall(connection: AsyncConnection) -> None:
        await note(connection)
        await disk.stall_commit(connection)

    task = asyncio.create_task(database.write(stall))
    await asyncio.to_thread(disk.is_stalled.wait, 30)
    task.cancel()

    with pytest.raises(asyncio.CancelledError) as cancelled:
        async with asyncio.timeout(SLACK_SECONDS):
            await task

    assert not was_committed(cancelled.value)


async def test_the_end_does_not_wait_for_a_stalled_disk(url: str, disk: Disk) -> None:
    async with open_database(url, timeouts=SHORT) as database:
        with pytest.raises(DatabaseBusy):
            await database.write(disk.stall)
        num_threads, began_at = threading.active_count(), time.monotonic()

    assert time.monotonic() - began_at < SLACK_SECONDS
    assert asyncio.all_tasks() == {asyncio.current_task()}  # nothing is left that the loop would wait for at its end
    disk.go_on()
    async with asyncio.timeout(30):
        while threading.active_count() >= num_threads:  # noqa: ASYNC110 - a thread's end is no event
            await asyncio.sleep(0.01)


async def test_readers_that_meet_a_stalled_disk_are_all_told(database: Database, disk: Disk) -> None:
    outcomes = await asyncio.gather(*(database.read(disk.stall) for _ in range(12)), return_exceptions=True)
    disk.go_on()

    assert {type(outcome) for outcome in outcomes} == {DatabaseBusy}
    async with asyncio.timeout(30):
        while database.engine.sync_engine.pool.checkedout():  # noqa: ASYNC110 - the pool has no event for that
            await asyncio.sleep(0.01)
    assert await database.read(count) == 0
