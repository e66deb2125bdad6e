"""What a forward pass asks of its arithmetic: seven operations, and the tensors they work on.

The model is one code path; the operations are injected. `ReferenceOps` is plain torch (the yardstick), `CpuOps` is
faster on the CPU, `KernelOps` is Triton and cuBLAS. Everything a pass writes lies in a workspace, allocated once.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from bot.inference.model.sampler import SamplingRows
from bot.inference.model.shape import LlamaShape
from bot.inference.model.weights import LayerWeights, Matrix


@dataclass(frozen=True, slots=True)
class Span:
    """The rows of one sequence within a pass."""

    first_row: int
    num_rows: int
    start: int
    """Position of its first row; everything before it is in the cache already."""
    table_row: int
    """Its row of the pass's block tables."""

    @property
    def end(self) -> int:
        """Position after its last row, which is the number of keys it attends to."""
        return self.start + self.num_rows


@dataclass(slots=True)
class ForwardPass:
    """One forward pass over `n` tokens: where they stand, and the workspace rows for them."""

    x: Tensor  # [n, hidden]: the residual stream
    normed: Tensor  # [n, hidden]
    qkv: Tensor  # [n, q_size + 2 * kv_size]
    attended: Tensor  # [n, q_size]
    gate_up: Tensor  # [n, 2 * intermediate]
    activated: Tensor  # [n, intermediate]
    positions: Tensor  # [n]
    kv_slots: Tensor  # [n]: block * BLOCK_SIZE + offset, where each token's key and value go
    block_tables: Tensor  # [sequences, max_blocks]
    is_decode: bool
    """Row i has block table i; rows beside each other, with the same table, may be tokens of one sequence."""
    tiles: Tensor | None = None
    """Prefill kernels only: [tiles, 5] of first row, rows, position of the first row, table row, and the position of
    the sequence's first row in this pass, before which everything is in the cache."""
    spans: tuple[Span, ...] = ()
    """What the host knows of the rows; empty while a graph is captured."""
    plan: Any = None
    """What the ops derived from the rest, once for all layers."""

    @property
    def num_rows(self) -> int:
        """Tokens, padding included."""
        return self.x.shape[0]


class Workspace:
    """The buffers behind every pass, for up to `num_rows` tokens."""

    NAMES = ("x", "normed", "qkv", "attended", "gate_up", "activated")

    def __init__(self, shape: LlamaShape, num_rows: int, device: torch.device, dtype: torch.dtype) -> None:
        self.num_rows = num_rows
        self._buffers = {
            name: torch.zeros((num_rows, width), device=device, dtype=dtype)
            for name, width in zip(self.NAMES, workspace_widths(shape), strict=True)
        }

    def rows(self, num_rows: int) -> dict[str, Tensor]:
        """The leading rows of every buffer."""
        return {name: buffer[:num_rows] for name, buffer in self._buffers.items()}

    def tensors(self) -> tuple[Tensor, ...]:
        """What it takes on the device."""
        return tuple(self._buffers.values())

    def clear(self) -> None:
        """Make it numbers again, which padding rows then are for ever."""
        for buffer in self._buffers.values():
            buffer.zero_()


def workspace_widths(shape: LlamaShape) -> tuple[int, ...]:
    """Columns of each workspace buffer, in the order of `Workspace.NAMES`."""
    hidden, intermediate = shape.hidden_size, shape.intermediate_size
    return (hidden, hidden, shape.qkv_size, shape.q_size, 2 * intermediate, intermediate)


class Ops(Protocol):
    """The arithmetic of a decoder layer. Each writes into the pass's buffers and returns nothing."""

    @property
    def can_capture(self) -> bool:
        """Decode passes can be captured in CUDA graphs: nothing depends on what only the host knows."""
        ...

    @property
    def can_capture_prefill(self) -> bool:
        """The same of prefill passes."""
        ...

    def tensors(self) -> Iterator[Tensor]:
        """What they keep on a card beside weights and cache: tables, and scratch memory that means nothing at rest."""
        ...

    def tile_rows(self, num_tokens: int) -> int:
        """How many query rows a tile of the prefill attention takes in a pass of `num_tokens`."""
        ...

    def prepare(self, forward: ForwardPass) -> None:
        """Derive what all layers share (`forward.plan`)."""
        ...

    def project_qkv(self, forward: ForwardPass, layer: LayerWeights, cache: Tensor) -> None:
        """Norm `x`, project it, rotate queries and keys, store keys and values; queries stay in `qkv`, and in passes of
        more than 64 tokens of prompts all three.
        """
        ...

    def attend(self, forward: ForwardPass, cache: Tensor) -> None:
        """Causal attention of the queries over their sequences' cached keys and values, into `attended`."""
        ...

    def add_projection(self, x: Tensor, values: Tensor, weight: Matrix) -> None:
        """`x += values @ weight.T`, in place."""
        ...

    def project_gated(self, forward: ForwardPass, layer: LayerWeights) -> None:
        """Norm `x`, project it to gates and ups, `activated = silu(gate) * up`."""
        ...

    def project_head(self, forward: ForwardPass, norm: Tensor, head: Matrix, logits: Tensor) -> None:
        """`logits = norm(x) @ head.T` for every row of the pass."""
        ...

    def pick_greedy(self, logits: Tensor, tokens: Tensor, finite: Tensor) -> None:
        """The first largest logit of each row, and whether all of the row's logits are finite."""
        ...

    def sample(self, logits: Tensor, rows: SamplingRows, seen: Tensor, tokens: Tensor) -> None:
        """Draw a token for each row under its own parameters, and mark it in `seen`, as `sampler.sample` does."""
        ...
