"""The operations as Triton kernels and cuBLAS products, chosen by the number of rows.

One row: matrix-vector kernels, fused with what stands around them. More: cuBLAS with small kernels between, but for the
narrow products of a few rows, where a skinny product on tensor cores reads weights faster.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import torch
import triton
from torch import Tensor

from bot.inference import dot_kernels as dot
from bot.inference import gemv_kernels as gemv
from bot.inference import kernels, sampling_kernel
from bot.inference.kernel_shapes import KernelShapes, Tile, first_fitting
from bot.inference.kv_cache import BLOCK_SIZE, KVCache
from bot.inference.loading import LlamaShape
from bot.inference.ops import Pass
from bot.inference.reference_ops import ReferenceOps
from bot.inference.rope import rope_tables
from bot.inference.sampler import SamplingRows
from bot.inference.weights import LayerWeights


class KernelOps:
    """Triton where it pays, on one CUDA device (or in Triton's interpreter).

    Args:
        has_dot: the card has tensor cores that Triton can use (sm_80 and above).
        has_pdl: the card can launch a kernel before the one ahead of it has ended (sm_90 and above).
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
        shapes: KernelShapes | None = None,
    ) -> None:
        device = cache.blocks.device
        self.can_capture = True
        self.can_capture_prefill = has_dot
        self.shapes = shapes or KernelShapes()
        self._shape = shape
        self._has_dot = has_dot
        self._launch = {"PDL": has_pdl, "launch_pdl": has_pdl}
        self._calls: dict[object, Callable[[], object]] | None = None
        self._device = device
        self._eps = shape.rms_norm_eps
        self._cosines, self._sines = rope_tables(shape, num_positions, device)
        self._reference = None if has_dot else ReferenceOps(shape, cache, num_positions)
        # Strides are numbers: half a layer's cache is where its values begin.
        self._cache_half = cache.num_blocks * shape.kv_size * BLOCK_SIZE
        self._dim_block = triton.next_power_of_2(shape.head_dim)
        parts = max_num_sequences * shape.num_heads * self._most_splits(max_num_sequences)
        self._partial_sums = torch.zeros(parts * self._dim_block, dtype=torch.float32, device=device)
        self._partial_scales = torch.zeros(parts * 2, dtype=torch.float32, device=device)
        self._arrivals = torch.zeros(max_num_sequences * shape.num_heads, dtype=torch.int32, device=device)

    def _most_splits(self, max_num_sequences: int) -> int:
        """Shares per row that the scratch for all rows has to hold."""
        return max(-(-self.shapes.split(n).shares * n // max_num_sequences) for n in range(1, max_num_sequences + 1))

    def tile_rows(self, num_tokens: int) -> int:
        """Rows of a prefill attention program."""
        return self.shapes.prefill_tile(num_tokens).rows

    def compile_ahead(self, visit: Callable[[], None]) -> None:
        """Compile the kernels that `visit` calls, several at a time; they don't run, so what it computes is void."""
        self._calls = {}
        try:
            visit()
            calls = list(self._calls.values())
        finally:
            self._calls = None
        if self._device.type == "cuda":
            triton.runtime.driver.active.get_current_device()  # the driver is made once, by one thread
        with ThreadPoolExecutor(min(16, os.cpu_count() or 1), initializer=self._enter_device) as threads:
            list(threads.map(_compile, calls))

    def _enter_device(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.set_device(self._device)

    def _run(self, kernel: Any, grid: tuple[int, ...], *arguments: object, **constants: object) -> None:
        """Launch a kernel, or note it for `compile_ahead`."""
        if self._calls is None:
            kernel[grid](*arguments, **constants, **self._launch)
        else:
            key = (kernel, *sorted(constants.items()))
            self._calls[key] = partial(kernel.run, *arguments, grid=grid, warmup=True, **constants, **self._launch)

    def prepare(self, rows: Pass) -> None:
        """Nothing, but where prefill attention is torch's."""
        if self._reference is not None and not rows.is_decode:
            self._reference.prepare(rows)

    def project_qkv(self, rows: Pass, layer: LayerWeights, cache: Tensor) -> None:
        """Norm, project, rotate, store: one kernel, or three around cuBLAS."""
        if rows.is_decode and rows.num_rows == 1:
            self._gemv_qkv(rows, layer, cache)
        else:
            self._norm(rows.x, layer.input_norm, rows.normed)
            torch.mm(rows.normed, layer.qkv.t(), out=rows.qkv)
            self._rotate_and_store(rows, cache)

    def _gemv_qkv(self, rows: Pass, layer: LayerWeights, cache: Tensor) -> None:
        shape, tile = self._shape, self.shapes.gemv_qkv
        self._run(
            gemv.gemv_qkv_kernel, (triton.cdiv(shape.qkv_size // 2, tile.rows),),
            rows.x, layer.input_norm, layer.qkv, rows.qkv, cache, self._cosines, self._sines, rows.positions,
            rows.kv_slots, self._cache_half, self._eps,
            WIDTH=shape.hidden_size, HEADS=shape.num_heads, KV_HEADS=shape.num_kv_heads, HEAD_DIM=shape.head_dim,
            BLOCK_SIZE=BLOCK_SIZE, BLOCK_N=tile.rows, BLOCK_K=_columns(tile, shape.hidden_size),
            num_warps=tile.num_warps,
        )  # fmt: skip

    def _rotate_and_store(self, rows: Pass, cache: Tensor) -> None:
        shape, block_heads = self._shape, 32
        grid = (rows.num_rows, triton.cdiv(shape.num_heads + 2 * shape.num_kv_heads, block_heads))
        self._run(
            kernels.rotate_and_store_kernel, grid,
            rows.qkv, cache, self._cosines, self._sines, rows.positions, rows.kv_slots, self._cache_half,
            HEADS=shape.num_heads, KV_HEADS=shape.num_kv_heads, HEAD_DIM=shape.head_dim,
            HALF_BLOCK=triton.next_power_of_2(shape.head_dim // 2), BLOCK_SIZE=BLOCK_SIZE, BLOCK_HEADS=block_heads,
            num_warps=4,
        )  # fmt: skip

    def attend(self, rows: Pass, cache: Tensor) -> None:
        """Over the block tables, without gathering; torch's attention for a prefill without tensor cores."""
        if rows.is_decode:
            self._attend_decode(rows, cache)
        elif self._reference is not None:
            self._reference.attend(rows, cache)
        else:
            self._attend_prefill(rows, cache)

    def _attend_decode(self, rows: Pass, cache: Tensor) -> None:
        shape, split = self._shape, self.shapes.split(rows.num_rows)
        self._run(
            kernels.decode_attention_kernel, (rows.num_rows, shape.num_heads, split.shares),
            rows.qkv, cache, rows.block_tables, rows.positions, rows.attended, self._partial_sums,
            self._partial_scales, self._arrivals, self._cache_half, rows.block_tables.stride(0), shape.head_dim**-0.5,
            HEADS=shape.num_heads, KV_HEADS=shape.num_kv_heads, HEAD_DIM=shape.head_dim, DIM_BLOCK=self._dim_block,
            BLOCK_SIZE=BLOCK_SIZE, SPLITS=split.shares, STAGES=split.num_stages, num_warps=split.num_warps,
        )  # fmt: skip

    def _attend_prefill(self, rows: Pass, cache: Tensor) -> None:
        shape, tiles = self._shape, rows.tiles
        assert tiles is not None  # noqa: S101  (every prefill pass has them)
        tile = self.shapes.prefill_tile(rows.num_rows)
        self._run(
            dot.prefill_attention_kernel, (tiles.shape[0], shape.num_heads),
            rows.qkv, cache, rows.block_tables, tiles, rows.attended, self._cache_half, rows.block_tables.stride(0),
            shape.head_dim**-0.5,
            HEADS=shape.num_heads, KV_HEADS=shape.num_kv_heads, HEAD_DIM=shape.head_dim, DIM_BLOCK=self._dim_block,
            BLOCK_SIZE=BLOCK_SIZE, BLOCK_M=tile.rows, BLOCK_N=tile.columns, STAGES=tile.num_stages,
            PRECISION="tf32" if rows.x.dtype == torch.float16 else "ieee", num_warps=tile.num_warps,
        )  # fmt: skip

    def add_projection(self, x: Tensor, values: Tensor, weight: Tensor) -> None:
        """The residual joins in the kernel, or in cuBLAS's own sum."""
        out_width, width = weight.shape
        is_down = width == self._shape.intermediate_size
        if x.shape[0] == 1:
            tile = self.shapes.gemv_down if is_down else self.shapes.gemv_output
            self._run(
                gemv.gemv_add_kernel, (triton.cdiv(out_width, tile.rows),),
                x, values, weight, WIDTH=width, OUT_WIDTH=out_width, BLOCK_N=tile.rows,
                BLOCK_K=_columns(tile, width), num_warps=tile.num_warps,
            )  # fmt: skip
            return
        skinny = first_fitting(self.shapes.skinny_down if is_down else self.shapes.skinny_output, x.shape[0])
        if skinny is None or not self._has_dot or x.dtype != torch.float16 or out_width % skinny.rows != 0:
            x.addmm_(values, weight.t())
            return
        self._run(
            dot.skinny_add_kernel, (out_width // skinny.rows,),
            x, values, weight, x.shape[0], WIDTH=width, OUT_WIDTH=out_width, BLOCK_M=_row_block(x.shape[0]),
            BLOCK_N=skinny.rows, BLOCK_K=skinny.columns, STAGES=skinny.num_stages,
            AHEAD=min(self.shapes.skinny_lines_ahead, 1 << (width // 64).bit_length() - 1), num_warps=skinny.num_warps,
        )  # fmt: skip

    def project_gated(self, rows: Pass, layer: LayerWeights) -> None:
        """Norm, project, gate: one kernel, or two around cuBLAS."""
        width, out_width = self._shape.hidden_size, self._shape.intermediate_size
        tile = self.shapes.gemv_gated
        if rows.num_rows == 1:
            self._run(
                gemv.gemv_gated_kernel, (triton.cdiv(out_width, tile.rows),),
                rows.x, layer.mlp_norm, layer.gate_up, rows.activated, self._eps, WIDTH=width, OUT_WIDTH=out_width,
                BLOCK_N=tile.rows, BLOCK_K=_columns(tile, width), num_warps=tile.num_warps,
            )  # fmt: skip
            return
        self._norm(rows.x, layer.mlp_norm, rows.normed)
        torch.mm(rows.normed, layer.gate_up.t(), out=rows.gate_up)
        block = min(1024, triton.next_power_of_2(out_width))
        self._run(
            kernels.silu_mul_kernel,
            (rows.num_rows, triton.cdiv(out_width, block)),
            rows.gate_up,
            rows.activated,
            WIDTH=out_width,
            BLOCK=block,
            num_warps=4,
        )

    def project_head(self, rows: Pass, norm: Tensor, head: Tensor, logits: Tensor) -> None:
        """Norm, project."""
        out_width, width = head.shape
        tile = self.shapes.gemv_head
        if rows.num_rows == 1:
            self._run(
                gemv.gemv_head_kernel, (triton.cdiv(out_width, tile.rows),),
                rows.x, norm, head, logits, self._eps, WIDTH=width, OUT_WIDTH=out_width, BLOCK_N=tile.rows,
                BLOCK_K=_columns(tile, width), num_warps=tile.num_warps,
            )  # fmt: skip
            return
        self._norm(rows.x, norm, rows.normed)
        torch.mm(rows.normed, head.t(), out=logits)

    def pick_greedy(self, logits: Tensor, tokens: Tensor, finite: Tensor) -> None:
        """One program for each row."""
        width = logits.shape[1]
        self._run(
            kernels.greedy_kernel, (logits.shape[0],),
            logits, tokens, finite, WIDTH=width, BLOCK=min(32768, triton.next_power_of_2(width)), num_warps=16,
        )  # fmt: skip

    def sample(self, logits: Tensor, rows: SamplingRows, seen: Tensor, tokens: Tensor) -> None:
        """One program for each row, without a sort."""
        width = logits.shape[1]
        self._run(
            sampling_kernel.sample_kernel, (logits.shape[0],),
            logits, rows.slots, rows.positions, rows.seeds, rows.temperatures, rows.top_ps, rows.top_ks, rows.penalties,
            seen, tokens, WIDTH=width, BLOCK=triton.next_power_of_2(width), num_warps=16,
        )  # fmt: skip

    def _norm(self, x: Tensor, weight: Tensor, out: Tensor) -> None:
        width = x.shape[1]
        self._run(
            kernels.rms_norm_kernel,
            (x.shape[0],),
            x,
            weight,
            out,
            self._eps,
            WIDTH=width,
            BLOCK=triton.next_power_of_2(width),
            num_warps=4,
        )


def _compile(call: Callable[[], object]) -> object:
    """Compile a kernel, and the launcher that is built and loaded when its `run` is first asked for."""
    return getattr(call(), "run", None)


def _columns(tile: Tile, width: int) -> int:
    return min(tile.columns, 1 << (width - 1).bit_length())


def _row_block(num_rows: int) -> int:
    return max(16, 1 << (num_rows - 1).bit_length())
