"""The command: which seeds, in how many processes, and what is said of them."""

import argparse
import gc
import logging
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from bot.conversation.chat_format import TurnEncoder
from bot.conversation.tokenizer import load_tokenizer
from tests.conversation.vocabularies import write_small_vocabulary
from tests.simulation.reverted import DEFECTS
from tests.simulation.simulation import Result, Simulation, prepare, simulate
from tests.simulation.universe import real_process_time
from tests.store.compiled_once import compile_once

SEEDS_PER_PROCESS = 100
"""After so many a process makes room for a fresh one, so that memory is bounded whatever leaks."""
WHOLE_SEEDS_PER_PROCESS = 20
_ONE_WHOLE_FOR = 10
"""So many seeds of the first depth are run for one of the second."""
_WHOLE = "whole:"
"""Before a stretch of the second depth."""


def main() -> None:
    """Run what the arguments say; exit status 1 where a seed fails."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--seeds", default="0:10", help="a number, or FIRST:END")
    parser.add_argument("--whole", action="store_true", help="the whole daemon, with discord.py")
    parser.add_argument("--prints", action="store_true", help="print every event as it happens")
    parser.add_argument("--digests", action="store_true", help="print the digest of each journal")
    parser.add_argument("--first-failure", action="store_true", help="end at the first seed that fails")
    parser.add_argument("--reverted", help="bring a defect back that was mended, see reverted.py")
    parser.add_argument("--state", type=Path, help="run in several processes, and go on where this file says")
    options = parser.parse_args()
    first, _, end = options.seeds.partition(":")
    seeds = range(int(first), int(end) if end else int(first) + 1)
    if options.state is not None:
        sys.exit(1 if _run_in_processes(seeds, options.state) else 0)
    if options.reverted:
        _defects(is_whole=options.whole)[options.reverted]()
    num_failed = _run(seeds, options)
    sys.stdout.flush()
    os._exit(1 if num_failed else 0)  # what was killed in the last seed can't be taken apart in any order


def _run(seeds: Iterable[int], options: argparse.Namespace) -> int:
    level = logging.DEBUG if options.prints else logging.CRITICAL
    logging.basicConfig(level=min(level, logging.WARNING), format="%(levelname)s %(name)s %(message)s")
    logging.getLogger().handlers[0].setLevel(level)  # what is said of mistakes is read by each simulation
    for noisy in ("aiosqlite", "asyncio", "sqlalchemy", "alembic", "discord.http", "discord.gateway"):
        logging.getLogger(noisy).setLevel(max(level, logging.WARNING))
    kind = _whole_simulation() if options.whole else Simulation
    with tempfile.TemporaryDirectory() as folder:
        encoder = TurnEncoder(load_tokenizer(write_small_vocabulary(Path(folder)).parent))
    compile_once()
    database = prepare()
    gc.collect()
    gc.freeze()
    gc.disable()
    num_seeds, num_turns, num_failed, began_at = 0, 0, 0, real_process_time()
    for seed in seeds:
        result = simulate(seed, encoder, database, prints=options.prints, kind=kind)
        num_seeds, num_turns = num_seeds + 1, num_turns + result.num_turns
        if options.digests:
            print(seed, result.digest, result.num_events, result.num_turns, flush=True)
        if result.problems:
            num_failed += 1
            _report(result, is_whole=options.whole)
            if options.first_failure:
                break
    speed = num_turns / (real_process_time() - began_at)
    print(f"{num_seeds} seeds, {num_failed} failed, {num_turns} turns, {speed:.0f} a second of one core")
    return num_failed


def _defects(*, is_whole: bool) -> dict[str, Callable[[], None]]:
    if not is_whole:
        return DEFECTS
    from tests.simulation.whole.reverted import DEFECTS as OF_WHOLE

    return OF_WHOLE


def _whole_simulation() -> type[Simulation]:
    """The second depth; importing discord.py takes a while."""
    from tests.simulation.whole import transport
    from tests.simulation.whole.simulation import WholeSimulation

    transport.install()
    return WholeSimulation


def _report(result: Result, *, is_whole: bool) -> None:
    whole = "--whole " if is_whole else ""
    print(f"seed {result.seed} fails; python -m tests.simulation {whole}--seeds {result.seed} --prints repeats it")
    for problem in result.problems[:8]:
        print(f"  {problem[:400]}")
    sys.stdout.flush()


def _stretches(seeds: range, size: int) -> list[str]:
    return [f"{first}:{min(first + size, seeds.stop)}" for first in range(seeds.start, seeds.stop, size)]


def _run_in_processes(seeds: range, state: Path) -> int:
    """Run what isn't done yet by a process for each core; a line of the file is a stretch that is done."""
    done = set(state.read_text(encoding="utf-8").split()) if state.exists() else set()
    whole = range(seeds.start // _ONE_WHOLE_FOR, seeds.stop // _ONE_WHOLE_FOR)
    stretches = [
        *_stretches(seeds, SEEDS_PER_PROCESS),
        *(f"{_WHOLE}{each}" for each in _stretches(whole, WHOLE_SEEDS_PER_PROCESS)),
    ]
    left = [each for each in stretches if each not in done]
    print(f"{len(stretches) - len(left)} of {len(stretches)} stretches were done before", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that its processes end with it
    running: dict[str, subprocess.Popen[bytes]] = {}
    num_failed = 0
    try:
        while left or running:
            while left and len(running) < (os.cpu_count() or 1):
                stretch = left.pop(0)
                command = [sys.executable, "-W", "ignore", "-m", "tests.simulation"]
                command += ["--seeds", stretch.removeprefix(_WHOLE)]
                command += ["--whole"] if stretch.startswith(_WHOLE) else []
                running[stretch] = subprocess.Popen(command)
            pid, status = os.wait()
            stretch = next(each for each, process in running.items() if process.pid == pid)
            running.pop(stretch).returncode = os.waitstatus_to_exitcode(status)
            if status == 0:
                with state.open("a", encoding="utf-8") as file:
                    file.write(f"{stretch}\n")
            else:
                num_failed += 1
    finally:
        for process in running.values():
            process.terminate()
            process.wait()
    print(f"{len(stretches) - num_failed} of {len(stretches)} stretches are clean")
    return num_failed
