"""What a turn costs all of Trinity but the model, and how that grows: `python -m benchmarks.load [--part PART ...]`.

The whole daemon with an engine that echoes, in a process of its own; this process is its Discord and its people, on
loopback. Parts:

- `turns`: with 10 to 10,000 channels that are talked in: processor time a turn, from a mention to the first words,
  memory, commits and bytes written, and what a message costs that isn't for the bot.
- `history`: a turn in channels of 100 to 100,000 messages, in turns of one daemon.
- `start`: until 2,500 guilds of 50 channels are known.
- `beside`: this checkout's daemon and another's (`--beside CHECKOUT`), a block of turns each in turns.

Processor time is the daemon's own, all threads together, whatever else the machine does. `--plots FOLDER` draws what
was measured (`pip install .[plots]`).
"""

import argparse
import asyncio
import json
import os
import platform
import random
import statistics
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from benchmarks.load_crowd import Crowd, Turn
from benchmarks.load_daemon import ROOT, Daemon, open_daemon, scratch_folder
from benchmarks.load_history import fill_channel
from tests.loopback import LoopbackDiscord, without_waits
from tests.loopback.entities import Channel

CHANNELS_EACH = 50
"""Of a guild."""
SIZES = (10, 100, 1000, 10_000)
HISTORIES = (100, 1000, 10_000, 100_000)
NUM_GUILDS = 2500
TURNS_PER_SECOND = 15.0
NUM_TURNS = 300
NUM_MESSAGES = 2000
BLOCK = 25
"""Turns of one channel, or daemon, before it is another one's turn."""
_WARM = 40
_START_SECONDS = 300.0
Figures = dict[str, Any]


def add_channels(server: LoopbackDiscord, num_channels: int, each: int = CHANNELS_EACH) -> list[Channel]:
    """So many channels, in guilds of `each`."""
    channels: list[Channel] = []
    while len(channels) < num_channels:
        guild = server.add_guild(f"Guild {len(channels) // each}")
        num_here = min(each, num_channels - len(channels))
        channels += [server.world.add_channel(guild, f"channel-{number}") for number in range(num_here)]
    return channels


@asynccontextmanager
async def open_crowd(num_channels: int, checkout: Path = ROOT) -> AsyncIterator[Crowd]:
    """A daemon that is logged in, and people in so many channels."""
    async with AsyncExitStack() as stack:
        folder = await stack.enter_async_context(scratch_folder())
        server = LoopbackDiscord(without_waits())
        channels = add_channels(server, num_channels)
        await stack.enter_async_context(server)
        daemon = await stack.enter_async_context(open_daemon(server, folder, checkout))
        await _logged_in(server, daemon, channels)
        yield Crowd(server, daemon, channels)


async def _logged_in(server: LoopbackDiscord, daemon: Daemon, channels: Sequence[Channel]) -> None:
    """Wait until it answers."""
    await server.wait_until(lambda: server.gateway.connected() or not daemon.is_running(), timeout=_START_SECONDS)
    await Crowd(server, daemon, channels[-1:]).ask(1, 1.0)


async def measure_turns(num_channels: int, num_turns: int, rate: float) -> Figures:
    """What a turn costs while so many channels are talked in."""
    async with open_crowd(num_channels) as crowd:
        daemon = crowd.daemon
        await crowd.ask(_WARM, rate)
        before = daemon.resident_mib
        await crowd.ask(num_channels, 3 * rate)  # each channel is one that is talked in
        resident = daemon.resident_mib
        began_at, costs = time.monotonic(), Costs(daemon)
        turns = await crowd.ask(num_turns, rate)
        figures = costs.each(num_turns) | {"turns_per_second": round(num_turns / (time.monotonic() - began_at), 2)}
        costs = Costs(daemon)
        await crowd.chat(NUM_MESSAGES)
        await crowd.ask(1, rate)  # all before it were read
        figures["cpu_ms_an_event"] = round(1000 * costs.cpu_seconds / NUM_MESSAGES, 3)
        problems = [str(each) for each in crowd.server.violations[:5]]
    whole = {
        "channels": num_channels, **figures, **first_words(turns), "resident_mib": round(resident, 1),
        "resident_mib_before": round(before, 1), "violations": problems,
    }  # fmt: skip
    print(whole, file=sys.stderr, flush=True)
    return whole


class Costs:
    """What a daemon has cost since this was made."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._cpu, self._commits, self._bytes = daemon.cpu_seconds, daemon.num_commits, daemon.written_bytes

    @property
    def cpu_seconds(self) -> float:
        return self._daemon.cpu_seconds - self._cpu

    def each(self, num_turns: int) -> Figures:
        cpu = self.cpu_seconds / num_turns
        return {
            "cpu_ms": round(1000 * cpu, 3),
            "turns_a_cpu_second": round(1 / cpu, 1),
            "commits": round((self._daemon.num_commits - self._commits) / num_turns, 2),
            "kib_written": round((self._daemon.written_bytes - self._bytes) / num_turns / 1024, 1),
        }


def first_words(turns: Sequence[Turn]) -> Figures:
    """Milliseconds from a mention to the request that creates the answer."""
    ordered = sorted(1000 * turn.first for turn in turns)
    last = len(ordered) - 1
    return {f"first_words_p{share}_ms": round(ordered[round(last * share / 100)], 2) for share in (50, 99)}


async def measure_history(sizes: Sequence[int], num_rounds: int, rate: float) -> list[Figures]:
    """What a turn costs in channels that have had so many messages, in the median of the blocks."""
    async with AsyncExitStack() as stack:
        folder = await stack.enter_async_context(scratch_folder())
        server = await stack.enter_async_context(LoopbackDiscord(without_waits()))
        channels = add_channels(server, len(sizes) + 1)
        async with open_daemon(server, folder) as daemon:  # makes the database
            await _logged_in(server, daemon, channels)
        for size, channel in zip(sizes, channels, strict=False):
            await asyncio.to_thread(fill_channel, folder / "trinity.db", channel, size)
        daemon = await stack.enter_async_context(open_daemon(server, folder))
        await _logged_in(server, daemon, channels)
        crowd = Crowd(server, daemon, channels)
        await crowd.ask(_WARM, rate)
        spent: dict[int, list[float]] = {size: [] for size in sizes}
        places = [*zip(sizes, channels, strict=False)]
        for _ in range(num_rounds):
            random.shuffle(places)
            for size, channel in places:
                costs = Costs(daemon)
                await crowd.ask(BLOCK, rate, [channel])
                spent[size].append(1000 * costs.cpu_seconds / BLOCK)
    return [{"messages": size, "cpu_ms": round(statistics.median(spent[size]), 3)} for size in sizes]


async def measure_start(num_guilds: int, each: int) -> Figures:
    """From the process's begin until it answers, in so many guilds."""
    async with AsyncExitStack() as stack:
        folder = await stack.enter_async_context(scratch_folder())
        server = LoopbackDiscord(without_waits())
        channels = add_channels(server, num_guilds * each, each)
        await stack.enter_async_context(server)
        began_at = time.monotonic()
        daemon = await stack.enter_async_context(open_daemon(server, folder))
        await _logged_in(server, daemon, channels)
        seconds = time.monotonic() - began_at
        return {
            "guilds": num_guilds, "channels": num_guilds * each, "seconds": round(seconds, 2),
            "cpu_seconds": round(daemon.cpu_seconds, 2), "resident_mib": round(daemon.resident_mib, 1),
        }  # fmt: skip


async def measure_beside(other: Path, num_rounds: int, rate: float) -> Figures:
    """The daemons of two checkouts, a block of turns each in turns."""
    async with open_crowd(CHANNELS_EACH) as this, open_crowd(CHANNELS_EACH, other) as that:
        spent: dict[str, list[float]] = {"this": [], "beside": []}
        crowds = {"this": this, "beside": that}
        for crowd in crowds.values():
            await crowd.ask(2 * CHANNELS_EACH, rate)
        for number in range(num_rounds):
            for name in sorted(crowds, reverse=bool(number % 2)):
                costs = Costs(crowds[name].daemon)
                await crowds[name].ask(2 * BLOCK, rate)
                spent[name].append(1000 * costs.cpu_seconds / 2 / BLOCK)
    medians = {name: round(statistics.median(values), 3) for name, values in spent.items()}
    ratios = sorted(theirs / ours for ours, theirs in zip(spent["this"], spent["beside"], strict=True))
    return {"cpu_ms": medians, "beside_over_this": round(statistics.median(ratios), 3), "blocks": spent}


async def measure(arguments: argparse.Namespace) -> Figures:
    figures: Figures = {}
    parts = set(arguments.part or ["turns", "history", "start"])
    if arguments.beside:
        figures["beside"] = await measure_beside(arguments.beside.resolve(), arguments.rounds, arguments.rate)
    if "turns" in parts:
        figures["turns"] = [await measure_turns(size, arguments.turns, arguments.rate) for size in arguments.channels]
        figures["mib_per_1000_channels"] = _slope(figures["turns"])
    if "history" in parts:
        figures["history"] = await measure_history(arguments.histories, arguments.rounds, arguments.rate)
    if "start" in parts:
        figures["start"] = await measure_start(arguments.guilds, CHANNELS_EACH)
    return figures


def _slope(turns: Sequence[Figures]) -> float | None:
    """What a thousand channels more that are talked in take."""
    if len(turns) < 2:
        return None
    least, most = turns[-2], turns[-1]
    return round(1000 * (most["resident_mib"] - least["resident_mib"]) / (most["channels"] - least["channels"]), 2)


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", action="append", choices=["turns", "history", "start", "none"])
    parser.add_argument("--channels", type=_numbers, default=SIZES)
    parser.add_argument("--histories", type=_numbers, default=HISTORIES)
    parser.add_argument("--guilds", type=int, default=NUM_GUILDS)
    parser.add_argument("--turns", type=int, default=NUM_TURNS, help="measured turns for each number of channels")
    parser.add_argument("--rounds", type=int, default=8, help="blocks of turns for each channel, or daemon")
    parser.add_argument("--rate", type=float, default=TURNS_PER_SECOND, help="questions a second")
    parser.add_argument("--beside", type=Path, help="another checkout, measured in turns with this one")
    parser.add_argument("--json", type=Path, help="where the figures are written as well")
    parser.add_argument("--plots", type=Path, help="the folder that the plots go to")
    arguments = parser.parse_args()
    report: Figures = {
        "time": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()), "machine": platform.machine(),
        "cpus": os.cpu_count(), "load": os.getloadavg()[0], "python": platform.python_version(),
    }  # fmt: skip
    report |= asyncio.run(measure(arguments))
    text = json.dumps(report, indent=1)
    print(text)
    if arguments.json:
        arguments.json.write_text(text + "\n")
    if arguments.plots:
        from benchmarks.load_plots import draw

        draw(report, arguments.plots)


if __name__ == "__main__":
    main()
