"""Copies of an SQLite database, made while it is in use and checked before they count.

`VACUUM INTO` reads one state of the database, waits for no writer and keeps none waiting, and leaves out what was
deleted. A backup holds nothing that a reset hid. PostgreSQL has tools of its own.
"""

import asyncio
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

from bot.errors import DatabaseBusy, DatabaseUnusable
from bot.store.files.cancellation import outlast_cancel
from bot.store.files.check import check_file, is_backup
from bot.store.files.failures import WHAT_TO_DO, translate, translated_failures
from bot.store.files.header import Mark
from bot.store.files.instance import hold_database_file
from bot.store.files.paths import create_empty_file, create_private_folder, folder_lock, sidecar, sync_folder
from bot.store.files.recovery_files import refuse_foreign_recovery_files
from bot.store.files.sqlite import database_file, open_existing, open_read_only


async def backup(url: str, file: Path) -> None:
    """Write a checked copy of the database to `file`, whole or not at all; a backup of that name is replaced.

    Raises:
        DatabaseUnusable: there is no database, it is corrupt, or `file` is something else than a backup.
        DatabaseBusy: the database is locked, or the disk is full.
    """
    await outlast_cancel(asyncio.to_thread(_backup, _require_file(url), file))


async def restore(file: Path, url: str) -> Path | None:
    """Put a checked copy of the backup `file` in the database's place; returns where the old one was kept, if any.

    Raises:
        DatabaseUnusable: `file` is no whole backup that this Trinity can read; nothing was changed.
        SecondInstance: a daemon runs on the database.
        DatabaseBusy: another process has the database open, or the disk is full.
    """
    return await outlast_cancel(asyncio.to_thread(_restore, file, _require_file(url)))


def _require_file(url: str) -> Path:
    file = database_file(url)
    if file is None:
        raise DatabaseUnusable("This is for SQLite; use pg_dump and pg_restore for PostgreSQL.")
    return file


def _backup(database: Path, file: Path) -> None:
    file = file.absolute()
    with translated_failures():
        if check_file(database) is None:
            raise DatabaseUnusable(f"There is no database {database}.")
        if not file.parent.is_dir():
            raise DatabaseUnusable(f"There is no folder {file.parent} to put the backup into.")
        if os.path.lexists(file) and not _is_replaceable(file, database):
            raise DatabaseUnusable(f"{file} is not a backup, and is not overwritten. Name another file.")
        with closing(open_existing(database)) as source, _checked_copy(source, sidecar(file, ".new")) as copy:
            copy.replace(file)
        sync_folder(file.parent)


def _is_replaceable(file: Path, database: Path) -> bool:
    """Whether a backup lies there, and no database: not this one, and none of another Trinity's either."""
    if not file.is_file() or file.samefile(database):
        return False
    is_in_use = any(os.path.lexists(sidecar(file, suffix)) for suffix in ("-wal", "-journal", ".lock"))
    return is_backup(file) and not is_in_use


def _restore(file: Path, database: Path) -> Path | None:
    file = file.absolute()
    create_private_folder(database.parent)
    with hold_database_file(database), folder_lock(database.parent), translated_failures():
        _refuse_unless_backup(file)
        with closing(_open_backup(file)) as source, _checked_copy(source, sidecar(database, ".new")) as copy:
            kept = _keep_under_second_name(database)
            copy.replace(database)
        sync_folder(database.parent)
    return kept


def _refuse_unless_backup(file: Path) -> None:
    try:
        version = check_file(file, for_writing=False)
    except DatabaseUnusable as error:
        # What helps with a damaged database is no help with a damaged backup.
        problem = str(error).replace(WHAT_TO_DO, "Nothing was changed; name another backup.")
        raise DatabaseUnusable(problem) from error
    if version is None:
        raise DatabaseUnusable(f"There is no backup {file}.")


_DELETE_HIDDEN = {
    # First: a piece of a summary goes with any of its turns.
    "summaries": "DELETE FROM summaries WHERE id IN (SELECT summary_id FROM summarised_turns "
    "JOIN messages ON messages.id = summarised_turns.turn_id WHERE messages.hidden_at IS NOT NULL)",
    "messages": "DELETE FROM messages WHERE hidden_at IS NOT NULL",
    "persona_texts": "DELETE FROM persona_texts WHERE hash NOT IN "
    "(SELECT persona_hash FROM messages WHERE persona_hash IS NOT NULL)",
    "pins": "DELETE FROM pins WHERE hidden_at IS NOT NULL",
}
"""What takes out of a copy what a reset hid, by table."""


@contextmanager
def _checked_copy(source: sqlite3.Connection, copy: Path) -> Iterator[Path]:
    """A copy, whole and on the disk; removed if the block leaves it where it is."""
    create_empty_file(copy)
    try:
        # As a URI, since a name need not be text that SQLite takes.
        source.execute("VACUUM INTO ?", (copy.as_uri(),))
        with closing(open_existing(copy)) as connection:
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA secure_delete = ON")
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            for table, delete_hidden in _DELETE_HIDDEN.items():
                if table in tables:  # a database of an older Trinity has not all
                    connection.execute(delete_hidden)
            # No log of the source's, nor of another copy's, fits this file.
            marking = f"PRAGMA user_version = {Mark.drawn(is_open=False).value:d}"
            connection.execute(marking)
            _refuse_unless_whole(connection)
        with copy.open("rb") as stream:
            os.fsync(stream.fileno())
        yield copy
    finally:
        copy.unlink(missing_ok=True)
        sidecar(copy, "-journal").unlink(missing_ok=True)


def _open_backup(file: Path) -> sqlite3.Connection:
    # A backup has no log; another copy of a database may have one, and that is read as well.
    return open_read_only(file, is_unused=not sidecar(file, "-wal").exists())


def _refuse_unless_whole(connection: sqlite3.Connection) -> None:
    problem = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if problem != "ok" or connection.execute("PRAGMA foreign_key_check").fetchone() is not None:
        raise DatabaseUnusable("The copy came out corrupt, so its source is; nothing was changed.")


def _keep_under_second_name(database: Path) -> Path | None:
    """Give whatever lies in the database's place a second name, so that the place is never empty."""
    kept = sidecar(database, datetime.now().astimezone().strftime(".before-restore-%Y%m%d-%H%M%S-%f"))
    if not os.path.lexists(database):
        _move_recovery_files(database, kept)
        return None
    if not database.is_file():
        raise DatabaseUnusable(f"{database} is not a file. Move it away, and restore again.")
    _fold_log(database)
    os.link(database, kept)
    _move_recovery_files(database, kept)
    return kept


def _move_recovery_files(database: Path, kept: Path) -> None:
    """Let nothing lie beside the place that SQLite would put into the file which comes there."""
    for suffix in ("-wal", "-shm", "-journal"):
        if os.path.lexists(sidecar(database, suffix)):
            sidecar(database, suffix).rename(sidecar(kept, suffix))


def _fold_log(database: Path) -> None:
    """Move the log into the database, which nobody else may have open then; one that is damaged keeps its log."""
    try:
        refuse_foreign_recovery_files(database)
    except DatabaseUnusable:
        return
    try:
        with closing(open_existing(database)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as error:
        if isinstance(translate(error), DatabaseBusy):
            raise DatabaseBusy("Another process has the database open. Stop it first.") from error
