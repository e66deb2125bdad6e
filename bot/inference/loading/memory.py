"""How a device's memory is given out: the weights first, then room to work in, and the KV cache takes what is left.

Everything is settled at start out of what is free then, under the operator's caps. What follows from numbers alone is a
function of them here, so that cards of every size can be tried without having them.
"""

import os
from dataclasses import dataclass

import torch

from bot.errors import ConfigError
from bot.inference.loading.files import SETTING
from bot.inference.model.kv_cache import BLOCK_SIZE, CacheKind, block_bytes
from bot.inference.model.ops import workspace_widths
from bot.inference.model.shape import LlamaShape
from bot.inference.model.weights import MatrixKind

SHORTEST_CONVERSATION_TOKENS = 640
"""Prompt and answer of the shortest conversation worth starting for: 512 tokens and something to say."""
MOST_SEQUENCES = 64

_GIB = 1024**3
_DEFAULT_FRACTION = 0.9
_SMALL_CARD_BYTES = 20 * _GIB
"""Up to here a tenth of the card is more than can be spared, and nothing else is expected on it."""
_CONTEXT_MARGIN_BYTES = 192 * 1024**2
"""Left to the driver beside the allocator's share: kernels, graphs, the fragmented rest of the card."""
_TOKENS_PER_SEQUENCE = 256
"""What a conversation takes at least, for judging how many can run at once."""
_PREFILL_TOKENS = (256, 4096)
_CPU_PREFILL_TOKENS = (32, 512)
_CPU_PASS_OPERATIONS = 1e12
"""A prefill pass on the CPU: seconds on a slow one, far under the watchdog's limit."""


@dataclass(frozen=True, slots=True)
class MemoryLimits:
    """What the caller fixed; None is for the builder to settle."""

    context_window: int | None = None
    max_num_sequences: int | None = None
    max_prefill_tokens: int | None = None
    num_blocks: int | None = None
    gpu_memory_gib: float | None = None
    gpu_memory_fraction: float | None = None

    def window_of(self, shape: LlamaShape) -> int:
        """The context window that counts: the model's, or a narrower one."""
        return min(self.context_window or shape.context_window, shape.context_window)


def capped_bytes(total: int, gpu_memory_gib: float | None, gpu_memory_fraction: float | None) -> int:
    """What the caps leave of `total`; without any, nine tenths of a large card and all of a small one."""
    if gpu_memory_gib is None and gpu_memory_fraction is None:
        gpu_memory_fraction = 1.0 if total <= _SMALL_CARD_BYTES else _DEFAULT_FRACTION
    by_size = total if gpu_memory_gib is None else int(gpu_memory_gib * _GIB)
    by_share = total if gpu_memory_fraction is None else int(gpu_memory_fraction * total)
    return min(total, by_size, by_share)


def cap_of(device: torch.device, limits: MemoryLimits) -> int:
    """The most that the allocator may reserve on a CUDA card under the operator's caps."""
    total = torch.cuda.mem_get_info(device)[1]
    return capped_bytes(total, limits.gpu_memory_gib, limits.gpu_memory_fraction)


def free_bytes(device: torch.device, cap: int) -> int:
    """What may still be allocated on a CUDA card, under `cap` and beside what others hold on it."""
    torch.cuda.empty_cache()
    under_cap = cap - torch.cuda.memory_reserved(device)
    on_card = torch.cuda.mem_get_info(device)[0] - _CONTEXT_MARGIN_BYTES
    return min(under_cap, on_card)


def room_for_weights(device: torch.device, limits: MemoryLimits) -> int:
    """What a model may take of a card that is empty of ours, or of the machine's memory."""
    if device.type == "cuda":
        return free_bytes(device, cap_of(device, limits))
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def weights_bytes(shape: LlamaShape, dtype: torch.dtype, kind: MatrixKind = MatrixKind.FLOAT) -> int:
    """What a model's weights take."""
    hidden, intermediate = shape.hidden_size, shape.intermediate_size
    head_height = 0 if shape.has_tied_embeddings else shape.vocab_size
    numbers = shape.num_layers * hidden * (shape.qkv_size + shape.q_size + 3 * intermediate) + head_height * hidden
    rows = shape.num_layers * (shape.qkv_size + 2 * hidden + 2 * intermediate) + head_height
    others = shape.vocab_size * hidden + (2 * shape.num_layers + 1) * hidden
    others += shape.num_layers * (shape.has_qkv_bias * shape.qkv_size + shape.has_output_bias * hidden)
    in_matrices = numbers + 4 * rows if kind is MatrixKind.INT8 else numbers * dtype.itemsize
    return in_matrices + others * dtype.itemsize


def num_parameters(shape: LlamaShape) -> int:
    """How many numbers a model's weights are."""
    return weights_bytes(shape, torch.uint8)


def refuse_too_large(
    shape: LlamaShape, dtype: torch.dtype, num_bytes: int, where: str, kind: MatrixKind = MatrixKind.FLOAT
) -> None:
    """Say before anything is loaded that a model can't be, and whether it could in eight bits.

    Raises:
        ConfigError: its weights take more than `num_bytes`.
    """
    needed, in_eight_bits = weights_bytes(shape, dtype, kind), weights_bytes(shape, dtype, MatrixKind.INT8)
    if needed > num_bytes:
        found = f"{max(num_bytes, 0) / _GIB:.1f} GiB"
        problem = f"the model's weights take {needed / _GIB:.1f} GiB, and there are {found} for them {where}"
        if in_eight_bits <= num_bytes:
            problem += f"; with TRINITY_WEIGHTS=int8 they take {in_eight_bits / _GIB:.1f} GiB, at nearly no loss"
        raise ConfigError(SETTING, problem)


def settle_sequences(shape: LlamaShape, dtype: torch.dtype, free: int, cache_kind: CacheKind = CacheKind.FLOAT) -> int:
    """As many slots as the pool could feed, at most 64: slots cost scratch memory and graphs."""
    num_tokens = max(free, 1) * BLOCK_SIZE // block_bytes(shape, dtype, cache_kind)
    wanted = max(num_tokens // _TOKENS_PER_SEQUENCE, 4)
    return min(1 << (wanted - 1).bit_length(), MOST_SEQUENCES)


def settle_prefill_tokens(shape: LlamaShape, dtype: torch.dtype, free: int) -> int:
    """The largest pass on a card whose workspace takes at most a twentieth of what is free."""
    fewest, most = _PREFILL_TOKENS
    affordable = free // 20 // (sum(workspace_widths(shape)) * dtype.itemsize)
    return max(fewest, min(most, 1 << max(affordable, 1).bit_length() - 1))


def settle_cpu_prefill_tokens(shape: LlamaShape) -> int:
    """The largest pass on the CPU: it can't be broken off, and a large model computes for long."""
    fewest, most = _CPU_PREFILL_TOKENS
    affordable = int(_CPU_PASS_OPERATIONS / (2 * num_parameters(shape)))
    return max(fewest, min(most, affordable))


def settle_cpu_blocks(
    num_bytes: int, shape: LlamaShape, dtype: torch.dtype, window: int, num_sequences: int, cache_kind: CacheKind
) -> int:
    """Blocks for so many conversations of a whole window, in half of `num_bytes` at most, and for one of them always.

    They are taken from the machine as they are first written to.
    """
    each = -(-window // BLOCK_SIZE)
    affordable = num_bytes // 2 // block_bytes(shape, dtype, cache_kind)
    return max(each, min(num_sequences * each, affordable)) + 1


def settle_num_blocks(
    num_bytes: int,
    shape: LlamaShape,
    dtype: torch.dtype,
    most_tokens: int,
    weights_kind: MatrixKind = MatrixKind.FLOAT,
    cache_kind: CacheKind = CacheKind.FLOAT,
) -> int:
    """How many blocks `num_bytes` hold, scratch included, and no more than `most_tokens` need.

    Raises:
        ConfigError: not even a short conversation fits.
    """
    per_block = block_bytes(shape, dtype, cache_kind)
    num_blocks = min(num_bytes // per_block, -(-most_tokens // BLOCK_SIZE) + 1)
    needed = min(SHORTEST_CONVERSATION_TOKENS, shape.context_window, most_tokens)
    if (num_blocks - 1) * BLOCK_SIZE < needed:
        short = (-(-needed // BLOCK_SIZE) + 1) * per_block - num_bytes
        in_eight_bits = "" if weights_kind is MatrixKind.INT8 else " set TRINITY_WEIGHTS=int8,"
        problem = (
            f"beside the model there is room for {max(0, num_blocks - 1) * BLOCK_SIZE:,} tokens on the card, and a "
            f"short conversation takes {needed:,}: "
            f"free {short / _GIB:.2f} GiB more,{in_eight_bits} or use a smaller model"
        )
        raise ConfigError("TRINITY_GPU_MEMORY_GIB", problem)
    return num_blocks
