"""Puts a model runner together: weights, cache, workspace and operations, in the order in which memory is given out."""

import logging
from pathlib import Path

import torch

from bot.errors import ConfigError
from bot.inference.execution import Execution, build_slot_state
from bot.inference.kv_cache import BLOCK_SIZE, build_kv_cache
from bot.inference.loading import find_tokenizer_file, read_shape
from bot.inference.model import LlamaModel
from bot.inference.model_runner import LlamaRunner
from bot.inference.ops import Workspace
from bot.inference.reference_ops import ReferenceOps
from bot.inference.step_inputs import Sizes, StepInputs
from bot.inference.weights import Progress, load_weights

log = logging.getLogger(__name__)

_CPU_SEQUENCES = 8
_CPU_PREFILL_TOKENS = 512


def settle_device(device: str) -> torch.device:
    """The device that a setting names: `auto`, `cpu`, `cuda` or `cuda:1`.

    Raises:
        ConfigError: it names no device, or one that this machine lacks.
    """
    if device == "auto":
        return torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise ConfigError("TRINITY_DEVICE", f"{device!r} is none of auto, cpu, cuda, cuda:1 ...") from error
    if chosen.type not in ("cpu", "cuda"):
        raise ConfigError("TRINITY_DEVICE", f"{device!r} is none of auto, cpu, cuda, cuda:1 ...")
    if chosen.type == "cpu":
        return torch.device("cpu")
    number = chosen.index or 0
    if number >= torch.cuda.device_count():
        raise ConfigError("TRINITY_DEVICE", f"{device!r}: this machine has {torch.cuda.device_count()} CUDA cards")
    return torch.device("cuda", number)


def build_runner(
    folder: Path,
    device: str = "auto",
    *,
    context_window: int | None = None,
    max_num_sequences: int | None = None,
    max_prefill_tokens: int | None = None,
    num_blocks: int | None = None,
    gpu_memory_gib: float | None = None,
    gpu_memory_fraction: float | None = None,
    dtype: torch.dtype | None = None,
    progress: Progress | None = None,
) -> LlamaRunner:
    """Load the model in `folder` and everything it runs with; takes seconds, allocates nothing afterwards.

    `num_blocks` overrides what the card's free memory (under the two caps) would give; scratch block 0 counts.

    Raises:
        ConfigError: the model may not or can't be run, or the device has no room for it.
    """
    chosen = settle_device(device)
    shape = read_shape(folder)
    find_tokenizer_file(folder)
    window = min(context_window or shape.context_window, shape.context_window)
    if chosen.type == "cuda":
        raise NotImplementedError(gpu_memory_gib, gpu_memory_fraction)
    weights, model_hash = load_weights(folder, shape, chosen, dtype or torch.float32, progress)
    num_sequences = max_num_sequences or _CPU_SEQUENCES
    num_tokens = max(max_prefill_tokens or _CPU_PREFILL_TOKENS, num_sequences)
    per_sequence = -(-window // BLOCK_SIZE)
    blocks = num_blocks or num_sequences * per_sequence + 1
    cache = build_kv_cache(shape, blocks, chosen, dtype or torch.float32)
    inputs = StepInputs(Sizes(num_tokens, num_sequences, per_sequence, num_tokens), chosen)
    workspace = Workspace(shape, num_tokens, chosen, dtype or torch.float32)
    model = LlamaModel(weights, cache, ReferenceOps(shape, cache, window))
    state = build_slot_state(num_sequences, shape.vocab_size, chosen, dtype or torch.float32)
    execution = Execution(model, workspace, inputs, state)
    return LlamaRunner(
        shape,
        cache,
        execution,
        max_num_sequences=num_sequences,
        max_prefill_tokens=num_tokens,
        context_window=window,
        model_hash=model_hash,
    )
