"""The parts for SQLite only: where its file lies, how each connection is set up and how transactions begin.

The driver's default, a deferred transaction, loses updates: two readers that both want to write can't both have their
way. So every writing transaction begins as one (BEGIN IMMEDIATE), and waits for its turn instead of failing half-way.
"""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event

from bot.errors import DatabaseUnusable
from bot.store.files.header import Mark
from bot.store.files.server_url import is_server_url
from bot.store.files.sqlite_cursor import OneTripConnection
from bot.store.files.timeouts import Purpose, TransactionProgress

APPLICATION_ID = int.from_bytes(b"Trin", "big")
"""Stands in the header of every SQLite file of ours (https://sqlite.org/pragma.html#pragma_application_id)."""

BUSY_TIMEOUT_SECONDS = 5.0

# SQLite's own limit is 512, and that for the journal's name as well.
_MAX_PATH_BYTES = 480

# Once per connection, in this order: with the timeout set first, none of the others fails on a passing lock.
_PRAGMAS = (
    "PRAGMA busy_timeout = 5000",
    "PRAGMA journal_mode = WAL",
    # FULL syncs the log at every commit, so that power loss takes nothing acknowledged; 4 ms.
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    # Deleted content is overwritten, not just unlinked.
    "PRAGMA secure_delete = ON",
)
# A migration may rebuild a table, and dropping the old one must not cascade; it checks all references at its end.
_MIGRATION_PRAGMAS = (*_PRAGMAS[:3], "PRAGMA foreign_keys = OFF", _PRAGMAS[4])

_CHANGES = "changes at the transaction's beginning"
_BEGIN_WRITING = "BEGIN IMMEDIATE"
_BEGIN = {
    Purpose.READ: "BEGIN",
    Purpose.WRITE: _BEGIN_WRITING,
    Purpose.WRITE_ALONE: _BEGIN_WRITING,
    Purpose.WRITE_BESIDE: _BEGIN_WRITING,
    Purpose.NONE: "",
}


def parse_url(url: str) -> URL:
    """Read an SQLite URL; `sqlite:///` means the same as `sqlite+aiosqlite:///`.

    Raises:
        DatabaseUnusable: it is no URL, or of a database that Trinity can't use.
    """
    scheme, _, rest = url.partition("://")
    if scheme in ("sqlite", "sqlite+aiosqlite"):
        return URL.create("sqlite+aiosqlite", database=str(_require_path(rest)))
    raise DatabaseUnusable("The database URL has to begin with sqlite:/// or postgresql://.")


def _require_path(rest: str) -> Path:
    """The path in an SQLite URL: all that follows the third slash, as it is, since any character may be in a name."""
    name = rest.removeprefix("/")
    if not rest.startswith("/") or name in ("", ":memory:") or name.startswith("file:"):
        raise DatabaseUnusable("An SQLite database needs a file: sqlite:////folder/trinity.db.")
    return Path(name).absolute()


def database_file(url: str) -> Path | None:
    """The file of an SQLite database; None for another kind of database.

    Links are followed, as SQLite does: the log lies beside the file itself.
    """
    if is_server_url(url):
        return None
    path = Path(str(parse_url(url).database))
    # Not pathlib's: they raise where links go in a circle or a name is too long.
    if os.path.islink(path) and not os.path.exists(path):  # noqa: PTH110, PTH114
        raise DatabaseUnusable(f"{path} is a link that leads nowhere. Put the file it names there, or remove the link.")
    try:
        file = path.resolve()
    except (OSError, RuntimeError):  # links in a circle
        raise DatabaseUnusable(f"{path} can't be reached: it lies behind links that go in a circle.") from None
    if len(os.fsencode(file)) > _MAX_PATH_BYTES:
        raise DatabaseUnusable(f"The database's path is too long: SQLite takes {_MAX_PATH_BYTES} bytes. Name another.")
    return file


def build_migration_engine(file: Path) -> Engine:
    """A plain engine for migrating one file, outside the event loop."""
    engine = create_engine(URL.create("sqlite", database=str(file)), poolclass=NullPool, hide_parameters=True)
    set_connections_up(engine, _MIGRATION_PRAGMAS)
    _begin_writing(engine)
    return engine


def truncate_log(connection: Connection) -> bool:
    """Move the log's content into the database and empty it, so that deleted text is in neither.

    Does nothing to another kind of database. A reader elsewhere can keep it from finishing: then False.
    """
    adapter = connection.connection.dbapi_connection
    return bool(adapter.trip(_truncate_log)) if isinstance(adapter, OneTripConnection) else True


async def abort(connection: Any) -> None:
    """Interrupt the statement that runs; one that waits for the disk ends when the disk answers."""
    await connection.interrupt()


def open_read_only(file: Path, *, is_unused: bool) -> sqlite3.Connection:
    """Open a file so that nothing is written to it; of one that is not in use, not even a lock is taken."""
    query = "?mode=ro&immutable=1" if is_unused else "?mode=ro"
    return sqlite3.connect(file.as_uri() + query, uri=True, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None)


def open_existing(file: Path) -> sqlite3.Connection:
    """Open a file for writing; it is not made if it isn't there."""
    return sqlite3.connect(file.as_uri() + "?mode=rw", uri=True, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None)


def read_mark(connection: Connection) -> Mark:
    """The database's mark, as this transaction sees it."""
    return Mark.of_value(connection.exec_driver_sql("PRAGMA user_version").scalar_one())


def set_mark(connection: Connection, mark: Mark) -> None:
    """Mark what this transaction writes."""
    statement = f"PRAGMA user_version = {mark.value:d}"  # a pragma takes no parameters
    connection.exec_driver_sql(statement)


def mark_next(connection: Connection, *, is_open: bool = True) -> None:
    """Mark this transaction's commit as the one after the newest."""
    set_mark(connection, read_mark(connection).next(is_open=is_open))


def mark_anew(connection: Connection) -> None:
    """Mark this transaction's commit as the first of another use, so that two copies of a file go different ways."""
    set_mark(connection, Mark.drawn(is_open=True))


def set_connections_up(
    engine: Engine, pragmas: tuple[str, ...] = _PRAGMAS, *, busy_seconds: float = BUSY_TIMEOUT_SECONDS
) -> None:
    """Set every connection of an engine up when it is opened."""

    @event.listens_for(engine, "connect")
    def set_pragmas(connection: Any, _record: object) -> None:
        # Transactions begin where SQLAlchemy says so, below, not where the driver guesses.
        connection.isolation_level = None
        cursor = connection.cursor()
        try:
            for pragma in (*pragmas, f"PRAGMA busy_timeout = {busy_seconds * 1000:.0f}"):
                cursor.execute(pragma)
        finally:
            cursor.close()


def begin(connection: Connection, purpose: Purpose, progress: TransactionProgress) -> None:
    """Have a transaction begin with its first statement; its statements report to `progress`."""
    adapter: Any = connection.connection.dbapi_connection
    adapter.begin(_BEGIN[purpose], progress, _mark_next)


def staying(connection: Connection) -> Callable[[Callable[[], Any]], Any]:
    """What runs code in the connection's thread, where its statements need no trip."""
    adapter: Any = connection.connection.dbapi_connection
    return adapter.stay  # type: ignore[no-any-return]


def _begin_writing(engine: Engine) -> None:
    """All transactions of a plain engine are for writing; a commit that changes rows moves the mark on."""

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(_BEGIN_WRITING)
        connection.info[_CHANGES] = _count_changes(connection)

    @event.listens_for(engine, "commit")
    def mark(connection: Connection) -> None:
        if _count_changes(connection) != connection.info.get(_CHANGES):
            mark_next(connection, is_open=False)


def shorten_statements(engine: Engine) -> None:
    """Have each statement of an async engine make one trip to its connection's thread."""

    @event.listens_for(engine, "do_connect")
    def connect(dialect: Any, _record: object, arguments: Any, options: Any) -> OneTripConnection:
        made = dialect.connect(*arguments, **options)
        return OneTripConnection(made.dbapi, made.driver_connection)


def _truncate_log(connection: sqlite3.Connection) -> bool:
    (usual,) = connection.execute("PRAGMA busy_timeout").fetchone()
    connection.execute("PRAGMA busy_timeout = 200")
    try:
        (is_blocked, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not is_blocked
    finally:
        statement = f"PRAGMA busy_timeout = {usual:d}"  # a pragma takes no parameters
        connection.execute(statement)


def _mark_next(connection: sqlite3.Connection) -> None:
    (value,) = connection.execute("PRAGMA user_version").fetchone()
    statement = f"PRAGMA user_version = {Mark.of_value(value).next(is_open=True).value:d}"
    connection.execute(statement)


def _count_changes(connection: Connection) -> int:
    """How many rows were written since the connection was opened."""
    return int(connection.connection.driver_connection.total_changes)  # type: ignore[union-attr]
