"""How many turns a second are stored by one process, and by several at once, on one PostgreSQL server.

    python -m benchmarks.writers                         # on a server of its own, where PostgreSQL is installed
    python -m benchmarks.writers --round-trip-ms 1       # as if the server were a millisecond away
    python -m benchmarks.writers --url postgresql://...  # on an empty database of yours

A process stores one turn after the other, each in one of its channels, in the transactions of a question that is
answered at once. `one lock` is what was before: whoever writes has the database alone. On a machine with few cores it
is these that are measured; with a round trip it is who waits for whom.
"""

import argparse
import asyncio
import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from multiprocessing.synchronize import Barrier
from typing import Any

from sqlalchemy import event
from sqlalchemy.util.concurrency import await_

from bot.conversation.messages import ConversationKey, Question
from bot.conversation.turn_limits import NO_LIMITS
from bot.store.files.database import Database, migrate, open_database
from bot.store.rows.history import History
from bot.store.rows.inbox import Inbox
from bot.store.rows.questions import InboxState
from bot.store.rows.turns import Answer
from tests.store.postgresql_server import own_server

_CHANNELS = 20
_ANSWER = Answer("Not much. " * 20, {"temperature": 0.7}, 1, "model", "stop", persona_text="You are brief.")


def main() -> None:
    """Measure each number of processes, with and without the lock that was before."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="an empty database")
    parser.add_argument("--round-trip-ms", type=float, default=0.0, help="waited before each statement")
    parser.add_argument("--seconds", type=float, default=5.0, help="for each figure")
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 4, 8])
    options = parser.parse_args()
    with _database(options.url) as url:
        asyncio.run(migrate(url))
        print(f"turns a second; a statement takes {options.round_trip_ms:g} ms more", flush=True)
        for has_one_lock in (True, False):
            first = 0.0
            for number in options.processes:
                rate, processor = _measure(url, number, options, has_one_lock=has_one_lock)
                first = first or rate
                name = "one lock" if has_one_lock else "row locks"
                print(
                    f"{name:9}  {number} processes  {rate:7.1f}/s  {rate / first:4.1f} times"
                    f"  {processor * 1000:5.1f} ms of processor each turn",
                    flush=True,
                )


@contextmanager
def _database(url: str | None) -> Iterator[str]:
    if url is not None:
        yield url
        return
    with own_server() as server:
        yield server.url


def _measure(url: str, number: int, options: Any, *, has_one_lock: bool) -> tuple[float, float]:
    """Turns a second of all processes together, and what of a processor one takes in the writing process."""
    context = multiprocessing.get_context("spawn")
    begin, results = context.Barrier(number), context.Queue()
    arguments = (url, begin, results, options.seconds, options.round_trip_ms / 1000, has_one_lock)
    writers = [context.Process(target=_write, args=(index, *arguments)) for index in range(number)]
    for writer in writers:
        writer.start()
    counted = [results.get(timeout=300) for _ in writers]
    for writer in writers:
        writer.join()
    num_turns = sum(turns for turns, _, _ in counted)
    return sum(turns / seconds for turns, seconds, _ in counted), sum(used for *_, used in counted) / max(num_turns, 1)


def _write(
    index: int, url: str, begin: Barrier, results: Any, seconds: float, round_trip: float, has_one_lock: bool
) -> None:
    async def run() -> None:
        async with open_database(url) as database:
            if round_trip:
                _delay(database, round_trip)
            if has_one_lock:
                database.write = partial(database.write, is_alone=True)  # type: ignore[method-assign]
            first_id = index * 10**9 + int(time.time()) * 1000
            await _store_turn(database, index, first_id)
            await asyncio.to_thread(begin.wait)
            began_at, used, num_turns = time.monotonic(), time.process_time(), 0
            while time.monotonic() - began_at < seconds:
                num_turns += 1
                await _store_turn(database, index, first_id + num_turns)
            results.put((num_turns, time.monotonic() - began_at, time.process_time() - used))

    asyncio.run(run())


def _delay(database: Database, seconds: float) -> None:
    def wait(*_: object) -> None:
        await_(asyncio.sleep(seconds))

    for name in ("before_cursor_execute", "commit"):
        event.listen(database.engine.sync_engine, name, wait)


async def _store_turn(database: Database, index: int, message_id: int) -> None:
    inbox, history = Inbox(database), History(database)
    key = ConversationKey("discord", 1000 * (index + 1) + message_id % _CHANNELS, index + 1)
    question = Question(key, message_id, 5, "Ada", "What is up? " * 10, datetime.now(UTC))
    received = await inbox.receive_and_begin(question, NO_LIMITS, seed=1, load=history.loading(key))
    if received is None:
        raise AssertionError("it is a new question")
    await history.save_turn(question, _ANSWER, epoch=received[1].epoch)
    await inbox.set_state(question, InboxState.ANSWERED)
    if len(received[1].turns) > 5:  # as a window that moves on, so that what is loaded doesn't grow
        await history.move_first_kept(key, received[1].epoch, received[1].turns[-1].id)


if __name__ == "__main__":
    main()
