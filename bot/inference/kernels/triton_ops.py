"""The operations as Triton kernels and cuBLAS products, chosen by the number of rows.

One row: matrix-vector kernels, fused with what stands around them. A few: skinny products on tensor cores, which read
weights faster than cuBLAS and do what follows. More: cuBLAS with small kernels between.
"""

from collections.abc import Callable, Iterator

import torch
import triton
from torch import Tensor

from bot.inference.kernels import attention, gemv, int8_gemv, pointwise, sampling
from bot.inference.kernels.dot_launch import DotAttention
from bot.inference.kernels.eight_bit_cache import EightBitCache, KVTarget
from bot.inference.kernels.launch import KernelLauncher
from bot.inference.kernels.packed_launch import PackedAttention
from bot.inference.kernels.products import DenseProducts, SkinnyProducts, Values
from bot.inference.kernels.tiles import KernelShapes, Tile
from bot.inference.kernels.wide_sampler import WideSampler
from bot.inference.model.kv_cache import BLOCK_SIZE, KVCache
from bot.inference.model.ops import ForwardPass
from bot.inference.model.reference_ops import ReferenceOps
from bot.inference.model.rope import rope_tables
from bot.inference.model.sampler import SamplingRows
from bot.inference.model.shape import LlamaShape
from bot.inference.model.weights import LayerWeights, Matrix, MatrixKind


class KernelOps:
    """Triton where it pays, on one CUDA device (or in Triton's interpreter).

    Args:
        has_dot: the card has tensor cores that Triton can use (sm_80 and above).
        has_pdl: the card can launch a kernel before the one ahead of it has ended (sm_90 and above).
        kind: what the weights' matrices are.
        num_dense: of how many numbers a matrix in eight bits is made floats at a time; 0 where there is none.
    """

    def __init__(
        self,
        shape: LlamaShape,
        cache: KVCache,
        num_positions: int,
        max_num_sequences: int,
        *,
        has_dot: bool,
        has_pdl: bool,
        kind: MatrixKind = MatrixKind.FLOAT,
        num_dense: int = 0,
        shapes: KernelShapes | None = None,
    ) -> None:
        device = cache.blocks.device
        self.can_capture = True
        self.can_capture_prefill = has_dot
        self.shapes = shapes or KernelShapes()
        self._shape = shape
        self._launcher = KernelLauncher(device, has_pdl=has_pdl)
        self._run = self._launcher.run
        self._num_multiprocessors = _count_multiprocessors(device)
        is_skinny = has_dot and cache.dtype == torch.float16
        self._skinny = SkinnyProducts(shape, self.shapes, self._launcher, device, kind) if is_skinny else None
        self._dense = DenseProducts(self._launcher, num_dense, device, cache.dtype)
        self._packed_attention = None
        if is_skinny and self.shapes.packed and cache.scales is None:
            self._packed_attention = PackedAttention(shape, cache, self.shapes.packed, self._launcher)
        self._eps = shape.rms_norm_eps
        self._cosines, self._sines = rope_tables(shape, num_positions, device)
        self._reference = None if has_dot else ReferenceOps(shape, cache, num_positions)
        self._dot_attention = (
            DotAttention(shape, cache, self.shapes, self._launcher, max_num_sequences) if has_dot else None
        )
        self._wide_sampler = None
        if shape.vocab_size > self.shapes.most_sampled_alone:
            self._wide_sampler = WideSampler(
                self._launcher, device,
                num_rows=max_num_sequences, vocab_size=shape.vocab_size, chunk=self.shapes.sampled_chunk,
            )  # fmt: skip
        # Strides are numbers: half a layer's cache is where its values begin.
        self._cache_half = cache.num_blocks * shape.kv_size * BLOCK_SIZE
        self._scales_of = cache.scales_of
        self._eight_bit = None if cache.scales is None else EightBitCache(shape, cache, self._launcher)
        self._dim_block = triton.next_power_of_2(shape.head_dim)
        parts = max_num_sequences * shape.num_heads * self._most_splits(max_num_sequences)
        self._partial_sums = torch.zeros(parts * self._dim_block, dtype=torch.float32, device=device)
        self._partial_scales = torch.zeros(parts * 2, dtype=torch.float32, device=device)
        self._arrivals = torch.zeros(max_num_sequences * shape.num_heads, dtype=torch.int32, device=device)

    def _most_splits(self, max_num_sequences: int) -> int:
        """Shares per row that the scratch for all rows has to hold."""
        return max(-(-self.shapes.split(n).shares * n // max_num_sequences) for n in range(1, max_num_sequences + 1))

    def tensors(self) -> Iterator[Tensor]:
        """Tables and scratch memory, its parts' too."""
        yield from (self._cosines, self._sines, self._partial_sums, self._partial_scales, self._arrivals)
        parts = (self._dense, self._skinny, self._dot_attention, self._wide_sampler, self._eight_bit, self._reference)
        for part in parts:
            if part is not None:
                yield from part.tensors()

    def tile_rows(self, num_tokens: int) -> int:
        """Queries of a prefill attention program."""
        if self._packed_attention and self._packed_attention.takes(num_tokens):
            return self._packed_attention.tile.tokens
        return self.shapes.prefill_tile(num_tokens).tokens

    def compile_ahead(self, visit: Callable[[], None]) -> None:
        """Compile the kernels that `visit` calls, several at a time; they don't run, so what it computes is void."""
        self._launcher.compile_ahead(visit)

    def prepare(self, forward: ForwardPass) -> None:
        """Nothing, but where prefill attention is torch's."""
        if self._reference is not None and not forward.is_decode:
            self._reference.prepare(forward)

    def project_qkv(self, forward: ForwardPass, layer: LayerWeights, cache: Tensor) -> None:
        """Norm, project, rotate, store: one kernel, or two, or three around cuBLAS; one more stores in eight bits."""
        if self._eight_bit:
            self._project_qkv(forward, layer, self._eight_bit.beside_queries(forward))
            self._eight_bit.store(forward, cache)
        else:
            self._project_qkv(forward, layer, KVTarget(cache, forward.kv_slots, self._cache_half, BLOCK_SIZE))

    def _project_qkv(self, forward: ForwardPass, layer: LayerWeights, target: KVTarget) -> None:
        if forward.is_decode and self._is_vector(forward.x, layer.qkv):
            self._gemv_qkv(forward, layer, target)
            return
        tile = self._skinny and self._skinny.qkv_tile(forward.num_rows)
        if self._skinny and tile:
            values = self._normed(forward, layer.input_norm, layer.qkv)
            rotation = (self._cosines, self._sines, forward.positions)
            self._skinny.project_qkv(tile, values, layer.qkv, forward.qkv, rotation, target)
        else:
            self._norm(forward.x, layer.input_norm, forward.normed)
            self._dense.project(forward.normed, layer.qkv, forward.qkv)
            self._rotate_and_store(forward, layer.qkv.bias, target)

    def _gemv_qkv(self, forward: ForwardPass, layer: LayerWeights, target: KVTarget) -> None:
        shape = self._shape
        kernel = gemv.gemv_qkv_kernel if layer.qkv.scale is None else int8_gemv.int8_gemv_qkv_kernel
        grid, numbers, constants = self._gemv_launch(self.shapes.gemv_qkv, layer.qkv, shape.qkv_size // 2)
        self._run(
            kernel, grid,
            forward.x, layer.input_norm, *numbers, layer.qkv.bias, forward.qkv, target.cache,
            self._cosines, self._sines, forward.positions, target.slots, target.half, self._eps,
            WIDTH=shape.hidden_size, HEADS=shape.num_heads, KV_HEADS=shape.num_kv_heads, HEAD_DIM=shape.head_dim,
            BLOCK_SIZE=target.block_size, **constants,
        )  # fmt: skip

    def _rotate_and_store(self, forward: ForwardPass, bias: Tensor | None, target: KVTarget) -> None:
        shape, block_heads = self._shape, 32
        grid = (forward.num_rows, triton.cdiv(shape.num_heads + 2 * shape.num_kv_heads, block_heads))
        self._run(
            pointwise.rotate_and_store_kernel, grid,
            forward.qkv, bias, target.cache, self._cosines, self._sines, forward.positions, target.slots, target.half,
            HEADS=shape.num_heads, KV_HEADS=shape.num_kv_heads, HEAD_DIM=shape.head_dim,
            HALF_BLOCK=triton.next_power_of_2(shape.head_dim // 2), BLOCK_SIZE=target.block_size,
            BLOCK_HEADS=block_heads, KEEPS_ALL=not forward.is_decode and self._eight_bit is None, num_warps=4,
        )  # fmt: skip

    def attend(self, forward: ForwardPass, cache: Tensor) -> None:
        """Over the block tables, without gathering; torch's attention for a prefill without tensor cores."""
        if forward.is_decode:
            if not (self._dot_attention and self._dot_attention.attend_decode(forward, cache)):
                self._attend_decode(forward, cache)
        elif self._packed_attention and self._packed_attention.takes(forward.num_rows):
            self._packed_attention.attend(forward, cache)
        elif self._dot_attention:
            self._dot_attention.attend_prefill(forward, cache)
        elif self._reference is not None:
            self._reference.attend(forward, cache)

    def _attend_decode(self, forward: ForwardPass, cache: Tensor) -> None:
        shape, split = self._shape, self.shapes.split(forward.num_rows)
        self._run(
            attention.decode_attention_kernel, (forward.num_rows, shape.num_heads, split.shares),
            forward.qkv, cache, self._scales_of(cache), forward.block_tables, forward.positions, forward.attended,
            self._partial_sums, self._partial_scales, self._arrivals, self._cache_half, forward.block_tables.stride(0),
            shape.head_dim**-0.5,
            HEADS=shape.num_heads, KV_HEADS=shape.num_kv_heads, HEAD_DIM=shape.head_dim, DIM_BLOCK=self._dim_block,
            BLOCK_SIZE=BLOCK_SIZE, SPLITS=split.shares, LEAST=split.blocks, STAGES=split.num_stages,
            num_warps=split.num_warps,
        )  # fmt: skip

    def add_projection(self, x: Tensor, values: Tensor, weight: Matrix) -> None:
        """The residual joins in the kernel, or in cuBLAS's own sum."""
        self._add_product(x, values, weight)
        if weight.bias is not None:
            x.add_(weight.bias)

    def _add_product(self, x: Tensor, values: Tensor, weight: Matrix) -> None:
        if self._is_vector(x, weight):
            is_down = weight.data.shape[1] == self._shape.intermediate_size
            tile = self.shapes.gemv_down if is_down else self.shapes.gemv_output
            self._gemv(tile, values, None, weight, x, x)
            return
        skinny_tile = self._skinny and self._skinny.add_tile(x.shape[0], weight)
        if self._skinny and skinny_tile:
            whole = Values(values, None, len(x)) if weight.scale is None else self._skinny.halves(values, None)
            self._skinny.add(skinny_tile, x, whole, weight)
        else:
            self._dense.add(x, values, weight)

    def _gemv(
        self, tile: Tile, values: Tensor, norm: Tensor | None, weight: Matrix, residual: Tensor | None, out: Tensor
    ) -> None:
        out_width, width = weight.data.shape
        kernel = gemv.gemv_kernel if weight.scale is None else int8_gemv.int8_gemv_kernel
        grid, numbers, constants = self._gemv_launch(tile, weight, out_width)
        self._run(
            kernel, grid,
            values, norm, *numbers, residual, out, self._eps, WIDTH=width, OUT_WIDTH=out_width, **constants,
        )  # fmt: skip

    def project_gated(self, forward: ForwardPass, layer: LayerWeights) -> None:
        """Norm, project, gate: one kernel, or two, or two around cuBLAS."""
        if self._is_vector(forward.x, layer.gate_up):
            self._gemv_gated(forward, layer)
            return
        tile = self._skinny and self._skinny.gated_tile(forward.num_rows)
        if self._skinny and tile:
            values = self._normed(forward, layer.mlp_norm, layer.gate_up)
            self._skinny.project_gated(tile, values, layer.gate_up, forward.activated)
        else:
            self._norm(forward.x, layer.mlp_norm, forward.normed)
            self._dense.project(forward.normed, layer.gate_up, forward.gate_up)
            self._silu_mul(forward)

    def _gemv_gated(self, forward: ForwardPass, layer: LayerWeights) -> None:
        width, out_width = self._shape.hidden_size, self._shape.intermediate_size
        kernel = gemv.gemv_gated_kernel if layer.gate_up.scale is None else int8_gemv.int8_gemv_gated_kernel
        grid, numbers, constants = self._gemv_launch(self.shapes.gemv_gated, layer.gate_up, out_width)
        self._run(
            kernel, grid,
            forward.x, layer.mlp_norm, *numbers, forward.activated, self._eps,
            WIDTH=width, OUT_WIDTH=out_width, **constants,
        )  # fmt: skip

    def _silu_mul(self, forward: ForwardPass) -> None:
        width = self._shape.intermediate_size
        block = min(1024, triton.next_power_of_2(width))
        self._run(
            pointwise.silu_mul_kernel, (forward.num_rows, triton.cdiv(width, block)),
            forward.gate_up, forward.activated, WIDTH=width, BLOCK=block, num_warps=4,
        )  # fmt: skip

    def project_head(self, forward: ForwardPass, norm: Tensor, head: Matrix, logits: Tensor) -> None:
        if self._is_vector(forward.x, head):
            self._gemv(self.shapes.gemv_head, forward.x, norm, head, None, logits)
            return
        tile = self._skinny and self._skinny.head_tile(forward.num_rows, head)
        if self._skinny and tile:
            self._skinny.project_head(tile, self._normed(forward, norm, head), head, logits)
        else:
            self._norm(forward.x, norm, forward.normed)
            self._dense.project(forward.normed, head, logits)

    def pick_greedy(self, logits: Tensor, tokens: Tensor, finite: Tensor) -> None:
        """One program for each row."""
        width = logits.shape[1]
        self._run(
            sampling.greedy_kernel, (logits.shape[0],),
            logits, tokens, finite, WIDTH=width, BLOCK=min(32768, triton.next_power_of_2(width)), num_warps=16,
        )  # fmt: skip

    def sample(self, logits: Tensor, rows: SamplingRows, seen: Tensor, tokens: Tensor) -> None:
        """One program for each row, or several for a large vocabulary; without a sort."""
        if self._wide_sampler:
            self._wide_sampler.sample(logits, rows, seen, tokens)
            return
        width = logits.shape[1]
        self._run(
            sampling.sample_kernel, (logits.shape[0],),
            logits, rows.slots, rows.positions, rows.seeds, rows.temperatures, rows.top_ps, rows.top_ks, rows.penalties,
            seen, tokens, WIDTH=width, BLOCK=triton.next_power_of_2(width), num_warps=16,
        )  # fmt: skip

    def _normed(self, forward: ForwardPass, norm: Tensor, weight: Matrix) -> Values:
        """The residual stream, normed, as skinny products with this weight take it."""
        if self._skinny and weight.scale is not None:
            return self._skinny.halves(forward.x, norm)
        self._norm(forward.x, norm, forward.normed)
        return Values(forward.normed, None, forward.num_rows)

    def _norm(self, x: Tensor, weight: Tensor, out: Tensor) -> None:
        width = x.shape[1]
        self._run(
            pointwise.rms_norm_kernel, (x.shape[0],),
            x, weight, out, self._eps, WIDTH=width, BLOCK=triton.next_power_of_2(width), num_warps=4,
        )  # fmt: skip

    def _is_vector(self, x: Tensor, weight: Matrix) -> bool:
        """One row, for matrix-vector kernels; those over eight-bit weights are not exact enough for float32."""
        return len(x) == 1 and (weight.scale is None or x.dtype != torch.float32)

    def _gemv_launch(
        self, tile: Tile, weight: Matrix, num_outputs: int
    ) -> tuple[tuple[int], tuple[Tensor, ...], dict[str, int]]:
        """A matrix-vector kernel's programs, the weight as it takes it, and its constants."""
        block = triton.next_power_of_2(weight.data.shape[1])
        if weight.scale is None:
            constants = {"BLOCK_N": tile.rows, "BLOCK_K": min(tile.columns, block), "num_warps": tile.num_warps}
            return (triton.cdiv(num_outputs, tile.rows),), (weight.data,), constants
        num_rows = max(1, min(tile.rows, tile.rows * tile.columns // block))  # a program has rows as a whole
        num_programs = min(triton.cdiv(num_outputs, num_rows), tile.programs * self._num_multiprocessors)
        constants = {"BLOCK_N": num_rows, "BLOCK_K": block, "num_warps": tile.num_warps}
        return (num_programs,), (weight.data.view(torch.int32), weight.scale), constants


def _count_multiprocessors(device: torch.device) -> int:
    return torch.cuda.get_device_properties(device).multi_processor_count if device.type == "cuda" else 1
