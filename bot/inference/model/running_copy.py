"""On the CPU: keys and values of the rows that decode together, side by side, as attention reads them.

To gather them from the cache's blocks for every step costs as much as attention itself. So what was gathered is kept
while the same rows go on, and each step adds its own, also of proposed tokens: what follows overwrites the wrong ones.
The cache stays the truth: a prefill, or a step of other rows, makes the copy worthless.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bot.inference.model.kv_cache import KVCache
from bot.inference.model.ops import ForwardPass

_CAPACITY_STEP = 128
"""Tokens that the rows may grow by before they are gathered again."""
KEPT_BYTES = 128 * 1024**2


class RunningCopy:
    """The copy, for all layers, in `most_bytes` at most: what takes more isn't kept."""

    def __init__(self, cache: KVCache, most_bytes: int = KEPT_BYTES) -> None:
        self._num_layers, _two, _blocks, self._num_heads, _size, self._head_dim = cache.blocks.shape
        self._room = torch.empty(
            (self._num_layers, most_bytes // self._num_layers // cache.dtype.itemsize), dtype=cache.dtype
        )
        self._capacity = 0
        """Tokens that each row has room for; 0: nothing is kept."""
        self._is_filled = [False] * self._num_layers
        self._positions: tuple[int, ...] = ()
        self._ends: tuple[int, ...] = ()
        self._tables: NDArray[np.int32] = np.empty(0, dtype=np.int32)
        self._places: tuple[Any, ...] = ()
        """Where the step's keys and values go: row and position, or both of each token."""
        self._kept = torch.empty(0)
        """[layers, rows, 2, heads, capacity, head_dim], within the room"""
        self._halves: tuple[Tensor, ...] = ()
        """Its keys and its values: [layers, rows, heads, capacity, head_dim]."""
        self._arrays: list[NDArray[np.float32]] = []
        self._keys: tuple[Tensor, ...] = ()
        self._values: tuple[Tensor, ...] = ()
        self._is_whole = False
        """Every layer of the latest step has stored its keys and values."""

    def forget(self) -> None:
        """What comes isn't the next step of the same rows."""
        self._capacity = 0

    def follow(self, forward: ForwardPass, longest: int) -> None:
        """Get ready for a decode pass, whose rows have `longest` tokens at most."""
        spans = forward.spans
        positions = tuple([span.start for span in spans])
        tables = forward.block_tables.numpy()[[span.table_row for span in spans]]
        if not self._goes_on(positions, tables, longest):
            self._start_over(len(spans), longest)
        self._positions, self._tables = positions, tables
        self._ends = tuple([span.end for span in spans])
        self._is_whole = False
        if not self._capacity:
            return
        if forward.num_rows == 1:
            self._places = (0, slice(None), slice(None), positions[0])
        else:
            rows = [number for number, span in enumerate(spans) for _ in range(span.num_rows)]
            self._places = (rows, slice(None), slice(None), forward.positions[: len(rows)].numpy())
        self._keys, self._values = (half.narrow(3, 0, longest).unbind(0) for half in self._halves)

    def _goes_on(self, positions: tuple[int, ...], tables: NDArray[np.int32], longest: int) -> bool:
        if not self._is_whole or longest > self._capacity or len(positions) != len(self._positions):
            return False
        steps = zip(self._positions, positions, self._ends, strict=True)
        if not all(before < now <= end for before, now, end in steps):
            return False
        if np.array_equal(tables, self._tables):
            return True
        return bool(((tables == self._tables) | (self._tables == 0)).all())  # they may have more blocks than before

    def _start_over(self, num_rows: int, longest: int) -> None:
        capacity = (longest // _CAPACITY_STEP + 1) * _CAPACITY_STEP
        size = num_rows * 2 * self._num_heads * capacity * self._head_dim
        self._is_filled = [False] * self._num_layers
        self._capacity = capacity if size <= self._room.shape[1] else 0
        if self._capacity:
            kept = self._room[:, :size].view(self._num_layers, num_rows, 2, self._num_heads, capacity, self._head_dim)
            self._kept, self._halves, self._arrays = kept, kept.unbind(2), list(kept.numpy())

    def add(self, layer: int, stored: NDArray[np.float32]) -> None:
        """Note what a layer stored for this step: keys and values [tokens, 2, heads, head_dim]."""
        self._is_whole = layer == self._num_layers - 1
        if self._capacity and self._is_filled[layer]:
            self._arrays[layer][self._places] = stored[0] if len(stored) == 1 else stored

    def read(self, layer: int) -> tuple[Tensor, Tensor] | None:
        """A layer's keys and values, each [rows, heads, longest, head_dim], if they are kept."""
        if not self._capacity or not self._is_filled[layer]:
            return None
        return self._keys[layer], self._values[layer]

    def keep(self, layer: int, gathered: Tensor) -> None:
        """Take what was gathered of a layer: [rows, 2, heads, tokens, head_dim]."""
        if not self._capacity:
            return
        self._is_filled[layer] = True
        kept, num_tokens = self._kept[layer], gathered.shape[3]
        kept[:, :, :, :num_tokens].copy_(gathered)
        kept[:, :, :, num_tokens:].zero_()  # masked attention still multiplies what lies there
