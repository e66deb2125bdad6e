# ruff: noqa: N803, N806, D403 - Triton's constants are in capitals, and a kernel is one function
# mypy: ignore-errors
"""Matrix-vector kernels for a batch of one, where a step is nothing but reading the weights once.

Each fuses what stands before and after its product (norm, rotation and storage, gating, the residual), so that a layer
is five kernels. The first tile of weights is loaded before the wait for the kernel before it: weights never change.
No tl.dot: products are summed in float32 by ordinary arithmetic, which on every card outruns memory. Weights are
floats; of eight-bit ones `int8_gemv` takes care.
"""

import triton
import triton.language as tl
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait

from bot.inference.kernels.pointwise import store_rotated


@triton.jit
def _normed_products(
    x, norm, weight, first_rows, second_rows, inside, eps,
    WIDTH: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr, PDL: tl.constexpr,
):  # fmt: skip
    """rms_norm(x) @ weight[rows] for two sets of BLOCK_N rows."""
    columns = tl.arange(0, BLOCK_K)
    first = weight + first_rows[:, None].to(tl.int64) * WIDTH + columns[None, :]
    second = weight + second_rows[:, None].to(tl.int64) * WIDTH + columns[None, :]
    first_sums = tl.zeros([BLOCK_N, BLOCK_K], dtype=tl.float32)
    second_sums = tl.zeros([BLOCK_N, BLOCK_K], dtype=tl.float32)
    squares = tl.zeros([BLOCK_K], dtype=tl.float32)
    mask = inside[:, None] & (columns < WIDTH)[None, :]
    first_tile = tl.load(first, mask=mask, other=0.0, eviction_policy="evict_first")
    second_tile = tl.load(second, mask=mask, other=0.0, eviction_policy="evict_first")
    if PDL:
        gdc_wait()
        gdc_launch_dependents()
    for start in range(0, WIDTH, BLOCK_K):
        in_row = start + columns < WIDTH
        value = tl.load(x + start + columns, mask=in_row, other=0.0).to(tl.float32)
        scaled = value * tl.load(norm + start + columns, mask=in_row, other=0.0).to(tl.float32)
        squares += value * value
        first_sums += first_tile.to(tl.float32) * scaled[None, :]
        second_sums += second_tile.to(tl.float32) * scaled[None, :]
        if BLOCK_K < WIDTH:
            mask = inside[:, None] & (start + BLOCK_K + columns < WIDTH)[None, :]
            first_tile = tl.load(first + start + BLOCK_K, mask=mask, other=0.0, eviction_policy="evict_first")
            second_tile = tl.load(second + start + BLOCK_K, mask=mask, other=0.0, eviction_policy="evict_first")
    inverse = tl.rsqrt(tl.sum(squares, 0) / WIDTH + eps)
    return tl.sum(first_sums, 1) * inverse, tl.sum(second_sums, 1) * inverse


@triton.jit
def gemv_qkv_kernel(
    x, norm, weight, bias, qkv, cache, cosines, sines, positions, kv_slots, cache_half, eps,
    WIDTH: tl.constexpr, HEADS: tl.constexpr, KV_HEADS: tl.constexpr, HEAD_DIM: tl.constexpr,
    BLOCK_SIZE: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr, PDL: tl.constexpr,
):  # fmt: skip
    """Norm, project, rotate, store keys and values; one program for BLOCK_N pairs (d, d + HEAD_DIM / 2)."""
    HALF: tl.constexpr = HEAD_DIM // 2
    pairs = tl.program_id(0) * BLOCK_N + tl.arange(0, BLOCK_N)
    inside = pairs < (HEADS + 2 * KV_HEADS) * HALF
    heads, dims = pairs // HALF, pairs % HALF
    low_rows = heads * HEAD_DIM + dims
    low, high = _normed_products(
        x, norm, weight, low_rows, low_rows + HALF, inside, eps, WIDTH, BLOCK_N, BLOCK_K, PDL
    )  # fmt: skip
    angle = tl.load(positions) * HALF + dims
    store_rotated(
        low, high, bias, tl.program_id(1), tl.load(kv_slots), heads, dims, inside, qkv, cache, tl.load(cosines + angle),
        tl.load(sines + angle), cache_half, HEADS, KV_HEADS, HEAD_DIM, BLOCK_SIZE,
    )  # fmt: skip


@triton.jit
def gemv_gated_kernel(
    x, norm, weight, out, eps,
    WIDTH: tl.constexpr, OUT_WIDTH: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr, PDL: tl.constexpr,
):  # fmt: skip
    """out = silu(gate) * up of the normed x; one program for BLOCK_N gates and their ups."""
    rows = tl.program_id(0) * BLOCK_N + tl.arange(0, BLOCK_N)
    inside = rows < OUT_WIDTH
    gate, up = _normed_products(
        x, norm, weight, rows, rows + OUT_WIDTH, inside, eps, WIDTH, BLOCK_N, BLOCK_K, PDL
    )  # fmt: skip
    tl.store(out + rows, (gate * tl.sigmoid(gate) * up).to(out.dtype.element_ty), mask=inside)


@triton.jit
def gemv_kernel(
    values, norm, weight, residual, out, eps,
    WIDTH: tl.constexpr, OUT_WIDTH: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr, PDL: tl.constexpr,
):  # fmt: skip
    """out = values @ weight.T; one program for BLOCK_N outputs.

    With a `norm`, values are normed first; with a `residual`, which may be `out` itself, it is added. None is without.
    """
    rows = tl.program_id(0) * BLOCK_N + tl.arange(0, BLOCK_N)
    inside = rows < OUT_WIDTH
    columns = tl.arange(0, BLOCK_K)
    source = weight + rows[:, None].to(tl.int64) * WIDTH + columns[None, :]
    sums = tl.zeros([BLOCK_N, BLOCK_K], dtype=tl.float32)
    squares = tl.zeros([BLOCK_K], dtype=tl.float32)
    mask = inside[:, None] & (columns < WIDTH)[None, :]
    tile = tl.load(source, mask=mask, other=0.0, eviction_policy="evict_first")
    if PDL:
        gdc_wait()
        gdc_launch_dependents()
    for start in range(0, WIDTH, BLOCK_K):
        in_row = start + columns < WIDTH
        value = tl.load(values + start + columns, mask=in_row, other=0.0).to(tl.float32)
        if norm is not None:
            squares += value * value
            value *= tl.load(norm + start + columns, mask=in_row, other=0.0).to(tl.float32)
        sums += tile.to(tl.float32) * value[None, :]
        if BLOCK_K < WIDTH:
            mask = inside[:, None] & (start + BLOCK_K + columns < WIDTH)[None, :]
            tile = tl.load(source + start + BLOCK_K, mask=mask, other=0.0, eviction_policy="evict_first")
    total = tl.sum(sums, 1)
    if norm is not None:
        total *= tl.rsqrt(tl.sum(squares, 0) / WIDTH + eps)
    if residual is not None:
        total += tl.load(residual + rows, mask=inside, other=0.0).to(tl.float32)
    tl.store(out + rows, total.to(out.dtype.element_ty), mask=inside)
