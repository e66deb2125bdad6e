"""Is this file ours, whole and of a schema we know? Answered before anything is written, so that a wrong file, a
damaged one or one of a newer Trinity stays as it is, byte for byte.

A file of zero bytes is refused too: Trinity creates a database under another name and renames it when it is complete
(`migrate.py`), so that an empty file is what a full disk or a crash left of one. A lost
history must not go unnoticed.
"""

import logging
import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

from bot.errors import DatabaseBusy, DatabaseUnusable
from bot.store.files.failures import WHAT_TO_DO, translate
from bot.store.files.header import read_header
from bot.store.files.paths import sidecar
from bot.store.files.recovery_files import has_journal, is_log_missing, refuse_foreign_recovery_files
from bot.store.files.schema import Form, migrations_folder, read_form, refuse_altered
from bot.store.files.sqlite import APPLICATION_ID, open_existing, open_read_only
from bot.store.tables import SCHEMA_VERSION

log = logging.getLogger(__name__)


def check_file(
    file: Path, *, newest: str = SCHEMA_VERSION, folder: Path | None = None, for_writing: bool = True
) -> str | None:
    """Return the schema version of a database file that can be used; None where there is no file yet.

    `newest` is the newest schema that is known, and `folder` holds the migrations (this Trinity's own by default). A
    backup need not be writable to be read.

    Raises:
        DatabaseUnusable: it can't be used; the file is untouched.
        DatabaseBusy: it is locked.
    """
    if not file.exists():
        _refuse_log_without_database(file)
        return None
    _refuse_unless_ours(file)
    if for_writing:
        _refuse_unless_writable(file)
    refuse_foreign_recovery_files(file)
    version, form = _read_schema(file)
    refuse_newer(version, str(file), newest)
    refuse_altered(str(file), version, form, folder or migrations_folder())
    if is_log_missing(file):
        log.warning(
            "%s has lost its log (%s-wal): it was not closed in order, or was copied while it was in use, "
            "and what was said last may be missing",
            file,
            file.name,
        )
    return version


def refuse_newer(version: str | None, name: str, newest: str = SCHEMA_VERSION) -> None:
    """Raise `DatabaseUnusable` if the database called `name` has a schema that this Trinity doesn't know."""
    if version is not None and version > newest:
        raise DatabaseUnusable(
            f"{name} has schema {version} and is from a newer Trinity; this one knows schemas up to {newest}. "
            "Start the newer Trinity, or restore a backup that is as old as this one."
        )


def is_backup(file: Path) -> bool:
    """Whether a file is a Trinity database that nobody uses as such: it has no log, and none is meant to be made."""
    header = read_header(file)
    return header.is_sqlite and header.application_id == APPLICATION_ID and not header.has_log


def _refuse_log_without_database(file: Path) -> None:
    # SQLite would replay such a log into whatever database is put beside it.
    log = sidecar(file, "-wal")
    if log.exists() and log.stat().st_size > 0:
        raise DatabaseUnusable(f"{log} lies there without its database {file.name}. Put that back, or move both away.")


def _refuse_unless_ours(file: Path) -> None:
    if not file.is_file():
        raise DatabaseUnusable(f"{file} is not a file.")
    try:
        header = read_header(file)
    except OSError as error:
        raise DatabaseUnusable(f"{file} can't be read: {error.strerror}.") from error
    if not header.content:
        raise DatabaseUnusable(f"{file} is empty (0 bytes), which Trinity never leaves behind. {WHAT_TO_DO}")
    if not header.is_sqlite:
        raise DatabaseUnusable(f"{file} is not an SQLite database. {WHAT_TO_DO}")
    if header.is_truncated:
        raise DatabaseUnusable(f"{file} is truncated. {WHAT_TO_DO}")
    if header.application_id != APPLICATION_ID:
        raise DatabaseUnusable(f"{file} is an SQLite database, but not Trinity's. Name another file.")


def _refuse_unless_writable(file: Path) -> None:
    # The mode is looked at as well, because root may write where nobody is meant to.
    for path, kind in ((file, "file"), (file.parent, "folder")):
        is_protected = not path.stat().st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH)
        if is_protected or not os.access(path, os.W_OK):
            raise DatabaseUnusable(f"The database's {kind} {path} is read-only. Make it writable (chmod u+w).")


def _read_schema(file: Path) -> tuple[str, Form]:
    index = sidecar(file, "-shm")
    had_index = index.exists()
    try:
        return _read_checked_schema(file, is_unused=not had_index and not sidecar(file, "-wal").exists())
    except BaseException:
        # Nobody had the database open, so that the index is of our own making.
        if not had_index:
            index.unlink(missing_ok=True)
        raise


def _read_checked_schema(file: Path, *, is_unused: bool) -> tuple[str, Form]:
    try:
        if has_journal(file):
            _roll_back(file)
        with closing(open_read_only(file, is_unused=is_unused)) as connection:
            problem = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            if problem != "ok":
                raise DatabaseUnusable(f"{file} is corrupt. {WHAT_TO_DO}")
            version = connection.execute("SELECT version_num FROM alembic_version").fetchone()[0]
            return str(version), read_form(connection)
    except sqlite3.Error as error:
        if isinstance(translated := translate(error), DatabaseBusy):
            raise translated from error
        raise DatabaseUnusable(f"{file} is corrupt ({error}). {WHAT_TO_DO}") from error
    except TypeError as error:  # a query without a row
        raise DatabaseUnusable(f"{file} is corrupt (it names no schema). {WHAT_TO_DO}") from error


def _roll_back(file: Path) -> None:
    """Have SQLite undo the transaction that a crash left half-way, which it can't do while it only reads."""
    with closing(open_existing(file)) as connection:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
