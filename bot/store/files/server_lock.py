"""One daemon per database on a PostgreSQL server, wherever the daemons run: a lock that ends with its holder.

It stands on a connection of its own, in a transaction that stays open. A lock of the session would not do: a pool of
connections keeps it after a rollback and a close, and through a pooler that gives each transaction another connection,
two processes would both get it. An open transaction has one connection of the server's to itself, behind a pooler too.
It holds no snapshot and writes nothing, so that it is in nobody's way.

A process that is gone, or silent for a minute, loses the lock: the server ends the transaction. One that lost it, as
when the server is started again, takes it again, and ends where another was faster.
"""

import asyncio
import logging
import os
import secrets
import socket
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any, TypeVar

from bot.errors import DatabaseBusy, DatabaseUnusable, SecondInstance, StoreError
from bot.store.files.connections import read_address
from bot.store.files.failures import NO_SCHEMA, translate
from bot.store.files.postgresql import DAEMON_LOCK, connect_to
from bot.store.files.server_url import is_server_url
from bot.store.files.timeouts import SILENT, Timeouts
from bot.tasks import in_background

log = logging.getLogger(__name__)
T = TypeVar("T")

PING_SECONDS = 10.0
_PATIENCE_SECONDS = 5.0
"""So long a lock is waited for that a process has which is about to end, or was killed just now."""
_PAUSE_SECONDS = 0.25
_LONGEST_PAUSE_SECONDS = 5.0
_HOST_LENGTH = 24

_BEGIN = """BEGIN; SELECT set_config('idle_in_transaction_session_timeout', '60s', true);
SELECT set_config(name, '0', true) FROM pg_settings WHERE name = 'transaction_timeout'"""
_TAKE = {
    False: "SELECT pg_try_advisory_xact_lock($1, hashtext(current_schema()))",
    True: "SELECT pg_try_advisory_xact_lock_shared($1, hashtext(current_schema()))",
}
_HOLDERS = """SELECT pid, application_name FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND granted AND classid = $1::int::oid AND objsubid = 2
AND pg_locks.database = (SELECT oid FROM pg_database WHERE pg_database.datname = current_database())
AND objid::bigint = hashtext(current_schema())::bigint & 4294967295"""


@asynccontextmanager
async def hold_server(
    url: str, *, is_shared: bool = False, timeouts: Timeouts | None = None, ping_seconds: float = PING_SECONDS
) -> AsyncIterator[None]:
    """Be the only daemon on a server's database; with `is_shared`, one of several that share it. Not for SQLite.

    Raises:
        SecondInstance: another process is; also later, when the lock was lost and another one took it.
        DatabaseUnusable: the URL, or what it names, can't be used.
        DatabaseBusy: the server can't be reached.
    """
    if not is_server_url(url):
        yield
        return
    lock = _ServerLock(url, is_shared=is_shared, timeouts=timeouts or Timeouts())
    await lock.take(_PATIENCE_SECONDS)
    try:
        async with in_background(lock.keep(ping_seconds)):
            yield
    finally:
        lock.leave()


class _ServerLock:
    def __init__(self, url: str, *, is_shared: bool, timeouts: Timeouts) -> None:
        self._address = read_address(url)
        self._is_shared = is_shared
        self._step_seconds = timeouts.step_seconds
        self._connection: Any = None
        # By this the process knows its own lock again where a connection is lost that the server believes in.
        self._own = secrets.token_hex(4)

    async def take(self, patience_seconds: float) -> None:
        """Take the lock, on a new connection."""
        give_up_at = asyncio.get_running_loop().time() + patience_seconds
        self._connection = await self._connect()
        try:
            while not await self._try():
                await self._end_lost_ones()
                if asyncio.get_running_loop().time() > give_up_at:
                    raise SecondInstance(
                        f"Another Trinity already runs on this database ({await self._name_holder()}). Stop it first."
                    )
                await asyncio.sleep(_PAUSE_SECONDS)
        except BaseException:
            self.leave()
            raise

    async def keep(self, ping_seconds: float) -> None:
        """See to it that the lock is held, until this is cancelled."""
        while True:
            await asyncio.sleep(ping_seconds)
            try:
                await self._ask(self._connection.execute("SELECT 1"))
            except StoreError as error:
                log.warning("the lock on the database was lost, and I take it again: %s", error)
                await self._take_again()

    def leave(self) -> None:
        """Give the lock up, without waiting for a server that may be silent."""
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def _take_again(self) -> None:
        pause_seconds = _PAUSE_SECONDS
        while True:
            self.leave()
            try:
                await self.take(_PATIENCE_SECONDS)
            except SecondInstance:
                raise
            except StoreError:  # whoever stores something says why
                await asyncio.sleep(pause_seconds)
                pause_seconds = min(2 * pause_seconds, _LONGEST_PAUSE_SECONDS)
            else:
                log.info("the lock on the database is held again")
                return

    async def _connect(self) -> Any:
        asyncpg: Any = import_module("asyncpg")
        try:
            connection = await connect_to(self._address)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            raise translate(error) from error
        return connection

    async def _try(self) -> bool:
        """Begin a transaction that has the lock; where it can't be had, end it: it would hold a place at a pooler."""
        await self._ask(self._connection.execute(_BEGIN))
        name = f"trinity {socket.gethostname()[:_HOST_LENGTH]} {os.getpid()} {self._own}"
        await self._ask(self._connection.fetchval("SELECT set_config('application_name', $1, true)", name))
        schema, is_copy = await self._ask(self._connection.fetchrow("SELECT current_schema(), pg_is_in_recovery()"))
        if schema is None:
            raise DatabaseUnusable(NO_SCHEMA)
        if is_copy:
            raise DatabaseBusy("The database server is a read-only copy just now.")
        if await self._ask(self._connection.fetchval(_TAKE[self._is_shared], DAEMON_LOCK)):
            return True
        await self._ask(self._connection.execute("ROLLBACK"))
        return False

    async def _end_lost_ones(self) -> None:
        """End what the server still takes for a connection of this process."""
        for pid, name in await self._holders():
            if name.endswith(self._own):
                await self._ask(self._connection.fetchval("SELECT pg_terminate_backend($1)", pid))

    async def _name_holder(self) -> str:
        names = [name.split() for _, name in await self._holders()]
        known = [f"process {parts[2]} on {parts[1]}" for parts in names if len(parts) == 4 and parts[0] == "trinity"]
        return ", ".join(known) or "an unknown one"

    async def _holders(self) -> list[tuple[int, str]]:
        return [(row[0], row[1] or "") for row in await self._ask(self._connection.fetch(_HOLDERS, DAEMON_LOCK))]

    async def _ask(self, question: Coroutine[Any, Any, T]) -> T:
        """Wait for the server for as long as a step may take; then drop the connection, which ends the question."""
        asyncpg: Any = import_module("asyncpg")
        asking = asyncio.ensure_future(question)
        asking.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        try:
            await asyncio.wait({asking}, timeout=self._step_seconds)
        finally:
            if not asking.done():
                self._connection.terminate()
        if not asking.done():
            raise DatabaseBusy(SILENT)
        try:
            return asking.result()
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            raise translate(error) from error
