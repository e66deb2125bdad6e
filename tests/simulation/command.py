"""The command: which seeds, in how many processes, and what is said of them."""

import argparse
import gc
import logging
import sys
import tempfile
from pathlib import Path

from bot.conversation.chat_format import TurnEncoder
from bot.conversation.tokenizer import load_tokenizer
from tests.conversation.vocabularies import write_small_vocabulary
from tests.simulation.simulation import Result, prepare, simulate
from tests.simulation.universe import real_process_time


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--seeds", default="0:10", help="a number, or FIRST:END")
    parser.add_argument("--prints", action="store_true", help="print every event as it happens")
    parser.add_argument("--digests", action="store_true", help="print the digest of each journal")
    options = parser.parse_args()
    first, _, end = options.seeds.partition(":")
    seeds = range(int(first), int(end) if end else int(first) + 1)
    logging.basicConfig(
        level=logging.DEBUG if options.prints else logging.CRITICAL, format="%(levelname)s %(name)s %(message)s"
    )
    for noisy in ("aiosqlite", "asyncio", "sqlalchemy", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        encoder = TurnEncoder(load_tokenizer(write_small_vocabulary(Path(folder)).parent))
    database = prepare()
    gc.collect()
    gc.freeze()
    gc.disable()
    num_turns, num_failed, began_at = 0, 0, real_process_time()
    for seed in seeds:
        result = simulate(seed, encoder, database, prints=options.prints)
        num_turns += result.num_turns
        if options.digests:
            print(seed, result.digest, result.num_events, result.num_turns, flush=True)
        if result.problems:
            num_failed += 1
            _report(result)
    seconds = real_process_time() - began_at
    print(f"{len(seeds)} seeds, {num_failed} failed, {num_turns} turns, {num_turns / seconds:.0f} a second of one core")
    sys.exit(1 if num_failed else 0)


def _report(result: Result) -> None:
    print(f"seed {result.seed} fails; python -m tests.simulation --seeds {result.seed} --prints repeats it")
    for problem in result.problems[:8]:
        print(f"  {problem[:400]}")
    sys.stdout.flush()
