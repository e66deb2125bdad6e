"""SQLite without threads: what the driver would hand to a thread is executed at one moment of the simulation.

The file is a real one, in memory where the machine has a place for that (/dev/shm), and SQLite is the real one. What
differs is who waits: a connection that finds the database locked tries again in the loop's own time, for as long as its
`busy_timeout` says, and a disk that is slow, full or broken is so by plan.
"""

import asyncio
import contextlib
import shutil
import sqlite3
import tempfile
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import aiosqlite.core

from tests.simulation.loop import LIFE, Life, SimulatedLoop
from tests.simulation.universe import universe

SHARED_MEMORY = Path("/dev/shm")
_RETRY_SECONDS = 0.1
_FAST = 2000.0


class Disk:
    """The disk that the database of the simulation lies on.

    `refuse` may give an error in place of an operation; `seconds` is how long one takes. One that takes none is done at
    once, and nothing comes between it and what is done next.
    """

    def __init__(self, loop: SimulatedLoop, folder: Path) -> None:
        self.loop = loop
        self.num_operations = 0
        self.refuse: Callable[[], sqlite3.Error | None] = lambda: None
        self.seconds: Callable[[], float] = lambda: universe.chance.expovariate(_FAST)
        self.committed: Callable[[], None] = lambda: None
        self._folder = folder
        self._number = 0
        self._open: dict[int, list[Any]] = {}

    @property
    def folder(self) -> Path:
        """Where the files of the running life are."""
        return self._folder / str(self._number)

    def begin(self) -> None:
        """Make the first folder."""
        self.folder.mkdir()

    def opened(self, connection: Any) -> None:
        """Remember a connection of the life that runs."""
        life = LIFE.get()
        if life is None:
            return
        if life.number not in self._open:
            self._open[life.number] = []
            life.when_killed.append(partial(self._die, life))
        self._open[life.number].append(connection)

    def connections_of(self, life: Life) -> list[Any]:
        """What a life has opened."""
        return self._open.get(life.number, [])

    def _die(self, life: Life) -> None:
        """Leave the files as they are at this moment: the next life gets a copy, as a crash would have left it."""
        before = self.folder
        self._number += 1
        self.folder.mkdir()
        for file in before.iterdir():
            if not file.name.endswith("-shm"):
                shutil.copyfile(file, self.folder / file.name)
        for connection in self._open.pop(life.number):
            if connection._connection is not None:
                with contextlib.suppress(sqlite3.Error):
                    connection._connection.close()
                connection._connection = None
        shutil.rmtree(before)


disk: Disk | None = None


class _Operations:
    """What one connection is to do, in its order; takes the place of the queue to its thread."""

    def __init__(self) -> None:
        assert disk is not None
        self._disk = disk
        self._waiting: deque[tuple[Any, Callable[[], Any]]] = deque()
        self._is_busy = False
        self.driver: Any = None
        """SQLite's own connection, once it is open."""

    def put_nowait(self, operation: "tuple[asyncio.Future[Any] | None, Callable[[], Any]]") -> None:
        self._waiting.append(operation)
        if not self._is_busy:
            self._begin_next()

    def _begin_next(self) -> None:
        self._is_busy = bool(self._waiting)
        if not self._is_busy:
            return
        future, function = self._waiting.popleft()
        seconds = self._disk.seconds()
        if seconds:
            self._disk.loop.call_later(seconds, self._execute, future, function, None)
        else:
            self._execute(future, function, None)

    def _execute(self, future: Any, function: Callable[[], Any], give_up_at: float | None) -> None:
        loop = self._disk.loop
        self._disk.num_operations += 1
        try:
            if (error := self._disk.refuse()) is not None and not _ends(function):
                raise error
            result = function()
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                patience = getattr(self.driver, "busy_milliseconds", 0) / 1000
                give_up_at = loop.time() + patience if give_up_at is None else give_up_at
                if loop.time() < give_up_at and not _ends(function):
                    loop.call_later(_RETRY_SECONDS, self._execute, future, function, give_up_at)
                    return
            aiosqlite.core.set_exception(future, error) if future else None
        except BaseException as error:
            aiosqlite.core.set_exception(future, error) if future else None
        else:
            if future:
                aiosqlite.core.set_result(future, result)
        self._begin_next()


def _ends(function: Callable[[], Any]) -> bool:
    """Whether it closes the connection, or rolls back: that a broken disk doesn't keep anybody from."""
    return _name(function) in ("close_and_stop", "close", "rollback")


def _name(function: Callable[[], Any]) -> str:
    return getattr(getattr(function, "func", function), "__name__", "")


class _NoThread:
    daemon = True

    def __init__(self, target: Any = None, args: Any = ()) -> None:
        pass

    def start(self) -> None:
        pass


class _Connection(sqlite3.Connection):
    """SQLite's own wait for a lock would stop the loop: it is told not to wait, and the disk waits in its place."""

    busy_milliseconds = 0

    def commit(self) -> None:
        """A transaction runs as one operation: a disk that is full may show only at its end."""
        assert disk is not None
        is_open = self.in_transaction
        if is_open and (error := disk.refuse()) is not None:
            raise error
        super().commit()
        if is_open:
            disk.committed()

    def cursor(self, factory: Any = None) -> Any:
        return super().cursor(factory or _Cursor)


class _Cursor(sqlite3.Cursor):
    def execute(self, statement: str, parameters: Any = ()) -> Any:
        if statement.startswith(_TIMEOUT):
            connection: Any = self.connection
            _, _, value = statement.partition("=")
            if not value:
                return super().execute(f"SELECT {connection.busy_milliseconds}")
            connection.busy_milliseconds = int(value)
            statement = f"{_TIMEOUT} = 0"
        return super().execute(statement, parameters)


_TIMEOUT = "PRAGMA busy_timeout"


def install() -> None:
    """Have the driver of this process do without threads."""
    aiosqlite.core.SimpleQueue = _Operations  # type: ignore[misc]
    aiosqlite.core.Thread = _NoThread  # type: ignore[misc]
    connect, really_connect = aiosqlite.core.Connection._connect, sqlite3.connect

    async def connected(self: Any) -> Any:
        await connect(self)
        self._tx.driver = self._connection
        disk.opened(self)  # type: ignore[union-attr]
        return self

    def impatient(*arguments: Any, **named: Any) -> sqlite3.Connection:
        return really_connect(*arguments, **{"factory": _Connection, **named, "timeout": 0})

    aiosqlite.core.Connection._connect = connected  # type: ignore[method-assign]
    sqlite3.connect = impatient  # type: ignore[assignment]


@contextlib.contextmanager
def a_disk(loop: SimulatedLoop) -> Any:
    """A disk for one simulation."""
    global disk  # noqa: PLW0603 - the driver is handed nothing
    parent = SHARED_MEMORY if SHARED_MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(dir=parent, prefix="simulation-") as folder:
        disk = Disk(loop, Path(folder))
        disk.begin()
        yield disk
