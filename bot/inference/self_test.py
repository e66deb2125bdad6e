"""Holds one kind of operations to another on a real layer, before the first token depends on it."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from bot.inference.kv_cache import BLOCK_SIZE, KVCache
from bot.inference.loading import LlamaShape
from bot.inference.ops import Ops, Pass, Span, Workspace
from bot.inference.weights import LlamaWeights

NUM_TEST_BLOCKS = 13
_TABLES = ((3, 7, 1, 9), (2, 11, 5, 4), (8, 6, 10, 12))
_DECODE_POSITIONS = (100, 31, 64)


@dataclass(frozen=True, slots=True)
class Written:
    """Everything that a layer and the head write."""

    queries: Tensor
    cache: Tensor
    attended: Tensor
    residual: Tensor
    activated: Tensor
    out: Tensor
    logits: Tensor
    tokens: Tensor
    finite: Tensor


class LayerTest:
    """One layer, a workspace and a cache whose first `NUM_TEST_BLOCKS` blocks may be overwritten."""

    def __init__(self, shape: LlamaShape, weights: LlamaWeights, cache: KVCache, workspace: Workspace) -> None:
        self._shape = shape
        self._weights = weights
        self._blocks = cache.blocks[:1]
        self._workspace = workspace
        self._device = cache.blocks.device

    def decode_spans(self, num_rows: int) -> tuple[Span, ...]:
        """`num_rows` rows that stand at various positions; later ones repeat the first rows' blocks."""
        return tuple(Span(row, 1, _DECODE_POSITIONS[row % 3], row % 3) for row in range(num_rows))

    def prefill_spans(self) -> tuple[Span, ...]:
        """A new prompt, and two that continue a prefix."""
        return (Span(0, 7, 0, 0), Span(7, 50, 33, 1), Span(57, 3, 95, 2))

    def worst_error(self, ops: Ops, reference: Ops, spans: Sequence[Span], *, is_decode: bool) -> tuple[str, float]:
        """The tensor in which `ops` differs most from `reference`, and by how much: |difference| / |reference|."""
        wanted = self.run(reference, spans, is_decode=is_decode)
        found = self.run(ops, spans, is_decode=is_decode)
        worst = ("nothing", 0.0)
        for name in (field.name for field in fields(Written)):
            expected, given = getattr(wanted, name).double(), getattr(found, name).double()
            error = float((given - expected).norm() / expected.norm().clamp(min=1e-9))
            if not error <= worst[1]:  # NaN is the worst of all
                worst = (name, error)
        return worst

    def run(self, ops: Ops, spans: Sequence[Span], *, is_decode: bool) -> Written:
        """Run layer 0 and the head on the same random tokens every time."""
        rows = self._pass(ops, tuple(spans), is_decode=is_decode)
        used = self._blocks[:, :, :NUM_TEST_BLOCKS]
        before = used.clone()
        ops.prepare(rows)
        used.copy_(self._random(used.shape, used.dtype, seed=1))
        written = self._run_layer(ops, rows, used[0])
        used.copy_(before)
        return written

    def _run_layer(self, ops: Ops, rows: Pass, used: Tensor) -> Written:
        layer, cache = self._weights.layers[0], self._blocks[0]
        ops.project_qkv(rows, layer, cache)
        queries, stored = rows.qkv[:, : self._shape.q_size].clone(), used[:, 1:].clone()
        ops.attend(rows, cache)
        attended = rows.attended.clone()
        ops.add_projection(rows.x, rows.attended, layer.output)
        residual = rows.x.clone()
        ops.project_gated(rows, layer)
        activated = rows.activated.clone()
        ops.add_projection(rows.x, rows.activated, layer.down)
        out = rows.x.clone()
        logits = torch.full_like(out[:, :1], float("nan")).repeat(1, self._shape.vocab_size)
        ops.project_head(rows, self._weights.norm, self._weights.head, logits)
        return Written(queries, stored, attended, residual, activated, out, logits, *self._pick(ops, logits))

    def _pick(self, ops: Ops, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Greedy tokens of rows with a tie, an infinity and nothing special, the same for all operations."""
        given = self._random(logits.shape, logits.dtype, seed=2)
        given[0, 3:7] = given.max() + 1
        if len(given) > 1:
            given[-1, 5] = float("-inf")
        tokens = torch.full((len(given),), -1, dtype=torch.int64, device=self._device)
        finite = torch.zeros(len(given), dtype=torch.bool, device=self._device)
        ops.pick_greedy(given, tokens, finite)
        return tokens, finite

    def _pass(self, ops: Ops, spans: tuple[Span, ...], *, is_decode: bool) -> Pass:
        num_rows = sum(span.num_rows for span in spans)
        buffers = self._workspace.rows(num_rows)
        for buffer in buffers.values():
            buffer.fill_(float("nan"))
        buffers["x"].copy_(self._random(buffers["x"].shape, buffers["x"].dtype, seed=0))
        positions = [position for span in spans for position in range(span.start, span.end)]
        tables = [_TABLES[span.table_row] for span in spans for _ in range(span.num_rows)]
        slots = [
            table[position // BLOCK_SIZE] * BLOCK_SIZE + position % BLOCK_SIZE
            for table, position in zip(tables, positions, strict=True)
        ]
        decode_tables = [_TABLES[span.table_row] for span in spans] if is_decode else _TABLES
        return Pass(
            **buffers,
            positions=self._ints(positions),
            kv_slots=self._ints(slots),
            block_tables=self._ints(decode_tables),
            is_decode=is_decode,
            tiles=self._ints([*_cut(spans, ops.tile_rows(num_rows)), (0, 0, 0, 0)]),
            spans=tuple(Span(s.first_row, 1, s.start, s.first_row) for s in spans) if is_decode else spans,
        )

    def _ints(self, values: object) -> Tensor:
        return torch.tensor(values, dtype=torch.int32, device=self._device)

    def _random(self, size: Sequence[int], dtype: torch.dtype, seed: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        return torch.randn(tuple(size), generator=generator).to(self._device, dtype)


def _cut(spans: Sequence[Span], tile_rows: int) -> list[tuple[int, int, int, int]]:
    return [
        (span.first_row + at, min(tile_rows, span.num_rows - at), span.start + at, span.table_row)
        for span in spans
        for at in range(0, span.num_rows, tile_rows)
    ]
