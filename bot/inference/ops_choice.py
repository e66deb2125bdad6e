"""Chooses the operations that a card runs on: what agrees with the reference on a real layer, the fastest first."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from bot.inference.difference import Difference
from bot.inference.kv_cache import KVCache, build_kv_cache
from bot.inference.loading import LlamaShape
from bot.inference.mixed_ops import MixedOps
from bot.inference.ops import Ops, Workspace
from bot.inference.reference_ops import ReferenceOps
from bot.inference.self_test import NUM_TEST_BLOCKS, NUM_TEST_POSITIONS, LayerTest
from bot.inference.weights import LlamaWeights

if TYPE_CHECKING:
    from bot.inference.kernel_ops import KernelOps

log = logging.getLogger(__name__)

_MOST_ERROR = 0.02


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
            shapes=KernelShapes.for_capability(self.capability),
        )


def kernel_choices(shape: LlamaShape, window: int, num_sequences: int, capability: tuple[int, int]) -> list[OpsChoice]:
    """What kernels may be used on a card of this capability, the fastest first."""
    has_dot, has_pdl = capability >= (8, 0), capability >= (9, 0)
    tries = dict.fromkeys([(has_dot, has_pdl), (has_dot, False), (False, False)])
    num_positions = max(window, NUM_TEST_POSITIONS)
    return [OpsChoice(shape, num_positions, num_sequences, capability, *one, broken=frozenset()) for one in tries]


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
    found: list[OpsChoice] = []
    for choice in kernel_choices(shape, window, num_sequences, torch.cuda.get_device_capability(device)):
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
