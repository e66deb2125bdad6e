"""Is this file ours, whole and of a schema we know? Answered before anything is written, so that a wrong file, a
damaged one or one of a newer Trinity stays as it is, byte for byte.

A file of zero bytes is refused too: Trinity creates a database under another name and renames it when it is complete
(`migrate.py`), so that an empty file is what a full disk or a crash left of one. Nobody's history is begun anew in
silence.
"""

import os
import sqlite3
import stat
import struct
from contextlib import closing
from pathlib import Path

from bot.errors import DatabaseBusy, DatabaseUnusable
from bot.store.failures import WHAT_TO_DO, translate
from bot.store.files import sidecar
from bot.store.sqlite import APPLICATION_ID, open_read_only
from bot.store.tables import SCHEMA_VERSION

# https://sqlite.org/fileformat2.html, sections 1.3 and 4.1
_MAGIC = b"SQLite format 3\x00"
_APPLICATION_ID_OFFSET = 68
_HEADER_BYTES = 100
_LOG_HEADER_BYTES = 32
_LOG_MAGIC = (0x377F0682, 0x377F0683)


def check_file(file: Path, *, newest: str = SCHEMA_VERSION, for_writing: bool = True) -> str | None:
    """Return the schema version of a database file that can be used; None where there is no file yet.

    `newest` is the newest schema that is known. A backup need not be writable to be read.

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
    _refuse_foreign_log(sidecar(file, "-wal"))
    version = _read_version(file)
    refuse_newer(version, str(file), newest)
    return version


def refuse_newer(version: str | None, name: str, newest: str = SCHEMA_VERSION) -> None:
    """Raise `DatabaseUnusable` if the database called `name` has a schema that this Trinity doesn't know."""
    if version is not None and version > newest:
        raise DatabaseUnusable(
            f"{name} has schema {version} and is from a newer Trinity; this one knows schemas up to {newest}. "
            "Start the newer Trinity, or restore a backup that is as old as this one."
        )


def is_ours(file: Path) -> bool:
    """Whether the file's header is that of a Trinity database."""
    with file.open("rb") as stream:
        header = stream.read(_HEADER_BYTES)
    return header.startswith(_MAGIC) and header[_APPLICATION_ID_OFFSET:][:4] == APPLICATION_ID.to_bytes(4, "big")


def _refuse_log_without_database(file: Path) -> None:
    # SQLite would replay such a log into whatever database is put beside it.
    log = sidecar(file, "-wal")
    if log.exists() and log.stat().st_size > 0:
        raise DatabaseUnusable(f"{log} lies there without its database {file.name}. Put that back, or move both away.")


def _refuse_unless_ours(file: Path) -> None:
    if not file.is_file():
        raise DatabaseUnusable(f"{file} is not a file.")
    try:
        with file.open("rb") as stream:
            header = stream.read(_HEADER_BYTES)
    except OSError as error:
        raise DatabaseUnusable(f"{file} can't be read: {error.strerror}.") from error
    if not header:
        raise DatabaseUnusable(f"{file} is empty (0 bytes), which Trinity never leaves behind. {WHAT_TO_DO}")
    if not header.startswith(_MAGIC):
        raise DatabaseUnusable(f"{file} is not an SQLite database. {WHAT_TO_DO}")
    if len(header) < _HEADER_BYTES:
        raise DatabaseUnusable(f"{file} is truncated. {WHAT_TO_DO}")
    if header[_APPLICATION_ID_OFFSET:][:4] != APPLICATION_ID.to_bytes(4, "big"):
        raise DatabaseUnusable(f"{file} is an SQLite database, but not Trinity's. Name another file.")


def _refuse_unless_writable(file: Path) -> None:
    # The mode is looked at as well, because root may write where nobody is meant to.
    for path, kind in ((file, "file"), (file.parent, "folder")):
        is_protected = not path.stat().st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH)
        if is_protected or not os.access(path, os.W_OK):
            raise DatabaseUnusable(f"The database's {kind} {path} is read-only. Make it writable (chmod u+w).")


def _refuse_foreign_log(log: Path) -> None:
    # SQLite takes a log that it can't read for an empty one, drops it, and what was committed into it is gone.
    if not log.exists() or log.stat().st_size == 0:
        return
    with log.open("rb") as stream:
        header = stream.read(_LOG_HEADER_BYTES)
    if not any(header):
        return  # power was lost before the log's first sync: nothing in it was acknowledged
    if len(header) < _LOG_HEADER_BYTES or not _is_log_header(header):
        raise DatabaseUnusable(f"The log {log} is damaged. {WHAT_TO_DO}")


def _is_log_header(header: bytes) -> bool:
    magic = int.from_bytes(header[:4], "big")
    if magic not in _LOG_MAGIC:
        return False
    # The magic's last bit tells in which byte order the checksum was made.
    words = struct.unpack(">6I" if magic & 1 else "<6I", header[:24])
    first = second = 0
    for even, odd in zip(words[::2], words[1::2], strict=True):
        first = (first + even + second) & 0xFFFFFFFF
        second = (second + odd + first) & 0xFFFFFFFF
    return (first, second) == struct.unpack(">2I", header[24:32])


def _read_version(file: Path) -> str:
    index = sidecar(file, "-shm")
    had_index = index.exists()
    try:
        return _read_checked_version(file, is_unused=not had_index and not sidecar(file, "-wal").exists())
    except BaseException:
        # Nobody had the database open, so that the index is of our own making.
        if not had_index:
            index.unlink(missing_ok=True)
        raise


def _read_checked_version(file: Path, *, is_unused: bool) -> str:
    try:
        with closing(open_read_only(file, is_unused=is_unused)) as connection:
            problem = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            if problem != "ok":
                raise DatabaseUnusable(f"{file} is corrupt. {WHAT_TO_DO}")
            return str(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])
    except sqlite3.Error as error:
        if isinstance(translated := translate(error), DatabaseBusy):
            raise translated from error
        raise DatabaseUnusable(f"{file} is corrupt ({error}). {WHAT_TO_DO}") from error
    except TypeError as error:  # a query without a row
        raise DatabaseUnusable(f"{file} is corrupt (it names no schema). {WHAT_TO_DO}") from error
