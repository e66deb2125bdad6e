"""The paged KV cache: allocated once at start, so that nothing grows later.

A block holds the keys and values of `BLOCK_SIZE` tokens of one layer, head by head, so that one attention head reads
its part of a block in one piece. Block 0 is scratch: padding rows write there. In eight bits each key and each value of
a head has a scale of its own, so that a token is stored once and never again, whatever comes after it.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import torch
from torch import Tensor

from bot.inference.model.int8 import quantise
from bot.inference.model.shape import LlamaShape

BLOCK_SIZE = 32

_SCALE_DTYPE = torch.float16
_MANY = 16 * 1024**2
_IN_NUMPY = {torch.float32: np.float32, torch.float16: np.float16, torch.int8: np.int8}


class CacheKind(StrEnum):
    """How keys and values are stored."""

    FLOAT = "float"
    """As they are."""
    INT8 = "int8"
    """Rounded to eight bits, with a scale for each token and head."""


@dataclass(frozen=True, slots=True)
class KVCache:
    """`blocks` is [layers, 2, num_blocks, kv_heads, BLOCK_SIZE, head_dim]; 2 stands for keys and values."""

    blocks: Tensor
    scales: Tensor | None = None
    """Of a cache in eight bits: [layers, 2, num_blocks, kv_heads, BLOCK_SIZE]."""
    float_dtype: torch.dtype = torch.float16
    """What a cache in eight bits is computed in."""

    @property
    def dtype(self) -> torch.dtype:
        """The type that attention computes in."""
        return self.blocks.dtype if self.scales is None else self.float_dtype

    @property
    def num_blocks(self) -> int:
        """Blocks in the pool, scratch block 0 included."""
        return self.blocks.shape[2]

    @property
    def num_tokens(self) -> int:
        """How many tokens fit."""
        return (self.num_blocks - 1) * BLOCK_SIZE

    def layer_number(self, layer: Tensor) -> int:
        """Which layer a part of `blocks` belongs to."""
        return layer.storage_offset() // self.blocks.stride(0)

    def scales_of(self, layer: Tensor) -> Tensor | None:
        """The scales [2, num_blocks, kv_heads, BLOCK_SIZE] that belong to a layer's blocks, in eight bits."""
        return None if self.scales is None else self.scales[self.layer_number(layer)]

    def tensors(self) -> tuple[Tensor, ...]:
        """What it takes on the device; blocks are the third dimension of each."""
        return (self.blocks,) if self.scales is None else (self.blocks, self.scales)

    def fill(self, generator: torch.Generator | None = None) -> None:
        """Make it random numbers, as keys and values of a model are."""
        for number, layer in enumerate(self.blocks.unbind(0)):
            if self.scales is None:
                layer.normal_(generator=generator)
            else:
                for block in range(0, self.num_blocks, 512):  # what is wide meanwhile stays small
                    some = layer[:, block : block + 512]
                    wide = torch.empty(some.shape, device=some.device).normal_(generator=generator)
                    some[:], self.scales[number, :, block : block + 512] = quantise(wide, _SCALE_DTYPE)


def build_kv_cache(
    shape: LlamaShape,
    num_blocks: int,
    device: torch.device,
    dtype: torch.dtype,
    kind: CacheKind = CacheKind.FLOAT,
) -> KVCache:
    """Allocate the pool, zeroed: attention over padding must read numbers."""
    size = (shape.num_layers, 2, num_blocks, shape.num_kv_heads, BLOCK_SIZE, shape.head_dim)
    if kind is CacheKind.FLOAT:
        return KVCache(_zeros(size, device, dtype))
    return KVCache(_zeros(size, device, torch.int8), _zeros(size[:-1], device, _SCALE_DTYPE), dtype)


def _zeros(size: tuple[int, ...], device: torch.device, dtype: torch.dtype) -> Tensor:
    """Zeros; many of them on the CPU are numpy's, which take memory as they are written to. Torch's do at once."""
    like = _IN_NUMPY.get(dtype)
    if device.type != "cpu" or like is None or math.prod(size) < _MANY:
        return torch.zeros(size, device=device, dtype=dtype)
    return torch.from_numpy(np.zeros(size, like))


def block_bytes(shape: LlamaShape, dtype: torch.dtype, kind: CacheKind = CacheKind.FLOAT) -> int:
    """What one block takes over all layers."""
    num_vectors = 2 * shape.num_layers * shape.num_kv_heads * BLOCK_SIZE
    if kind is CacheKind.FLOAT:
        return num_vectors * shape.head_dim * dtype.itemsize
    return num_vectors * (shape.head_dim + _SCALE_DTYPE.itemsize)
