"""Launches attention on tensor cores: the tile for a pass, and the scratch memory of tiles that are cut into shares."""

import torch
import triton
from torch import Tensor

from bot.inference.kernels.dot_attention import dot_attention_kernel
from bot.inference.kernels.launch import KernelLauncher
from bot.inference.kernels.tiles import AttentionTile, KernelShapes, first_fitting
from bot.inference.model.kv_cache import BLOCK_SIZE, KVCache
from bot.inference.model.ops import ForwardPass
from bot.inference.model.shape import LlamaShape

_LEAST_QUERIES = 16
"""What tensor cores take at least."""
_SPARE_TILES = 64
"""Tiles that a small pass may have beyond its tokens: one begun by each sequence, or empty ones of a graph."""


class DotAttention:
    """Attention of prefill passes, and of decode rows where query heads share keys, on one card."""

    def __init__(
        self, shape: LlamaShape, cache: KVCache, shapes: KernelShapes, launcher: KernelLauncher, num_sequences: int
    ) -> None:
        self._shape, self._shapes, self._launcher, self._cache = shape, shapes, launcher, cache
        self._dim_block = triton.next_power_of_2(shape.head_dim)
        # Strides are numbers: half a layer's cache is where its values begin.
        self._cache_half = cache.num_blocks * shape.kv_size * BLOCK_SIZE
        group = shape.num_heads // shape.num_kv_heads
        self._is_grouped = group > 1
        self._together = max(_LEAST_QUERIES, triton.next_power_of_2(group))
        cut = [(most, -(-most // tile.tokens) + num_sequences + _SPARE_TILES, tile) for most, tile in self._cut()]
        num_parts = max((most * tile.shares for most, _, tile in cut), default=0) * shape.num_heads
        device = cache.blocks.device
        self._partial_sums = torch.zeros(num_parts * self._dim_block, dtype=torch.float32, device=device)
        self._partial_scales = torch.zeros(num_parts * 2, dtype=torch.float32, device=device)
        self._most_tiles = max((num_tiles for _, num_tiles, _ in cut), default=0)
        self._arrivals = torch.zeros(self._most_tiles * shape.num_heads, dtype=torch.int32, device=device)

    def tensors(self) -> tuple[Tensor, ...]:
        """What it keeps on the device."""
        return (self._partial_sums, self._partial_scales, self._arrivals)

    def _cut(self) -> list[tuple[int, AttentionTile]]:
        tables = (self._shapes.prefill, self._shapes.grouped if self._is_grouped else {})
        return [(most, tile) for table in tables for most, tile in table.items() if tile.shares > 1]

    def attend_prefill(self, forward: ForwardPass, cache: Tensor) -> None:
        """One program for each tile, head and share."""
        assert forward.tiles is not None  # noqa: S101  (every prefill pass has them)
        tile = self._shapes.prefill_tile(forward.num_rows)
        together = max(1, _LEAST_QUERIES // tile.tokens)
        self._run(forward, cache, tile, forward.tiles, together)

    def attend_decode(self, forward: ForwardPass, cache: Tensor) -> bool:
        """Decode rows, if query heads share keys and there is a tile for so many; whether it was done."""
        tile = first_fitting(self._shapes.grouped, forward.num_rows)
        if tile is None or not self._is_grouped or forward.num_rows < self._shapes.least_grouped:
            return False
        self._run(forward, cache, tile, forward.positions, self._together)
        return True

    def _run(self, forward: ForwardPass, cache: Tensor, tile: AttentionTile, tiles: Tensor, together: int) -> None:
        shape, group = self._shape, self._shape.num_heads // self._shape.num_kv_heads
        shares = tile.shares if tiles.shape[0] <= self._most_tiles else 1
        num_tiles, num_parts = tiles.shape[0], shape.num_kv_heads * triton.cdiv(group, together)
        self._launcher.run(
            dot_attention_kernel, (num_tiles, num_parts) if shares == 1 else (num_parts, shares, num_tiles),
            forward.qkv, cache, self._cache.scales_of(cache), forward.block_tables, tiles, forward.attended,
            self._partial_sums, self._partial_scales, self._arrivals, self._cache_half, forward.block_tables.stride(0),
            shape.head_dim**-0.5,
            HEADS=shape.num_heads, KV_HEADS=shape.num_kv_heads, HEAD_DIM=shape.head_dim, DIM_BLOCK=self._dim_block,
            BLOCK_SIZE=BLOCK_SIZE, TOKENS=tile.tokens, TOGETHER=together, BLOCK_N=tile.keys, SHARES=shares,
            LEAST=tile.least, STAGES=tile.num_stages, IS_DECODE=forward.is_decode,
            PRECISION="tf32" if forward.x.dtype == torch.float16 else "ieee", num_warps=tile.num_warps,
        )  # fmt: skip
