"""Puts a model runner together: weights, cache, workspace and operations, in the order in which memory is given out."""

import logging
import os
import platform
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from bot.errors import ConfigError
from bot.inference.kernels.choice import OpsChoice, choose_cpu_ops, choose_ops, kernel_choices, kernels_compiling
from bot.inference.kernels.tiles import LEAST_DENSE_NUMBERS
from bot.inference.loading import memory
from bot.inference.loading.config import read_shape
from bot.inference.loading.files import SETTING, find_tokenizer_file
from bot.inference.loading.memory import MemoryLimits
from bot.inference.loading.threads import settle_threads
from bot.inference.loading.weights import TooLargeForHalf, load_weights
from bot.inference.messages import ReportProgress
from bot.inference.model.device_memory import DeviceMemory
from bot.inference.model.execution import Execution, SlotState, build_slot_state
from bot.inference.model.graphs import GraphExecution
from bot.inference.model.inputs import Sizes, StepInputs
from bot.inference.model.kv_cache import BLOCK_SIZE, CacheKind, KVCache, build_kv_cache
from bot.inference.model.llama import LlamaModel
from bot.inference.model.ops import Workspace
from bot.inference.model.runner import LlamaRunner
from bot.inference.model.shape import LlamaShape
from bot.inference.model.weights import LlamaWeights, MatrixKind

log = logging.getLogger(__name__)

CPU_SEQUENCES = 8
_LEAST_FOR_BF16 = (8, 0)
"""What a card that computes in BF16 calls itself."""
_SMALLEST_TILE = 16
_TABLE_STEP = 16
"""Block tables have a multiple of so many columns, as the self-test's have: else attention would be compiled again."""
_GRAPH_BYTES = 64 * 1024**2
_FEW_GRAPHS_BYTES = 40 * 1024**2
"""With short passes there are fewer graphs, and a small card has better uses for its memory."""
_SHORT_PASS_TOKENS = 512


def settle_device(device: str) -> torch.device:
    """The device that a setting names: `auto`, `cpu`, `cuda` or `cuda:1`.

    Raises:
        ConfigError: it names no device, or one that this machine lacks.
    """
    if device == "auto":
        return torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")
    kind, _, number = device.partition(":")
    if kind not in ("cpu", "cuda") or (number and not number.isdecimal()) or (kind == "cpu" and number):
        raise ConfigError("TRINITY_DEVICE", f"{device!r} is none of auto, cpu, cuda, cuda:1 ...")
    if kind == "cpu":
        return torch.device("cpu")
    if int(number or 0) >= torch.cuda.device_count():
        raise ConfigError("TRINITY_DEVICE", f"{device!r}: torch finds {torch.cuda.device_count()} CUDA cards here")
    return torch.device("cuda", int(number or 0))


def name_of_device(device: str) -> str:
    """What the device that a setting names is called by its maker, or by its kind."""
    settled = settle_device(device)
    if settled.type == "cuda":
        return torch.cuda.get_device_name(settled)
    return f"{os.cpu_count()} cores ({platform.machine()})"


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
    weights_kind: MatrixKind = MatrixKind.FLOAT,
    cache_kind: CacheKind = CacheKind.FLOAT,
    progress: ReportProgress | None = None,
    use_kernels: bool = True,
) -> LlamaRunner:
    """Load the model in `folder` and everything it runs with; what it allocates later is nothing.

    The number of blocks follows from the card's free memory under the two caps, unless it is given.

    Raises:
        ConfigError: the model may not or can't be run, or the device has no room for it.
    """
    chosen = settle_device(device)
    shape = read_shape(folder)
    find_tokenizer_file(folder)
    weights_dtype = dtype or (torch.float16 if chosen.type == "cuda" else torch.float32)
    limits = MemoryLimits(
        context_window, max_num_sequences, max_prefill_tokens, num_blocks, gpu_memory_gib, gpu_memory_fraction
    )
    where = "on the card" if chosen.type == "cuda" else "in this machine's memory"
    memory.refuse_too_large(shape, weights_dtype, memory.room_for_weights(chosen, limits), where, weights_kind)
    if chosen.type == "cuda":
        _apply_caps(chosen, limits)
    else:
        settle_threads(memory.num_parameters(shape))
    try:
        compiling = _compiling(shape, chosen, weights_dtype, limits, weights_kind, cache_kind)
        with compiling if use_kernels else nullcontext():
            load = partial(load_weights, folder, shape, chosen, progress=progress, kind=weights_kind)
            weights, model_hash = load_in_range(load, weights_dtype, has_bf16=_has_bf16(chosen))
        return assemble_runner(shape, weights, limits, cache_kind, model_hash=model_hash, use_kernels=use_kernels)
    except torch.OutOfMemoryError as error:
        problem = "beside the model's weights the card has no room left to work in: free memory, or use a smaller model"
        raise ConfigError("TRINITY_MODEL", problem) from error


def load_in_range(
    load: Callable[..., tuple[LlamaWeights, str]], dtype: torch.dtype, *, has_bf16: bool
) -> tuple[LlamaWeights, str]:
    """Load weights as `dtype`; as BF16 where they are too large for FP16 and the device computes with that.

    Raises:
        ConfigError: it doesn't, or the weights can't be loaded at all.
    """
    try:
        return load(dtype=dtype)
    except TooLargeForHalf as error:
        if not has_bf16:
            advice = "use a card that computes in BF16 (Ampere, RTX 30, or newer), or TRINITY_DEVICE=cpu"
            raise ConfigError(SETTING, f"{error.problem}; {advice}") from None
        log.warning("%s: they are kept as BF16, for which some kernels are slower", error.problem)
    return load(dtype=torch.bfloat16)


def _has_bf16(device: torch.device) -> bool:
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= _LEAST_FOR_BF16


def _apply_caps(device: torch.device, limits: MemoryLimits) -> None:
    if limits.gpu_memory_gib is not None or limits.gpu_memory_fraction is not None:
        total = torch.cuda.mem_get_info(device)[1]
        torch.cuda.set_per_process_memory_fraction(memory.cap_of(device, limits) / total, device)


def _compiling(
    shape: LlamaShape,
    device: torch.device,
    dtype: torch.dtype,
    limits: MemoryLimits,
    weights_kind: MatrixKind,
    cache_kind: CacheKind,
) -> AbstractContextManager[None]:
    """Compiles for the first card what it will run; the compiler's threads begin there, and can't for any other."""
    if device.type != "cuda" or device.index:
        return nullcontext()
    num_sequences = limits.max_num_sequences or memory.MOST_SEQUENCES
    capability = torch.cuda.get_device_capability(device)
    choices = kernel_choices(shape, 0, num_sequences, capability, weights_kind, cache_kind)
    return kernels_compiling(choices[0], dtype)


def assemble_runner(
    shape: LlamaShape,
    weights: LlamaWeights,
    limits: MemoryLimits,
    cache_kind: CacheKind = CacheKind.FLOAT,
    *,
    model_hash: str = "",
    use_kernels: bool = True,
) -> LlamaRunner:
    """Give weights that are on their device everything else they need, and say what there is room for."""
    started = time.monotonic()
    if weights.embedding.device.type == "cuda":
        runner = _assemble_cuda(shape, weights, limits, cache_kind, model_hash, use_kernels=use_kernels)
        name = torch.cuda.get_device_name(weights.embedding.device)
    else:
        runner = _assemble_cpu(shape, weights, limits, cache_kind, model_hash, use_kernels=use_kernels)
        name = "CPU"
    num_tokens = (runner.num_blocks - 1) * BLOCK_SIZE
    longest = min(num_tokens, runner.context_window)
    log.info(
        "%s: room for %s tokens; conversations of up to %s, from %d (the longest) to %d (short ones) at once; "
        "prefill of up to %s tokens; ready %.1f s after the weights",
        *(name, f"{num_tokens:,}", f"{longest:,}"),
        *(min(num_tokens // longest, runner.max_num_sequences), runner.max_num_sequences),
        *(f"{runner.max_prefill_tokens:,}", time.monotonic() - started),
    )
    return runner


def _assemble_cpu(
    shape: LlamaShape,
    weights: LlamaWeights,
    limits: MemoryLimits,
    cache_kind: CacheKind,
    model_hash: str,
    *,
    use_kernels: bool,
) -> LlamaRunner:
    window, num_sequences = limits.window_of(shape), limits.max_num_sequences or CPU_SEQUENCES
    num_tokens = limits.max_prefill_tokens or memory.settle_cpu_prefill_tokens(shape)
    parts = _Parts(shape, weights, window, num_sequences, num_tokens)
    device, dtype = weights.embedding.device, weights.embedding.dtype
    room = memory.room_for_weights(device, limits) - weights.num_bytes
    num_blocks = limits.num_blocks or memory.settle_cpu_blocks(room, shape, dtype, window, num_sequences, cache_kind)
    cache = build_kv_cache(shape, num_blocks, device, dtype, cache_kind)
    build_ops = choose_cpu_ops(shape, weights, parts.workspace, window, num_sequences, cache_kind, use_fast=use_kernels)
    parts.workspace.clear()
    model = LlamaModel(weights, cache, build_ops(cache))
    return parts.runner(cache, Execution(model, parts.workspace, parts.inputs, parts.state), model_hash)


class _Parts:
    """What a runner needs beside weights and cache."""

    def __init__(
        self, shape: LlamaShape, weights: LlamaWeights, window: int, num_sequences: int, num_tokens: int
    ) -> None:
        device, dtype = weights.embedding.device, weights.embedding.dtype
        self.shape, self.weights, self.window, self.num_sequences = shape, weights, window, num_sequences
        self.num_tokens = max(num_tokens, num_sequences)
        num_tiles = -(-self.num_tokens // _SMALLEST_TILE) + max(num_sequences, _SMALLEST_TILE)
        num_blocks = -(-window // (BLOCK_SIZE * _TABLE_STEP)) * _TABLE_STEP
        sizes = Sizes(self.num_tokens, num_sequences, num_blocks, num_tiles)
        self.inputs = StepInputs(sizes, device)
        self.workspace = Workspace(shape, self.num_tokens, device, dtype)
        self.state: SlotState = build_slot_state(num_sequences, shape.vocab_size, device, dtype)

    def runner(
        self, cache: KVCache, execution: Execution, model_hash: str, stream: "torch.cuda.Stream | None" = None
    ) -> LlamaRunner:
        state, ops = self.state, execution.model.ops
        kept = (*self.weights.tensors(), *ops.tensors(), state.last_tokens, state.seen, state.logits, state.result)
        void = (*cache.tensors(), *self.workspace.tensors())
        return LlamaRunner(
            self.shape,
            cache,
            execution,
            max_num_sequences=self.num_sequences,
            max_prefill_tokens=self.num_tokens,
            context_window=self.window,
            memory=DeviceMemory(self.weights.embedding.device, kept, void),
            model_hash=model_hash,
            stream=stream,
        )


def _assemble_cuda(
    shape: LlamaShape,
    weights: LlamaWeights,
    limits: MemoryLimits,
    cache_kind: CacheKind,
    model_hash: str,
    *,
    use_kernels: bool,
) -> LlamaRunner:
    device, dtype = weights.embedding.device, weights.embedding.dtype
    torch.cuda.set_device(device)
    stream: torch.cuda.Stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    cap, window = memory.cap_of(device, limits), limits.window_of(shape)
    with torch.inference_mode(), torch.cuda.stream(stream):
        free = memory.free_bytes(device, cap)
        num_sequences = limits.max_num_sequences or memory.settle_sequences(shape, dtype, free, cache_kind)
        num_tokens = limits.max_prefill_tokens or memory.settle_prefill_tokens(shape, dtype, free)
        parts = _Parts(shape, weights, window, num_sequences, num_tokens)
        torch.mm(parts.workspace.rows(1)["x"], weights.embedding.t())  # cuBLAS takes its workspace now
        build_ops = choose_ops(
            shape, weights, parts.workspace, window, num_sequences, cache_kind, use_kernels=use_kernels
        )
        if _is_small(parts, weights.kind):
            build_ops = replace(build_ops, num_dense=min(build_ops.num_dense, LEAST_DENSE_NUMBERS))
        parts.workspace.clear()
        room = memory.free_bytes(device, cap)
        room -= _reserve_bytes(build_ops, shape, parts, dtype, room)
        num_blocks = limits.num_blocks or memory.settle_num_blocks(
            room, shape, dtype, num_sequences * window, weights.kind, cache_kind
        )
        cache = build_kv_cache(shape, num_blocks, device, dtype, cache_kind)
        model = LlamaModel(weights, cache, build_ops(cache))
        execution = GraphExecution(model, parts.workspace, parts.inputs, parts.state, stream)
        execution.warm_up()
        execution.capture()
        for tensor in cache.tensors():
            tensor[:, :, 0].zero_()
        stream.synchronize()
    return parts.runner(cache, execution, model_hash, stream)


def _is_small(parts: _Parts, weights_kind: MatrixKind) -> bool:
    """Whether the card is one that eight bits are for: it has room for short passes only."""
    return weights_kind is MatrixKind.INT8 and parts.num_tokens <= _SHORT_PASS_TOKENS


def _reserve_bytes(choice: OpsChoice, shape: LlamaShape, parts: _Parts, dtype: torch.dtype, room: int) -> int:
    """What is allocated after the pool: little beside graphs, but for what plain torch does."""
    reserve = _FEW_GRAPHS_BYTES if _is_small(parts, choice.weights_kind) else _GRAPH_BYTES
    broken = choice.broken
    if broken is None or "sample" in broken:
        reserve += 96 * parts.num_sequences * shape.vocab_size
    if broken is None or not choice.has_dot or "attend" in broken:
        # Keys and values of a whole sequence, gathered, repeated and masked.
        reserve += 6 * parts.window * shape.q_size * dtype.itemsize + 4 * parts.num_tokens * parts.window
    if broken is None or "attend" in broken:
        reserve += 4 * room // (shape.num_layers + 4)  # a layer's share of the pool, gathered for a whole batch
    if choice.weights_kind is MatrixKind.INT8:
        # Rows of a matrix made floats: a buffer of the kernels', or the whole of it twice over in plain torch.
        largest = max(2 * shape.intermediate_size, shape.qkv_size, shape.vocab_size) * shape.hidden_size
        reserve += (choice.num_dense if broken == frozenset() else 2 * largest) * dtype.itemsize
    if broken is None or broken & {"project_qkv", "project_gated", "project_head"}:
        reserve += 4 * parts.num_tokens * max(shape.hidden_size * 4, shape.intermediate_size * dtype.itemsize)
    return reserve
