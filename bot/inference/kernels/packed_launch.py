"""Launches the attention of large prefill passes on Hopper."""

from torch import Tensor
from triton.tools.tensor_descriptor import TensorDescriptor

from bot.inference.kernels.launch import KernelLauncher
from bot.inference.kernels.packed_attention import packed_attention_kernel
from bot.inference.kernels.tiles import PackedTile
from bot.inference.model.kv_cache import BLOCK_SIZE, KVCache
from bot.inference.model.ops import ForwardPass
from bot.inference.model.shape import LlamaShape


class PackedAttention:
    """Attention of large prefill passes in FP16, on one card with tensor descriptors (sm_90 and above)."""

    def __init__(self, shape: LlamaShape, cache: KVCache, tile: PackedTile, launcher: KernelLauncher) -> None:
        self.tile = tile
        self._shape, self._launcher = shape, launcher
        self._cache_half = cache.num_blocks * shape.kv_size * BLOCK_SIZE
        self._has_boxes = shape.head_dim & (shape.head_dim - 1) == 0 and shape.head_dim >= 16

    def takes(self, num_rows: int) -> bool:
        """Whether a pass of so many rows is done here."""
        return self._has_boxes and num_rows >= self.tile.least_rows

    def attend(self, forward: ForwardPass, cache: Tensor) -> None:
        """One program for each tile and head."""
        assert forward.tiles is not None  # noqa: S101  (every prefill pass has them)
        shape, tile = self._shape, self.tile
        own = TensorDescriptor(forward.qkv, list(forward.qkv.shape), [shape.qkv_size, 1], [tile.keys, shape.head_dim])
        self._launcher.run(
            packed_attention_kernel, (forward.tiles.shape[0], shape.num_heads),
            forward.qkv, own, cache, forward.block_tables, forward.tiles, forward.attended, self._cache_half,
            forward.block_tables.stride(0), shape.head_dim**-0.5,
            HEADS=shape.num_heads, KV_HEADS=shape.num_kv_heads, HEAD_DIM=shape.head_dim, BLOCK_SIZE=BLOCK_SIZE,
            BLOCK_M=tile.tokens, BLOCK_N=tile.keys, STAGES=tile.num_stages, num_warps=tile.num_warps,
        )  # fmt: skip
