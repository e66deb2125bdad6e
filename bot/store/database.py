"""The database, open: one place where transactions run, and where they outlive whoever asked for them.

A transaction that is cancelled half-way leaves its asker not knowing whether it was committed, and its connection in
an unknown state. So each runs in a task of its own; a cancel waits for it to end and then says which way it ended.
Writers of one process take turns at a lock, so that SQLite never refuses one of them because of another.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, Table, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from bot.errors import DatabaseBusy, StoreError
from bot.store import postgresql as server
from bot.store import sqlite as embedded
from bot.store.check import refuse_newer
from bot.store.deletion import delete_hidden
from bot.store.failures import translated_failures
from bot.store.migrate import Migration, prepare_file
from bot.store.schema import migrations_folder, read_version, refuse_altered_server, run_migrations
from bot.store.sqlite import BUSY_TIMEOUT_SECONDS, database_file, mark_anew, mark_next, parse_url, truncate_log
from bot.store.tables import SCHEMA_VERSION

T = TypeVar("T")
Work = Callable[[AsyncConnection], Awaitable[T]]

READ = {"transaction": "read"}
WRITE = {"transaction": "write"}
NO_TRANSACTION = {"transaction": None}

_COMMITTED = "cancelled; the transaction was committed"
_ROLLED_BACK = "cancelled; nothing was written"
# Any number that no other program takes: "Trin".
_UPGRADE_LOCK = 1416784238


def utc_now() -> datetime:
    """The present moment, by the wall clock."""
    return datetime.now(UTC)


def was_committed(cancelled: asyncio.CancelledError) -> bool:
    """Whether the transaction that a cancel interrupted was committed nevertheless."""
    return cancelled.args[:1] == (_COMMITTED,)


class Database:
    """Runs transactions. Made by `open_database`."""

    def __init__(self, engine: AsyncEngine, clock: Callable[[], datetime] = utc_now) -> None:
        self.engine = engine
        self.clock = clock
        self._is_file = engine.dialect.name == "sqlite"
        self._running: set[asyncio.Task[Any]] = set()
        self._write_lock = asyncio.Lock()
        self._last_busy_at = float("-inf")
        self._is_closed = False

    async def read(self, work: Work[T]) -> T:
        """Run `work` in a transaction that sees one state of the database and waits for no writer.

        Raises:
            StoreError: translated from whatever went wrong.
        """
        self._refuse_if_closed()
        return await outlast_cancel(self._transact(work, READ), self._running)

    async def write(self, work: Work[T]) -> T:
        """Run `work` in a writing transaction, committed when it returns and rolled back when it raises.

        `work` must not call `read` or `write` itself. A cancel before the transaction's turn came leaves at once;
        later it waits for the end, and `was_committed` tells what became of it.

        Raises:
            DatabaseBusy: locked by another process, or the disk is full; nothing was written.
            StoreError: translated from whatever went wrong.
        """
        asked_at = time.monotonic()
        async with self._write_lock:
            self._refuse_if_closed()
            self._refuse_if_locked_since(asked_at)
            return await outlast_cancel(self._transact(work, WRITE), self._running)

    async def erase_traces(self) -> bool:
        """Empty SQLite's log, which may still hold what was deleted; False if another process keeps it from that."""
        async with self._write_lock:
            self._refuse_if_closed()
            truncation = self._transact(lambda connection: connection.run_sync(truncate_log), NO_TRANSACTION)
            return await outlast_cancel(truncation, self._running)

    async def mark_opened(self) -> None:
        """Show in an SQLite file that it is in use, and what is written from now on as of this use (`header.py`)."""
        if self._is_file:
            # Two commits: the first continues the file's own mark, or the log could not be told to be its own.
            await self.write(lambda connection: connection.run_sync(mark_next))
            await self.write(lambda connection: connection.run_sync(mark_anew))
            await self.erase_traces()

    async def mark_closed(self) -> None:
        """Show in an SQLite file that it was closed in order; without a word if it can't be written just then."""
        if self._is_file:
            with suppress(StoreError):
                await self.write(lambda connection: connection.run_sync(mark_next, is_open=False))

    async def close(self) -> None:
        """Wait for running transactions, then close every connection and its thread; no other is opened any more."""
        self._is_closed = True
        if self._running:
            await asyncio.wait(self._running)
        await outlast_cancel(self.engine.dispose(), self._running)

    def _refuse_if_closed(self) -> None:
        # A transaction now would open a connection, and its thread, that nobody closes.
        if self._is_closed:
            raise DatabaseBusy("The database was closed.")

    def _refuse_if_locked_since(self, asked_at: float) -> None:
        # Who waited while another one's patience ran out has waited long enough: not each in turn another 5 s.
        if self._last_busy_at > asked_at and time.monotonic() - asked_at >= BUSY_TIMEOUT_SECONDS:
            raise DatabaseBusy("The database is locked by another process, or very slow.")

    async def _transact(self, work: Work[T], options: Mapping[str, Any]) -> T:
        try:
            with translated_failures():
                async with self.engine.connect() as connection:
                    await connection.execution_options(**options)
                    async with connection.begin():
                        return await work(connection)
        except DatabaseBusy:
            self._last_busy_at = time.monotonic()
            raise


@asynccontextmanager
async def open_database(url: str, *, clock: Callable[[], datetime] = utc_now) -> AsyncIterator[Database]:
    """Check the database, migrate it, keep it open and close it.

    What a reset hid before is deleted for good first. `clock` gives the present moment, with its time zone.

    Raises:
        DatabaseUnusable: not ours, corrupt, read-only or from a newer Trinity; it was left untouched.
        DatabaseBusy: locked by another process, or out of reach.
    """
    await migrate(url)
    database = Database(build_engine(url), clock)
    try:
        await database.write(delete_hidden)
        await database.mark_opened()
        try:
            yield database
        finally:
            await database.mark_closed()
    finally:
        await database.close()


def build_engine(url: str) -> AsyncEngine:
    """An engine for either kind of database, with its connections set up."""
    parsed = parse_url(url)
    is_sqlite = parsed.get_backend_name() == "sqlite"
    options = {} if is_sqlite else server.ENGINE_OPTIONS
    engine = create_async_engine(parsed, pool_size=5, max_overflow=0, pool_timeout=30, hide_parameters=True, **options)
    (embedded if is_sqlite else server).prepare_connections(engine.sync_engine)
    return engine


async def migrate(url: str) -> Migration:
    """Create the database or bring it to this Trinity's schema; also part of every `open_database`.

    Raises:
        DatabaseUnusable: it can't be used; it was left untouched.
        DatabaseBusy: locked by another process, or out of reach.
    """
    file = database_file(url)
    if file is not None:
        return await outlast_cancel(asyncio.to_thread(prepare_file, file))
    engine = build_engine(url)
    try:
        with translated_failures():
            async with engine.begin() as connection:
                return await connection.run_sync(_migrate_server)
    finally:
        await engine.dispose()


def _migrate_server(connection: Connection) -> Migration:
    # Several processes that start together take turns; the lock ends with the transaction.
    connection.execute(select(func.pg_advisory_xact_lock(_UPGRADE_LOCK)))
    before = read_version(connection)
    refuse_newer(before, "The database")
    run_migrations(connection, migrations_folder(), SCHEMA_VERSION)
    refuse_altered_server(connection)
    return Migration(before, SCHEMA_VERSION)


async def outlast_cancel(work: Coroutine[Any, Any, T], running: set[asyncio.Task[Any]] | None = None) -> T:
    """Run `work` to its end, come what may; a cancel is raised after it, and `was_committed` tells how it ended.

    While it runs, its task is in `running`.
    """
    # Not in a TaskGroup: that would cancel the work together with its asker.
    task = asyncio.create_task(work)
    if running is not None:
        running.add(task)
        task.add_done_callback(running.discard)
    is_cancelled = False
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            is_cancelled = True
    if is_cancelled:
        raise asyncio.CancelledError(_ROLLED_BACK if task.exception() else _COMMITTED)
    return task.result()


def insert(connection: AsyncConnection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that knows ON CONFLICT, which both databases spell alike and SQLAlchemy has once for each."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)
