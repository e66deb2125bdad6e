"""Batches from worker processes, written while the GPU learns from earlier ones."""

import random
import traceback
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from training.rows import BATCH_TOKENS, ROW_LENGTHS, ROW_SHARES, WordEncoder, make_batch

LEARNT_BIT = 4096
_BATCHES_AHEAD = 8
"""How many batches each worker writes ahead: a quarter of a megabyte each, in shared memory."""
_BATCHES_KEPT = 300
"""How many batches are kept on the card until each is shown again."""


class Corpus(IterableDataset[Tensor]):
    """Batches without end, of ids [rows, length + 1], LEARNT_BIT added where the model has to say the token."""

    def __init__(self, seed: int, *, batch_tokens: int = BATCH_TOKENS, lengths: tuple[int, ...] = ROW_LENGTHS) -> None:
        self._seed, self._batch_tokens, self._lengths = seed, batch_tokens, lengths

    def __iter__(self) -> Iterator[Tensor]:
        worker = get_worker_info()
        rng = random.Random(self._seed * 1000 + (worker.id if worker else 0))
        encoder = WordEncoder()
        shares = [share for length, share in zip(ROW_LENGTHS, ROW_SHARES, strict=True) if length in self._lengths]
        while True:
            try:
                ids, learnt = make_batch(rng, encoder, rng.choices(self._lengths, shares)[0], self._batch_tokens)
            except Exception:  # one bad row must not end a run that cannot be had again
                traceback.print_exc()
                continue
            yield torch.from_numpy(ids + learnt * LEARNT_BIT)


def open_feed(corpus: Corpus, num_workers: int) -> DataLoader[Tensor]:
    """The batches of several processes, in the order in which they are ready."""
    return DataLoader(
        corpus,
        batch_size=None,
        num_workers=num_workers,
        prefetch_factor=_BATCHES_AHEAD,
        in_order=False,
        pin_memory=torch.cuda.is_available(),
        multiprocessing_context="spawn",
    )


def shown_twice(batches: Iterable[Tensor], rng: random.Random, device: torch.device) -> Iterator[Tensor]:
    """Each batch twice, the second time long after: for a card that learns faster than rows are written."""
    kept: list[Tensor] = []
    for batch in batches:
        fresh = batch.to(device, non_blocking=True)
        yield fresh
        if len(kept) == _BATCHES_KEPT:
            yield kept.pop(rng.randrange(_BATCHES_KEPT))
        kept.append(fresh)
