"""The paged KV cache: one tensor, allocated once; its size is settled at start and nothing else ever grows.

A block holds the keys and values of `BLOCK_SIZE` tokens of one layer, head by head, so that one attention head reads
its part of a block in one piece. Block 0 is scratch: padding rows write there.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from bot.errors import ConfigError
from bot.inference.loading import LlamaShape

BLOCK_SIZE = 32
SHORTEST_CONVERSATION_TOKENS = 640
"""Prompt and answer of the shortest conversation worth starting for: 512 tokens and something to say."""

_GIB = 1024**3
_DEFAULT_FRACTION = 0.9
_SMALL_CARD_BYTES = 20 * _GIB
"""Up to here a tenth of the card is more than can be spared, and nothing else is expected on it."""
_CONTEXT_MARGIN_BYTES = 192 * 1024**2
"""Left to the driver beside the allocator's share: kernels, graphs, the fragmented rest of the card."""


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


def cap_bytes(device: torch.device, gpu_memory_gib: float | None, gpu_memory_fraction: float | None) -> int:
    """The most that the allocator may reserve on `device` under the operator's caps."""
    return capped_bytes(torch.cuda.mem_get_info(device)[1], gpu_memory_gib, gpu_memory_fraction)


def capped_bytes(total: int, gpu_memory_gib: float | None, gpu_memory_fraction: float | None) -> int:
    """What the caps leave of `total`; without any, nine tenths of a large card and all of a small one."""
    if gpu_memory_gib is None and gpu_memory_fraction is None:
        gpu_memory_fraction = 1.0 if total <= _SMALL_CARD_BYTES else _DEFAULT_FRACTION
    by_size = total if gpu_memory_gib is None else int(gpu_memory_gib * _GIB)
    by_share = total if gpu_memory_fraction is None else int(gpu_memory_fraction * total)
    return min(total, by_size, by_share)


def free_bytes(device: torch.device, cap: int) -> int:
    """What may still be allocated on `device`, under `cap` and beside what others hold on the card."""
    torch.cuda.empty_cache()
    under_cap = cap - torch.cuda.memory_reserved(device)
    on_card = torch.cuda.mem_get_info(device)[0] - _CONTEXT_MARGIN_BYTES
    return min(under_cap, on_card)


def settle_num_blocks(num_bytes: int, shape: LlamaShape, dtype: torch.dtype, most_tokens: int) -> int:
    """How many blocks `num_bytes` hold, scratch included, and no more than `most_tokens` need.

    Raises:
        ConfigError: not even a short conversation fits.
    """
    per_block = block_bytes(shape, dtype)
    num_blocks = min(num_bytes // per_block, -(-most_tokens // BLOCK_SIZE) + 1)
    needed = min(SHORTEST_CONVERSATION_TOKENS, shape.context_window, most_tokens)
    if (num_blocks - 1) * BLOCK_SIZE < needed:
        short = (-(-needed // BLOCK_SIZE) + 1) * per_block - num_bytes
        problem = (
            f"beside the model there is room for {max(0, num_blocks - 1) * BLOCK_SIZE:,} tokens on the card, and a "
            f"short conversation takes {needed:,}: free {short / _GIB:.2f} GiB more, or use a smaller model"
        )
        raise ConfigError("TRINITY_GPU_MEMORY_GIB", problem)
    return num_blocks
