"""One daemon for each database on a server: who is refused, and what becomes of a lock that was lost."""

import asyncio
import multiprocessing
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from multiprocessing.synchronize import Event

import pytest
from sqlalchemy import URL, text
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.errors import DatabaseUnusable, SecondInstance
from bot.store.files.database import Database, open_database
from bot.store.files.server_lock import hold_server
from bot.store.files.timeouts import Timeouts
from tests.store.files.test_pooler import NO_POOLER, open_pooler
from tests.store.postgresql_server import PostgresqlServer, new_database, on_postgresql, own_server
from tests.store.silence import open_proxy

pytestmark = on_postgresql()

QUICK = {"timeouts": Timeouts(step_seconds=0.5), "ping_seconds": 0.05}
_HELD = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2 AND granted")
_END_HOLDERS = text(
    "SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2 AND granted"
)


@pytest.fixture
async def address(postgresql_server: str) -> AsyncIterator[URL]:
    async with new_database(postgresql_server, f"trinity_lock_{os.getpid()}") as address:
        yield address


def written(address: URL) -> str:
    return address.render_as_string(hide_password=False)


def hold_until_killed(url: str, held: Event) -> None:
    async def hold() -> None:
        async with hold_server(url):
            held.set()
            await asyncio.Event().wait()

    asyncio.run(hold())


async def refused(url: str, *, is_shared: bool = False) -> str:
    with pytest.raises(SecondInstance) as refusal:
        async with hold_server(url, is_shared=is_shared):
            pass
    return str(refusal.value)


async def test_a_second_daemon_is_refused_by_name_until_the_first_is_killed(address: URL) -> None:
    context = multiprocessing.get_context("spawn")
    held = context.Event()
    first = context.Process(target=hold_until_killed, args=(written(address), held))
    first.start()
    try:
        assert await asyncio.to_thread(held.wait, 60)
        assert f"process {first.pid} on " in await refused(written(address))
        os.kill(first.pid or 0, signal.SIGKILL)
        async with hold_server(written(address)):
            pass
    finally:
        first.kill()
        await asyncio.to_thread(first.join, 60)


async def test_a_schema_that_is_not_there_is_no_second_daemon(address: URL) -> None:
    with pytest.raises(DatabaseUnusable, match="CREATE SCHEMA"):
        async with hold_server(f"{written(address)}?search_path=nowhere"):
            pass


async def test_those_that_share_a_database_keep_away_one_that_does_not(address: URL) -> None:
    url = written(address)
    async with hold_server(url, is_shared=True), hold_server(url, is_shared=True):
        assert "process" in await refused(url)
    async with hold_server(url):
        await refused(url, is_shared=True)


@pytest.mark.skipif(NO_POOLER, reason="NOT CHECKED THROUGH A POOLER: install pgbouncer")
async def test_through_a_pooler_of_transactions_only_one_has_it_too(address: URL) -> None:
    async with open_pooler(address, "transaction") as pooled:
        url = pooled.render_as_string()
        async with hold_server(url, ping_seconds=0.05):
            await refused(url)
            await refused(written(address))
        async with hold_server(written(address)):
            await refused(url)


async def count(database: Database) -> int:
    async def work(connection: AsyncConnection) -> int:
        return int(await connection.scalar(_HELD) or 0)

    return await database.read(work)


async def end_holders(database: Database) -> None:
    async def work(connection: AsyncConnection) -> None:
        await connection.execute(_END_HOLDERS)

    await database.read(work)


async def wait_until_held(database: Database, number: int) -> None:
    async with asyncio.timeout(60):
        while await count(database) != number:  # noqa: ASYNC110 - the server has no event for that
            await asyncio.sleep(0.02)


async def test_a_lock_that_was_lost_is_taken_again(address: URL, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    async with open_database(written(address)) as database, hold_server(written(address), **QUICK):
        await end_holders(database)
        await wait_until_held(database, 1)
        async with asyncio.timeout(60):
            while "held again" not in caplog.text:  # noqa: ASYNC110 - a log has no event for that
                await asyncio.sleep(0.02)

        await refused(written(address))


async def test_whose_lock_another_has_ends(address: URL) -> None:
    url = written(address)
    async with open_database(url) as database, open_proxy(address.port or 0) as proxy, AsyncExitStack() as other:

        async def lose() -> None:
            async with hold_server(written(address.set(host="127.0.0.1", port=proxy.port)), **QUICK):
                proxy.fall_silent()
                await end_holders(database)
                await other.enter_async_context(hold_server(url))
                proxy.speak()
                await asyncio.Event().wait()

        with pytest.raises(SecondInstance):
            await lose()


async def test_a_connection_that_the_server_still_believes_in_is_ended_by_its_own_process(address: URL) -> None:
    url = written(address)
    async with open_database(url) as database, open_proxy(address.port or 0) as proxy:
        async with hold_server(written(address.set(host="127.0.0.1", port=proxy.port)), **QUICK):
            num_before = proxy.num_connections
            proxy.fall_silent()
            async with asyncio.timeout(60):
                while proxy.num_connections == num_before:  # noqa: ASYNC110 - a test's proxy has no event for that
                    await asyncio.sleep(0.01)
            assert await count(database) == 1
            proxy.speak()
            await asyncio.sleep(0.2)
            await wait_until_held(database, 1)
        await wait_until_held(database, 0)


async def test_the_lock_outlasts_a_restart_of_the_server() -> None:
    with own_server() as server:
        async with hold_server(server.url, **QUICK):
            await asyncio.to_thread(_restart, server)
            async with open_database(server.url) as database:
                await wait_until_held(database, 1)
                await refused(server.url)


def _restart(server: PostgresqlServer) -> None:
    server.stop()
    server.start()
