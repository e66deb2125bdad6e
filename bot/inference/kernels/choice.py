"""Chooses the operations that a card, or the CPU, runs on: what agrees with the reference on a real layer.

Kernels are compiled while the weights are still being read: compiling takes the tensors' shapes, not what is in them.
Where a kernel doesn't agree, or can't be compiled, plain torch does that operation (`MixedOps`).
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from bot.inference.kernels.self_test import MOST_TEST_TOKENS, NUM_TEST_BLOCKS, NUM_TEST_POSITIONS, Difference, LayerTest
from bot.inference.kernels.tiles import DENSE_NUMBERS
from bot.inference.model.cpu_ops import CpuOps
from bot.inference.model.kv_cache import CacheKind, KVCache, build_kv_cache
from bot.inference.model.ops import ForwardPass, Ops, Workspace
from bot.inference.model.reference_ops import ReferenceOps
from bot.inference.model.sampler import SamplingRows
from bot.inference.model.shape import LlamaShape
from bot.inference.model.weights import LayerWeights, LlamaWeights, Matrix, MatrixKind, empty_weights

if TYPE_CHECKING:
    from bot.inference.kernels.triton_ops import KernelOps

log = logging.getLogger(__name__)


_MOST_ERROR = 0.02
_MOST_CPU_ERROR = 1e-4
"""In float32: rounding, and nothing but rounding."""
_CPU_TEST_ROWS = (1, 2, 8)


@dataclass(frozen=True, slots=True)
class OpsChoice:
    """Which operations this card gets; called with the cache, it makes them."""

    shape: LlamaShape
    num_positions: int
    num_sequences: int
    capability: tuple[int, int] = (0, 0)
    """The card's, as CUDA numbers it; nothing on the CPU."""
    has_dot: bool = False
    has_pdl: bool = False
    weights_kind: MatrixKind = MatrixKind.FLOAT
    cache_kind: CacheKind = CacheKind.FLOAT
    num_dense: int = 0
    """Of how many numbers a matrix in eight bits is made floats at a time."""
    broken: frozenset[str] | None = None
    """What plain torch does instead; None: everything."""

    def __call__(self, cache: KVCache) -> Ops:
        """The operations over `cache`."""
        if self.broken is None:
            return ReferenceOps(self.shape, cache, self.num_positions)
        kernels = self.kernels(cache)
        if not self.broken:
            return kernels
        return MixedOps(kernels, ReferenceOps(self.shape, cache, self.num_positions), self.broken)

    def kernels(self, cache: KVCache) -> "KernelOps":
        from bot.inference.kernels.tiles import KernelShapes  # noqa: PLC0415
        from bot.inference.kernels.triton_ops import KernelOps  # noqa: PLC0415  (triton may be missing or broken)

        return KernelOps(
            self.shape,
            cache,
            self.num_positions,
            self.num_sequences,
            has_dot=self.has_dot,
            has_pdl=self.has_pdl,
            kind=self.weights_kind,
            num_dense=self.num_dense,
            shapes=KernelShapes.for_capability(self.capability, self.weights_kind, self.cache_kind),
        )


def kernel_choices(
    shape: LlamaShape,
    window: int,
    num_sequences: int,
    capability: tuple[int, int],
    weights_kind: MatrixKind = MatrixKind.FLOAT,
    cache_kind: CacheKind = CacheKind.FLOAT,
) -> list[OpsChoice]:
    """What kernels may be used on a card of this capability, the fastest first."""
    has_dot, has_pdl = capability >= (8, 0), capability >= (9, 0)
    tries = dict.fromkeys([(has_dot, has_pdl), (has_dot, False), (False, False)])
    num_positions = max(window, NUM_TEST_POSITIONS)
    num_dense = DENSE_NUMBERS if weights_kind is MatrixKind.INT8 else 0
    choice = OpsChoice(
        shape,
        num_positions,
        num_sequences,
        capability,
        weights_kind=weights_kind,
        cache_kind=cache_kind,
        num_dense=num_dense,
        broken=frozenset(),
    )
    return [replace(choice, has_dot=one[0], has_pdl=one[1]) for one in tries]


def choose_ops(
    shape: LlamaShape,
    weights: LlamaWeights,
    workspace: Workspace,
    window: int,
    num_sequences: int,
    cache_kind: CacheKind = CacheKind.FLOAT,
    *,
    use_kernels: bool,
) -> OpsChoice:
    """The fastest operations that agree with the reference on a real layer."""
    num_positions = max(window, NUM_TEST_POSITIONS)
    plain = OpsChoice(shape, num_positions, num_sequences, weights_kind=weights.kind, cache_kind=cache_kind)
    if not use_kernels:
        return plain
    device, dtype = weights.embedding.device, weights.embedding.dtype
    cache = build_kv_cache(replace(shape, num_layers=1), NUM_TEST_BLOCKS, device, dtype, cache_kind)
    test = LayerTest(shape, weights, cache, workspace)
    found: list[OpsChoice] = []
    capability = torch.cuda.get_device_capability(device)
    for choice in kernel_choices(shape, window, num_sequences, capability, weights.kind, cache_kind):
        try:
            kernels = choice.kernels(cache)
            _compile_together(test, kernels, num_sequences)
            broken = _broken_ops(test, kernels, plain(cache), num_sequences)
        except Exception as error:  # whatever a compiler or a driver raises
            names = (choice.has_dot, choice.has_pdl)
            log.warning("kernels (tensor cores: %s, early launch: %s) are unusable: %s", *names, error)
            continue
        found.append(replace(choice, broken=broken))
        if not broken:
            break
    if not found:
        log.warning("running on plain torch operations, which are several times slower")
        return plain
    best = min(found, key=lambda choice: len(choice.broken or ()))
    if best.broken:
        log.warning("plain torch, which is slower, does %s", ", ".join(sorted(best.broken)))
    return best


def choose_cpu_ops(
    shape: LlamaShape,
    weights: LlamaWeights,
    workspace: Workspace,
    window: int,
    num_sequences: int,
    cache_kind: CacheKind = CacheKind.FLOAT,
    *,
    use_fast: bool = True,
    fast_ops: Callable[..., Ops] = CpuOps,
) -> Callable[[KVCache], Ops]:
    """The operations for the CPU, to be called with the cache: the fast ones, where they agree with the reference."""
    num_positions = max(window, NUM_TEST_POSITIONS)
    plain = partial(ReferenceOps, shape, num_positions=num_positions)
    fast = partial(fast_ops, shape, num_positions=num_positions)
    device, dtype = weights.embedding.device, weights.embedding.dtype
    if not use_fast or dtype != torch.float32:
        return plain
    cache = build_kv_cache(replace(shape, num_layers=1), NUM_TEST_BLOCKS, device, dtype, cache_kind)
    test = LayerTest(shape, weights, cache, workspace)
    try:
        for num_rows in _CPU_TEST_ROWS:
            if num_rows <= num_sequences:
                _require_agreement(test.compare(fast(cache), plain(cache), test.decode_spans(num_rows), is_decode=True))
    except Exception as error:  # whatever another numpy or torch may raise
        log.warning("plain torch, which is slower, is used on this CPU: %s", error)
        return plain
    return fast


def _require_agreement(differences: list[Difference]) -> None:
    for difference in differences:
        if not difference.error <= _MOST_CPU_ERROR:
            raise ArithmeticError(str(difference))


def _compile_together(test: LayerTest, kernels: "KernelOps", num_sequences: int) -> None:
    """Compile what the test will run, several kernels at a time; what can't be is left for the test to find."""
    try:
        kernels.compile_ahead(lambda: test.visit_all(kernels, num_sequences))
    except Exception as error:  # whatever a compiler or a driver raises
        log.info("kernels are compiled one by one: %s", error)


def _broken_ops(test: LayerTest, ops: Ops, reference: Ops, num_sequences: int) -> frozenset[str]:
    """The operations that differ from the reference by more than rounding; each is logged."""
    broken: set[str] = set()
    for difference in _differences(test, ops, reference, num_sequences):
        if not difference.error <= _MOST_ERROR:
            log.warning("a kernel is not used: %s", difference)
            broken.add(difference.op)
    return frozenset(broken)


def _differences(test: LayerTest, ops: Ops, reference: Ops, num_sequences: int) -> Iterator[Difference]:
    for spans, is_decode in test.passes(num_sequences):
        yield from test.compare(ops, reference, spans, is_decode=is_decode)


_NEED_A_PLAN = frozenset({"project_qkv", "attend"})
"""Operations that depend on what `prepare` derived, and in plain torch on what only the host knows."""


class MixedOps:
    """`kernels`, but for the operations named in `broken`, which `reference` does."""

    def __init__(self, kernels: Ops, reference: Ops, broken: frozenset[str]) -> None:
        self.broken = broken
        self.can_capture = kernels.can_capture and not broken & _NEED_A_PLAN
        self.can_capture_prefill = kernels.can_capture_prefill and self.can_capture
        self._kernels = kernels
        self._reference = reference

    def _of(self, op: str) -> Ops:
        return self._reference if op in self.broken else self._kernels

    def tensors(self) -> Iterator[Tensor]:
        yield from self._kernels.tensors()
        yield from self._reference.tensors()

    def tile_rows(self, num_tokens: int) -> int:
        return self._kernels.tile_rows(num_tokens)

    def prepare(self, forward: ForwardPass) -> None:
        """Both may need it; the kernels' plan is the reference's own, or nothing."""
        if self.broken & _NEED_A_PLAN:
            self._reference.prepare(forward)
        else:
            self._kernels.prepare(forward)

    def project_qkv(self, forward: ForwardPass, layer: LayerWeights, cache: Tensor) -> None:
        self._of("project_qkv").project_qkv(forward, layer, cache)

    def attend(self, forward: ForwardPass, cache: Tensor) -> None:
        self._of("attend").attend(forward, cache)

    def add_projection(self, x: Tensor, values: Tensor, weight: Matrix) -> None:
        self._of("add_projection").add_projection(x, values, weight)

    def project_gated(self, forward: ForwardPass, layer: LayerWeights) -> None:
        self._of("project_gated").project_gated(forward, layer)

    def project_head(self, forward: ForwardPass, norm: Tensor, head: Matrix, logits: Tensor) -> None:
        self._of("project_head").project_head(forward, norm, head, logits)

    def pick_greedy(self, logits: Tensor, tokens: Tensor, finite: Tensor) -> None:
        self._of("pick_greedy").pick_greedy(logits, tokens, finite)

    def sample(self, logits: Tensor, rows: SamplingRows, seen: Tensor, tokens: Tensor) -> None:
        self._of("sample").sample(logits, rows, seen, tokens)


log = logging.getLogger(__name__)


@contextmanager
def kernels_compiling(choice: OpsChoice, dtype: torch.dtype) -> Iterator[None]:
    """Compile the kernels of `choice` beside the block, and wait at its end for the rest; an error isn't held up."""
    thread = threading.Thread(target=_compile, args=(choice, dtype), name="compiler", daemon=True)
    thread.start()
    yield
    loaded_at = time.monotonic()
    thread.join()
    log.info("the weights are loaded; their kernels took %.1f s more", time.monotonic() - loaded_at)


def _compile(choice: OpsChoice, dtype: torch.dtype) -> None:
    started = time.monotonic()
    try:
        import triton  # noqa: PLC0415  (may be missing or broken)

        triton.runtime.driver.active.get_current_device()  # the driver is made once, by one thread
        compile_for_shapes(choice, dtype)
    except Exception as error:  # whatever a compiler or a driver raises
        log.info("no kernel is compiled before the weights are loaded: %s", error)
    else:
        log.info("kernels compiled in %.1f s", time.monotonic() - started)


def compile_for_shapes(choice: OpsChoice, dtype: torch.dtype) -> None:
    """Compile the kernels of `choice` for tensors of its shape; no tensor takes any memory."""
    nowhere, one_layer = torch.device("meta"), replace(choice.shape, num_layers=1)
    with torch.inference_mode():
        cache = build_kv_cache(one_layer, NUM_TEST_BLOCKS, nowhere, dtype, choice.cache_kind)
        workspace = Workspace(one_layer, MOST_TEST_TOKENS, nowhere, dtype)
        weights = empty_weights(one_layer, nowhere, dtype, choice.weights_kind)
        test = LayerTest(one_layer, weights, cache, workspace)
        kernels = choice.kernels(cache)
        kernels.compile_ahead(lambda: test.visit_all(kernels, choice.num_sequences))
