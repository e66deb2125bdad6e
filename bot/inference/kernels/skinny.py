# ruff: noqa: N803, N806, D403 - Triton's constants are in capitals, and a kernel is one function
# mypy: ignore-errors
"""Skinny products on tensor cores (tl.dot, sm_80 and above): a few rows times a large weight, each weight read once.

Weights are the first operand and rows the second, so that Hopper multiplies weights where they landed in shared memory.
Each kernel fuses what stands behind its product: rotation and storage, gating, the residual. The widths must divide by
the tiles; `SkinnyProducts` sees to it. Weights are floats like the values, or int8 with a scale for each output; floats
have none (`scale` is None).
"""

import triton
import triton.language as tl
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait

from bot.inference.kernels.int8 import widened
from bot.inference.kernels.pointwise import store_rotated


@triton.jit
def _pair_of_products(
    values, weight, scale, first_rows, second_rows, num_rows,
    WIDTH: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr, STAGES: tl.constexpr,
    PDL: tl.constexpr,
):  # fmt: skip
    """values @ weight[rows].T for up to BLOCK_M rows of values and two sets of BLOCK_N rows of the weight."""
    rows = tl.arange(0, BLOCK_M)
    columns = tl.arange(0, BLOCK_K)
    source = values + rows[:, None] * WIDTH + columns[None, :]
    first = weight + first_rows[:, None].to(tl.int64) * WIDTH + columns[None, :]
    second = weight + second_rows[:, None].to(tl.int64) * WIDTH + columns[None, :]
    first_sums = tl.zeros([BLOCK_N, BLOCK_M], dtype=tl.float32)
    second_sums = tl.zeros([BLOCK_N, BLOCK_M], dtype=tl.float32)
    if PDL:
        gdc_wait()
        gdc_launch_dependents()
    for start in tl.range(0, WIDTH, BLOCK_K, num_stages=STAGES):
        first_tile = widened(tl.load(first + start), values.dtype.element_ty)
        second_tile = widened(tl.load(second + start), values.dtype.element_ty)
        value = tl.trans(tl.load(source + start, mask=(rows < num_rows)[:, None], other=0.0))
        first_sums = tl.dot(first_tile, value, first_sums)
        second_sums = tl.dot(second_tile, value, second_sums)
    if scale is not None:
        first_sums *= tl.load(scale + first_rows)[:, None]
        second_sums *= tl.load(scale + second_rows)[:, None]
    return tl.trans(first_sums), tl.trans(second_sums)


@triton.jit(do_not_specialize=["num_rows"])
def skinny_qkv_kernel(
    values, weight, scale, qkv, cache, cosines, sines, positions, kv_slots, cache_half, num_rows,
    WIDTH: tl.constexpr, HEADS: tl.constexpr, KV_HEADS: tl.constexpr, HEAD_DIM: tl.constexpr,
    BLOCK_SIZE: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr,
    STAGES: tl.constexpr, PDL: tl.constexpr,
):  # fmt: skip
    """Project normed rows, rotate, store keys and values; one program for BLOCK_N pairs (d, d + HEAD_DIM / 2)."""
    HALF: tl.constexpr = HEAD_DIM // 2
    pairs = tl.program_id(0) * BLOCK_N + tl.arange(0, BLOCK_N)
    heads, dims = pairs // HALF, pairs % HALF
    low_rows = heads * HEAD_DIM + dims
    low, high = _pair_of_products(
        values, weight, scale, low_rows, low_rows + HALF, num_rows, WIDTH, BLOCK_M, BLOCK_N, BLOCK_K, STAGES, PDL
    )  # fmt: skip
    rows = tl.arange(0, BLOCK_M)[:, None]
    inside = (rows < num_rows) & (pairs >= 0)[None, :]
    angle = tl.load(positions + rows, mask=rows < num_rows, other=0) * HALF + dims[None, :]
    slot = tl.load(kv_slots + rows, mask=rows < num_rows, other=0)
    store_rotated(
        low, high, rows, slot, heads[None, :], dims[None, :], inside, qkv, cache, tl.load(cosines + angle),
        tl.load(sines + angle), cache_half, HEADS, KV_HEADS, HEAD_DIM, BLOCK_SIZE,
    )  # fmt: skip


@triton.jit(do_not_specialize=["num_rows"])
def skinny_gated_kernel(
    values, weight, scale, out, num_rows,
    WIDTH: tl.constexpr, OUT_WIDTH: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr, STAGES: tl.constexpr, PDL: tl.constexpr,
):  # fmt: skip
    """out = silu(gate) * up of normed rows; one program for BLOCK_N gates and their ups."""
    rows = tl.arange(0, BLOCK_M)[:, None]
    columns = tl.program_id(0) * BLOCK_N + tl.arange(0, BLOCK_N)
    gate, up = _pair_of_products(
        values, weight, scale, columns, columns + OUT_WIDTH, num_rows, WIDTH, BLOCK_M, BLOCK_N, BLOCK_K, STAGES, PDL
    )  # fmt: skip
    inside = (rows < num_rows) & (columns >= 0)[None, :]
    value = (gate * tl.sigmoid(gate) * up).to(out.dtype.element_ty)
    tl.store(out + rows * OUT_WIDTH + columns[None, :], value, mask=inside)


@triton.jit(do_not_specialize=["num_rows"])
def skinny_kernel(
    values, weight, scale, residual, out, partial_sums, arrivals, num_rows,
    WIDTH: tl.constexpr, OUT_WIDTH: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr, SHARES: tl.constexpr, STAGES: tl.constexpr, PDL: tl.constexpr,
):  # fmt: skip
    """out = values @ weight.T; one program for a share of the sum of BLOCK_N columns of `out`.

    A `residual`, which may be `out` itself, is added where it isn't None. The last share to arrive adds all of them, in
    their order; `arrivals` is zero before and after.
    """
    PER_SHARE: tl.constexpr = (WIDTH // BLOCK_K + SHARES - 1) // SHARES * BLOCK_K
    group, share = tl.program_id(0), tl.program_id(1)
    rows = tl.arange(0, BLOCK_M)
    outputs = group * BLOCK_N + tl.arange(0, BLOCK_N)
    columns = tl.arange(0, BLOCK_K)
    source = values + rows[:, None] * WIDTH + columns[None, :]
    weights = weight + outputs[:, None].to(tl.int64) * WIDTH + columns[None, :]
    sums = tl.zeros([BLOCK_N, BLOCK_M], dtype=tl.float32)
    begin = share * PER_SHARE
    end = tl.minimum(begin + PER_SHARE, WIDTH)
    if PDL:
        gdc_wait()
        gdc_launch_dependents()
    for start in tl.range(begin, end, BLOCK_K, num_stages=STAGES):
        tile = widened(tl.load(weights + start), values.dtype.element_ty)
        value = tl.load(source + start, mask=(rows < num_rows)[:, None], other=0.0)
        sums = tl.dot(tile, tl.trans(value), sums)
    if scale is not None:
        sums *= tl.load(scale + outputs)[:, None]
    total = tl.trans(sums)
    inside = (rows < num_rows)[:, None] & (outputs >= 0)[None, :]
    place = rows[:, None] * OUT_WIDTH + outputs[None, :]
    if SHARES == 1:
        if residual is not None:
            total += tl.load(residual + place, mask=inside, other=0.0).to(tl.float32)
        tl.store(out + place, total.to(out.dtype.element_ty), mask=inside)
    else:
        parts = partial_sums + place
        tl.store(parts + share * (BLOCK_M * OUT_WIDTH), total, mask=inside)
        tl.debug_barrier()
        if tl.atomic_add(arrivals + group, 1, sem="acq_rel") == SHARES - 1:
            joined = tl.zeros([BLOCK_M, BLOCK_N], dtype=tl.float32)
            if residual is not None:
                joined += tl.load(residual + place, mask=inside, other=0.0).to(tl.float32)
            for number in tl.static_range(SHARES):
                joined += tl.load(parts + number * (BLOCK_M * OUT_WIDTH), mask=inside, other=0.0, cache_modifier=".cg")
            tl.store(out + place, joined.to(out.dtype.element_ty), mask=inside)
            tl.store(arrivals + group, 0)
