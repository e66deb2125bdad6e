"""Translates what drivers and the operating system raise into the errors of `bot.errors`.

A failure that may pass by itself is `DatabaseBusy`, with a sentence that names it, such as a full disk or a lost
server. One that somebody has to repair is `DatabaseUnusable`, which names the setting where it is one.
"""

import errno
import socket
import sqlite3
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from bot.errors import DatabaseBusy, DatabaseOvertaken, DatabaseUnusable, StoreError
from bot.store.files.timeouts import SILENT

WHAT_TO_DO = "Restore a backup with `trinity restore FILE`, or move the file away to start with an empty database."

# SQLite's result codes without their extension; https://sqlite.org/rescode.html
_SQLITE_PASSING = {
    sqlite3.SQLITE_BUSY: "The database is locked by another process.",
    sqlite3.SQLITE_LOCKED: "The database is locked by another process.",
    sqlite3.SQLITE_FULL: "The disk that holds the database is full.",
    sqlite3.SQLITE_IOERR: "The disk that holds the database reports an error.",
    # Whether the file may be opened was asked before (check.py), so that it is a full disk, or too many open files.
    sqlite3.SQLITE_CANTOPEN: "The database file, or its log, can't be opened: is the disk full?",
    sqlite3.SQLITE_INTERRUPT: SILENT,
}
_SQLITE_LASTING = {
    sqlite3.SQLITE_CORRUPT: f"The database is corrupt. {WHAT_TO_DO}",
    sqlite3.SQLITE_NOTADB: f"The database file is not a database. {WHAT_TO_DO}",
    sqlite3.SQLITE_READONLY: "The database can't be written: it, its folder or its disk is read-only.",
}
_ERRNO_LASTING = (
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.EEXIST),
    *(errno.ELOOP, errno.ENAMETOOLONG, errno.EINVAL, errno.ENOENT),
)
NO_SCHEMA = "The database server has no schema of the name in TRINITY_DATABASE_URL; make it with CREATE SCHEMA."
_POOLER = "The pooler before the database"
# By PostgreSQL's SQLSTATE, or its beginning; the first that fits counts. The classes are connection lost, rolled back
# for another's sake, out of resources, a lock not available, shutting down, the system below it.
_SQLSTATE_PASSING = {
    "08": "The connection to the database server was lost.",
    "25006": "The database server is a read-only copy just now.",
    "25P03": "The connection to the database server was lost.",
    "40": "Another process was writing to the database.",
    "53100": "The disk of the database server is full.",
    "53200": "The database server is out of memory.",
    "53300": "The database server has no connection left.",
    "53": "The database server is out of resources.",
    "55P03": "The database is locked by another process.",
    "55": "The database is locked by another process.",
    "57014": "The database server gave the statement up.",
    "57P03": "The database server is starting or stopping.",
    "57": "The database server is stopping.",
    "58": "The disk of the database server reports an error.",
}
# Rolled back so that another can go on: a circle of locks, or what was read has changed.
_SQLSTATE_OVERTAKEN = ("40001", "40P01")
_SQLSTATE_LASTING = {
    "28": "The database server refuses the user or the password of TRINITY_DATABASE_URL.",
    "3F": NO_SCHEMA,
    "42P01": "A table is missing in the database. Restore a backup with pg_restore.",
    "3D": "The database server has no database of the name in TRINITY_DATABASE_URL; make it with createdb.",
    "42501": "The user of TRINITY_DATABASE_URL may not do this; make them the database's owner.",
    "42704": "The database server doesn't know a parameter in TRINITY_DATABASE_URL; take it out.",
    "22023": "The database server doesn't take the value of a parameter in TRINITY_DATABASE_URL.",
    "26000": f"{_POOLER} keeps no prepared statements; take statement_cache_size out of TRINITY_DATABASE_URL.",
    "42P05": f"{_POOLER} keeps no prepared statements; take statement_cache_size out of TRINITY_DATABASE_URL.",
}
# Poolers say everything with one code, that of a protocol violation; what they mean is in their words.
_POOLER_CODE = "08P01"
_POOLER_LASTING = {
    "startup parameter": f"{_POOLER} refuses a parameter in TRINITY_DATABASE_URL; take it out, or have it ignored "
    "there (PgBouncer: ignore_startup_parameters).",
    "statement pooling": f"{_POOLER} has a connection for each statement; set it to one for each transaction "
    "(PgBouncer: pool_mode), or name the server itself in TRINITY_DATABASE_URL.",
    "no such database": f"{_POOLER} has no database of the name in TRINITY_DATABASE_URL.",
    "no such user": f"{_POOLER} refuses the user or the password of TRINITY_DATABASE_URL.",
    "auth": f"{_POOLER} refuses the user or the password of TRINITY_DATABASE_URL.",
}
_POOLER_PARTING = ("startup parameter", "statement pooling")
_NO_TLS = "The database server has no TLS, which TRINITY_DATABASE_URL asks for; set it up, or write sslmode=disable."
_UNTRUSTED = (
    "The certificate of the database server can't be trusted (sslmode and sslrootcert in TRINITY_DATABASE_URL say what "
    "is checked)."
)


@contextmanager
def translated_failures() -> Iterator[None]:
    """Raise what the block raises as a `StoreError`; other errors of ours pass."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        raise translate(error) from error


def translate(error: Exception) -> StoreError:
    """The error for what a driver, SQLAlchemy or the operating system raised."""
    if isinstance(error, PoolTimeout):
        return DatabaseBusy("The database is too slow: all of its connections are taken.")
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    sqlstate = str(getattr(cause, "sqlstate", None) or "")
    if isinstance(error, DBAPIError) and error.connection_invalidated and not sqlstate.startswith("57P"):
        # A pooler says why it closes a connection; the driver has no code for that.
        lasting = next((_POOLER_LASTING[words] for words in _POOLER_PARTING if words in str(cause)), None)
        return DatabaseUnusable(lasting) if lasting else DatabaseBusy("The connection to the database was lost.")
    if isinstance(cause, sqlite3.Error):
        return _translate_sqlite(cause)
    if isinstance(cause, OSError):
        return _translate_os(cause)
    return _translate_sqlstate(cause, sqlstate)


def _translate_os(error: OSError) -> StoreError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return DatabaseUnusable(_UNTRUSTED)
    if isinstance(error, TimeoutError):
        return DatabaseBusy(SILENT)
    if isinstance(error, socket.gaierror):
        return DatabaseBusy(f"The database server's name can't be looked up: {error.strerror}.")
    if "SSL upgrade" in str(error):  # the driver's own words, without a code
        return DatabaseUnusable(_NO_TLS)
    if isinstance(error, ConnectionError) or error.errno is None:
        return DatabaseBusy(f"The database can't be reached: {error.strerror or error}.")
    return system_failure("The database can't be used", error)


def system_failure(what: str, error: OSError) -> StoreError:
    """The operating system's error as one of ours, passing (a full disk) or lasting (what a person has to mend)."""
    reason = error.strerror or str(error)
    if error.errno in _ERRNO_LASTING:
        return DatabaseUnusable(f"{what}: {reason}{f' ({error.filename})' if error.filename else ''}.")
    return DatabaseBusy(f"{what}: {reason}.")


def _translate_sqlstate(error: BaseException, sqlstate: str) -> StoreError:
    if sqlstate == _POOLER_CODE:
        words = str(error).lower()
        lasting = next((sentence for start, sentence in _POOLER_LASTING.items() if start in words), None)
        return DatabaseUnusable(lasting) if lasting else DatabaseBusy(f"{_POOLER} refuses a connection just now.")
    if sqlstate in _SQLSTATE_OVERTAKEN:
        return DatabaseOvertaken("Another process was writing to the database.")
    passing = next((words for start, words in _SQLSTATE_PASSING.items() if sqlstate.startswith(start)), None)
    if passing:
        return DatabaseBusy(passing)
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
    # A driver's own message may quote what people said (PostgreSQL shows the failing row): only its kind is said.
    name = getattr(cause, "sqlite_errorname", None) or getattr(cause, "sqlstate", None) or type(cause).__name__
    return StoreError(f"The database refused the statement ({name}).")
