"""One daemon per Discord token and per database: locks that the kernel frees, however the process ends.

Each has its own lock, because either alone in common is wrong: two daemons on one token answer everything twice, and
two on one database answer each other's questions. The files stay; only the lock on them means something.
"""

import fcntl
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path

from bot.errors import DatabaseUnusable, SecondInstance
from bot.store.files.failures import system_failure
from bot.store.files.paths import create_private_folder, sidecar
from bot.store.files.sqlite import database_file


@contextmanager
def hold_instance(url: str, token: str, folder: Path) -> Iterator[None]:
    """Be the only daemon on this token and on this database; `folder` is the data folder.

    Raises:
        SecondInstance: another process is.
    """
    with ExitStack() as locks:
        locks.enter_context(_hold_database(url, folder))
        locks.enter_context(_hold(_token_lock(token, folder), "with this Discord token"))
        yield


@contextmanager
def hold_database_file(file: Path) -> Iterator[None]:
    """Be the only daemon on this SQLite file; the lock lies beside it.

    Raises:
        SecondInstance: another process is.
    """
    with _hold(sidecar(file, ".lock"), "on this database"):
        yield


def running_process(token: str, folder: Path) -> int | None:
    """The process of the daemon on this token, None where none runs, or none that can be reached from here."""
    try:
        descriptor = os.open(_token_lock(token, folder), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        number = os.read(descriptor, 32).decode(errors="replace").strip()
        return int(number) if number.isdecimal() and _has_open(int(number), os.fstat(descriptor)) else None
    finally:
        os.close(descriptor)
    return None


def _has_open(process: int, lock: os.stat_result) -> bool:
    """Whether a process has the lock's file open: where it is in a container, its number may be another one's here."""
    files = Path(f"/proc/{process}/fd")
    if not Path("/proc/self/fd").is_dir():  # not Linux
        return True
    with suppress(OSError):
        for file in files.iterdir():
            with suppress(OSError):
                if os.path.samestat(file.stat(), lock):
                    return True
    return False


def _token_lock(token: str, folder: Path) -> Path:
    return folder / f"token-{_digest(token)}.lock"


@contextmanager
def share_terminal(folder: Path) -> Iterator[bool]:
    """Be one of the terminals that talk on a data folder's database; the value is whether there is no other."""
    with _opened(folder / "terminal.lock") as descriptor:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_alone = True
        except BlockingIOError:
            is_alone = False
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield is_alone


def _hold_database(url: str, folder: Path) -> AbstractContextManager[None]:
    file = database_file(url)
    if file is not None:
        return hold_database_file(file)
    return _hold(folder / f"database-{_digest(url)}.lock", "on this database")


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()[:16]


@contextmanager
def _hold(lock: Path, what: str) -> Iterator[None]:
    with _opened(lock) as descriptor:
        _take(descriptor, what)
        yield


@contextmanager
def _opened(lock: Path) -> Iterator[int]:
    create_private_folder(lock.parent)
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise system_failure(f"The lock {lock} can't be made", error) from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise DatabaseUnusable(f"{lock} is not a plain file, as a lock has to be. Move it away.")
        yield descriptor
    finally:
        os.close(descriptor)


def _take(descriptor: int, what: str) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
        raise SecondInstance(f"Another Trinity already runs {what} (process {holder}). Stop it first.") from None
    with suppress(OSError):  # the disk may be full; the number is for people, and it is the lock that counts
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
