"""A PostgreSQL server that falls silent, drops a connection in the middle of a commit, or is a copy only."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from sqlalchemy import URL, NullPool, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from bot.errors import DatabaseBusy
from bot.store.files.cancellation import was_committed
from bot.store.files.database import Database, migrate, open_database
from bot.store.files.timeouts import Timeouts
from bot.store.rows.inbox import Inbox
from bot.store.tables import hints
from tests.store.postgresql_server import new_database, on_postgresql
from tests.store.said import MORNING, ask
from tests.store.silence import SilentProxy, open_proxy

pytestmark = on_postgresql()

SHORT = Timeouts(step_seconds=1.0, busy_seconds=0.5, cancel_seconds=0.5, close_seconds=0.5)
# What a machine that others keep busy may need beside the timeouts.
SLACK_SECONDS = 10.0

Step = Callable[[Database], Awaitable[object]]


@pytest.fixture
async def address(postgresql_server: str) -> AsyncIterator[URL]:
    async with new_database(postgresql_server, f"trinity_faults_{os.getpid()}") as address:
        yield address


@pytest.fixture
async def proxy(address: URL) -> AsyncIterator[SilentProxy]:
    async with open_proxy(address.port or 0) as proxy:
        yield proxy


@pytest.fixture
async def database(address: URL, proxy: SilentProxy) -> AsyncIterator[Database]:
    await migrate(written(address))
    async with open_database(written(address, proxy), timeouts=SHORT) as database:
        yield database


def written(address: URL, proxy: SilentProxy | None = None) -> str:
    if proxy is not None:
        address = address.set(host="127.0.0.1", port=proxy.port)
    return address.render_as_string(hide_password=False)


async def note(connection: AsyncConnection, number: int = 1) -> None:
    await connection.execute(hints.insert().values(platform="t", author_id=number, day=MORNING.date()))


async def count(connection: AsyncConnection) -> int:
    return int((await connection.execute(select(func.count()).select_from(hints))).scalar_one())


@pytest.mark.parametrize("step", [lambda database: database.read(count), lambda database: database.write(note)])
async def test_a_silent_server_is_given_up_by_everybody_and_used_again_when_it_speaks(
    database: Database, proxy: SilentProxy, step: Step
) -> None:
    await asyncio.gather(*(database.read(count) for _ in range(5)))  # five connections are kept
    proxy.fall_silent()

    began_at = time.monotonic()
    outcomes = await asyncio.gather(*(step(database) for _ in range(12)), return_exceptions=True)
    seconds = time.monotonic() - began_at
    proxy.speak()
    async with asyncio.timeout(30):
        await eventually(lambda: database.write(note))

    assert {type(outcome) for outcome in outcomes} == {DatabaseBusy}
    assert seconds < 4 * SHORT.step_seconds + SLACK_SECONDS
    assert await database.read(count) >= 1


async def test_a_kept_connection_that_died_in_silence_costs_a_wait_and_no_answer(
    database: Database, proxy: SilentProxy
) -> None:
    await database.read(count)
    proxy.fall_silent()
    writing = asyncio.create_task(database.write(note))
    await asyncio.sleep(0.2)  # it waits on the old connection
    num_before = proxy.num_connections
    async with asyncio.timeout(30):
        while proxy.num_connections == num_before:  # noqa: ASYNC110 - a test's proxy has no event for that
            await asyncio.sleep(0.01)
    proxy.speak()

    await writing

    assert await database.read(count) == 1


async def test_a_cancel_and_the_end_wait_for_a_silent_server_for_a_moment_only(
    address: URL, proxy: SilentProxy
) -> None:
    await migrate(written(address))
    timeouts = Timeouts(step_seconds=60, busy_seconds=0.5, cancel_seconds=0.3, close_seconds=0.3)
    async with open_database(written(address, proxy), timeouts=timeouts) as database:
        await asyncio.gather(*(database.read(count) for _ in range(5)))
        proxy.fall_silent()
        waiting = [
            asyncio.create_task(database.write(note)),
            *(asyncio.create_task(database.read(count)) for _ in "123"),
        ]
        await asyncio.sleep(0.1)
        began_at = time.monotonic()
        for task in waiting:
            task.cancel()
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        still_waiting = [asyncio.create_task(database.read(count)) for _ in range(3)]
        await asyncio.sleep(0.1)
    seconds = time.monotonic() - began_at
    await asyncio.gather(*still_waiting, return_exceptions=True)

    assert {type(outcome) for outcome in outcomes} == {asyncio.CancelledError}
    assert seconds < 2.0 + SLACK_SECONDS


async def test_a_silent_server_at_the_start_is_out_of_reach(address: URL, proxy: SilentProxy) -> None:
    proxy.fall_silent()

    with pytest.raises(DatabaseBusy, match="doesn't answer"):
        async with open_database(written(address, proxy), timeouts=SHORT):
            pass


async def test_a_statement_that_waits_on_a_silent_server_is_not_committed_later(
    database: Database, proxy: SilentProxy, address: URL
) -> None:
    async def fall_silent_half_way(connection: AsyncConnection) -> None:
        await note(connection)
        proxy.fall_silent()
        await note(connection, 2)

    with pytest.raises(DatabaseBusy):
        await database.write(fall_silent_half_way)
    proxy.speak()

    await eventually(lambda: database.write(lambda connection: note(connection, 3)))
    assert await database.read(count) == 1


@pytest.mark.parametrize("is_taken", [True, False])
async def test_a_connection_reset_in_the_commit_is_asked_about(
    database: Database, proxy: SilentProxy, address: URL, is_taken: bool
) -> None:
    """The commit's answer is lost; whether the commit itself arrived, only the server knows."""

    async def lose(connection: AsyncConnection) -> str:
        await note(connection)
        driver = (await connection.get_raw_connection()).driver_connection
        if is_taken:
            await driver.execute("COMMIT")
        driver.terminate()
        return "result"

    if is_taken:
        assert await database.write(lose) == "result"
    else:
        with pytest.raises(DatabaseBusy):
            await database.write(lose)

    assert await database.read(count) == int(is_taken)


async def test_a_question_whose_commit_met_with_silence_is_received_once(
    database: Database, proxy: SilentProxy
) -> None:
    async def commit_in_silence(connection: AsyncConnection) -> None:
        await note(connection)
        proxy.fall_silent()

    with pytest.raises(DatabaseBusy):
        await database.write(commit_in_silence)
    proxy.speak()

    accepted = await eventually(lambda: Inbox(database).receive(ask(1)))
    assert accepted
    assert not await Inbox(database).receive(ask(1))


async def test_a_read_only_copy_is_left_for_the_server_that_can_be_written(database: Database, address: URL) -> None:
    name = address.database
    await database.read(count)

    async def forbid(connection: AsyncConnection) -> None:
        await connection.execute(text(f"ALTER DATABASE {name} SET default_transaction_read_only = on"))

    async def allow(connection: AsyncConnection) -> None:
        await connection.execute(text("SET TRANSACTION READ WRITE"))
        await connection.execute(text(f"ALTER DATABASE {name} RESET default_transaction_read_only"))

    await database.write(forbid)
    await database.engine.dispose()
    with pytest.raises(DatabaseBusy, match="read-only"):
        await database.write(note)
    other = create_async_engine(address.set(drivername="postgresql+asyncpg"), poolclass=NullPool)
    async with other.connect() as connection, connection.begin():
        await allow(connection)

    await database.write(note)  # on a new connection, since a kept one may still lead to the copy

    assert await database.read(count) == 1


async def test_a_cancel_in_a_silent_commit_says_that_its_end_is_unknown(database: Database, proxy: SilentProxy) -> None:
    begun = asyncio.Event()

    async def work(connection: AsyncConnection) -> None:
        await note(connection)
        proxy.fall_silent()
        begun.set()

    task = asyncio.create_task(database.write(work))
    await begun.wait()
    await asyncio.sleep(0.05)
    task.cancel()

    with pytest.raises(asyncio.CancelledError) as cancelled:
        await task
    assert not was_committed(cancelled.value)


async def eventually(step: Callable[[], Awaitable[object]]) -> object:
    """What it gives once the database is back; what was silent may take a moment to be given up by the server too."""
    while True:
        try:
            return await step()
        except DatabaseBusy:
            await asyncio.sleep(0.1)
