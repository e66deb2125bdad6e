"""The open database: the one place where transactions run, each with timeouts and in a task of its own.

A transaction that is cancelled half-way would leave its caller not knowing whether it was committed, and its connection
in an unknown state. So each runs in its own task: a cancelled caller waits a moment for its end, and the cancellation
says whether it was committed. One that makes no progress is given up with an error, and its connection is dropped.
In SQLite, writers of one process take turns, so that it never refuses one of them because of another; on a server
several write at once, and `store/rows/locks.py` says what they lock.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Connection, func, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.util.concurrency import greenlet_spawn

from bot.errors import DatabaseBusy, DatabaseOvertaken, DatabaseUnusable, StoreError
from bot.observer import Observer, Observers, TransactionRecord
from bot.store.files import postgresql as server
from bot.store.files import sqlite as embedded
from bot.store.files.cancellation import COMMITTED, ROLLED_BACK, UNKNOWN, wait_for_end
from bot.store.files.check import refuse_newer
from bot.store.files.connections import CONNECTIONS, build_engine
from bot.store.files.failures import translated_failures
from bot.store.files.in_greenlet import DirectConnection, at_once, run_here
from bot.store.files.migrate import Migration, prepare_file
from bot.store.files.schema import migrations_folder, read_version, refuse_altered_server, run_migrations
from bot.store.files.sqlite import database_file, mark_anew, mark_next, truncate_log
from bot.store.files.timeouts import SILENT, Purpose, Timeouts, TransactionProgress
from bot.store.tables import SCHEMA_VERSION
from bot.tasks import in_daemon_thread

log = logging.getLogger(__name__)
T = TypeVar("T")
Work = Callable[[AsyncConnection], Coroutine[Any, Any, T]]

_LOCKED = "The database is locked by another process, or very slow."

# How long a transaction that was given up gets to clean up after itself before its asker goes on without it.
_CLEANING_SECONDS = 0.5
_STATUS_PAUSE_SECONDS = 0.5
# Before a transaction that was rolled back for another's sake is tried the second, third, ... time.
_PAUSES_SECONDS = (0.02, 0.1, 0.5)
_MAX_CANCELS = 100

# Any number that no other program takes: "Trin".
_UPGRADE_LOCK = 1416784238


def utc_now() -> datetime:
    """The present moment, by the wall clock."""
    return datetime.now(UTC)


class Database:
    """Runs transactions. Made by `open_database`."""

    def __init__(
        self,
        engine: AsyncEngine,
        clock: Callable[[], datetime] = utc_now,
        timeouts: Timeouts | None = None,
        observer: Observer | None = None,
    ) -> None:
        self.engine = engine
        self._observer: Observer = observer or Observers()
        self.clock = clock
        self._timeouts = timeouts or Timeouts()
        self._is_server = engine.dialect.name == "postgresql"
        self._abort = server.abort if self._is_server else embedded.abort
        self._begin = partial(server.begin, timeouts=self._timeouts) if self._is_server else embedded.begin
        self._running: set[asyncio.Task[Any]] = set()
        self._idle = server.IdleConnections(engine)
        # On a server, one connection stays free for those who read.
        self._write_turns = asyncio.Semaphore(CONNECTIONS - 1 if self._is_server else 1)
        self._last_busy_at = float("-inf")
        self._is_closed = False

    async def read(self, work: Work[T]) -> T:
        """Run `work` in a transaction that sees one state of the database and waits for no writer.

        Raises:
            StoreError: translated from whatever went wrong.
        """
        self._refuse_if_closed()
        with self._observed(is_write=False):
            return await self._run(work, Purpose.READ)

    async def write(
        self, work: Work[T], *, is_long: bool = False, is_alone: bool = False, is_beside: bool = False
    ) -> T:
        """Run `work` in a writing transaction, committed when it returns and rolled back when it raises.

        `work` must not call `read` or `write` itself; it may be run again if the connection is lost before it could
        begin, or if the server rolls it back for another's sake. A cancel before the transaction's turn came leaves at
        once; later it waits for the end, and `was_committed` tells what became of it. With `is_long`, a statement on
        an SQLite file may take minutes. With `is_alone`, no other process writes meanwhile, but for what is written
        with `is_beside`: that takes care by itself of whoever writes the same.

        Raises:
            DatabaseBusy: locked by another process, out of reach, silent, or the disk is full. Nothing was written,
                unless the commit itself met with silence: repeat only what does no harm twice.
            StoreError: translated from whatever went wrong.
        """
        with self._observed(is_write=True):
            async with self._writers_turn():
                purpose = Purpose.WRITE_ALONE if is_alone else Purpose.WRITE_BESIDE if is_beside else Purpose.WRITE
                return await self._run_again(work, purpose, is_long=is_long)

    @asynccontextmanager
    async def transaction(self, purpose: Purpose) -> AsyncIterator[AsyncConnection]:
        """A transaction of a process that does nothing else, and waits for another database in it; nobody gives it up.

        Raises:
            StoreError: translated from whatever went wrong.
        """
        self._refuse_if_closed()
        with translated_failures():
            async with self.engine.connect() as connection, connection.begin():
                await connection.run_sync(self._begin, purpose, TransactionProgress(float("inf")))
                yield connection

    async def check_writable(self) -> None:
        """Commit a change that changes nothing.

        Raises:
            StoreError: that can't be done just now.
        """
        await self.write(
            lambda connection: connection.execute(text("UPDATE alembic_version SET version_num = version_num"))
        )

    async def erase_traces(self) -> bool:
        """Empty SQLite's log, which may still hold what was deleted; False if another process keeps it from that."""
        async with self._writers_turn():
            return await self._run(lambda connection: connection.run_sync(truncate_log), Purpose.NONE, is_long=True)

    async def upgrade(self) -> Migration:
        """Bring a server's database to this Trinity's schema; `migrate` says what may be raised."""
        migration = partial(_migrate_server, long_step_seconds=self._timeouts.long_step_seconds)
        return await self._run(lambda connection: connection.run_sync(migration), Purpose.NONE)

    async def mark_opened(self) -> None:
        """Show in an SQLite file that it is in use, and what is written from now on as of this use (`header.py`)."""
        if not self._is_server:
            # Two commits: the first continues the file's own mark, or nothing would show that the log is its own.
            await self.write(lambda connection: connection.run_sync(mark_next))
            await self.write(lambda connection: connection.run_sync(mark_anew))
            await self.erase_traces()

    async def mark_closed(self) -> None:
        """Show in an SQLite file that it was closed in order; without a word if it can't be written just then."""
        if not self._is_server:
            with suppress(StoreError, TimeoutError):
                async with asyncio.timeout(self._timeouts.close_seconds):
                    await self.write(lambda connection: connection.run_sync(mark_next, is_open=False))

    async def close(self) -> None:
        """Wait for running transactions, then close every connection and its thread; no other is opened any more.

        A database that doesn't answer is left without a word: this takes seconds at most.
        """
        self._is_closed = True
        await wait_for_end(asyncio.create_task(self._close()))

    async def _close(self) -> None:
        if self._running:
            await asyncio.wait(self._running, timeout=self._timeouts.close_seconds)
        closing = asyncio.create_task(self.engine.dispose())
        closing.add_done_callback(self._note_end)
        await asyncio.wait({closing}, timeout=self._timeouts.close_seconds)
        left = [task for task in (*self._running, closing) if not task.done()]
        if left:
            log.warning("the database doesn't answer; its connections are left as they are")
            await self._leave(left)

    async def _leave(self, tasks: list[asyncio.Task[Any]]) -> None:
        """End what waits for a database that doesn't answer, lest the event loop wait for it at its own end.

        Cleaning up waits for the database too, in tasks that the libraries make for it: one cancel isn't enough.
        """
        self._idle.abandon()
        others = asyncio.all_tasks().difference(tasks)
        for _ in range(_MAX_CANCELS):
            made_meanwhile = [task for task in asyncio.all_tasks().difference(others, tasks) if _is_a_librarys(task)]
            left = [task for task in (*tasks, *made_meanwhile) if not task.done()]
            if not left:
                return
            for task in left:
                task.cancel()
            await asyncio.sleep(0)

    @contextmanager
    def _observed(self, *, is_write: bool) -> Iterator[None]:
        began_at, error = time.monotonic(), ""
        try:
            yield
        except StoreError as failure:
            error = type(failure).__name__
            raise
        finally:
            self._observer.on_transaction(TransactionRecord(is_write, time.monotonic() - began_at, error))

    def _refuse_if_closed(self) -> None:
        # A transaction now would open a connection, and its thread, that nobody closes.
        if self._is_closed:
            raise DatabaseBusy("The database was closed.")

    @asynccontextmanager
    async def _writers_turn(self) -> AsyncIterator[None]:
        asked_at = time.monotonic()
        try:
            # Most often it is nobody else's turn; then nothing is waited for.
            limit = self._timeouts.step_seconds if self._write_turns.locked() else None
            async with asyncio.timeout(limit):
                await self._write_turns.acquire()
        except TimeoutError:  # the writers before this one don't move on
            raise DatabaseBusy(SILENT) from None
        try:
            self._refuse_if_closed()
            self._refuse_if_locked_since(asked_at)
            yield
        finally:
            self._write_turns.release()

    def _refuse_if_locked_since(self, asked_at: float) -> None:
        # Who waited behind a writer that gave up has waited long enough: not each in turn another 5 s.
        if self._last_busy_at > asked_at and time.monotonic() - asked_at >= self._timeouts.busy_seconds:
            raise DatabaseBusy(_LOCKED)

    async def _run_again(self, work: Work[T], purpose: Purpose, *, is_long: bool) -> T:
        """Run a transaction until it isn't the one that the server rolls back so that another can go on."""
        for pause_seconds in _PAUSES_SECONDS:
            try:
                return await self._run(work, purpose, is_long=is_long)
            except DatabaseOvertaken:
                await asyncio.sleep(pause_seconds)
        return await self._run(work, purpose, is_long=is_long)

    async def _run(self, work: Work[T], purpose: Purpose, *, is_long: bool = False) -> T:
        try:
            progress = self._new_progress(is_long)
            try:
                return await self._watched(self._transact(work, purpose, progress), progress)
            except DatabaseBusy:
                is_stale = progress.connection is not None and (progress.is_lost or progress.is_abandoned)
                if self._is_server and progress.is_committing and await self._find_out(progress):
                    return progress.result  # type: ignore[no-any-return]  # what `work` returned
                if not (self._is_server and is_stale and not progress.has_begun):
                    raise
            # The connection was a kept one, and the server, or somebody on the way, has dropped it meanwhile.
            progress = self._new_progress(is_long)
            return await self._watched(self._transact(work, purpose, progress), progress)
        except DatabaseOvertaken:
            raise
        except DatabaseBusy:
            self._last_busy_at = time.monotonic()
            raise

    def _new_progress(self, is_long: bool) -> TransactionProgress:
        return TransactionProgress(
            self._timeouts.long_step_seconds if is_long and not self._is_server else self._timeouts.step_seconds
        )

    async def _transact(self, work: Work[T], purpose: Purpose, progress: TransactionProgress) -> T:
        with translated_failures():
            try:
                return await greenlet_spawn(self._transact_in_greenlet, work, purpose, progress)
            except DBAPIError as error:
                progress.is_lost = error.connection_invalidated
                if self._is_server and server.leads_to_copy(error):
                    self._idle.abandon()  # another server may have become the one that is written to
                raise

    def _transact_in_greenlet(self, work: Work[T], purpose: Purpose, progress: TransactionProgress) -> T:
        # SQLAlchemy would make one of its own for each of these steps, and a task to give the connection back.
        with self.engine.sync_engine.connect() as connection:
            progress.connection = connection.connection.driver_connection
            progress.moved()
            with connection.begin() as transaction:
                self._begin(connection, purpose, progress)
                progress.has_begun = True

                def commit(result: T) -> None:
                    progress.result = result
                    progress.moved()
                    progress.is_committing = True
                    transaction.commit()

                do = at_once if self._is_server else embedded.staying(connection)
                return run_here(work(DirectConnection(self.engine, connection)), commit, do)

    async def _watched(self, work: Coroutine[Any, Any, T], progress: TransactionProgress) -> T:
        """Run a transaction to its end, come what may, or until it doesn't move on any more."""
        # Not in a TaskGroup: that would cancel the work together with its asker.
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._note_end)
        loop, cancelled_at, cleaned_at = asyncio.get_running_loop(), None, float("inf")
        while not task.done():
            leave_at = float("inf") if cancelled_at is None else cancelled_at + self._timeouts.cancel_seconds
            if loop.time() >= cleaned_at:
                break
            if loop.time() >= min(progress.due_at, leave_at) and not progress.is_abandoned:
                cleaned_at = loop.time() + _CLEANING_SECONDS
                await self._abandon(task, progress)
            ends_at = cleaned_at if progress.is_abandoned else min(progress.due_at, leave_at)
            try:
                await asyncio.wait({task}, timeout=max(0.0, ends_at - loop.time()))
            except asyncio.CancelledError:
                cancelled_at = loop.time() if cancelled_at is None else cancelled_at
        if cancelled_at is not None:
            raise asyncio.CancelledError(_ending(task, progress))
        if not task.done() or task.cancelled() or (progress.is_abandoned and task.exception() is not None):
            raise DatabaseBusy(SILENT)
        return task.result()

    async def _abandon(self, task: asyncio.Task[Any], progress: TransactionProgress) -> None:
        progress.is_abandoned = True
        if progress.connection is not None:
            with suppress(Exception):  # it may be closed by now
                await self._abort(progress.connection)
        elif self._is_server:
            task.cancel()
        if self._is_server:
            # They lead to the same place; whoever got one of them would wait as long.
            self._idle.abandon()

    async def _find_out(self, progress: TransactionProgress) -> bool:
        """Whether a transaction whose connection was lost in its commit was committed, as its server says now."""
        if progress.transaction_id is None:
            return False
        ask = partial(server.was_committed, transaction_id=progress.transaction_id)
        give_up_at = time.monotonic() + self._timeouts.step_seconds
        while time.monotonic() < give_up_at:
            try:
                asking = self._new_progress(is_long=False)
                answer = await self._watched(self._transact(ask, Purpose.READ, asking), asking)
            except asyncio.CancelledError:
                raise asyncio.CancelledError(UNKNOWN) from None
            except DatabaseBusy:
                answer = None
            if answer is not None:
                return answer
            await asyncio.sleep(_STATUS_PAUSE_SECONDS)
        return False

    def _note_end(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # nobody may be left to ask for it


def _is_a_librarys(task: asyncio.Task[Any]) -> bool:
    code = getattr(task.get_coro(), "cr_code", None)
    return code is not None and any(name in code.co_filename for name in ("sqlalchemy", "aiosqlite", "asyncpg"))


def _ending(task: asyncio.Task[Any], progress: TransactionProgress) -> str:
    if task.done() and not task.cancelled() and task.exception() is None:
        return COMMITTED
    is_unsure = progress.is_committing and (progress.is_abandoned or progress.is_lost or not task.done())
    return UNKNOWN if is_unsure else ROLLED_BACK


@asynccontextmanager
async def open_database(
    url: str,
    *,
    clock: Callable[[], datetime] = utc_now,
    timeouts: Timeouts | None = None,
    observer: Observer | None = None,
) -> AsyncIterator[Database]:
    """Check the database, migrate it, keep it open and close it.

    What a reset hid before is deleted for good first. `clock` gives the present moment, with its time zone; `observer`
    hears of every transaction.

    Raises:
        DatabaseUnusable: not ours, corrupt, read-only or from a newer Trinity; it was left untouched.
        DatabaseBusy: locked by another process, or out of reach.
    """
    await migrate(url, timeouts)
    database = Database(build_engine(url, timeouts), clock, timeouts, observer)
    try:
        await database.mark_opened()
        try:
            yield database
        finally:
            await database.mark_closed()
    finally:
        await database.close()


async def migrate(url: str, timeouts: Timeouts | None = None) -> Migration:
    """Create the database or bring it to this Trinity's schema; also part of every `open_database`.

    Raises:
        DatabaseUnusable: it can't be used; it was left untouched.
        DatabaseBusy: locked by another process, or out of reach.
    """
    timeouts = timeouts or Timeouts()
    file = database_file(url)
    if file is not None:
        # In a thread that the process doesn't wait for at its end: the disk may have stalled.
        migrating = asyncio.create_task(in_daemon_thread(partial(prepare_file, file), name="migrating"))
        try:
            await wait_for_end(migrating, seconds_after_cancel=timeouts.cancel_seconds)
        finally:
            if not migrating.done():
                log.info("the migration is not finished: the database stays as it was, and the next start migrates it")
        return migrating.result()
    database = Database(build_engine(url, timeouts), timeouts=timeouts)
    try:
        return await database.upgrade()
    finally:
        await database.close()


def _migrate_server(connection: Connection, long_step_seconds: float) -> Migration:
    # Several processes that start together take turns; the lock ends with the transaction.
    connection.execute(select(func.pg_advisory_xact_lock(_UPGRADE_LOCK)))
    before = read_version(connection)
    refuse_newer(before, "The database")
    _check_encoding(connection, is_new=before is None)
    if before != SCHEMA_VERSION:
        connection.get_execution_options()["progress"].step_seconds = long_step_seconds
        run_migrations(connection, migrations_folder(), SCHEMA_VERSION)
    refuse_altered_server(connection)
    return Migration(before, SCHEMA_VERSION)


def _check_encoding(connection: Connection, *, is_new: bool) -> None:
    encoding = connection.execute(select(func.current_setting("server_encoding"))).scalar_one()
    if encoding == "UTF8":
        return
    problem = f"The database's encoding is {encoding}, which can't hold what people write."
    if is_new:
        raise DatabaseUnusable(f"{problem} Make it anew: createdb --encoding=UTF8 --template=template0.")
    log.warning("%s Copy it into one in UTF8 with trinity copy-database.", problem)
