"""A PostgreSQL server for the tests: the one that POSTGRESQL_URL names, or one of their own where it is installed."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import URL, NullPool, make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

SERVER = os.environ.get("POSTGRESQL_URL", "")
PASSWORD = "s3cret @/:%?#&=+\u00e9"
_START_SECONDS = 120.0


def on_postgresql(
    reason: str = "install PostgreSQL or set POSTGRESQL_URL, and install the extra postgres",
) -> list[Any]:
    """Marks for tests that need a server: they say so where they are skipped, and share one."""
    is_skipped = pytest.mark.skipif(not is_available(), reason=f"NOT CHECKED ON POSTGRESQL: {reason}")
    return [is_skipped, pytest.mark.xdist_group("postgresql")]


def find_program(name: str) -> str | None:
    """Debian keeps all but the client's programs out of PATH."""
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(installed[-1]) if installed else shutil.which(name)


def account() -> str | None:
    """Who runs the server: it refuses to be run by root. None: whoever runs the tests."""
    if os.geteuid() != 0:
        return None
    with suppress(KeyError):
        return pwd.getpwnam("postgres").pw_name
    return None


def is_available() -> bool:
    """Whether there is a server, or a way to start one."""
    if find_spec("asyncpg") is None:
        return False
    can_start = find_program("initdb") is not None and find_program("postgres") is not None
    return bool(SERVER) or (can_start and (os.geteuid() != 0 or account() is not None))


def free_port() -> int:
    """A port on loopback that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class PostgresqlServer:
    """A server in a folder of its own, which wants a password; it can be stopped and started again."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"postgresql://postgres:{quote(PASSWORD, safe='')}@127.0.0.1:{self.port}/postgres"

    def create(self) -> None:
        if name := account():
            shutil.chown(self.folder, name)
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        command = [str(find_program("initdb")), "-D", str(self.folder / "data"), "-U", "postgres", "--no-sync"]
        options = ["-A", "scram-sha-256", "--pwfile", str(secret), "-E", "UTF8", "--locale=C"]
        subprocess.run([*command, *options], check=True, **self._options())

    def start(self, *options: str) -> None:
        settings = (
            f"port={self.port}", "listen_addresses=127.0.0.1", f"unix_socket_directories={self.folder}",
            "fsync=off", "max_connections=60", "shared_buffers=8MB",
        )  # fmt: skip
        command = [str(find_program("postgres")), "-D", str(self.folder / "data")]
        arguments = [part for setting in (*settings, *options) for part in ("-c", setting)]
        self.process = subprocess.Popen([*command, *arguments], **self._options())
        give_up_at = time.monotonic() + _START_SECONDS
        while not self._answers():
            assert self.process.poll() is None, "the server ended at once"
            assert time.monotonic() < give_up_at, "the server doesn't start"
            time.sleep(0.05)

    def stop(self) -> None:
        """Drop all connections and end."""
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(_START_SECONDS)
            self.process = None

    def _answers(self) -> bool:
        command = [str(find_program("pg_isready")), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(command, check=False).returncode == 0

    def _options(self) -> dict[str, Any]:
        return {"user": account(), "cwd": self.folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


@contextmanager
def running_server(folder: Path) -> Iterator[PostgresqlServer]:
    """A new, empty server, as long as the block lasts."""
    server = PostgresqlServer(folder, free_port())
    server.create()
    try:
        server.start()
        yield server
    finally:
        server.stop()


@contextmanager
def own_server() -> Iterator[PostgresqlServer]:
    """A new server in a folder of its own."""
    # Not below pytest's folder, which is closed to the account that runs the server.
    with TemporaryDirectory(prefix="trinity-postgresql-") as folder, running_server(Path(folder)) as running:
        yield running


@asynccontextmanager
async def new_database(
    server_url: str, name: str, *, template: str = "template1", is_kept: bool = False
) -> AsyncIterator[URL]:
    """A database on a server, a copy of `template`; it goes with the block, or with the server if `is_kept`."""
    address = make_url(server_url).set(drivername="postgresql+asyncpg")
    engine = create_async_engine(address, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    async with engine.connect() as connection:
        await connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
    yield address.set(drivername="postgresql", database=name)
    if not is_kept:
        async with engine.connect() as connection:
            await connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    await engine.dispose()


@contextmanager
def some_server() -> Iterator[str]:
    """The URL of a server on which databases may be made, as long as the block lasts."""
    if SERVER:
        yield SERVER
        return
    with own_server() as running:
        yield running.url
