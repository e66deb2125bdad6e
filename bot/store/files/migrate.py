"""Brings a database to the schema of this Trinity: all missing migrations in one transaction, or none.

A new SQLite database is built under another name and renamed when it is complete, so that a crash leaves either no
database or a whole one. Two processes that start together take turns by a lock on the folder, which leaves no file.
"""

import logging
from dataclasses import dataclass
from pathlib import Path

from bot.errors import StoreError
from bot.store.files.check import check_file
from bot.store.files.failures import translated_failures
from bot.store.files.header import Mark
from bot.store.files.paths import create_empty_file, create_private_folder, folder_lock, sync_folder
from bot.store.files.schema import migrations_folder, run_migrations
from bot.store.files.sqlite import build_migration_engine, set_mark
from bot.store.tables import SCHEMA_VERSION

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Migration:
    """What a start found and what it left; `before` is None for a new database."""

    before: str | None
    after: str


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
    create_private_folder(file.parent)
    with folder_lock(file.parent), translated_failures():
        before = check_file(file, newest=version, folder=folder)
        if before is None:
            _create(file, folder, version)
        elif before < version:
            _migrate_file(file, folder, version)
        _make_private(file)
    return Migration(before, version)


def _create(file: Path, folder: Path, version: str) -> None:
    new = file.with_name(file.name + ".new")
    create_empty_file(new)
    _migrate_file(new, folder, version, Mark.drawn(is_open=False))
    new.replace(file)
    sync_folder(file.parent)


def _migrate_file(file: Path, folder: Path, version: str, mark: Mark | None = None) -> None:
    engine = build_migration_engine(file)
    try:
        with engine.begin() as connection:
            # 1416784238 is APPLICATION_ID; a pragma takes no parameters.
            connection.exec_driver_sql("PRAGMA application_id = 1416784238")
            run_migrations(connection, folder, version)
            if mark is not None:
                set_mark(connection, mark)
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
