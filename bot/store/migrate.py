"""Brings a database to the schema of this Trinity: all missing migrations in one transaction, or none.

A new SQLite database is built under another name and renamed when it is complete, so that a crash leaves either no
database or a whole one. Two processes that start together take turns by a lock on the folder, which leaves no file.
"""

import fcntl
import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, inspect, text

import bot
from bot.errors import DatabaseBusy, DatabaseUnusable, StoreError
from bot.store.check import check_file
from bot.store.failures import translated_failures
from bot.store.sqlite import build_migration_engine, sidecar
from bot.store.tables import SCHEMA_VERSION

log = logging.getLogger(__name__)

_FOLDER_LOCK_SECONDS = 30.0
# Alembic keeps the migration that runs in globals of its own.
_alembic_turn = threading.Lock()


@dataclass(frozen=True, slots=True)
class Migration:
    """What a start found and what it left; `before` is None for a new database."""

    before: str | None
    after: str


def migrations_folder() -> Path:
    """The checkout's `migrations/` where there is one, else the copy inside the installed package."""
    package = Path(bot.__file__).parent
    checkout = package.parent / "migrations"
    if (package.parent / "pyproject.toml").is_file() and (checkout / "env.py").is_file():
        return checkout
    return package / "_migrations"


def prepare_file(file: Path, folder: Path | None = None, version: str = SCHEMA_VERSION) -> Migration:
    """Check an SQLite file, create it if it is missing, migrate it if it is old. Blocks: call it off the event loop.

    Args:
        file: the database.
        folder: the migrations; this Trinity's own by default.
        version: the schema to end with.

    Raises:
        DatabaseUnusable: the file can't be used and was left untouched, or can't be created.
        DatabaseBusy: it is locked.
    """
    folder = folder or migrations_folder()
    _create_private_folder(file.parent)
    with _folder_lock(file.parent), translated_failures():
        before = check_file(file)
        if before is None:
            _create(file, folder, version)
        elif before < version:
            _migrate_file(file, folder, version)
        _make_private(file)
    return Migration(before, version)


def run_migrations(connection: Connection, folder: Path, version: str) -> None:
    """Migrate up or down to `version`, inside the transaction that the connection is in.

    Alembic needs no event loop of its own: an async connection passes this to its `run_sync`.
    """
    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.attributes["connection"] = connection
    current = read_version(connection)
    with _alembic_turn:
        if current is None or current < version:
            command.upgrade(config, version)
        elif current > version:
            command.downgrade(config, version)


def read_version(connection: Connection) -> str | None:
    """The schema version of a database; None for an empty one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def _create(file: Path, folder: Path, version: str) -> None:
    new = file.with_name(file.name + ".new")
    for leftover in (new, sidecar(new, "-journal"), sidecar(new, "-wal"), sidecar(new, "-shm")):
        leftover.unlink(missing_ok=True)
    os.close(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    _migrate_file(new, folder, version)
    new.replace(file)
    _sync_folder(file.parent)


def _migrate_file(file: Path, folder: Path, version: str) -> None:
    engine = build_migration_engine(file)
    try:
        with engine.begin() as connection:
            # 1416784238 is APPLICATION_ID; a pragma takes no parameters.
            connection.exec_driver_sql("PRAGMA application_id = 1416784238")
            run_migrations(connection, folder, version)
            if connection.exec_driver_sql("PRAGMA foreign_key_check").first() is not None:
                raise StoreError("A migration would leave rows that refer to nothing; nothing was changed.")
    finally:
        engine.dispose()


def _make_private(file: Path) -> None:
    if not file.stat().st_mode & 0o077:
        return
    try:
        file.chmod(0o600)
    except PermissionError:
        log.warning("%s is readable by others and belongs to another user; chmod 600 is advised", file)


def _create_private_folder(folder: Path) -> None:
    try:
        missing = [path for path in (folder, *folder.parents) if not path.exists()]
        for path in reversed(missing):
            path.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise DatabaseUnusable(f"The database's folder {folder} can't be created: {error.strerror}.") from error


@contextmanager
def _folder_lock(folder: Path) -> Iterator[None]:
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise DatabaseUnusable(f"The database's folder {folder} can't be opened: {error.strerror}.") from error
    try:
        _wait_for_lock(descriptor)
        yield
    finally:
        os.close(descriptor)


def _wait_for_lock(descriptor: int) -> None:
    deadline = time.monotonic() + _FOLDER_LOCK_SECONDS
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise DatabaseBusy("Another process has been preparing the database for 30 seconds.") from None
            time.sleep(0.02)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
