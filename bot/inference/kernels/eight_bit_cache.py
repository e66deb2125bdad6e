"""Where kernels put keys and values, and what eight bits add to that."""

from dataclasses import dataclass

import torch
import triton
from torch import Tensor

from bot.inference.kernels import int8
from bot.inference.kernels.launch import KernelLauncher
from bot.inference.model.kv_cache import BLOCK_SIZE, KVCache
from bot.inference.model.ops import ForwardPass
from bot.inference.model.shape import LlamaShape

_BLOCK_HEADS = 16
_MOST_ROWS = 1 << 16


@dataclass(frozen=True, slots=True)
class KVTarget:
    """Where the kernels that project and rotate write keys and values: what they take for a cache."""

    cache: Tensor
    slots: Tensor  # [n]: block * block_size + offset of each row
    half: int
    """How many numbers behind the keys the values begin."""
    block_size: int


class EightBitCache:
    """Stores keys and values in eight bits.

    A vector's scale follows from all of it, while the kernels that project have parts of one. So these write keys and
    values as floats beside the queries, where they would be had nothing been fused, as into a cache whose blocks have
    room for one token; and a kernel behind them stores what it finds there.
    """

    def __init__(self, shape: LlamaShape, cache: KVCache, launcher: KernelLauncher) -> None:
        self._shape = shape
        self._cache = cache
        self._launcher = launcher
        self._half = cache.num_blocks * shape.kv_size * BLOCK_SIZE
        rows = torch.arange(_MOST_ROWS, dtype=torch.int32, device=cache.blocks.device)
        self._slots = rows * (shape.qkv_size // shape.kv_size)

    def tensors(self) -> tuple[Tensor, ...]:
        """What it keeps on the device."""
        return (self._slots,)

    def beside_queries(self, forward: ForwardPass) -> KVTarget:
        """The columns of `qkv` behind the queries."""
        behind = forward.qkv.view(-1)[self._shape.q_size :]
        return KVTarget(behind, self._slots[: forward.num_rows], self._shape.kv_size, 1)

    def store(self, forward: ForwardPass, cache: Tensor) -> None:
        """Store what was written there."""
        shape = self._shape
        self._launcher.run(
            int8.quantise_and_store_kernel, (forward.num_rows, triton.cdiv(2 * shape.num_kv_heads, _BLOCK_HEADS)),
            forward.qkv, cache, self._cache.scales_of(cache), forward.kv_slots, self._half,
            HEADS=shape.num_heads, KV_HEADS=shape.num_kv_heads, HEAD_DIM=shape.head_dim,
            DIM_BLOCK=triton.next_power_of_2(shape.head_dim), BLOCK_SIZE=BLOCK_SIZE, BLOCK_HEADS=_BLOCK_HEADS,
            num_warps=4,
        )  # fmt: skip
