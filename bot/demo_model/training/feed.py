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

import numpy as np

from bot.demo_model.training.chat_format import WordEncoder, load_tokenizer
from bot.demo_model.training.rows import BATCH_TOKENS, ROW_LENGTHS, ROW_SHARES, make_batch

Batch = np.ndarray
"""Ids of shape [rows, length + 1], with LEARNT_BIT added where the token is one the model has to say."""
LEARNT_BIT = 4096
PLACES = 640
"""How many batches can wait in the file, about 170 MB."""
REPLAYED_BATCHES = 600
"""How many batches are kept for a second use where new ones are late; each is used at most twice."""
PATIENCE_SECONDS = 0.03
"""How long a new batch is waited for before an earlier one is used again."""


def open_places(file: Path, batch_tokens: int, num_places: int, mode: str = "r+") -> np.memmap:
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
    encoder = WordEncoder(load_tokenizer())
    places = open_places(file, batch_tokens, num_places)
    shares = [share for length, share in zip(ROW_LENGTHS, ROW_SHARES, strict=True) if length in lengths]
    while True:
        length = rng.choices(lengths, shares)[0]
        try:
            ids, learnt = make_batch(rng, encoder, length, batch_tokens)
        except Exception:  # one bad row must not end a run that cannot be had again
            traceback.print_exc()
            continue
        place = free.get()
        places[place, : ids.size] = (ids + learnt.astype(np.int16) * LEARNT_BIT).reshape(-1)
        ready.put((place, length))


class Feed:
    """Batches from several processes, in the order in which they are ready. A batch is valid until the next is taken."""

    def __init__(
        self,
        num_workers: int,
        seed: int,
        *,
        batch_tokens: int = BATCH_TOKENS,
        lengths: tuple[int, ...] = ROW_LENGTHS,
        num_places: int = PLACES,
        first_worker: int = 0,
    ) -> None:
        self.num_replayed = 0
        self.batch_tokens = batch_tokens
        context = multiprocessing.get_context("spawn")
        self.free: ProcessQueue[int] = context.Queue()
        self.ready: ProcessQueue[tuple[int, int]] = context.Queue()
        self.folder = tempfile.TemporaryDirectory(prefix="batches-")
        file = Path(self.folder.name) / "places"
        self.places = open_places(file, batch_tokens, num_places, "w+")
        for place in range(num_places):
            self.free.put(place)
        rest = (num_places, self.free, self.ready)
        self.workers = [
            context.Process(
                target=write_batches, args=(file, *rest, seed * 1000 + worker, batch_tokens, lengths), daemon=True
            )
            for worker in range(first_worker, first_worker + num_workers)
        ]

    def __enter__(self) -> Iterator[Batch]:
        for worker in self.workers:
            worker.start()
        return self._batches()

    def _batches(self) -> Iterator[Batch]:
        """New batches while there are any; while there are none, earlier ones once more, so that the card never waits."""
        rng = random.Random(len(self.workers))
        earlier: deque[Batch] = deque(maxlen=REPLAYED_BATCHES)
        while True:
            can_replay = len(earlier) >= REPLAYED_BATCHES // 2
            try:
                place, length = self.ready.get(timeout=PATIENCE_SECONDS if can_replay else 60)
            except queue.Empty:
                alive = sum(worker.is_alive() for worker in self.workers)
                if not can_replay or not alive:
                    raise RuntimeError(f"no batch in time; {alive} of {len(self.workers)} workers are alive") from None
                at = rng.randrange(len(earlier) // 2)  # of the older half
                batch = earlier[at]
                del earlier[at]
                self.num_replayed += 1
                yield batch
                continue
            num_rows = self.batch_tokens // length
            batch = self.places[place, : num_rows * (length + 1)].reshape(num_rows, length + 1)
            earlier.append(np.array(batch))
            yield earlier[-1]
            self.free.put(place)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.free.cancel_join_thread()
        self.ready.cancel_join_thread()
        for worker in self.workers:
            worker.terminate()
        self.folder.cleanup()
