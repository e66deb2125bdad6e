"""On the CPU: keys and values of the rows that decode together, side by side, as attention reads them.

To gather them from the cache's blocks for every step costs as much as attention itself. So what was gathered is kept
while the same rows go on, and each step adds its own, also of proposed tokens: what follows overwrites the wrong ones.
The cache stays the truth: a prefill, or a step of other rows, makes the copy worthless.
"""

import torch
from torch import Tensor

from bot.inference.model.kv_cache import KVCache
from bot.inference.model.ops import ForwardPass

_CAPACITY_STEP = 128
"""Tokens that the rows may grow by before they are gathered again."""


class RunningCopy:
    """The copy, for all layers, in `most_bytes` at most: what takes more isn't kept."""

    def __init__(self, cache: KVCache, most_bytes: int = 128 * 1024**2) -> None:
        num_layers, _two, _blocks, self._num_heads, _size, self._head_dim = cache.blocks.shape
        self._layer_number = cache.layer_number
        self._room = torch.empty((num_layers, most_bytes // num_layers // cache.dtype.itemsize), dtype=cache.dtype)
        self._capacity = 0
        """Tokens that each row has room for; 0: nothing is kept."""
        self._is_filled = [False] * num_layers
        self._positions = self._ends = self._tables = self._places = torch.empty(0)
        self._is_whole = False
        """Every layer of the latest step has stored its keys and values."""

    def forget(self) -> None:
        """What comes isn't the next step of the same rows."""
        self._capacity = 0

    def follow(self, forward: ForwardPass, longest: int) -> None:
        """Get ready for a decode pass, whose rows have `longest` tokens at most."""
        spans = forward.spans
        positions = torch.tensor([span.start for span in spans])
        tables = forward.block_tables[[span.table_row for span in spans]]
        if not self._goes_on(positions, tables, longest):
            self._start_over(len(spans), longest)
        self._positions, self._tables = positions, tables
        self._ends = torch.tensor([span.end for span in spans])
        self._is_whole = False
        rows = torch.tensor([number for number, span in enumerate(spans) for _ in range(span.num_rows)])
        heads = rows[:, None] * (2 * self._num_heads) + torch.arange(2 * self._num_heads)
        self._places = (heads * self._capacity + forward.positions[: len(rows), None]).view(-1)

    def _goes_on(self, positions: Tensor, tables: Tensor, longest: int) -> bool:
        if not self._is_whole or longest > self._capacity or len(positions) != len(self._positions):
            return False
        same_blocks = (tables == self._tables) | (self._tables == 0)  # or more than before
        follows = (positions > self._positions) & (positions <= self._ends)
        return bool(follows.all()) and bool(same_blocks.all())

    def _start_over(self, num_rows: int, longest: int) -> None:
        capacity = (longest // _CAPACITY_STEP + 1) * _CAPACITY_STEP
        fits = num_rows * 2 * self._num_heads * capacity * self._head_dim <= self._room.shape[1]
        self._capacity = capacity if fits else 0
        self._is_filled = [False] * len(self._is_filled)

    def add(self, cache: Tensor, stored: Tensor) -> None:
        """Note what a layer stored for this step: [rows * 2 * heads, head_dim]."""
        layer = self._layer_number(cache)
        self._is_whole = layer == len(self._is_filled) - 1
        if self._capacity and self._is_filled[layer]:
            num_heads = len(self._positions) * 2 * self._num_heads
            self._kept(layer, num_heads).view(-1, self._head_dim).index_copy_(0, self._places, stored)

    def read(self, cache: Tensor, num_rows: int) -> Tensor | None:
        """A layer's keys and values [rows, 2, heads, capacity, head_dim], if they are kept."""
        layer = self._layer_number(cache)
        if not self._capacity or not self._is_filled[layer]:
            return None
        return self._kept(layer, num_rows * 2 * self._num_heads).view(num_rows, 2, self._num_heads, -1, self._head_dim)

    def keep(self, cache: Tensor, gathered: Tensor) -> None:
        """Take what was gathered of a layer: [rows, 2, heads, tokens, head_dim]."""
        layer, num_tokens = self._layer_number(cache), gathered.shape[3]
        if not self._capacity:
            return
        self._is_filled[layer] = True
        kept = self.read(cache, len(gathered))
        assert kept is not None  # noqa: S101  (it was filled a line before; mypy can't know)
        kept[:, :, :, :num_tokens].copy_(gathered)
        kept[:, :, :, num_tokens:].zero_()  # masked attention still multiplies what lies there

    def _kept(self, layer: int, num_heads: int) -> Tensor:
        return self._room[layer, : num_heads * self._capacity * self._head_dim]
