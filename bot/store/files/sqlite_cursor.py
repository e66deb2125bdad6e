"""A transaction on an SQLite file in one trip to the connection's thread.

SQLAlchemy's own cursor makes four for each statement: one to get a cursor, one to execute, one to fetch, one to close.
Each trip wakes two threads, and where the model computes in a third, each may have to wait for the interpreter's lock.
So a transaction's own code runs in that thread, too (`stay`); there its statements are plain calls, and so is its
commit. Nothing here holds more of a result than before: SQLAlchemy fetches all of it at once anyway.

Where a statement is executed elsewhere, it is one trip. A transaction begins in its first trip. Where there is nothing
to roll back, as whenever a connection is given back, there is no trip for that.
"""

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from sqlite3 import Connection as Sqlite
from threading import get_ident
from typing import Any, TypeVar

from aiosqlite import Connection as Driver
from sqlalchemy.connectors.asyncio import AsyncAdapt_dbapi_connection
from sqlalchemy.dialects.sqlite.aiosqlite import AsyncAdapt_aiosqlite_connection, AsyncAdapt_aiosqlite_cursor
from sqlalchemy.exc import DBAPIError
from sqlalchemy.util.concurrency import await_

from bot.store.files.timeouts import TransactionProgress

T = TypeVar("T")
Rows = list[Any]


class OneTripCursor(AsyncAdapt_aiosqlite_cursor):
    """SQLAlchemy's cursor as SQLAlchemy uses it: execute, look at what came of it, fetch all, close."""

    __slots__ = ("_seen",)

    _adapt_connection: "OneTripConnection"

    def __init__(self, adapt_connection: AsyncAdapt_dbapi_connection) -> None:
        self._adapt_connection = adapt_connection  # type: ignore[assignment]
        self._rows = deque()
        self._seen: tuple[Any, int, int | None] = (None, -1, None)

    @property
    def description(self) -> Any:
        """The columns of the rows, if there are any."""
        return self._seen[0]

    @property
    def rowcount(self) -> int:
        """How many rows were written."""
        return self._seen[1]

    @property
    def lastrowid(self) -> Any:
        """The id of the row that was inserted last."""
        return self._seen[2]

    def execute(self, operation: Any, parameters: Any = None) -> Any:
        """Execute a statement and take all its rows along."""
        self._run("execute", operation, () if parameters is None else parameters)

    def executemany(self, operation: Any, seq_of_parameters: Sequence[Any]) -> Any:
        """Execute a statement with each of several sets of parameters."""
        self._run("executemany", operation, seq_of_parameters)

    def close(self) -> None:
        """The driver's cursor is closed already."""
        self._rows.clear()

    async def _async_soft_close(self) -> None:
        """The driver's cursor is closed already, and its rows are here."""

    def _run(self, what: str, operation: str, parameters: Any) -> None:
        begin = self._adapt_connection.take_beginning()

        def run(sqlite: Sqlite) -> Rows:
            # Where it was locked, and is tried again, it may have begun.
            if begin and not sqlite.in_transaction:
                sqlite.execute(begin)
            cursor = sqlite.cursor()
            try:
                getattr(cursor, what)(operation, parameters)
                rows = cursor.fetchall() if cursor.description else []
                self._seen = cursor.description, cursor.rowcount, cursor.lastrowid
                return rows
            finally:
                cursor.close()

        self._rows = deque(self._adapt_connection.trip(run))


class OneTripConnection(AsyncAdapt_aiosqlite_connection):
    """SQLAlchemy's adapter with these cursors."""

    __slots__ = ("_changes", "_progress", "_thread", "_when_changed", "beginning")

    _cursor_cls = OneTripCursor
    _connection: Driver  # type: ignore[assignment]

    def __init__(self, dbapi: Any, connection: Any) -> None:
        super().__init__(dbapi, connection)
        self.beginning = ""
        """What the next statement begins a transaction with."""
        self._changes = -1
        self._when_changed: Callable[[Sqlite], None] | None = None
        self._progress: TransactionProgress | None = None
        self._thread: int | None = None
        """The connection's, while code runs there that stays. Whoever gives that up goes on in another meanwhile."""

    @property
    def is_here(self) -> bool:
        """Whether this is the connection's thread, in a transaction's code that stays in it."""
        return self._thread == get_ident()

    def begin(self, statement: str, progress: TransactionProgress, when_changed: Callable[[Sqlite], None]) -> None:
        """Begin a transaction with the next statement; each trip is reported to `progress`.

        Where rows have changed, `when_changed` is called just before the commit.
        """
        self.beginning, self._progress, self._when_changed = statement, progress, when_changed
        self._changes = self._connection.total_changes

    def take_beginning(self) -> str:
        """What the next trip has to begin with."""
        beginning, self.beginning = self.beginning, ""
        return beginning

    def commit(self) -> None:
        """End the transaction, if it has begun."""
        driver, act = self._connection, self._when_changed
        if self.take_beginning() or driver._connection is None:
            return
        has_changed = driver.total_changes != self._changes
        if not has_changed and not driver.in_transaction:
            return

        def commit(sqlite: Sqlite) -> None:
            try:
                if has_changed and act is not None:
                    act(sqlite)
                sqlite.commit()
            except sqlite3.Error:  # SQLAlchemy takes it for ended, and it would keep the file locked
                with suppress(sqlite3.Error):
                    sqlite.rollback()
                raise

        self.trip(commit)

    def rollback(self) -> None:
        """Undo what the transaction did, if it has begun."""
        self.beginning, self._progress = "", None
        if self._connection._connection is None or not self._connection.in_transaction:
            return

        def rollback(sqlite: Sqlite) -> None:
            sqlite.rollback()

        self.trip(rollback)

    def stay(self, run: Callable[[], T]) -> T:
        """Have `run` done in the connection's thread, behind the transaction's beginning; it may use the connection.

        It may be any code that waits for nothing. The event loop that it belongs to counts as running there.
        """
        beginning, loop = self.take_beginning(), asyncio.get_running_loop()

        def stay(sqlite: Sqlite) -> T:
            # Where it was locked, and is tried again, it may have begun.
            if beginning and not sqlite.in_transaction:
                sqlite.execute(beginning)
            before = asyncio._get_running_loop()
            asyncio._set_running_loop(loop)
            self._thread = get_ident()
            try:
                return run()
            finally:
                self._thread = None
                asyncio._set_running_loop(before)

        try:
            return self.trip(stay)  # type: ignore[no-any-return]  # it is what `run` returned
        except sqlite3.Error as error:  # of the beginning, which SQLAlchemy knows nothing of
            raise DBAPIError.instance(beginning, None, error, sqlite3.Error, hide_parameters=True) from error

    def trip(self, run: Callable[[Sqlite], Any]) -> Any:
        """Have something done in the connection's thread."""
        progress = self._progress
        if progress is not None:
            progress.moved()
        try:
            if self._thread == get_ident():
                result = run(self._connection._conn)
            else:
                result = await_(self._connection._execute(run, self._connection._conn))  # type: ignore[no-untyped-call]
        except Exception as error:
            self._handle_exception(error)
        if progress is not None:
            progress.moved()
        return result
