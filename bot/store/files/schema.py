"""What each version of the schema consists of, as the migrations themselves say, and whether a database is like that.

A database in which somebody dropped a table, or made a trigger, works until the first statement that meets it, and by
then half of something is written. So its form is compared before it is used. The form to compare with is made by
running the migrations on an empty database in memory: nothing has to be written down twice.
"""

import sqlite3
import threading
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, NullPool, create_engine, inspect, text

import bot
from bot.errors import DatabaseUnusable
from bot.store.tables import metadata

Form = Mapping[str, object]
"""What there is ("table messages", "index ..."), and all that has to be equal about it."""

# Alembic keeps the migration that runs in globals of its own.
_alembic_turn = threading.Lock()


def migrations_folder() -> Path:
    """The checkout's `migrations/` where there is one, else the copy inside the installed package."""
    package = Path(bot.__file__).parent
    checkout = package.parent / "migrations"
    if (package.parent / "pyproject.toml").is_file() and (checkout / "env.py").is_file():
        return checkout
    return package / "_migrations"


def run_migrations(connection: Connection, folder: Path, version: str) -> None:
    """Migrate up or down to `version` ("base" is an empty database), inside the transaction the connection is in.

    Alembic needs no event loop of its own: an async connection passes this to its `run_sync`.
    """
    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.attributes["connection"] = connection
    is_newer = (read_version(connection) or "") > version
    with _alembic_turn:
        if is_newer or version == "base":
            command.downgrade(config, version)
        else:
            command.upgrade(config, version)


def read_version(connection: Connection) -> str | None:
    """The schema version of a database; None for an empty one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def read_form(connection: sqlite3.Connection) -> Form:
    """The tables, indexes, triggers and views of an SQLite database, without what SQLite made for itself."""
    listed = connection.execute(
        "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
    )
    return {f"{kind} {name}": _describe(connection, kind, name, sql) for kind, name, sql in listed.fetchall()}


def refuse_altered(name: str, version: str, found: Form, folder: Path) -> None:
    """Raise `DatabaseUnusable` unless the SQLite database called `name` has the form of its schema version."""
    problem = next(_differences(_form_of(version, folder), found), None)
    if problem is not None:
        raise DatabaseUnusable(
            f"{name} was altered: {problem}. Restore a backup with `trinity restore FILE`, or undo what was altered."
        )


def refuse_altered_server(connection: Connection) -> None:
    """Raise `DatabaseUnusable` unless PostgreSQL has every table and column of this schema."""
    found = inspect(connection)
    for table in metadata.sorted_tables:
        if not found.has_table(table.name):
            raise DatabaseUnusable(f"The database was altered: the table {table.name} is missing. Restore a backup.")
        missing = {column.name for column in table.columns} - {row["name"] for row in found.get_columns(table.name)}
        for column in sorted(missing):
            problem = f"the column {column} of the table {table.name} is missing"
            raise DatabaseUnusable(f"The database was altered: {problem}. Restore a backup.")


@lru_cache(maxsize=8)
def _form_of(version: str, folder: Path) -> Form:
    engine = create_engine("sqlite://", poolclass=NullPool)
    with engine.begin() as connection:
        try:
            run_migrations(connection, folder, version)
        except CommandError as error:
            problem = f"The database names the schema {version}, which this Trinity has never heard of."
            raise DatabaseUnusable(f"{problem} Restore a backup with `trinity restore FILE`.") from error
        driver: sqlite3.Connection = connection.connection.driver_connection  # type: ignore[assignment]
        return read_form(driver)


def _describe(connection: sqlite3.Connection, kind: str, name: str, sql: str | None) -> object:
    if kind == "table":
        columns = connection.execute("SELECT * FROM pragma_table_xinfo(?)", (name,)).fetchall()
        references = connection.execute("SELECT * FROM pragma_foreign_key_list(?)", (name,)).fetchall()
        unique = connection.execute("SELECT name FROM pragma_index_list(?) WHERE origin = 'u'", (name,)).fetchall()
        # Neither the order of columns nor that of constraints means anything: a migration may rebuild a table.
        return (
            {column: tuple(rest) for _, column, *rest in columns},
            {tuple(rest[1:]) for _, *rest in references},
            {_indexed(connection, index) for (index,) in unique},
        )
    if kind == "index":
        return _indexed(connection, name), sql is not None and " ".join(sql.split()).replace('"', "")
    return sql


def _indexed(connection: sqlite3.Connection, index: str) -> tuple[str, ...]:
    rows = connection.execute("SELECT name FROM pragma_index_info(?) ORDER BY seqno", (index,))
    return tuple(name for (name,) in rows)


def _differences(expected: Form, found: Form) -> Iterator[str]:
    for thing in sorted(expected, key=lambda thing: (not thing.startswith("table"), thing)):
        if thing not in found:
            yield f"its {thing} is missing"
        elif found[thing] != expected[thing]:
            yield f"its {thing} is not as Trinity made it"
    for thing in sorted(found.keys() - expected.keys()):
        yield f"it has the {thing}, which Trinity didn't make"
