"""Rotary position embeddings: the tables of cosines and sines, computed once in float32.

Source: Su et al., RoFormer (arXiv 2104.09864), in the half-split layout of transformers' Llama; the llama3 scaling is
Meta's (Llama 3.1).
"""

import math

import torch
from torch import Tensor

from bot.inference.model.shape import LlamaShape, RopeScaling


def rope_tables(shape: LlamaShape, num_positions: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Cosines and sines, each [num_positions, head_dim / 2]."""
    exponents = torch.arange(0, shape.head_dim, 2, dtype=torch.int64).float() / shape.head_dim
    frequencies = _scaled(1.0 / (shape.rope_theta**exponents), shape.rope_scaling)
    angles = torch.arange(num_positions).float()[:, None] * frequencies[None, :]
    return angles.cos().to(device), angles.sin().to(device)


def _scaled(frequencies: Tensor, scaling: RopeScaling) -> Tensor:
    if scaling.rope_type == "linear":
        return frequencies / scaling.factor
    if scaling.rope_type != "llama3":
        return frequencies
    wavelengths = 2 * math.pi / frequencies
    low, high = scaling.low_freq_factor, scaling.high_freq_factor
    smooth = ((scaling.original_context_window / wavelengths - low) / (high - low)).clamp(0.0, 1.0)
    return (1 - smooth) * frequencies / scaling.factor + smooth * frequencies
