# ruff: noqa: N803, N806, D403 - Triton's constants are in capitals, and a kernel is one function
# mypy: ignore-errors
"""Matrix-vector kernels over eight-bit weights, with a scale for each output: what `gemv` is for weights of floats.

There is half as much to read, so arithmetic would be in the way: to make a float of each weight, multiply and add takes
four instructions a weight. So the values become integers of 16 bits with one scale, as for skinny products (`skinny`),
and weights are read as *words* of four, which two instructions multiply and add: dp4a takes four bytes by four bytes. A
value is `256 * high + low`, its low byte without a sign. Sums of sixteen weights are exact; then they become floats.

Few programs share the rows. Each makes the values ready once, and reads its next rows while it sums.
"""

import triton
import triton.language as tl
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait

from bot.inference.kernels.int8 import IS_INTERPRETED
from bot.inference.kernels.pointwise import store_rotated

_ROUNDER: tl.constexpr = tl.constexpr(12582912.0)
"""1.5 * 2**23: the low bits of a small float that it is added to are the nearest integer."""
_MOST: tl.constexpr = tl.constexpr(32767.0)

_LOW_AND_HIGH: tl.constexpr = tl.constexpr("""
{
.reg .b32 ab, cd;
prmt.b32 ab, $2, $3, 0x5410;
prmt.b32 cd, $4, $5, 0x5410;
prmt.b32 $0, ab, cd, 0x6420;
prmt.b32 $1, ab, cd, 0x7531;
}
""")

_WORD_SUM: tl.constexpr = tl.constexpr("""
{
.reg .s32 sum;
dp4a.s32.s32 sum, $1, $3, 0;
shl.b32 sum, sum, 8;
dp4a.s32.u32 $0, $1, $2, sum;
}
""")


@triton.jit
def _words(weight, rows, inside, WIDTH: tl.constexpr, BLOCK_K: tl.constexpr):
    """The words of some rows."""
    words = tl.arange(0, BLOCK_K // 4)
    place = weight + rows[:, None].to(tl.int64) * (WIDTH // 4) + words[None, :]
    in_row = (words >= 0) if BLOCK_K == WIDTH else (words < WIDTH // 4)
    return tl.load(place, mask=inside[:, None] & in_row[None, :], other=0, eviction_policy="evict_first")


@triton.jit
def _values(x, norm, eps, WIDTH: tl.constexpr, BLOCK_K: tl.constexpr):
    """The values, normed where there is a `norm`: words of their low and of their high bytes, and their scale."""
    columns = tl.arange(0, BLOCK_K)
    value = tl.load(x + columns, mask=columns < WIDTH, other=0.0).to(tl.float32)
    factor = 1.0 / _MOST
    if norm is not None:
        factor *= tl.rsqrt(tl.sum(value * value, 0) / WIDTH + eps)
        value *= tl.load(norm + columns, mask=columns < WIDTH, other=0.0).to(tl.float32)
    most = tl.max(value.to(tl.int32, bitcast=True) & 0x7FFFFFFF, 0)  # as integers, NaN is above all
    largest = most.to(tl.float32, bitcast=True)
    whole = (value * (_MOST / tl.where(most == 0, 1.0, largest)) + _ROUNDER).to(tl.int32, bitcast=True)
    even, odd = tl.split(tl.reshape(whole, [BLOCK_K // 4, 2, 2]))
    first, third = tl.split(even)
    second, fourth = tl.split(odd)
    if IS_INTERPRETED:
        low = (first & 255) | ((second & 255) << 8) | ((third & 255) << 16) | (fourth << 24)
        high = ((first >> 8) & 255) | (second & 0xFF00) | (((third >> 8) & 255) << 16) | ((fourth >> 8) << 24)
    else:
        low, high = tl.inline_asm_elementwise(
            _LOW_AND_HIGH, "=r,=r,r,r,r,r", [first, second, third, fourth],
            dtype=(tl.int32, tl.int32), is_pure=True, pack=1,
        )  # fmt: skip
    return low[None, :], high[None, :], factor * largest


@triton.jit
def _sums(words, low, high, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr):
    """The sum of each row, without any scale."""
    if IS_INTERPRETED:
        sums = words * 0
        for byte in tl.static_range(4):
            value = ((high << (24 - 8 * byte)) >> 24) * 256 + ((low >> (8 * byte)) & 255)
            sums += ((words << (24 - 8 * byte)) >> 24) * value
    else:
        sums = tl.inline_asm_elementwise(
            _WORD_SUM, "=r,r,r,r", [words, low, high], dtype=tl.int32, is_pure=True, pack=1
        )  # fmt: skip
    sums = tl.sum(tl.reshape(sums, [BLOCK_N, BLOCK_K // 16, 4]), 2)
    return tl.sum(sums.to(tl.float32), 1)


@triton.jit
def int8_gemv_qkv_kernel(
    x, norm, weight, scale, bias, qkv, cache, cosines, sines, positions, kv_slots, cache_half, eps,
    WIDTH: tl.constexpr, HEADS: tl.constexpr, KV_HEADS: tl.constexpr, HEAD_DIM: tl.constexpr,
    BLOCK_SIZE: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr, PDL: tl.constexpr,
):  # fmt: skip
    """Norm, project, rotate, store keys and values; a program has BLOCK_N pairs (d, d + HEAD_DIM / 2) at a time."""
    HALF: tl.constexpr = HEAD_DIM // 2
    PAIRS: tl.constexpr = (HEADS + 2 * KV_HEADS) * HALF
    step = tl.num_programs(0) * BLOCK_N
    pairs = tl.program_id(0) * BLOCK_N + tl.arange(0, BLOCK_N)
    rows = pairs // HALF * HEAD_DIM + pairs % HALF
    low_words = _words(weight, rows, pairs < PAIRS, WIDTH, BLOCK_K)
    high_words = _words(weight, rows + HALF, pairs < PAIRS, WIDTH, BLOCK_K)
    if PDL:
        gdc_wait()
        gdc_launch_dependents()
    a, b, factor = _values(x, norm, eps, WIDTH, BLOCK_K)
    slot, position = tl.load(kv_slots), tl.load(positions)
    for first in tl.range(tl.program_id(0) * BLOCK_N, PAIRS, step, num_stages=1):
        pairs = first + tl.arange(0, BLOCK_N)
        rows = pairs // HALF * HEAD_DIM + pairs % HALF
        inside = pairs < PAIRS
        now_low, now_high = low_words, high_words
        next_pairs = pairs + step
        next_rows = next_pairs // HALF * HEAD_DIM + next_pairs % HALF
        low_words = _words(weight, next_rows, next_pairs < PAIRS, WIDTH, BLOCK_K)
        high_words = _words(weight, next_rows + HALF, next_pairs < PAIRS, WIDTH, BLOCK_K)
        low = _sums(now_low, a, b, BLOCK_N, BLOCK_K)
        high = _sums(now_high, a, b, BLOCK_N, BLOCK_K)
        low *= tl.load(scale + rows, mask=inside, other=0.0) * factor
        high *= tl.load(scale + rows + HALF, mask=inside, other=0.0) * factor
        dims = pairs % HALF
        angle = position * HALF + dims
        store_rotated(
            low, high, bias, tl.program_id(1), slot, pairs // HALF, dims, inside, qkv, cache, tl.load(cosines + angle),
            tl.load(sines + angle), cache_half, HEADS, KV_HEADS, HEAD_DIM, BLOCK_SIZE,
        )  # fmt: skip


@triton.jit
def int8_gemv_gated_kernel(
    x, norm, weight, scale, out, eps,
    WIDTH: tl.constexpr, OUT_WIDTH: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr, PDL: tl.constexpr,
):  # fmt: skip
    """out = silu(gate) * up of the normed x; a program has BLOCK_N gates and their ups at a time."""
    step = tl.num_programs(0) * BLOCK_N
    rows = tl.program_id(0) * BLOCK_N + tl.arange(0, BLOCK_N)
    gate_words = _words(weight, rows, rows < OUT_WIDTH, WIDTH, BLOCK_K)
    up_words = _words(weight, rows + OUT_WIDTH, rows < OUT_WIDTH, WIDTH, BLOCK_K)
    if PDL:
        gdc_wait()
        gdc_launch_dependents()
    a, b, factor = _values(x, norm, eps, WIDTH, BLOCK_K)
    for first in tl.range(tl.program_id(0) * BLOCK_N, OUT_WIDTH, step, num_stages=1):
        rows = first + tl.arange(0, BLOCK_N)
        inside = rows < OUT_WIDTH
        now_gate, now_up = gate_words, up_words
        next_rows = rows + step
        gate_words = _words(weight, next_rows, next_rows < OUT_WIDTH, WIDTH, BLOCK_K)
        up_words = _words(weight, next_rows + OUT_WIDTH, next_rows < OUT_WIDTH, WIDTH, BLOCK_K)
        gate = _sums(now_gate, a, b, BLOCK_N, BLOCK_K)
        up = _sums(now_up, a, b, BLOCK_N, BLOCK_K)
        gate *= tl.load(scale + rows, mask=inside, other=0.0) * factor
        up *= tl.load(scale + rows + OUT_WIDTH, mask=inside, other=0.0) * factor
        tl.store(out + rows, (gate * tl.sigmoid(gate) * up).to(out.dtype.element_ty), mask=inside)


@triton.jit
def int8_gemv_kernel(
    values, norm, weight, scale, residual, out, eps,
    WIDTH: tl.constexpr, OUT_WIDTH: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr, PDL: tl.constexpr,
):  # fmt: skip
    """out = values @ weight.T; a program has BLOCK_N outputs at a time.

    With a `norm`, values are normed first; with a `residual`, which may be `out` itself, it is added. None is without.
    """
    step = tl.num_programs(0) * BLOCK_N
    rows = tl.program_id(0) * BLOCK_N + tl.arange(0, BLOCK_N)
    words = _words(weight, rows, rows < OUT_WIDTH, WIDTH, BLOCK_K)
    if PDL:
        gdc_wait()
        gdc_launch_dependents()
    a, b, factor = _values(values, norm, eps, WIDTH, BLOCK_K)
    for first in tl.range(tl.program_id(0) * BLOCK_N, OUT_WIDTH, step, num_stages=1):
        rows = first + tl.arange(0, BLOCK_N)
        inside = rows < OUT_WIDTH
        now_words = words
        next_rows = rows + step
        words = _words(weight, next_rows, next_rows < OUT_WIDTH, WIDTH, BLOCK_K)
        total = _sums(now_words, a, b, BLOCK_N, BLOCK_K)
        total *= tl.load(scale + rows, mask=inside, other=0.0) * factor
        if residual is not None:
            total += tl.load(residual + rows, mask=inside, other=0.0).to(tl.float32)
        tl.store(out + rows, total.to(out.dtype.element_ty), mask=inside)
