"""Holds operations to the reference on a real layer, one by one, before the first token depends on them.

Each operation starts from what the reference wrote before it, so that an error is seen where it is made and nowhere
else. Every row writes a place of its own: two rows that wrote one place would leave there what came last.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bot.inference.model.int8 import dequantise, quantise
from bot.inference.model.kv_cache import BLOCK_SIZE, KVCache
from bot.inference.model.ops import ForwardPass, Ops, Span, Workspace
from bot.inference.model.sampler import SamplingRows
from bot.inference.model.shape import LlamaShape
from bot.inference.model.weights import LlamaWeights

_MOST_ROWS_NAMED = 6


@dataclass(frozen=True, slots=True)
class Difference:
    """How far one operation is from the reference: |difference| / |reference| of a tensor that it wrote."""

    op: str
    tensor: str
    error: float
    note: str = ""

    def __str__(self) -> str:
        return f"{self.op}: {self.tensor} differs by {self.error:.2g}{self.note}"


def judge(
    op: str,
    run: Callable[[Ops], None],
    ops: Ops,
    expected: dict[str, Tensor],
    written: dict[str, Callable[[], Tensor]],
) -> Difference:
    """Run the operation and find the tensor in which it is worst; one that raises is as bad as can be."""
    try:
        run(ops)
        worst = Difference(op, "nothing", 0.0)
        for name, view in written.items():
            difference = _difference(op, name, view(), expected[name])
            if not difference.error <= worst.error:  # NaN is the worst of all
                worst = difference
    except Exception as error:  # whatever a compiler or a driver raises
        return Difference(op, "nothing", float("inf"), f" ({type(error).__name__}: {str(error)[:300]})")
    return worst


def _difference(op: str, name: str, given: Tensor, expected: Tensor) -> Difference:
    given, expected = given.double(), expected.double()
    error = float((given - expected).norm() / expected.norm().clamp(min=1e-9))
    by_row = (given - expected).reshape(len(expected), -1).norm(dim=1)
    by_row = by_row / expected.reshape(len(expected), -1).norm(dim=1).clamp(min=1e-9)
    rows = by_row.nan_to_num(nan=float("inf")).topk(min(_MOST_ROWS_NAMED, len(by_row)))
    note = f" over {len(by_row)} rows; the worst: "
    note += ", ".join(f"{row} by {worst:.2g}" for worst, row in zip(*map(Tensor.tolist, rows), strict=True))
    return Difference(op, name, error, note)


NUM_TEST_BLOCKS = 13


NUM_TEST_POSITIONS = 4 * BLOCK_SIZE


_TABLES = ((3, 7, 1, 9), (2, 11, 5, 4), (8, 6, 10, 12))


_TABLE_PADDING = (0,) * 12  # sixteen columns: with fewer, kernels would be compiled once more for the real tables


_FIRST_POSITIONS = (100, 31, 64)


_PREFILLS = ((7, 50, 3), (60, 40, 20), (90, 60, 50), (128, 95, 100))


MOST_TEST_TOKENS = max(map(sum, _PREFILLS))


_PREFILL_STARTS = (0, 33, 28)


_POSITION_STRIDE = 37  # odd, so that rows of one table meet all of its positions before one comes again


_ROW_NUMBERS = (1, 2, 4, 8, 16, 17, 64)


_Stage = tuple[str, Callable[[Ops], None], dict[str, Callable[[], Tensor]]]
"""An operation's name, its call, and views of what it writes."""


class LayerTest:
    """One layer, a workspace and a cache whose first `NUM_TEST_BLOCKS` blocks may be overwritten."""

    def __init__(self, shape: LlamaShape, weights: LlamaWeights, cache: KVCache, workspace: Workspace) -> None:
        self._shape = shape
        self._weights = weights
        self._cache = cache.blocks[0]
        self._used = tuple(tensor[0][:, :NUM_TEST_BLOCKS] for tensor in cache.tensors())
        self._workspace = workspace
        self._device = cache.blocks.device

    def passes(self, num_sequences: int) -> list[tuple[tuple[Span, ...], bool]]:
        """Decode passes of up to `num_sequences` rows and prefill passes: their spans, and whether they decode."""
        decodes = [(self.decode_spans(number), True) for number in _ROW_NUMBERS if number <= num_sequences]
        return [*decodes, *((spans, False) for spans in self.prefill_passes())]

    def decode_spans(self, num_rows: int) -> tuple[Span, ...]:
        """Up to 64 rows on three block tables, each at a position of its own."""
        return tuple(
            Span(row, 1, (_FIRST_POSITIONS[row % 3] + row // 3 * _POSITION_STRIDE) % NUM_TEST_POSITIONS, row % 3)
            for row in range(num_rows)
        )

    def prefill_passes(self) -> list[tuple[Span, ...]]:
        """Passes of various sizes, each of a new prompt and two that continue a prefix."""
        return [tuple(_pack(lengths)) for lengths in _PREFILLS if sum(lengths) <= self._workspace.num_rows]

    def visit_all(self, ops: Ops, num_sequences: int) -> None:
        """Call every operation of every pass once, whatever comes of it."""
        for spans, is_decode in self.passes(num_sequences):
            self.visit(ops, spans, is_decode=is_decode)

    def visit(self, ops: Ops, spans: Sequence[Span], *, is_decode: bool) -> None:
        """Call every operation of a pass once, whatever comes of it."""
        rows = self._pass(ops, tuple(spans), is_decode=is_decode)
        ops.prepare(rows)
        logits, picked, sampled = self._outputs(rows.num_rows)
        for _op, run, _written in self._stages(rows, logits, picked, sampled):
            run(ops)

    def compare(self, ops: Ops, reference: Ops, spans: Sequence[Span], *, is_decode: bool) -> list[Difference]:
        """What each operation makes of the same inputs as the reference; one entry for each, in their order."""
        rows = self._pass(ops, tuple(spans), is_decode=is_decode)
        kept = [tensor.clone() for tensor in self._used]
        try:
            return self._compare(ops, reference, rows)
        finally:
            for tensor, before in zip(self._used, kept, strict=True):
                tensor.copy_(before)

    def _compare(self, ops: Ops, reference: Ops, forward: ForwardPass) -> list[Difference]:
        reference.prepare(forward)
        reference_plan = forward.plan
        ops.prepare(forward)
        plan = forward.plan
        self._fill_cache()
        logits, picked, sampled = self._outputs(forward.num_rows)
        state = [forward.x, forward.qkv, forward.attended, forward.activated, *self._used, logits, *picked, *sampled]
        found = []
        for op, run, written in self._stages(forward, logits, picked, sampled):
            before = [tensor.clone() for tensor in state]
            forward.plan = reference_plan
            run(reference)
            after = [tensor.clone() for tensor in state]
            expected = {name: view().clone() for name, view in written.items()}
            for tensor, value in zip(state, before, strict=True):
                tensor.copy_(value)
            forward.plan = plan
            found.append(judge(op, run, ops, expected, written))
            for tensor, value in zip(state, after, strict=True):
                tensor.copy_(value)
        return found

    def _stages(
        self,
        forward: ForwardPass,
        logits: Tensor,
        picked: tuple[Tensor, Tensor],
        sampled: tuple[Tensor, Tensor],
    ) -> list[_Stage]:
        """The operations in the order of a layer: name, call, what it writes."""
        layer, cache = self._weights.layers[0], self._cache
        given = self._awkward(logits)
        sampling = self._sampling(forward.num_rows)
        num_kept = self._shape.q_size if forward.is_decode or forward.num_rows <= 64 else self._shape.qkv_size
        in_layer: list[_Stage] = [
            (
                "project_qkv",
                lambda ops: ops.project_qkv(forward, layer, cache),
                {"queries": lambda: forward.qkv[:, :num_kept], "cache": self._stored},
            ),
            ("attend", lambda ops: ops.attend(forward, cache), {"attended": lambda: forward.attended}),
            (
                "add_projection",
                lambda ops: ops.add_projection(forward.x, forward.attended, layer.output),
                {"residual": lambda: forward.x},
            ),
            ("project_gated", lambda ops: ops.project_gated(forward, layer), {"activated": lambda: forward.activated}),
            (
                "add_projection",
                lambda ops: ops.add_projection(forward.x, forward.activated, layer.down),
                {"residual": lambda: forward.x},
            ),
        ]
        after_layers: list[_Stage] = [
            (
                "project_head",
                lambda ops: ops.project_head(forward, self._weights.norm, self._weights.head, logits),
                {"logits": lambda: logits},
            ),
            (
                "pick_greedy",
                lambda ops: ops.pick_greedy(given, *picked),
                {"tokens": lambda: picked[0], "finite": lambda: picked[1]},
            ),
            (
                "sample",
                lambda ops: ops.sample(given, sampling, *sampled),
                {"seen": lambda: sampled[0], "tokens": lambda: sampled[1]},
            ),
        ]
        return in_layer + after_layers if forward.is_decode else in_layer

    def _fill_cache(self) -> None:
        blocks, *scales = self._used
        if scales:
            blocks[:], scales[0][:] = quantise(self._random(blocks.shape, torch.float32, seed=1), scales[0].dtype)
        else:
            blocks.copy_(self._random(blocks.shape, blocks.dtype, seed=1))

    def _stored(self) -> Tensor:
        """The cache's numbers, but for those that padding wrote."""
        blocks, *scales = (tensor[:, 1:] for tensor in self._used)
        return dequantise(blocks, scales[0], torch.float32) if scales else blocks

    def _outputs(self, num_rows: int) -> tuple[Tensor, tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        vocab_size, dtype = self._shape.vocab_size, self._workspace.rows(1)["x"].dtype
        logits = torch.full((num_rows, vocab_size), float("nan"), device=self._device, dtype=dtype)
        seen = self._random((num_rows, vocab_size), torch.float32, seed=3) > 1
        return (
            logits,
            (self._ints([-1] * num_rows).long(), seen[:, 0].clone()),
            (seen, self._ints([-1] * num_rows).long()),
        )

    def _awkward(self, logits: Tensor) -> Tensor:
        """Logits of rows with a tie, an infinity and nothing special."""
        given = self._random(logits.shape, logits.dtype, seed=2)
        given[0, 3:7] = given.max() + 1
        if len(given) > 1:
            given[-1, 5] = float("-inf")
        return given

    def _sampling(self, num_rows: int) -> SamplingRows:
        """Every filter on in some row, off in another."""
        rows = torch.arange(num_rows, device=self._device)
        return SamplingRows(
            slots=rows,
            positions=rows + 5,
            seeds=rows * 7919 - 3,
            temperatures=((rows + 1) % 4).float() * 0.4,
            top_ps=1 - (rows % 3).float() * 0.2,
            top_ks=(rows % 5) * 11,
            penalties=1 + (rows % 2).float() * 0.3,
        )

    def _pass(self, ops: Ops, spans: tuple[Span, ...], *, is_decode: bool) -> ForwardPass:
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
        block_tables = [_TABLES[span.table_row] + _TABLE_PADDING for span in spans]
        return ForwardPass(
            **buffers,
            positions=self._ints(positions),
            kv_slots=self._ints(slots),
            block_tables=self._ints(block_tables),
            is_decode=is_decode,
            tiles=self._ints([*_cut(spans, ops.tile_rows(num_rows)), (0, 0, 0, 0, 0)]),
            spans=tuple(Span(s.first_row, 1, s.start, s.first_row) for s in spans) if is_decode else spans,
        )

    def _ints(self, values: object) -> Tensor:
        return torch.tensor(values, dtype=torch.int32, device=self._device)

    def _random(self, size: Sequence[int], dtype: torch.dtype, seed: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        return torch.randn(tuple(size), generator=generator).to(self._device, dtype)


def _pack(lengths: Sequence[int]) -> Iterator[Span]:
    first = 0
    for number, (length, start) in enumerate(zip(lengths, _PREFILL_STARTS, strict=True)):
        yield Span(first, length, start, number)
        first += length


def _cut(spans: Sequence[Span], tile_rows: int) -> list[tuple[int, ...]]:
    return [
        (span.first_row + at, min(tile_rows, span.num_rows - at), span.start + at, span.table_row, span.start)
        for span in spans
        for at in range(0, span.num_rows, tile_rows)
    ]
