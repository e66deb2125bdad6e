"""The echo daemon as seen by a scenario: started, killed, stopped, and its database looked into."""

import asyncio
import json
import os
import signal
import sqlite3
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

from tests.fork_server import ForkedProcess, start
from tests.loopback import LoopbackDiscord
from tests.scenarios.gauges import Reading

ROOT = Path(__file__).parents[2]
START_SECONDS = 60.0
OPEN = ("received", "waiting", "answering")


class EchoDaemon:
    """One process after the other on the same database."""

    def __init__(
        self,
        server: LoopbackDiscord,
        folder: Path,
        environ: Mapping[str, str] | None = None,
        *,
        anew: bool = False,
        **orders: Any,
    ) -> None:
        self.database = folder / "trinity.db"
        self.num_starts = 0
        self._server = server
        self._folder = folder
        self._environ = environ or {}
        self._anew = anew
        self._orders = orders
        self._process: ForkedProcess | asyncio.subprocess.Process | None = None

    @property
    def log(self) -> str:
        """What all of the processes have logged."""
        return (self._folder / "daemon.log").read_text(encoding="utf-8")

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def start(self, **orders: Any) -> None:
        """Start the next process; `orders` go over those of the constructor. See `Orders`."""
        server = self._server
        known = {"token": server.token, "api_url": server.api_url, "gateway_url": server.gateway_url}
        wanted = json.dumps(known | {"folder": str(self._folder)} | self._orders | orders)
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **self._environ}
        self._process = await start(
            *("-m", "tests.scenarios.echo_daemon", wanted),
            env=environment, cwd=self._folder, output=self._folder / "daemon.log", anew=self._anew,
        )  # fmt: skip
        self.num_starts += 1

    async def ready(self) -> None:
        """Wait until the process is logged in."""
        async with asyncio.timeout(START_SECONDS):
            while not self._server.gateway.connected():
                assert self.is_running, self.log[-3000:]
                await asyncio.sleep(0.02)

    async def ended(self, seconds: float = 60.0) -> int:
        """Wait until the process ends by itself; returns its exit status."""
        assert self._process
        async with asyncio.timeout(seconds):
            status = await self._process.wait()
        while self._server.gateway.connected():  # noqa: ASYNC110 - the socket's end comes after the process's
            await asyncio.sleep(0.01)
        return status

    async def kill(self) -> None:
        """kill -9."""
        if self.is_running:
            self.signal(signal.SIGKILL)
        await self.ended()

    async def stop(self) -> int:
        """SIGTERM, and wait for the end."""
        self.signal(signal.SIGTERM)
        return await self.ended()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process."""
        assert self._process
        self._process.send_signal(number)

    def states(self) -> dict[str, int]:
        """How many questions are in each state."""
        if not self.database.exists():
            return {}
        with closing(sqlite3.connect(self.database, timeout=10)) as connection:
            try:
                return dict(connection.execute("SELECT state, count(*) FROM inbox GROUP BY 1"))
            except sqlite3.OperationalError:
                return {}  # not migrated yet

    @property
    def num_done(self) -> int:
        """How many questions are done with."""
        return sum(number for state, number in self.states().items() if state not in OPEN)

    async def settled(self, num_questions: int, seconds: float) -> None:
        """Wait until so many questions are done with and none is open."""
        give_up_at = time.monotonic() + seconds
        while True:
            states = self.states()
            if sum(states.values()) >= num_questions and not any(states.get(state) for state in OPEN):
                return
            assert time.monotonic() < give_up_at, f"{states} of {num_questions}\n{self.log[-3000:]}"
            assert self.is_running, self.log[-3000:]
            await asyncio.sleep(0.05)

    @property
    def has_gauges(self) -> bool:
        return (self._folder / "gauges.json").exists()

    def gauges(self) -> Reading:
        """The last half second of the process."""
        return Reading(**json.loads((self._folder / "gauges.json").read_text()))


@asynccontextmanager
async def open_echo_daemon(
    server: LoopbackDiscord,
    folder: Path,
    *,
    environ: Mapping[str, str] | None = None,
    anew: bool = False,
    **orders: Any,
) -> AsyncIterator[EchoDaemon]:
    """A daemon that is logged in; whatever runs at the end is killed.

    Its memory is its own only where it is started `anew`: others share that of the Python they were forked from.
    """
    daemon = EchoDaemon(server, folder, environ, anew=anew, **orders)
    await daemon.start()
    try:
        await daemon.ready()
        yield daemon
    finally:
        await daemon.kill()
