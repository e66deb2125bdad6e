"""How long the daemon takes from a mention to the first words: `python -m benchmarks.delivery [--beside CHECKOUT]`.

All of Trinity but the model runs in a process of its own: discord.py, database, chat and delivery, with an engine that
echoes at once. This process is its Discord, on loopback and with Discord's own limits. Measured is from the moment in
which the mention's frame was written to the socket to the one in which the request that creates the answer arrives.

First one question at a time, in channels that are quiet otherwise; then 64 at once. With `--beside`, a daemon of
another checkout is asked in turns with this one's, question by question, so that both meet the same machine.
"""

import argparse
import asyncio
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT)] if not os.environ.get("PYTHONPATH") else []

from tests.loopback import LoopbackDiscord, Message, Person  # noqa: E402 - a checkout is no installed package
from tests.loopback.entities import Channel  # noqa: E402

NUM_CHANNELS = 25
NUM_AT_ONCE = 64
EDIT_INTERVAL_SECONDS = 1.0  # the daemon's own
NUM_WORDS = (30,)
PAUSE_SECONDS = 0.06  # until the pace is that of a quiet bot again
LONGEST_SECONDS = 300.0


@dataclass
class Figures:
    """Milliseconds; and what Discord refused."""

    name: str
    commit: str
    alone_first: list[float] = field(default_factory=list)
    together_first: list[float] = field(default_factory=list)
    together_final: list[float] = field(default_factory=list)
    num_requests: int = 0
    num_429: int = 0
    violations: list[str] = field(default_factory=list)

    def report(self) -> dict[str, object]:
        figures: dict[str, object] = {"name": self.name, "commit": self.commit}
        for name in ("alone_first", "together_first", "together_final"):
            figures[name] = summary(getattr(self, name))
        return figures | {"requests": self.num_requests, "429": self.num_429, "violations": self.violations}


def summary(milliseconds: Iterable[float]) -> dict[str, float]:
    ordered = sorted(milliseconds)
    if not ordered:
        return {"n": 0}
    last = len(ordered) - 1
    places = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
    return {"n": len(ordered)} | {name: round(ordered[round(last * share)], 2) for name, share in places.items()}


class Bot:
    """The daemon of one checkout, with a Discord of its own."""

    def __init__(self, server: LoopbackDiscord, process: asyncio.subprocess.Process, figures: Figures) -> None:
        self.figures = figures
        self._server = server
        self._process = process
        self._channels = [server.channel(f"quiet-{number}") for number in range(NUM_CHANNELS)]
        self._rooms = [server.channel(f"busy-{number}") for number in range(NUM_AT_ONCE)]
        self._people = [server.person(f"Person {number}") for number in range(NUM_AT_ONCE)]

    async def warm_up(self) -> None:
        for channel in self._channels:
            await self._ended(await self._ask(self._people[0], channel))

    async def alone(self, number: int) -> None:
        """Ask one question, and wait until all is quiet again."""
        asked = await self._ask(self._people[number % NUM_AT_ONCE], self._channels[number % NUM_CHANNELS])
        await self._ended(asked)
        self.figures.alone_first.append(self._first_words(asked))
        await asyncio.sleep(PAUSE_SECONDS)

    async def together(self) -> None:
        """64 people ask in as many channels within a moment."""
        pairs = zip(self._people, self._rooms, strict=True)
        asked = [await self._ask(person, room) for person, room in pairs]
        for question in asked:
            await self._ended(question)
        for question in asked:
            self.figures.together_first.append(self._first_words(question))
            answer = self._server.answer_to(question.message)
            assert answer is not None
            self.figures.together_final.append((answer.changed_at - question.left_at) * 1000)
        await asyncio.sleep(5.0)  # the buckets of the channels are full again

    def finish(self) -> None:
        statuses = self._server.journal.statuses()
        self.figures.num_requests, self.figures.num_429 = sum(statuses.values()), statuses[429]
        self.figures.violations = [str(violation) for violation in self._server.violations]

    async def _ask(self, person: Person, channel: Channel) -> "Asked":
        num_calls = len(self._server.journal.calls)
        message = await person.says(channel, "What is the capital of France, and why?", mention=True)
        return Asked(message, time.monotonic(), num_calls)  # its frame has just been written to the socket

    async def _ended(self, asked: "Asked") -> None:
        def is_ended() -> bool:
            answer = self._server.answer_to(asked.message)
            return answer is not None and bool(answer.text) and not answer.is_marked

        give_up_at = time.monotonic() + LONGEST_SECONDS
        while not is_ended():
            if self._process.returncode is not None or time.monotonic() > give_up_at:
                raise RuntimeError(f"{self.figures.name} does not answer")
            await asyncio.sleep(0.01)

    def _first_words(self, asked: "Asked") -> float:
        path = f"/channels/{asked.message.channel.id}/messages"
        calls = self._server.journal.calls[asked.num_calls :]
        arrived = next(call.at for call in calls if call.method == "POST" and call.path.endswith(path))
        return (arrived - asked.left_at) * 1000


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, when its frame was written, and how many requests had come before."""

    message: Message
    left_at: float
    num_calls: int


@asynccontextmanager
async def open_bot(name: str, checkout: Path) -> AsyncIterator[Bot]:
    """A checkout's daemon, logged in."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        server = await stack.enter_async_context(LoopbackDiscord())
        orders = {
            "token": server.token, "api_url": server.api_url, "gateway_url": server.gateway_url, "folder": str(folder),
            "num_words": NUM_WORDS, "seconds_per_word": 0.0, "edit_interval_seconds": EDIT_INTERVAL_SECONDS,
        }  # fmt: skip
        environment = os.environ | {"PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}
        log = stack.enter_context((folder / "log").open("wb"))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "ignore", __file__, "--serve", json.dumps(orders)),
            cwd=folder, env=environment, stdout=log, stderr=log,
        )  # fmt: skip
        try:
            bot = Bot(server, process, Figures(name, commit_of(checkout)))
            await server.wait_for_login()
            await bot.warm_up()
            yield bot
            bot.finish()
        except BaseException:
            print((folder / "log").read_text(errors="replace")[-3000:], file=sys.stderr)
            raise
        finally:
            with suppress(ProcessLookupError):
                process.terminate()
            await process.wait()


def serve(orders: str) -> None:
    """Be the daemon: the code is that of the checkout that PYTHONPATH names."""
    from bot.logs import configure_logging
    from tests.scenarios import echo_daemon

    wanted = echo_daemon.Orders(**json.loads(orders))
    configure_logging("INFO", "text", secrets=[wanted.token])
    asyncio.run(echo_daemon.serve(wanted))


def commit_of(checkout: Path) -> str:
    command = ["git", "-C", str(checkout), "describe", "--always", "--dirty", "--abbrev=12"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


async def measure(checkouts: dict[str, Path], num_alone: int, num_rounds: int) -> list[Figures]:
    if task := asyncio.current_task():  # the daemons end with it
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    async with AsyncExitStack() as stack:
        bots = [await stack.enter_async_context(open_bot(name, path)) for name, path in checkouts.items()]
        for number in range(num_alone):
            for bot in bots if number % 2 else reversed(bots):  # neither always follows the other
                await bot.alone(number)
            if number % 50 == 49:
                print(f"{number + 1} of {num_alone}", file=sys.stderr, flush=True)
        for _ in range(num_rounds):
            for bot in bots:
                await bot.together()
    return [bot.figures for bot in bots]


def show(figures: Figures) -> None:
    alone, first, final = (
        summary(values) for values in (figures.alone_first, figures.together_first, figures.together_final)
    )
    print(f"{figures.name:<8} {figures.commit:<20} first words, one at a time (n={alone['n']}): {line(alone)}")
    if figures.together_first:
        print(f"{'':<29} {NUM_AT_ONCE} at once, first words: {line(first)}; last edit: {line(final)}")
    print(f"{'':<29} {figures.num_429} of {figures.num_requests} requests refused with 429")


def line(figures: dict[str, float]) -> str:
    return "  ".join(f"{name} {value:.1f}" for name, value in figures.items() if name != "n") + " ms"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--beside", type=Path, help="another checkout, measured in turns with this one")
    parser.add_argument("--alone", type=int, default=300, help="questions one at a time")
    parser.add_argument("--rounds", type=int, default=3, help="how often 64 ask at once")
    parser.add_argument("--json", type=Path, help="where the figures are written as well")
    parser.add_argument("--serve", metavar="ORDERS", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve is not None:
        serve(arguments.serve)
        return
    checkouts = {"this": ROOT} | ({"beside": arguments.beside.resolve()} if arguments.beside else {})
    load, began = os.getloadavg()[0], time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
    measured = asyncio.run(measure(checkouts, arguments.alone, arguments.rounds))
    print(f"{platform.machine()}, {os.cpu_count()} CPUs, load {load:.1f}, Python {platform.python_version()}")
    for figures in measured:
        show(figures)
    report: dict[str, object] = {
        "time": began, "machine": platform.machine(), "cpus": os.cpu_count(), "load": load,
        "python": platform.python_version(), "unit": "ms", "figures": [figures.report() for figures in measured],
    }  # fmt: skip
    if len(measured) == 2:
        ours, theirs = (summary(figures.alone_first) for figures in measured)
        report["ratio"] = {name: round(ours[name] / theirs[name], 3) for name in ("p50", "p90", "p99")}
        print("this / beside, one at a time: " + "  ".join(f"{k} {v:.2f}" for k, v in report["ratio"].items()))
    print(json.dumps(report))
    if arguments.json:
        raw = {figures.name: asdict(figures) for figures in measured}
        arguments.json.write_text(json.dumps(report | {"raw": raw}, indent=1) + "\n")


if __name__ == "__main__":
    main()
