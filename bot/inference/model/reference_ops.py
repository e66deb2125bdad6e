"""The operations in plain torch: the yardstick that others are held to, and what runs where they fail.

A step costs what it costs in calls, so rows are batched: one `index_select` brings keys and values of all rows into
the layout that attention reads, and everything that all layers share is derived once per pass.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own name for it)
from torch import Tensor

from bot.inference.model.int8 import dequantise, quantise
from bot.inference.model.kv_cache import BLOCK_SIZE, KVCache
from bot.inference.model.ops import ForwardPass, Span
from bot.inference.model.rope import rope_tables
from bot.inference.model.sampler import SamplingRows, sample
from bot.inference.model.shape import LlamaShape
from bot.inference.model.weights import LayerWeights, Matrix


@dataclass(frozen=True, slots=True)
class Reading:
    """Where one attention call finds its keys and values."""

    cache_rows: Tensor
    """Rows of the layer's cache seen as [2 * blocks * kv_heads, BLOCK_SIZE * head_dim]."""
    shape: tuple[int, ...]  # (sequences, 2, heads, padded length, head_dim)
    length: int
    mask: Tensor | None
    query_rows: Tensor | None = None
    """Decode rows of several tokens: the pass's rows, sequence by sequence, each filled up by its last one."""


@dataclass(frozen=True, slots=True)
class _Plan:
    cosines: Tensor  # [n, 1, head_dim]
    sines: Tensor  # [n, 1, head_dim], the first half negated
    store_rows: Tensor  # [n * 2 * kv_heads]: rows of the cache seen as [2 * blocks * kv_heads * BLOCK_SIZE, head_dim]
    decode: Reading | None
    spans: tuple[tuple[Span, Reading], ...]


class ReferenceOps:
    """Plain torch on any device. Shapes follow the batch, so nothing can be captured in a graph."""

    can_capture = False
    can_capture_prefill = False

    def __init__(self, shape: LlamaShape, cache: KVCache, num_positions: int) -> None:
        self._shape = shape
        self._cache = cache
        cosines, sines = rope_tables(shape, num_positions, cache.blocks.device)
        self._cosines = torch.cat((cosines, cosines), dim=1).to(cache.dtype)
        self._sines = torch.cat((-sines, sines), dim=1).to(cache.dtype)
        heads = torch.arange(2 * shape.num_kv_heads, device=cache.blocks.device)
        # Row of (key or value, block 0, head) in the cache seen as [2 * blocks * kv_heads, ...].
        self._head_rows = (heads // shape.num_kv_heads) * cache.num_blocks * shape.num_kv_heads
        self._head_rows += heads % shape.num_kv_heads
        group = shape.num_heads // shape.num_kv_heads
        self._query_head_rows = self._head_rows.view(2, -1).repeat_interleave(group, dim=1).view(-1)

    def tensors(self) -> Iterator[Tensor]:
        yield from (self._cosines, self._sines, self._head_rows, self._query_head_rows)

    def tile_rows(self, num_tokens: int) -> int:
        """Never read: attention goes span by span."""
        return num_tokens

    def prepare(self, forward: ForwardPass) -> None:
        """Look up cosines and sines, and where keys and values are written and read."""
        positions = forward.positions
        blocks = torch.div(forward.kv_slots, BLOCK_SIZE, rounding_mode="floor")
        self._clean(forward)
        store = self._head_rows[None, :] + (blocks * self._shape.num_kv_heads)[:, None]
        store = store * BLOCK_SIZE + (forward.kv_slots - blocks * BLOCK_SIZE)[:, None]
        forward.plan = _Plan(
            cosines=self._cosines.index_select(0, positions)[:, None, :],
            sines=self._sines.index_select(0, positions)[:, None, :],
            store_rows=store.view(-1).long(),
            decode=self._read_decode(forward) if forward.is_decode else None,
            spans=() if forward.is_decode else tuple((span, self._read_span(forward, span)) for span in forward.spans),
        )

    def _clean(self, forward: ForwardPass) -> None:
        """Zero the blocks that are only begun: masked attention still multiplies what lies behind the last token."""
        begun = [
            (span.table_row, span.end // BLOCK_SIZE)
            for span in forward.spans
            if span.end % BLOCK_SIZE and span.start <= span.end // BLOCK_SIZE * BLOCK_SIZE
        ]
        if begun:
            table_rows, blocks = map(list, zip(*begun, strict=True))
            for tensor in self._cache.tensors():
                tensor[:, :, forward.block_tables[table_rows, blocks].long()] = 0

    def _gather_rows(self, tables: Tensor, head_rows: Tensor) -> Tensor:
        """Cache rows for block tables [sequences, blocks], ordered as [sequences, 2, heads, blocks]."""
        return (head_rows[None, :, None] + (tables * self._shape.num_kv_heads)[:, None, :]).reshape(-1)

    def _read_decode(self, forward: ForwardPass) -> Reading:
        spans, device = forward.spans, forward.positions.device
        longest, most = max(span.end for span in spans), max(span.num_rows for span in spans)
        num_blocks = -(-longest // BLOCK_SIZE)
        mask = query_rows = None
        if most > 1 or len(spans) < forward.num_rows:
            within = [span.first_row + min(number, span.num_rows - 1) for span in spans for number in range(most)]
            query_rows = torch.tensor(within, device=device)
        if most > 1 or len(spans) > 1:
            positions = forward.positions if query_rows is None else forward.positions[query_rows]
            is_seen = torch.arange(longest, device=device)[None, :] <= positions[:, None]
            group = self._shape.num_heads // self._shape.num_kv_heads if most > 1 else 1
            mask = self._mask(is_seen).view(len(spans), 1, most, longest).repeat(1, 1, group, 1)
        size = (len(spans), 2, self._shape.num_kv_heads, num_blocks * BLOCK_SIZE, self._shape.head_dim)
        tables = forward.block_tables[[span.table_row for span in spans], :num_blocks]
        return Reading(self._gather_rows(tables, self._head_rows), size, longest, mask, query_rows)

    def _mask(self, is_seen: Tensor) -> Tensor:
        """What is added to the scores: made here once, not from booleans by every attention call."""
        return torch.zeros_like(is_seen, dtype=self._cache.dtype).masked_fill_(~is_seen, float("-inf"))

    def _read_span(self, forward: ForwardPass, span: Span) -> Reading:
        num_blocks = -(-span.end // BLOCK_SIZE)
        tables = forward.block_tables[span.table_row : span.table_row + 1, :num_blocks]
        mask = None
        if span.start > 0:
            device = forward.positions.device
            queries = torch.arange(span.start, span.end, device=device)
            mask = self._mask(torch.arange(span.end, device=device)[None, :] <= queries[:, None])
        # Keys are repeated for each query head: not every attention kernel of torch's knows grouped queries.
        size = (1, 2, self._shape.num_heads, num_blocks * BLOCK_SIZE, self._shape.head_dim)
        return Reading(self._gather_rows(tables, self._query_head_rows), size, span.end, mask)

    def project_qkv(self, forward: ForwardPass, layer: LayerWeights, cache: Tensor) -> None:
        """Norm, project, rotate in place, store."""
        shape, plan = self._shape, forward.plan
        factor = layer.qkv.factor(forward.num_rows, forward.x.dtype)
        normed = self._norm(forward.x, layer.input_norm)
        if layer.qkv.bias is None:
            torch.mm(normed, factor, out=forward.qkv)
        else:
            torch.addmm(layer.qkv.bias, normed, factor, out=forward.qkv)
        heads = forward.qkv.view(forward.num_rows, -1, shape.head_dim)
        rotating = heads[:, : shape.num_heads + shape.num_kv_heads]
        swapped = torch.roll(rotating, shape.head_dim // 2, -1)
        torch.mul(rotating, plan.cosines, out=rotating)
        rotating.addcmul_(swapped, plan.sines)
        stored = heads[:, shape.num_heads :].reshape(-1, shape.head_dim)
        self._store(cache, plan.store_rows, stored)

    def _store(self, cache: Tensor, rows: Tensor, vectors: Tensor) -> None:
        """Write keys and values [n, head_dim] to the cache."""
        places = cache.view(-1, self._shape.head_dim)
        scales = self._cache.scales_of(cache)
        if scales is None:
            places.index_copy_(0, rows, vectors)
            return
        data, scale = quantise(vectors, scales.dtype)
        places.index_copy_(0, rows, data)
        scales.view(-1).index_copy_(0, rows, scale)

    def attend(self, forward: ForwardPass, cache: Tensor) -> None:
        """One attention call for all decode rows, or one for each span of a prefill."""
        plan = forward.plan
        if plan.decode is not None:
            self._attend_decode(forward, cache, plan.decode)
        for span, reading in plan.spans:
            self._attend_span(forward, cache, span, reading)

    def _attend_decode(self, forward: ForwardPass, cache: Tensor, reading: Reading) -> None:
        """The query heads that share keys lie side by side as further queries, and so do a row's tokens."""
        shape, rows = self._shape, reading.query_rows
        queries = forward.qkv[:, : shape.q_size]
        keys, values = self._keys_and_values(cache, reading)
        if rows is None:
            grouped = queries.view(forward.num_rows, shape.num_kv_heads, -1, shape.head_dim)
            out = F.scaled_dot_product_attention(grouped, keys, values, attn_mask=reading.mask)
            forward.attended.view(out.shape).copy_(out)
            return
        heads = queries[rows].view(reading.shape[0], -1, shape.num_heads, shape.head_dim).transpose(1, 2)
        grouped = heads.reshape(reading.shape[0], shape.num_kv_heads, -1, shape.head_dim)
        out = F.scaled_dot_product_attention(grouped, keys, values, attn_mask=reading.mask)
        out = out.reshape(heads.shape).transpose(1, 2).reshape(-1, shape.q_size)
        forward.attended.index_copy_(0, rows, out)

    def _attend_span(self, forward: ForwardPass, cache: Tensor, span: Span, reading: Reading) -> None:
        shape = self._shape
        within = slice(span.first_row, span.first_row + span.num_rows)
        queries = forward.qkv[within, : shape.q_size].view(1, span.num_rows, shape.num_heads, shape.head_dim)
        both = self._gather(cache, reading)[:, :, :, : reading.length]
        out = F.scaled_dot_product_attention(
            queries.transpose(1, 2),
            both[:, 0],
            both[:, 1],
            attn_mask=reading.mask,
            is_causal=reading.mask is None,
        )
        forward.attended[within].view(span.num_rows, shape.num_heads, shape.head_dim).copy_(out[0].transpose(0, 1))

    def _keys_and_values(self, cache: Tensor, reading: Reading) -> tuple[Tensor, Tensor]:
        """Those of decode rows, each [rows, heads, length, head_dim]."""
        both = self._gather(cache, reading)
        return both[:, 0, :, : reading.length], both[:, 1, :, : reading.length]

    def _gather(self, cache: Tensor, reading: Reading) -> Tensor:
        """Keys and values: [sequences, 2, heads, padded length, head_dim]."""
        blocks = cache.view(-1, BLOCK_SIZE * self._shape.head_dim)
        gathered = torch.index_select(blocks, 0, reading.cache_rows).view(reading.shape)
        scales = self._cache.scales_of(cache)
        if scales is None:
            return gathered
        scale = torch.index_select(scales.view(-1, BLOCK_SIZE), 0, reading.cache_rows).view(reading.shape[:-1])
        return dequantise(gathered, scale, self._cache.dtype)

    def add_projection(self, x: Tensor, values: Tensor, weight: Matrix) -> None:
        """The residual joins in the matrix product itself."""
        x.addmm_(values, weight.factor(len(x), x.dtype))
        if weight.bias is not None:
            x.add_(weight.bias)

    def project_gated(self, forward: ForwardPass, layer: LayerWeights) -> None:
        factor = layer.gate_up.factor(forward.num_rows, forward.x.dtype)
        torch.mm(self._norm(forward.x, layer.mlp_norm), factor, out=forward.gate_up)
        gate, up = forward.gate_up.chunk(2, dim=1)
        torch.mul(F.silu(gate), up, out=forward.activated)

    def project_head(self, forward: ForwardPass, norm: Tensor, head: Matrix, logits: Tensor) -> None:
        torch.mm(self._norm(forward.x, norm), head.factor(forward.num_rows, logits.dtype), out=logits)

    def pick_greedy(self, logits: Tensor, tokens: Tensor, finite: Tensor) -> None:
        """Two reductions over the vocabulary."""
        torch.argmax(logits, dim=1, out=tokens)
        torch.all(torch.isfinite(logits), dim=1, out=finite)

    def sample(self, logits: Tensor, rows: SamplingRows, seen: Tensor, tokens: Tensor) -> None:
        tokens.copy_(sample(logits, rows, seen))

    def _norm(self, x: Tensor, weight: Tensor) -> Tensor:
        wide = x.float()
        scale = (wide * wide).mean(1, keepdim=True).add_(self._shape.rms_norm_eps).rsqrt_()
        return (wide * scale).to(x.dtype).mul_(weight)
