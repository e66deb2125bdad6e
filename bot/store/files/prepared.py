"""Statements that are executed again and again on SQLite, compiled once and for all.

SQLAlchemy keeps what it has compiled, too, but looks for it anew at each execution, makes a context and a cursor for
it, and a description of the rows that come of it: three quarters of the time that a small statement takes. Here a
statement that was executed before is its text, the order of its parameters, and what turns values into SQLite's and
back. Whatever is out of the ordinary stays SQLAlchemy's: the first times, several sets of parameters, lists in a
statement, defaults that Python makes, parameters that don't fit, and a connection on which somebody listens.
"""

import sqlite3
from collections.abc import Callable, Mapping
from typing import Any, Final
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Delete, Insert, Select, Update
from sqlalchemy.engine import IteratorResult
from sqlalchemy.engine.result import SimpleResultMetaData
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.compiler import SQLCompiler

from bot.store.files.sqlite_cursor import OneTripConnection

Convert = Callable[[Any], Any]
_KINDS = (Select, Insert, Update, Delete)
_TIMES_BEFORE: Final = 2
"""A statement that is put together for one question is never seen again."""
_EVENTS: Final = ("before_execute", "after_execute", "before_cursor_execute", "after_cursor_execute")
_MISSING: Final = object()


class Rows(IteratorResult[Any]):
    """What came of a statement; all of it is there."""

    def __init__(self, columns: SimpleResultMetaData, rows: list[Any], rowcount: int) -> None:
        super().__init__(columns, iter(rows))
        self.rowcount = rowcount
        """How many rows were written."""


class Prepared:
    """A compiled statement.

    Raises:
        Unfit: there is more to it than text, parameters and rows.
    """

    def __init__(self, compiled: SQLCompiler) -> None:
        names, dialect = compiled.positiontup, compiled.dialect
        is_plain = not (
            compiled.post_compile_params or compiled.literal_execute_params or compiled.escaped_bind_names
            or compiled.insert_prefetch or compiled.update_prefetch
        )  # fmt: skip
        if not is_plain or names is None:
            raise Unfit
        self._text = str(compiled)
        self._parameters: list[tuple[str, Any, Convert | None]] = []
        for name in names:
            parameter = compiled.binds[name]
            if parameter.callable is not None:
                raise Unfit
            default = _MISSING if parameter.required else parameter.value
            convert = parameter.type.dialect_impl(dialect).bind_processor(dialect)
            self._parameters.append((parameter.key, default, convert))
        columns = compiled._result_columns
        self._columns = SimpleResultMetaData([column.keyname for column in columns])
        converts = [column.type.dialect_impl(dialect).result_processor(dialect, None) for column in columns]
        self._converts = [(place, convert) for place, convert in enumerate(converts) if convert is not None]

    def values(self, given: Mapping[str, Any]) -> list[Any]:
        """The parameters as SQLite takes them, in their order.

        Raises:
            Exception: they don't fit.
        """
        values = []
        for key, default, convert in self._parameters:
            value = given.get(key, default)
            if value is _MISSING:
                raise Unfit
            values.append(value if convert is None else convert(value))
        return values

    def execute(self, adapter: OneTripConnection, values: list[Any]) -> Rows:
        """Execute it in the connection's thread."""

        def run(sqlite: sqlite3.Connection) -> tuple[list[Any], int]:
            cursor = sqlite.execute(self._text, values)
            rows = cursor.fetchall() if cursor.description else []
            return rows, cursor.rowcount

        try:
            rows, rowcount = adapter.trip(run)
        except sqlite3.Error as error:
            raise DBAPIError.instance(self._text, None, error, sqlite3.Error, hide_parameters=True) from error
        return Rows(self._columns, [self._converted(row) for row in rows] if self._converts else rows, rowcount)

    def _converted(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        values = list(row)
        for place, convert in self._converts:
            values[place] = convert(values[place])
        return tuple(values)


class Unfit(Exception):
    """It is left to SQLAlchemy."""


_known: WeakKeyDictionary[Any, dict[tuple[str, ...], Prepared | int | None]] = WeakKeyDictionary()
"""By the statement and by the names of its parameters: how often it was executed, and then what it is."""


def execute_prepared(connection: Connection, statement: Any, given: Any) -> Rows | None:
    """Execute a statement in the thread of an SQLite connection, where it was often executed before.

    None, and nothing was done, where it is SQLAlchemy that has to.
    """
    adapter = connection.connection.dbapi_connection
    if not isinstance(adapter, OneTripConnection) or not adapter.is_here or not isinstance(statement, _KINDS):
        return None
    given = {} if given is None else given
    if not isinstance(given, dict) or _is_listened_to(connection):
        return None
    forms = _known.setdefault(statement, {})
    form = forms.get(names := tuple(given), 0)
    if isinstance(form, int):
        form = forms[names] = form + 1 if form < _TIMES_BEFORE else _prepared(connection, statement, names)
    if not isinstance(form, Prepared):
        return None
    try:
        values = form.values(given)
    except Exception:  # SQLAlchemy says what is wrong with them
        return None
    return form.execute(adapter, values)


def _is_listened_to(connection: Connection) -> bool:
    # SQLAlchemy's mark says only that somebody listened once, to anything, and to an engine of any kind.
    if not (connection._has_events or connection.engine._has_events):
        return False
    dispatches = (connection.dispatch, connection.engine.dispatch)
    return any(getattr(dispatch, event) for dispatch in dispatches for event in _EVENTS)


def _prepared(connection: Connection, statement: Any, names: tuple[str, ...]) -> Prepared | None:
    try:
        return Prepared(statement.compile(dialect=connection.dialect, column_keys=[*names]))
    except Unfit:
        return None
