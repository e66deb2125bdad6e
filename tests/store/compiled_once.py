"""What SQLAlchemy compiled for one test's SQLite file, it finds for the next."""

from typing import Any

from sqlalchemy import Connection
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.aiosqlite import SQLiteDialect_aiosqlite

_compiled: dict[Any, Any] = {}


class OneDialect(SQLiteDialect_aiosqlite):
    """Each engine has a dialect of its own, and statements are found by it: here all are the same one."""

    supports_statement_cache = True

    def initialize(self, connection: Connection) -> None:
        """Have the engine that has just got its first connection share what is compiled."""
        super().initialize(connection)
        connection.engine.update_execution_options(compiled_cache=_compiled)

    def __eq__(self, other: object) -> bool:
        return type(other) is OneDialect

    def __hash__(self) -> int:
        return hash(OneDialect)


def compile_once() -> None:
    """Have every engine of this process that is made from now on share what is compiled."""
    registry.register("sqlite.aiosqlite", __name__, OneDialect.__name__)
