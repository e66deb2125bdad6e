"""Kernels for what they do right on this card, plain torch for the rest."""

from torch import Tensor

from bot.inference.ops import Ops, Pass
from bot.inference.sampler import SamplingRows
from bot.inference.weights import LayerWeights

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

    def tile_rows(self, num_tokens: int) -> int:
        """As the kernels have it."""
        return self._kernels.tile_rows(num_tokens)

    def prepare(self, rows: Pass) -> None:
        """Both may need it; the kernels' plan is the reference's own, or nothing."""
        if self.broken & _NEED_A_PLAN:
            self._reference.prepare(rows)
        else:
            self._kernels.prepare(rows)

    def project_qkv(self, rows: Pass, layer: LayerWeights, cache: Tensor) -> None:
        """Hand on."""
        self._of("project_qkv").project_qkv(rows, layer, cache)

    def attend(self, rows: Pass, cache: Tensor) -> None:
        """Hand on."""
        self._of("attend").attend(rows, cache)

    def add_projection(self, x: Tensor, values: Tensor, weight: Tensor) -> None:
        """Hand on."""
        self._of("add_projection").add_projection(x, values, weight)

    def project_gated(self, rows: Pass, layer: LayerWeights) -> None:
        """Hand on."""
        self._of("project_gated").project_gated(rows, layer)

    def project_head(self, rows: Pass, norm: Tensor, head: Tensor, logits: Tensor) -> None:
        """Hand on."""
        self._of("project_head").project_head(rows, norm, head, logits)

    def pick_greedy(self, logits: Tensor, tokens: Tensor, finite: Tensor) -> None:
        """Hand on."""
        self._of("pick_greedy").pick_greedy(logits, tokens, finite)

    def sample(self, logits: Tensor, rows: SamplingRows, seen: Tensor, tokens: Tensor) -> None:
        """Hand on."""
        self._of("sample").sample(logits, rows, seen, tokens)
