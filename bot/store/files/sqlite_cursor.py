"""A statement on an SQLite file in one trip to the connection's thread.

SQLAlchemy's own cursor makes four: one to get a cursor, one to execute, one to fetch, one to close. Each trip wakes two
threads, and where the model computes in a third, each may have to wait for the interpreter's lock. Nothing here holds
more of a result than before: SQLAlchemy fetches all of it at once anyway.
"""

from collections.abc import Sequence
from typing import Any

from aiosqlite import Connection as Driver
from sqlalchemy.dialects.sqlite.aiosqlite import AsyncAdapt_aiosqlite_connection, AsyncAdapt_aiosqlite_cursor

Rows = list[Any]


class OneTripCursor:
    """The driver's cursor as SQLAlchemy uses it: execute, look at what came of it, fetch all, close."""

    def __init__(self, driver: Driver) -> None:
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None
        self.arraysize = 1
        self._driver = driver
        self._rows: Rows = []

    async def execute(self, operation: str, parameters: Any = ()) -> Any:
        """Execute a statement and take all its rows along."""
        return await self._run("execute", operation, parameters)

    async def executemany(self, operation: str, parameters: Sequence[Any]) -> Any:
        """Execute a statement with each of several sets of parameters."""
        return await self._run("executemany", operation, parameters)

    async def fetchall(self) -> Rows:
        """The rows, once."""
        rows, self._rows = self._rows, []
        return rows

    async def close(self) -> None:
        """The driver's cursor is closed already."""

    async def _run(self, what: str, operation: str, parameters: Any) -> "OneTripCursor":
        connection = self._driver._conn

        def run() -> tuple[Any, Rows, int, int | None]:
            cursor = connection.cursor()
            try:
                getattr(cursor, what)(operation, parameters)
                rows = cursor.fetchall() if cursor.description else []
                return cursor.description, rows, cursor.rowcount, cursor.lastrowid
            finally:
                cursor.close()

        self.description, self._rows, self.rowcount, self.lastrowid = await self._driver._execute(run)  # type: ignore[no-untyped-call]
        return self


class _Cursor(AsyncAdapt_aiosqlite_cursor):
    __slots__ = ()

    def _make_new_cursor(self, connection: Any) -> Any:
        return OneTripCursor(connection)

    def _aenter_cursor(self, cursor: Any) -> Any:
        return cursor


class OneTripConnection(AsyncAdapt_aiosqlite_connection):
    """SQLAlchemy's adapter with these cursors."""

    __slots__ = ()
    _cursor_cls = _Cursor
