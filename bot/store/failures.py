"""The store's border: what drivers and operating system raise becomes an error of `bot.errors` here."""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from bot.errors import DatabaseBusy, DatabaseUnusable, StoreError

WHAT_TO_DO = "Restore a backup with `trinity restore FILE`, or move the file away to start with an empty database."

# SQLite's result codes without their extension; https://sqlite.org/rescode.html
_SQLITE_PASSING = {
    sqlite3.SQLITE_BUSY: "The database is locked by another process.",
    sqlite3.SQLITE_LOCKED: "The database is locked by another process.",
    sqlite3.SQLITE_FULL: "The disk that holds the database is full.",
    sqlite3.SQLITE_IOERR: "The disk that holds the database reports an error.",
    # Whether the file may be opened was asked before (check.py), so that it is a full disk, or too many open files.
    sqlite3.SQLITE_CANTOPEN: "The database file, or its log, can't be opened: is the disk full?",
}
_SQLITE_LASTING = {
    sqlite3.SQLITE_CORRUPT: f"The database is corrupt. {WHAT_TO_DO}",
    sqlite3.SQLITE_NOTADB: f"The database file is not a database. {WHAT_TO_DO}",
    sqlite3.SQLITE_READONLY: "The database can't be written: it, its folder or its disk is read-only.",
}
_ERRNO_LASTING = (
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.EEXIST),
    *(errno.ELOOP, errno.ENAMETOOLONG, errno.EINVAL),
)
# Classes of PostgreSQL's SQLSTATE: connection lost, rolled back for another's sake, out of resources (the disk
# included), a lock not available, shutting down.
_SQLSTATE_PASSING = ("08", "40", "53", "55", "57")
_SQLSTATE_LASTING = {
    "28": "The database server refuses the user or the password of TRINITY_DATABASE_URL.",
    "3F": "The database server has no schema of the name in TRINITY_DATABASE_URL; make it with CREATE SCHEMA.",
    "42P01": "A table is missing in the database. Restore a backup with pg_restore.",
    "3D": "The database server has no database of the name in TRINITY_DATABASE_URL; make it with createdb.",
    "42501": "The user of TRINITY_DATABASE_URL may not do this; make them the database's owner.",
}


@contextmanager
def translated_failures() -> Iterator[None]:
    """Raise what the block raises as a `StoreError`; other errors of ours pass."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        raise translate(error) from error


def translate(error: Exception) -> StoreError:
    """Say in our words what a driver, SQLAlchemy or the operating system raised."""
    if isinstance(error, PoolTimeout):
        return DatabaseBusy("The database is too slow: all of its connections are taken.")
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return DatabaseBusy("The connection to the database was lost.")
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    if isinstance(cause, sqlite3.Error):
        return _translate_sqlite(cause)
    if isinstance(cause, OSError):
        return system_failure("The database can't be used", cause)
    return _translate_sqlstate(cause, str(getattr(cause, "sqlstate", None) or ""))


def system_failure(what: str, error: OSError) -> StoreError:
    """The operating system's error as one of ours, passing (a full disk) or lasting (what a person has to mend)."""
    reason = error.strerror or str(error)
    if error.errno in _ERRNO_LASTING:
        return DatabaseUnusable(f"{what}: {reason}{f' ({error.filename})' if error.filename else ''}.")
    return DatabaseBusy(f"{what}: {reason}.")


def _translate_sqlstate(error: BaseException, sqlstate: str) -> StoreError:
    if sqlstate.startswith(_SQLSTATE_PASSING):
        return DatabaseBusy("The database is busy or can't be reached.")
    sentence = next((sentence for start, sentence in _SQLSTATE_LASTING.items() if sqlstate.startswith(start)), None)
    return DatabaseUnusable(sentence) if sentence else _unexpected(error)


def _translate_sqlite(error: sqlite3.Error) -> StoreError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _SQLITE_PASSING:
        return DatabaseBusy(_SQLITE_PASSING[code])
    if code in _SQLITE_LASTING:
        return DatabaseUnusable(_SQLITE_LASTING[code])
    return _unexpected(error)


def _unexpected(cause: BaseException) -> StoreError:
    # A driver's own message may quote what people said (PostgreSQL shows the failing row): only its kind is told.
    name = getattr(cause, "sqlite_errorname", None) or getattr(cause, "sqlstate", None) or type(cause).__name__
    return StoreError(f"The database refused the statement ({name}).")
