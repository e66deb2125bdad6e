"""Files and folders of a database: private, complete or not there, and touched by one process at a time."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bot.errors import DatabaseBusy
from bot.store.files.failures import system_failure

_FOLDER_LOCK_SECONDS = 30.0


def sidecar(file: Path, suffix: str) -> Path:
    """The path of the log (`-wal`) or its index (`-shm`) that SQLite keeps beside a database."""
    return file.with_name(file.name + suffix)


def create_empty_file(file: Path) -> None:
    """Create a file for nobody but us, in place of what a crash may have left of it."""
    for remains in (file, *(sidecar(file, suffix) for suffix in ("-journal", "-wal", "-shm"))):
        remains.unlink(missing_ok=True)
    os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def create_private_folder(folder: Path) -> None:
    """Create a folder, and those above it that are missing, for nobody but us."""
    try:
        missing = [path for path in (folder, *folder.parents) if not path.exists()]
        for path in reversed(missing):
            path.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise system_failure(f"The database's folder {folder} can't be created", error) from error


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Keep other processes from preparing or replacing a database in this folder; waits for its turn."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise system_failure(f"The database's folder {folder} can't be opened", error) from error
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


def sync_folder(folder: Path) -> None:
    """Make a rename in this folder outlast a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
