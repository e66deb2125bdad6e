"""The real daemon in a process of its own, on a loopback Discord: started, stopped, killed and started again."""

import asyncio
import os
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

from tests.fork_server import ForkedProcess, start
from tests.loopback import LoopbackDiscord, Message

START_SECONDS = 180.0
"""A machine that is busy with other work imports torch for a minute."""


class Daemon:
    """One `trinity run`."""

    def __init__(self, process: ForkedProcess | asyncio.subprocess.Process, log_file: Path) -> None:
        self.process = process
        self.log_file = log_file

    @property
    def log(self) -> str:
        """What it has logged so far."""
        return self.log_file.read_text(encoding="utf-8")

    async def answer(self, question: Message, seconds: float = 60.0) -> str:
        """Wait until the daemon has done with a question; returns what it answered."""
        async with asyncio.timeout(seconds):
            while self._state(question) in (None, "received", "waiting", "answering"):
                assert self.process.returncode is None, self.log
                await asyncio.sleep(0.02)
        return (await question.channel.answer_to(question, quiet_seconds=0)).text

    def _state(self, question: Message) -> str | None:
        with closing(sqlite3.connect(self.log_file.with_name("trinity.db"))) as database:
            row = database.execute("SELECT state FROM inbox WHERE message_id = ?", (question.id,)).fetchone()
        return row and row[0]

    async def stop(self) -> int:
        """SIGTERM, and wait for the end; returns the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return await self.ended()

    async def kill(self) -> None:
        """End it with kill -9."""
        self.process.kill()
        await self.ended()

    async def ended(self, seconds: float = 60.0) -> int:
        """Wait until it ends by itself; returns the exit status."""
        async with asyncio.timeout(seconds):
            return await self.process.wait()


def environment_for(server: LoopbackDiscord, folder: Path) -> dict[str, str]:
    """The environment of a Trinity that is on `server` and keeps its data in `folder`."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(Path(__file__).parents[2]),  # this checkout, whichever is installed
        "TRINITY_DATA_DIR": str(folder),
        "TRINITY_EDIT_INTERVAL_SECONDS": "0.1",
        "TRINITY_OPERATIONS_ADDRESS": "",  # many at a time
        "HF_HUB_OFFLINE": "1",
        "CUDA_VISIBLE_DEVICES": "",  # the same on a machine with a card
        "OMP_NUM_THREADS": "1",  # several would only wait for each other
        **server.environment,
    }


@asynccontextmanager
async def open_daemon(
    server: LoopbackDiscord,
    folder: Path,
    settings: Mapping[str, str] | None = None,
    *,
    program: Sequence[str] = ("-m", "bot", "run"),
    anew: bool = False,
) -> AsyncIterator[Daemon]:
    """Start the daemon on `server`, with its data in `folder`, and wait until it is logged in.

    With `anew` it imports for itself what the others find imported.
    """
    folder.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - a test may wait for its folder
    log_file = folder / "daemon.log"
    environment = {**environment_for(server, folder), **(settings or {})}
    before = server.gateway.counts.get("READY", 0)
    process = await start(*program, env=environment, cwd=folder, output=log_file, anew=anew)
    daemon = Daemon(process, log_file)
    try:
        await _logged_in(server, daemon, before)
        yield daemon
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _logged_in(server: LoopbackDiscord, daemon: Daemon, before: int) -> None:
    async with asyncio.timeout(START_SECONDS):
        while server.gateway.counts.get("READY", 0) <= before:
            assert daemon.process.returncode is None, daemon.log
            await asyncio.sleep(0.05)


@dataclass
class Ended:
    """How a command ended."""

    status: int
    output: str
    errors: str


async def trinity(
    server: LoopbackDiscord, folder: Path, *arguments: str, said: str = "", seconds: float = START_SECONDS
) -> Ended:
    """Run another command with the daemon's settings, as somebody whose files everybody may read by default."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", *arguments),
        env=environment_for(server, folder),
        cwd=folder,
        umask=0o022,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(seconds):
        output, errors = await process.communicate(said.encode())
    return Ended(process.returncode, output.decode(), errors.decode())
