"""Worker processes that write batches while the GPU learns from earlier ones."""

import multiprocessing
import queue
import random
import traceback
from collections import deque
from collections.abc import Iterator
from multiprocessing.queues import Queue as ProcessQueue
from types import TracebackType

import numpy as np

from bot.demo_model.training.chat_format import WordEncoder, load_tokenizer
from bot.demo_model.training.rows import BATCH_TOKENS, ROW_LENGTHS, ROW_SHARES, make_batch

Batch = tuple[np.ndarray, np.ndarray]
REPLAYED_BATCHES = 600
"""How many batches are kept for a second use, about 400 MB; each is used at most twice."""


def write_batches(out: "ProcessQueue[Batch]", seed: int, batch_tokens: int, lengths: tuple[int, ...]) -> None:
    """A worker's life: batch after batch, until it is ended."""
    rng = random.Random(seed)
    encoder = WordEncoder(load_tokenizer())
    shares = [share for length, share in zip(ROW_LENGTHS, ROW_SHARES, strict=True) if length in lengths]
    while True:
        try:
            batch = make_batch(rng, encoder, rng.choices(lengths, shares)[0], batch_tokens)
        except Exception:  # one bad row must not end a run that cannot be had again
            traceback.print_exc()
            continue
        out.put(batch)


class Feed:
    """Batches from several processes, in the order in which they are ready."""

    def __init__(
        self, num_workers: int, seed: int, *, batch_tokens: int = BATCH_TOKENS, lengths: tuple[int, ...] = ROW_LENGTHS
    ) -> None:
        self.num_replayed = 0
        context = multiprocessing.get_context("spawn")
        self.queue: ProcessQueue[Batch] = context.Queue(maxsize=4 * num_workers)
        self.workers = [
            context.Process(
                target=write_batches, args=(self.queue, seed * 1000 + worker, batch_tokens, lengths), daemon=True
            )
            for worker in range(num_workers)
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
            try:
                batch = self.queue.get(block=len(earlier) < REPLAYED_BATCHES // 2, timeout=60)
                earlier.append(batch)
                yield batch
            except queue.Empty:
                if len(earlier) >= REPLAYED_BATCHES // 2 and any(worker.is_alive() for worker in self.workers):
                    at = rng.randrange(len(earlier) // 2)  # of the older half
                    batch = earlier[at]
                    del earlier[at]
                    self.num_replayed += 1
                    yield batch
                    continue
                alive = sum(worker.is_alive() for worker in self.workers)
                raise RuntimeError(f"no batch for 60 s; {alive} of {len(self.workers)} workers are alive") from None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.queue.cancel_join_thread()
        for worker in self.workers:
            worker.terminate()
