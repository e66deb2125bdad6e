"""The operations on the CPU in float32, with as few calls as can be.

Half of a small model's decode step is the cost of calls: each finds its code and data pushed out of the near caches by
the weights that went through them, and takes 2 to 10 microseconds for what it computes in one. So products and
attention are torch's, single calls that they are; what is small in between is numpy's, over the same memory, by views
that are there already. Prompts, whose rows are many, are computed as the reference does.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  (torch's own name for it)
from numpy.typing import NDArray
from torch import Tensor

from bot.inference.model.int8 import dequantise, quantise
from bot.inference.model.kv_cache import BLOCK_SIZE, KVCache
from bot.inference.model.ops import ForwardPass
from bot.inference.model.reference_ops import Reading, ReferenceOps
from bot.inference.model.running_copy import KEPT_BYTES, RunningCopy
from bot.inference.model.shape import LlamaShape
from bot.inference.model.weights import FEW_ROWS, LayerWeights, Matrix, MatrixKind

_Floats = NDArray[np.float32]
_WIDE_NUMBERS = 256 * 1024
"""Of a matrix in eight bits, so many are made floats at a time, and stay in a core's own cache."""


@dataclass(frozen=True, slots=True)
class _Views:
    """A pass's buffers, as decode passes of that many rows see them."""

    addresses: tuple[int, ...]
    """Of the buffers: elsewhere these views mean nothing."""
    x: _Floats
    normed: _Floats
    rotating: _Floats
    """Queries and keys, each in two halves: [n, heads, 2, head_dim / 2]."""
    halves_swapped: _Floats
    """The same, the second half first."""
    scratch: _Floats
    """As large as they are."""
    keys_and_values: _Floats  # [n, 2, kv_heads, head_dim]
    queries: Tensor  # [n, kv_heads, group, head_dim]
    attended: _Floats  # the same
    gate: Tensor
    up: Tensor


@dataclass(slots=True)
class _DecodePlan:
    """What the layers of a decode pass share."""

    cosines: _Floats
    sines: _Floats
    places: tuple[object, ...]
    """Of the tokens in a layer of the cache."""
    mask: Tensor | None
    decode: Reading | None
    """Where the cache's blocks are gathered from, once somebody asks."""
    spans: tuple[()] = ()
    layer: int = 0
    """The one under way."""


class CpuOps(ReferenceOps):
    """Decode passes by numpy and few calls of torch's; all else as the reference does it."""

    def __init__(
        self,
        shape: LlamaShape,
        cache: KVCache,
        num_positions: int,
        kept_bytes: int = KEPT_BYTES,
        wide_numbers: int = _WIDE_NUMBERS,
    ) -> None:
        super().__init__(shape, cache, num_positions)
        self._wide = torch.empty(max(wide_numbers, shape.hidden_size, shape.q_size, shape.intermediate_size))
        halves = (num_positions, 1, 2, shape.head_dim // 2)
        self._cosine_table = self._cosines.numpy().reshape(halves)
        self._sine_table = self._sines.numpy().reshape(halves)
        self._blocks = list(cache.blocks.numpy())
        self._running = RunningCopy(cache, kept_bytes)
        self._views: dict[int, _Views] = {}
        """By the number of rows."""
        self._factors: dict[int, tuple[Matrix, Tensor, Tensor]] = {}
        """Of each matrix that is stored as floats, what one row or many are multiplied with, and what a few are."""
        self._norms: dict[int, tuple[Tensor, _Floats]] = {}
        """Of each norm's weights, themselves as numpy has them."""

    def prepare(self, forward: ForwardPass) -> None:
        if not forward.is_decode:
            self._running.forget()
            super().prepare(forward)
            return
        self._clean(forward)
        longest = max([span.end for span in forward.spans])
        self._running.follow(forward, longest)
        forward.plan = self._plan(forward, longest)

    def _plan(self, forward: ForwardPass, longest: int) -> _DecodePlan:
        positions, slots = forward.positions.numpy(), forward.kv_slots.numpy()
        blocks: object
        offsets: object
        if len(slots) == 1:
            blocks, offsets = divmod(int(slots[0]), BLOCK_SIZE)
        else:
            blocks, offsets = slots // BLOCK_SIZE, slots % BLOCK_SIZE
        has_one_each = len(forward.spans) == len(positions)
        mask = None
        if has_one_each and any(span.end != longest for span in forward.spans):
            is_hidden = np.arange(longest) > positions[:, None, None, None]
            mask = torch.from_numpy(np.where(is_hidden, np.float32(-np.inf), np.float32(0)))
        return _DecodePlan(
            cosines=self._cosine_table[positions],
            sines=self._sine_table[positions],
            places=(slice(None), blocks, slice(None), offsets),
            mask=mask,
            decode=None if has_one_each else self._read_decode(forward),
        )

    def _views_of(self, forward: ForwardPass) -> _Views:
        """Made once for each number of rows, as long as the buffers stay where they are."""
        x, normed, qkv, attended, gate_up = forward.x, forward.normed, forward.qkv, forward.attended, forward.gate_up
        addresses = (x.data_ptr(), normed.data_ptr(), qkv.data_ptr(), attended.data_ptr(), gate_up.data_ptr())
        num_rows = len(x)
        found = self._views.get(num_rows)
        if found is not None and found.addresses == addresses:
            return found
        shape = self._shape
        array = qkv.numpy()
        heads = array.reshape(num_rows, -1, 2, shape.head_dim // 2)
        rotating = heads[:, : shape.num_heads + shape.num_kv_heads]
        grouped = (num_rows, shape.num_kv_heads, -1, shape.head_dim)
        gate, up = gate_up.chunk(2, dim=1)
        self._views[num_rows] = found = _Views(
            addresses=addresses,
            x=x.numpy(),
            normed=normed.numpy(),
            rotating=rotating,
            halves_swapped=rotating[:, :, ::-1],
            scratch=np.empty(rotating.shape, np.float32),
            keys_and_values=array[:, shape.q_size :].reshape(num_rows, 2, shape.num_kv_heads, shape.head_dim),
            queries=qkv[:, : shape.q_size].view(grouped),
            attended=attended.numpy().reshape(grouped),
            gate=gate,
            up=up,
        )
        return found

    def project_qkv(self, forward: ForwardPass, layer: LayerWeights, cache: Tensor) -> None:
        plan = forward.plan
        if not isinstance(plan, _DecodePlan):
            super().project_qkv(forward, layer, cache)
            return
        views = self._views_of(forward)
        self._norm_into(views.x, layer.input_norm, views.normed)
        self._multiply(forward.normed, layer.qkv, forward.qkv)
        np.multiply(views.halves_swapped, plan.sines, out=views.scratch)
        np.multiply(views.rotating, plan.cosines, out=views.rotating)
        np.add(views.rotating, views.scratch, out=views.rotating)
        plan.layer = self._cache.layer_number(cache)
        self._running.add(plan.layer, self._store_tokens(plan.layer, plan.places, views.keys_and_values))

    def _store_tokens(self, layer: int, places: tuple[object, ...], tokens: _Floats) -> _Floats:
        """Write keys and values to the cache, and return them as they will be read."""
        if self._cache.scales is None:
            self._blocks[layer][places] = tokens[0] if len(tokens) == 1 else tokens
            return tokens
        data, scale = quantise(torch.from_numpy(tokens), self._cache.scales.dtype)
        one = 0 if len(tokens) == 1 else slice(None)
        self._blocks[layer][places] = data.numpy()[one]
        self._cache.scales.numpy()[layer][places] = scale.numpy()[one]
        return dequantise(data, scale, self._cache.dtype).numpy()

    def attend(self, forward: ForwardPass, cache: Tensor) -> None:
        plan = forward.plan
        if not isinstance(plan, _DecodePlan):
            super().attend(forward, cache)
            return
        kept = self._running.read(plan.layer)
        if kept is None or plan.decode is not None:
            plan.decode = plan.decode or self._read_decode(forward)
            if plan.decode.query_rows is not None:
                self._attend_decode(forward, cache, plan.decode)
                return
            kept = kept or self._keys_and_values(cache, plan.decode)
        views = self._views_of(forward)
        out = F.scaled_dot_product_attention(views.queries, *kept, attn_mask=plan.mask)
        views.attended[...] = out.numpy()

    def _keys_and_values(self, cache: Tensor, reading: Reading) -> tuple[Tensor, Tensor]:
        """Kept from the step before, or gathered."""
        layer = self._cache.layer_number(cache)
        if (kept := self._running.read(layer)) is not None:
            return kept
        both = self._gather(cache, reading)
        self._running.keep(layer, both)
        return both[:, 0, :, : reading.length], both[:, 1, :, : reading.length]

    def add_projection(self, x: Tensor, values: Tensor, weight: Matrix) -> None:
        if weight.kind is not MatrixKind.FLOAT:
            x.add_(self._multiply(values, weight, torch.empty_like(x)))
            return
        x.addmm_(values, self._factor(weight, len(x)))
        if weight.bias is not None:
            x.add_(weight.bias)

    def project_gated(self, forward: ForwardPass, layer: LayerWeights) -> None:
        if not forward.is_decode:
            super().project_gated(forward, layer)
            return
        views = self._views_of(forward)
        self._norm_into(views.x, layer.mlp_norm, views.normed)
        self._multiply(forward.normed, layer.gate_up, forward.gate_up)
        torch.mul(F.silu(views.gate), views.up, out=forward.activated)

    def project_head(self, forward: ForwardPass, norm: Tensor, head: Matrix, logits: Tensor) -> None:
        views = self._views_of(forward)
        self._norm_into(views.x, norm, views.normed)
        self._multiply(forward.normed, head, logits)

    def pick_greedy(self, logits: Tensor, tokens: Tensor, finite: Tensor) -> None:
        array = logits.numpy()
        np.argmax(array, axis=1, out=tokens.numpy())
        np.isfinite(array).all(axis=1, out=finite.numpy())

    def _norm_into(self, x: _Floats, weight: Tensor, normed: _Floats) -> None:
        width, eps = x.shape[1], self._shape.rms_norm_eps
        scales = [(square / width + eps) ** -0.5 for square in np.vecdot(x, x).tolist()]
        found = self._norms.get(id(weight))
        if found is None:
            self._norms[id(weight)] = found = (weight, weight.numpy())
        np.multiply(x, scales[0] if len(x) == 1 else np.array(scales, np.float32)[:, None], out=normed)
        np.multiply(normed, found[1], out=normed)

    def _multiply(self, values: Tensor, matrix: Matrix, out: Tensor) -> Tensor:
        """Write the matrix's products to `out` [n, out], its bias added, and return it."""
        if matrix.scale is None:
            factor = self._factor(matrix, len(values))
            if matrix.bias is None:
                return torch.mm(values, factor, out=out)
            return torch.addmm(matrix.bias, values, factor, out=out)
        height, width = matrix.data.shape
        num_rows = max(len(self._wide) // width, 1)
        for first in range(0, height, num_rows):
            some = matrix.data[first : first + num_rows]
            wide = self._wide[: some.numel()].view(some.shape).copy_(some)
            torch.mm(values, wide.t(), out=out[:, first : first + num_rows])
        out.mul_(matrix.scale)
        return out if matrix.bias is None else out.add_(matrix.bias)

    def _factor(self, matrix: Matrix, num_rows: int) -> Tensor:
        """What so many rows are multiplied with; a view, kept."""
        found = self._factors.get(id(matrix))
        if found is None:
            found = (matrix, matrix.factor(1, self._cache.dtype), matrix.factor(FEW_ROWS, self._cache.dtype))
            self._factors[id(matrix)] = found
        return found[2] if 1 < num_rows <= FEW_ROWS else found[1]
