"""The store through a pooler that gives each transaction another connection, and takes few parameters."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy import URL

from bot.doctor.database import look_at_database
from bot.doctor.finding import State
from bot.errors import DatabaseUnusable
from bot.store.files.database import migrate, open_database
from bot.store.rows.inbox import Inbox
from tests.store.postgresql_server import account, free_port, new_database, on_postgresql
from tests.store.said import ask, hold_turn, said

PGBOUNCER = shutil.which("pgbouncer", path=os.environ.get("PATH", "") + ":/usr/sbin")
NO_POOLER = PGBOUNCER is None

pytestmark = [
    *on_postgresql(),
    pytest.mark.skipif(NO_POOLER, reason="NOT CHECKED THROUGH A POOLER: install pgbouncer"),
]


@pytest.fixture
async def address(postgresql_server: str) -> AsyncIterator[URL]:
    async with new_database(postgresql_server, f"trinity_pooled_{os.getpid()}") as address:
        yield address


@contextmanager
def running_pooler(address: URL, mode: str) -> Iterator[URL]:
    """PgBouncer before a server, as it comes; everybody gets in."""
    with TemporaryDirectory(prefix="trinity-pooler-") as name:
        folder, port = Path(name), free_port()
        password = str(address.password).replace("'", "''")
        target = f"host=127.0.0.1 port={address.port} user={address.username} password='{password}'"
        (folder / "pgbouncer.ini").write_text(
            f"[databases]\n{address.database} = {target}\n[pgbouncer]\nlisten_addr=127.0.0.1\nlisten_port={port}\n"
            f"auth_type=any\npool_mode={mode}\ndefault_pool_size=3\nunix_socket_dir=\n",
            encoding="utf-8",
        )
        folder.chmod(0o755)
        command = [str(PGBOUNCER), "-q", str(folder / "pgbouncer.ini")]
        pooler = subprocess.Popen(command, user=account(), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        try:
            yield address.set(port=port, password=None)
        finally:
            pooler.terminate()
            pooler.wait(60)


@asynccontextmanager
async def open_pooler(address: URL, mode: str) -> AsyncIterator[URL]:
    """The same, once it listens."""
    with running_pooler(address, mode) as pooled:
        await _listening(pooled.port or 0)
        yield pooled


async def _listening(port: int) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return


def as_a_host_gives_it(address: URL) -> str:
    written = address.set(query={"sslmode": "prefer", "statement_cache_size": "0", "pgbouncer": "true"})
    return written.render_as_string().replace("postgresql://", "postgres://")


async def test_a_pooler_of_transactions_is_used_as_a_server_is(address: URL) -> None:
    async with (
        open_pooler(address, "transaction") as pooled,
        open_database(pooled.render_as_string()) as database,
        open_database(as_a_host_gives_it(pooled)) as other,
    ):
        await asyncio.gather(*(hold_turn(each, ask(n)) for n, each in enumerate([database, other] * 8)))
        accepted = await asyncio.gather(*(Inbox(each).receive(ask(99)) for each in [database, other] * 4))

        assert len(await said(database)) == 16
        assert sorted(accepted) == [False] * 7 + [True]


@pytest.mark.parametrize(
    ("mode", "query", "named"),
    [
        ("transaction", {"options": "-c geqo=off"}, "ignore_startup_parameters"),
        ("statement", {}, "pool_mode"),
    ],
)
async def test_what_a_pooler_refuses_is_named(address: URL, mode: str, query: dict[str, str], named: str) -> None:
    async with open_pooler(address, mode) as pooled:
        with pytest.raises(DatabaseUnusable, match=named):
            await migrate(pooled.set(query=query).render_as_string())


async def test_the_doctor_tells_a_pooler_from_a_server(address: URL) -> None:
    direct = await look_at_database(address.render_as_string(hide_password=False))
    async with open_pooler(address, "transaction") as pooled:
        through = await look_at_database(pooled.render_as_string())

    assert {finding.state for finding in direct} == {State.OK}
    assert [finding.said for finding in through if finding.state is State.NOTE] == [
        "a pooler, or another go-between, stands before it"
    ]
