"""Numbers in eight bits: each vector is whole numbers from -127 to 127, times a scale of its own.

Symmetric, so that nothing has to be added back: a vector's largest magnitude becomes 127, and zero stays zero. Weights
have a scale for each output channel, keys and values one for each token and head.
"""

import torch
from torch import Tensor

MOST = 127
"""The largest magnitude; -128 is left out, so that both signs reach as far."""

_ROWS_AT_ONCE = 1024
"""Of a matrix: what is wide meanwhile stays small beside the matrix itself."""


def quantise(values: Tensor, scale_dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Vectors [..., width] as int8, and their scales [...]. A vector that isn't finite gets a scale that isn't."""
    wide = values.float()
    scale = (wide.abs().amax(-1) / MOST).to(scale_dtype)
    divisor = scale.float().masked_fill(scale == 0, 1.0)[..., None]
    return (wide / divisor).round_().clamp_(-MOST, MOST).to(torch.int8), scale


def dequantise(data: Tensor, scale: Tensor, dtype: torch.dtype) -> Tensor:
    """The numbers themselves, up to the rounding of both."""
    return (data.float() * scale.float()[..., None]).to(dtype)


def quantise_matrix(values: Tensor, data: Tensor, scale: Tensor) -> None:
    """Fill a matrix's `data` [out, in] and `scale` [out] from `values`, wherever these lie, without a second copy."""
    for first in range(0, len(data), _ROWS_AT_ONCE):
        rows = slice(first, first + _ROWS_AT_ONCE)
        data[rows], scale[rows] = quantise(values[rows].to(data.device), scale.dtype)


def dequantise_matrix(data: Tensor, scale: Tensor, dtype: torch.dtype) -> Tensor:
    """A matrix [out, in] of `dtype`."""
    dense = torch.empty(data.shape, dtype=dtype, device=data.device)
    for first in range(0, len(data), _ROWS_AT_ONCE):
        rows = slice(first, first + _ROWS_AT_ONCE)
        torch.mul(data[rows], scale[rows, None], out=dense[rows])
    return dense
