"""What SQLAlchemy compiled for one test's SQLite file, it finds for the next."""

from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.aiosqlite import SQLiteDialect_aiosqlite

_compiled: dict[Any, Any] = {}


class OneDialect(SQLiteDialect_aiosqlite):
    """Each engine has a dialect of its own, and statements are found by it: here all are the same one."""

    supports_statement_cache = True

    def __eq__(self, other: object) -> bool:
        return type(other) is OneDialect

    def __hash__(self) -> int:
        return hash(OneDialect)


def compile_once() -> None:
    """Have every engine of this process that is made from now on share what is compiled."""
    registry.register("sqlite.aiosqlite", __name__, OneDialect.__name__)
    event.listen(Engine, "engine_connect", _share)


def _share(connection: Connection) -> None:
    if isinstance(connection.dialect, OneDialect):
        connection.execution_options(compiled_cache=_compiled)
