# ruff: noqa: N803, N806, D403 - Triton's constants are in capitals, and a kernel is one function
# mypy: ignore-errors
"""Skinny products on tensor cores (tl.dot, sm_80 and above): a few rows times a large weight, each weight read once.

Weights are the first operand and rows the second, so that Hopper multiplies weights where they landed in shared memory.
Each kernel fuses what stands behind its product: rotation and storage, gating, the residual. The widths must divide by
the tiles; `SkinnyProducts` sees to it.

Weights are floats like the values, or int8 with a scale for each output. To make floats of these would take longer
than to read them, so the values become integers instead, of 16 bits with a scale for each row, which is more exact than
FP16; and as tensor cores take int8, a value is two of them, `256 * high + low`, in neighbouring lines
(`int8.halves_kernel`). Sums of integers are exact. Floats have no scales: these are None.
"""

import triton
import triton.language as tl
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait

from bot.inference.kernels.pointwise import store_rotated


@triton.jit
def _whole(sums, scale, outputs, value_scales, num_rows, BLOCK_N: tl.constexpr, BLOCK_M: tl.constexpr):
    """What sums of high and low halves, in neighbouring columns, are as floats [BLOCK_N, BLOCK_M]."""
    rows = tl.arange(0, BLOCK_M)
    high, low = tl.split(tl.reshape(sums, [BLOCK_N, BLOCK_M, 2]))
    of_rows = tl.load(value_scales + rows, mask=rows < num_rows, other=0.0)
    whole = high.to(tl.float32) * 256.0 + low.to(tl.float32)
    return whole * tl.load(scale + outputs)[:, None] * of_rows[None, :]


@triton.jit
def _two_as_one(first, second, BLOCK_N: tl.constexpr):
    """Two runs of rows as those of one tile: eight of the first, eight of the second, and so on.

    In a tile of sums the two of a pair are then in one thread.
    """
    both = tl.join(tl.reshape(first, [BLOCK_N // 8, 8]), tl.reshape(second, [BLOCK_N // 8, 8]))
    return tl.reshape(tl.permute(both, (0, 2, 1)), [2 * BLOCK_N])


@triton.jit
def _one_as_two(sums, BLOCK_N: tl.constexpr, LINES: tl.constexpr):
    """The sums [BLOCK_N, LINES] of each of the two runs."""
    both = tl.permute(tl.reshape(sums, [BLOCK_N // 8, 2, 8, LINES]), (0, 2, 3, 1))
    first, second = tl.split(both)
    return tl.reshape(first, [BLOCK_N, LINES]), tl.reshape(second, [BLOCK_N, LINES])


@triton.jit
def _pair_of_products(
    values, value_scales, weight, scale, first_rows, second_rows, num_rows,
    WIDTH: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr, STAGES: tl.constexpr,
    PDL: tl.constexpr,
):  # fmt: skip
    """values @ weight[rows].T for up to BLOCK_M rows of values and two sets of BLOCK_N rows of the weight."""
    LINES: tl.constexpr = BLOCK_M if scale is None else 2 * BLOCK_M
    SUM: tl.constexpr = tl.float32 if scale is None else tl.int32
    lines = tl.arange(0, LINES)
    is_line = (lines < num_rows * (LINES // BLOCK_M))[:, None]
    columns = tl.arange(0, BLOCK_K)
    source = values + lines[:, None] * WIDTH + columns[None, :]
    rows = _two_as_one(first_rows, second_rows, BLOCK_N)
    weights = weight + rows[:, None].to(tl.int64) * WIDTH + columns[None, :]
    sums = tl.zeros([2 * BLOCK_N, LINES], dtype=SUM)
    if PDL:
        gdc_wait()
        gdc_launch_dependents()
    for start in tl.range(0, WIDTH, BLOCK_K, num_stages=STAGES):
        tile = tl.load(weights + start)
        value = tl.load(source + start, mask=is_line, other=0)
        sums = tl.dot(tile, tl.trans(value), sums, out_dtype=SUM)
    first_sums, second_sums = _one_as_two(sums, BLOCK_N, LINES)
    if scale is not None:
        first_sums = _whole(first_sums, scale, first_rows, value_scales, num_rows, BLOCK_N, BLOCK_M)
        second_sums = _whole(second_sums, scale, second_rows, value_scales, num_rows, BLOCK_N, BLOCK_M)
    return tl.trans(first_sums), tl.trans(second_sums)


@triton.jit(do_not_specialize=["num_rows"])
def skinny_qkv_kernel(
    values, value_scales, weight, scale, bias, qkv, cache, cosines, sines, positions, kv_slots, cache_half, num_rows,
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
        values, value_scales, weight, scale, low_rows, low_rows + HALF, num_rows,
        WIDTH, BLOCK_M, BLOCK_N, BLOCK_K, STAGES, PDL,
    )  # fmt: skip
    rows = tl.arange(0, BLOCK_M)[:, None]
    inside = (rows < num_rows) & (pairs >= 0)[None, :]
    angle = tl.load(positions + rows, mask=rows < num_rows, other=0) * HALF + dims[None, :]
    slot = tl.load(kv_slots + rows, mask=rows < num_rows, other=0)
    store_rotated(
        low, high, bias, rows, slot, heads[None, :], dims[None, :], inside, qkv, cache, tl.load(cosines + angle),
        tl.load(sines + angle), cache_half, HEADS, KV_HEADS, HEAD_DIM, BLOCK_SIZE,
    )  # fmt: skip


@triton.jit(do_not_specialize=["num_rows"])
def skinny_gated_kernel(
    values, value_scales, weight, scale, out, num_rows,
    WIDTH: tl.constexpr, OUT_WIDTH: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr, STAGES: tl.constexpr, PDL: tl.constexpr,
):  # fmt: skip
    """out = silu(gate) * up of normed rows; one program for BLOCK_N gates and their ups."""
    rows = tl.arange(0, BLOCK_M)[:, None]
    columns = tl.program_id(0) * BLOCK_N + tl.arange(0, BLOCK_N)
    gate, up = _pair_of_products(
        values, value_scales, weight, scale, columns, columns + OUT_WIDTH, num_rows,
        WIDTH, BLOCK_M, BLOCK_N, BLOCK_K, STAGES, PDL,
    )  # fmt: skip
    inside = (rows < num_rows) & (columns >= 0)[None, :]
    value = (gate * tl.sigmoid(gate) * up).to(out.dtype.element_ty)
    tl.store(out + rows * OUT_WIDTH + columns[None, :], value, mask=inside)


@triton.jit(do_not_specialize=["num_rows"])
def skinny_kernel(
    values, value_scales, weight, scale, residual, out, partial_sums, arrivals, num_rows,
    WIDTH: tl.constexpr, OUT_WIDTH: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr, SHARES: tl.constexpr, STAGES: tl.constexpr, PDL: tl.constexpr,
):  # fmt: skip
    """out = values @ weight.T; one program for a share of the sum of BLOCK_N columns of `out`.

    A `residual`, which may be `out` itself, is added where it isn't None. The last share to arrive adds all of them, in
    their order; `arrivals` is zero before and after.
    """
    PER_SHARE: tl.constexpr = (WIDTH // BLOCK_K + SHARES - 1) // SHARES * BLOCK_K
    LINES: tl.constexpr = BLOCK_M if scale is None else 2 * BLOCK_M
    SUM: tl.constexpr = tl.float32 if scale is None else tl.int32
    group, share = tl.program_id(0), tl.program_id(1)
    rows, lines = tl.arange(0, BLOCK_M), tl.arange(0, LINES)
    is_line = (lines < num_rows * (LINES // BLOCK_M))[:, None]
    outputs = group * BLOCK_N + tl.arange(0, BLOCK_N)
    columns = tl.arange(0, BLOCK_K)
    source = values + lines[:, None] * WIDTH + columns[None, :]
    weights = weight + outputs[:, None].to(tl.int64) * WIDTH + columns[None, :]
    sums = tl.zeros([BLOCK_N, LINES], dtype=SUM)
    begin = share * PER_SHARE
    end = tl.minimum(begin + PER_SHARE, WIDTH)
    if PDL:
        gdc_wait()
        gdc_launch_dependents()
    for start in tl.range(begin, end, BLOCK_K, num_stages=STAGES):
        tile = tl.load(weights + start)
        value = tl.load(source + start, mask=is_line, other=0)
        sums = tl.dot(tile, tl.trans(value), sums, out_dtype=SUM)
    if scale is not None:
        sums = _whole(sums, scale, outputs, value_scales, num_rows, BLOCK_N, BLOCK_M)
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
