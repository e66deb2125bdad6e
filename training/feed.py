"""Worker processes that write batches while the GPU learns from earlier ones.

Batches travel through a file that is mapped into every process, and only the number of a place in it through a queue: a
pipe read by a thread beside a busy training loop would be several times too slow.
"""

import multiprocessing
import queue
import random
import tempfile
import traceback
from collections import deque
from collections.abc import Iterator
from multiprocessing.queues import Queue as ProcessQueue
from pathlib import Path
from types import TracebackType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from training.rows import BATCH_TOKENS, ROW_LENGTHS, ROW_SHARES, WordEncoder, make_batch

Batch = NDArray[np.int16]
"""Ids of shape [rows, length + 1], with LEARNT_BIT added where the token is one the model has to say."""
LEARNT_BIT = 4096
_NUM_PLACES = 640
"""How many batches can wait in the file, about 170 MB."""
_KEPT_BATCHES = 600
"""How many batches are kept for a second use where new ones are late; each is used at most twice."""
_WAIT_SECONDS = 0.03
"""How long a new batch is waited for before an earlier one is used again."""


def _open_places(file: Path, batch_tokens: int, num_places: int, mode: Literal["r+", "w+"] = "r+") -> Batch:
    """The shared file: a row for each batch, wide enough for the shortest rows."""
    return np.memmap(file, dtype=np.int16, mode=mode, shape=(num_places, batch_tokens + batch_tokens // ROW_LENGTHS[0]))


def write_batches(
    file: Path,
    num_places: int,
    free: "ProcessQueue[int]",
    ready: "ProcessQueue[tuple[int, int]]",
    seed: int,
    batch_tokens: int,
    lengths: tuple[int, ...],
) -> None:
    """A worker's life: batch after batch, until it is ended."""
    rng = random.Random(seed)
    encoder = WordEncoder()
    places = _open_places(file, batch_tokens, num_places)
    shares = [share for length, share in zip(ROW_LENGTHS, ROW_SHARES, strict=True) if length in lengths]
    while True:
        length = rng.choices(lengths, shares)[0]
        try:
            ids, learnt = make_batch(rng, encoder, length, batch_tokens)
        except Exception:  # one bad row must not end a run that cannot be had again
            traceback.print_exc()
            continue
        place = free.get()
        places[place, : ids.size] = (ids + learnt * LEARNT_BIT).reshape(-1)
        ready.put((place, length))


class Feed:
    """Batches from several processes, in the order in which they are ready."""

    def __init__(
        self,
        num_workers: int,
        seed: int,
        *,
        batch_tokens: int = BATCH_TOKENS,
        lengths: tuple[int, ...] = ROW_LENGTHS,
        num_places: int = _NUM_PLACES,
    ) -> None:
        self.num_replayed = 0
        self.batch_tokens = batch_tokens
        context = multiprocessing.get_context("spawn")
        self._free: ProcessQueue[int] = context.Queue()
        self._ready: ProcessQueue[tuple[int, int]] = context.Queue()
        self._folder = tempfile.TemporaryDirectory(prefix="batches-")
        file = Path(self._folder.name) / "places"
        self._places = _open_places(file, batch_tokens, num_places, "w+")
        for place in range(num_places):
            self._free.put(place)
        rest = (num_places, self._free, self._ready)
        self._workers = [
            context.Process(
                target=write_batches, args=(file, *rest, seed * 1000 + worker, batch_tokens, lengths), daemon=True
            )
            for worker in range(num_workers)
        ]

    def __enter__(self) -> Iterator[Batch]:
        for worker in self._workers:
            worker.start()
        return self._batches()

    def _batches(self) -> Iterator[Batch]:
        """New batches while there are any; else earlier ones once more, so that the card never waits."""
        rng = random.Random(len(self._workers))
        earlier: deque[Batch] = deque(maxlen=_KEPT_BATCHES)
        while True:
            can_replay = len(earlier) >= _KEPT_BATCHES // 2
            try:
                place, length = self._ready.get(timeout=_WAIT_SECONDS if can_replay else 60)
            except queue.Empty:
                alive = sum(worker.is_alive() for worker in self._workers)
                if not can_replay or not alive:
                    raise RuntimeError(f"no batch in time; {alive} of {len(self._workers)} workers are alive") from None
                at = rng.randrange(len(earlier) // 2)  # of the older half
                batch = earlier[at]
                del earlier[at]
                self.num_replayed += 1
                yield batch
                continue
            num_rows = self.batch_tokens // length
            earlier.append(np.array(self._places[place, : num_rows * (length + 1)].reshape(num_rows, length + 1)))
            self._free.put(place)
            yield earlier[-1]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._free.cancel_join_thread()
        self._ready.cancel_join_thread()
        for worker in self._workers:
            worker.terminate()
        self._folder.cleanup()
