"""Chooses the operations that a card runs on: what agrees with the reference on a real layer, the fastest first."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from bot.inference.kv_cache import KVCache, build_kv_cache
from bot.inference.loading import LlamaShape
from bot.inference.mixed_ops import MixedOps
from bot.inference.ops import Ops, Workspace
from bot.inference.reference_ops import ReferenceOps
from bot.inference.self_test import NUM_TEST_BLOCKS, NUM_TEST_POSITIONS, Difference, LayerTest
from bot.inference.weights import LlamaWeights

if TYPE_CHECKING:
    from bot.inference.kernel_ops import KernelOps

log = logging.getLogger(__name__)

_MOST_ERROR = 0.02
_ROW_NUMBERS = (1, 2, 4, 8, 16, 17, 64)


@dataclass(frozen=True, slots=True)
class OpsChoice:
    """Which operations this card gets; called with the cache, it makes them."""

    shape: LlamaShape
    num_positions: int
    num_sequences: int
    has_dot: bool = False
    has_pdl: bool = False
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
        """The kernels alone."""
        from bot.inference.kernel_ops import KernelOps  # noqa: PLC0415  (triton may be missing or broken)
        from bot.inference.kernel_shapes import KernelShapes  # noqa: PLC0415

        return KernelOps(
            self.shape,
            cache,
            self.num_positions,
            self.num_sequences,
            has_dot=self.has_dot,
            has_pdl=self.has_pdl,
            shapes=KernelShapes.for_capability(torch.cuda.get_device_capability(cache.blocks.device)),
        )


def choose_ops(
    shape: LlamaShape,
    weights: LlamaWeights,
    workspace: Workspace,
    window: int,
    num_sequences: int,
    *,
    use_kernels: bool,
) -> OpsChoice:
    """The fastest operations that agree with the reference on a real layer."""
    plain = OpsChoice(shape, max(window, NUM_TEST_POSITIONS), num_sequences)
    if not use_kernels:
        return plain
    device, dtype = weights.embedding.device, weights.embedding.dtype
    cache = build_kv_cache(replace(shape, num_layers=1), NUM_TEST_BLOCKS, device, dtype)
    test = LayerTest(shape, weights, cache, workspace)
    reference = plain(cache)
    capability = torch.cuda.get_device_capability(device)
    tries = [(capability >= (8, 0), capability >= (9, 0)), (capability >= (8, 0), False), (False, False)]
    found: list[OpsChoice] = []
    for has_dot, has_pdl in dict.fromkeys(tries):
        choice = replace(plain, has_dot=has_dot, has_pdl=has_pdl, broken=frozenset())
        try:
            kernels = choice.kernels(cache)
            _compile_ahead(test, kernels, num_sequences)
            broken = _broken_ops(test, kernels, reference, num_sequences)
        except Exception as error:  # whatever a compiler or a driver raises
            log.warning("kernels (tensor cores: %s, early launch: %s) are unusable: %s", has_dot, has_pdl, error)
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


def _compile_ahead(test: LayerTest, kernels: "KernelOps", num_sequences: int) -> None:
    """Compile what the test will run, several kernels at a time; what can't be is left for the test to find."""

    def visit() -> None:
        for num_rows in _ROW_NUMBERS:
            if num_rows <= num_sequences:
                test.visit(kernels, test.decode_spans(num_rows), is_decode=True)
        for spans in test.prefill_passes():
            test.visit(kernels, spans, is_decode=False)

    try:
        kernels.compile_ahead(visit)
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
    for num_rows in _ROW_NUMBERS:
        if num_rows <= num_sequences:
            yield from test.compare(ops, reference, test.decode_spans(num_rows), is_decode=True)
    for spans in test.prefill_passes():
        yield from test.compare(ops, reference, spans, is_decode=False)
