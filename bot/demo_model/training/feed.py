"""Worker processes that write batches while the GPU learns from earlier ones."""

import multiprocessing
import queue
import random
import traceback
from collections.abc import Iterator
from multiprocessing.queues import Queue as ProcessQueue
from types import TracebackType

import numpy as np

from bot.demo_model.training.chat_format import load_tokenizer
from bot.demo_model.training.rows import BATCH_TOKENS, ROW_LENGTHS, ROW_SHARES, make_batch

Batch = tuple[np.ndarray, np.ndarray]


def write_batches(out: "ProcessQueue[Batch]", seed: int, batch_tokens: int, lengths: tuple[int, ...]) -> None:
    """A worker's life: batch after batch, until it is ended."""
    rng = random.Random(seed)
    tokenizer = load_tokenizer()
    shares = [share for length, share in zip(ROW_LENGTHS, ROW_SHARES, strict=True) if length in lengths]
    while True:
        try:
            batch = make_batch(rng, tokenizer, rng.choices(lengths, shares)[0], batch_tokens)
        except Exception:  # one bad row must not end a run that cannot be had again
            traceback.print_exc()
            continue
        out.put(batch)


class Feed:
    """Batches from several processes, in the order in which they are ready."""

    def __init__(
        self, num_workers: int, seed: int, *, batch_tokens: int = BATCH_TOKENS, lengths: tuple[int, ...] = ROW_LENGTHS
    ) -> None:
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
        while True:
            try:
                yield self.queue.get(timeout=60)
            except queue.Empty:
                alive = sum(worker.is_alive() for worker in self.workers)
                raise RuntimeError(f"no batch for 60 s; {alive} of {len(self.workers)} workers are alive") from None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.queue.cancel_join_thread()
        for worker in self.workers:
            worker.terminate()
