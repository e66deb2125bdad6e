"""The paged KV cache: one tensor, allocated once at start, so that nothing grows later.

A block holds the keys and values of `BLOCK_SIZE` tokens of one layer, head by head, so that one attention head reads
its part of a block in one piece. Block 0 is scratch: padding rows write there.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from bot.inference.model.shape import LlamaShape

BLOCK_SIZE = 32


@dataclass(frozen=True, slots=True)
class KVCache:
    """`blocks` is [layers, 2, num_blocks, kv_heads, BLOCK_SIZE, head_dim]; 2 stands for keys and values."""

    blocks: Tensor

    @property
    def num_blocks(self) -> int:
        """Blocks in the pool, scratch block 0 included."""
        return self.blocks.shape[2]

    @property
    def num_tokens(self) -> int:
        """How many tokens fit."""
        return (self.num_blocks - 1) * BLOCK_SIZE


def build_kv_cache(shape: LlamaShape, num_blocks: int, device: torch.device, dtype: torch.dtype) -> KVCache:
    """Allocate the pool, zeroed: attention over padding must read numbers."""
    size = (shape.num_layers, 2, num_blocks, shape.num_kv_heads, BLOCK_SIZE, shape.head_dim)
    return KVCache(torch.zeros(size, device=device, dtype=dtype))


def block_bytes(shape: LlamaShape, dtype: torch.dtype) -> int:
    """What one block takes over all layers."""
    return 2 * shape.num_layers * shape.kv_size * BLOCK_SIZE * dtype.itemsize
