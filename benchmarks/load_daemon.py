"""The daemon that `benchmarks.load` measures: all of Trinity but the model, in a process of its own.

`benchmarks/load_daemon.py ORDERS` is that process. The code that runs in it is that of the checkout which PYTHONPATH
names, so that two checkouts can be measured side by side. `Daemon` is what the benchmark sees of it: what it costs is
read from the kernel, what it commits from the file.
"""

import asyncio
import cProfile
import json
import os
import signal
import sqlite3
import sys
import tempfile
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT)] if not os.environ.get("PYTHONPATH") else []

from tests.loopback import LoopbackDiscord  # noqa: E402 - a checkout is no installed package

NUM_WORDS = 30
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_NO_PACE = 1e6


@dataclass
class Daemon:
    """A daemon that runs, as the kernel and its database show it."""

    pid: int
    folder: Path
    is_running: Any = field(repr=False)

    @property
    def cpu_seconds(self) -> float:
        """The processor time of all its threads until now."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    @property
    def resident_mib(self) -> float:
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * _PAGE_BYTES / 2**20

    @property
    def written_bytes(self) -> int:
        """What it had the kernel bring to the disk."""
        with suppress(OSError):
            for line in Path(f"/proc/{self.pid}/io").read_text().splitlines():
                if line.startswith("write_bytes:"):
                    return int(line.split()[1])
        return 0

    @property
    def num_commits(self) -> int:
        """How many commits changed anything; only differences mean something (see bot/store/files/header.py)."""
        with closing(sqlite3.connect(self.folder / "trinity.db", timeout=30)) as database:
            mark = int(database.execute("PRAGMA user_version").fetchone()[0])
        return mark >> 1  # the lowest bit says whether it is in use

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")


@asynccontextmanager
async def open_daemon(
    server: LoopbackDiscord, folder: Path, checkout: Path = ROOT, **orders: Any
) -> AsyncIterator[Daemon]:
    """Start a checkout's daemon on `server`; it is not logged in yet."""
    known = {"token": server.token, "api_url": server.api_url, "gateway_url": server.gateway_url}
    environment = os.environ | {"PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}
    with (folder / "log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "ignore", __file__, json.dumps(known | orders)),
            cwd=folder, env=environment, stdout=log, stderr=log,
        )  # fmt: skip
    daemon = Daemon(process.pid, folder, lambda: process.returncode is None)
    try:
        yield daemon
    except BaseException:
        print(daemon.log[-3000:], file=sys.stderr)
        raise
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


@asynccontextmanager
async def scratch_folder() -> AsyncIterator[Path]:
    """A folder for a daemon's files; TMPDIR says where."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        yield Path(folder)


async def serve(orders: Mapping[str, Any]) -> None:
    """Be the daemon, joined like bot/daemon.py, until SIGTERM."""
    from bot.chat.chat import Chat, SamplingChoice
    from bot.conversation.chat_format import TurnEncoder
    from bot.conversation.window import TokenBudget
    from bot.discord.run import DiscordOptions, run_discord
    from bot.observer import LogObserver, Observers
    from bot.operations.garbage_collection import loaded_objects_frozen
    from bot.operations.metrics import Metrics
    from bot.operations.overview import Overview
    from bot.store.files.database import open_database
    from bot.store.rows.chosen_settings import ChosenSettings
    from bot.store.rows.history import History
    from bot.store.rows.inbox import Inbox
    from bot.store.rows.personas import Personas
    from tests.conversation.vocabularies import load_any_vocabulary

    stop, folder = asyncio.Event(), Path.cwd()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    observer = Observers(LogObserver(), Metrics(Overview(stop.is_set)))
    options = DiscordOptions(**orders, guild_ready_seconds=0.05, identify_pause_seconds=0.2)
    async with open_database(f"sqlite+aiosqlite:///{folder / 'trinity.db'}", observer=observer) as database:
        encoder = TurnEncoder(load_any_vocabulary("small", folder))
        chosen = ChosenSettings(database)
        await chosen.load()
        chat = Chat(
            History(database), Inbox(database), Personas(database), chosen, _engine(), encoder,
            TokenBudget(4096, 4096, 1000), sampling=SamplingChoice(seed=7), observer=observer,
        )  # fmt: skip
        with loaded_objects_frozen():
            await run_discord(chat, options, stop, observer=observer)


def _engine() -> Any:
    from tests.engines import EchoEngine, echo

    answer = " ".join(f"w{number}" for number in range(NUM_WORDS))
    # The double remembers what it was asked; here it must not, or the process would grow.
    forgetful: dict[str, Any] = {"requests": deque(maxlen=1), "forgotten": deque(maxlen=1)}
    return EchoEngine(answer=lambda request: f"{echo(request)} {answer}", seconds_per_word=0.0, **forgetful)


def _lift_pace() -> None:
    """Discord's 50 requests a second are not what is measured here."""
    from bot.delivery.limits import Pacer

    begin = Pacer.__init__

    def begin_without_limits(pacer: Pacer) -> None:
        begin(pacer, _NO_PACE)
        pacer.share = _NO_PACE

    Pacer.__init__ = begin_without_limits


def main() -> None:
    from bot.logs import configure_logging

    orders = json.loads(sys.argv[1])
    profile_file = orders.pop("profile", None)
    _lift_pace()
    configure_logging("INFO", "text", secrets=[orders["token"]])
    if profile_file is None:
        asyncio.run(serve(orders))
        return
    profile = cProfile.Profile(time.thread_time)
    signal.signal(signal.SIGUSR1, lambda *_: profile.enable())  # once it is warm
    try:
        asyncio.run(serve(orders))
    finally:
        profile.disable()
        profile.dump_stats(profile_file)


if __name__ == "__main__":
    main()
