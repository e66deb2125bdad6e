# ruff: noqa: N803, N806, D403 - Triton's constants are in capitals, and a kernel is one function
# mypy: ignore-errors
"""Matrix-vector kernels over eight-bit weights, with a scale for each output: what `gemv` is for weights of floats.

There is half as much to read, so arithmetic is in the way: a number costs two instructions here where making it a
float, multiplying and adding would be four. Weights are read as *words* of four; a byte, its sign bit turned, becomes
the middle of a float whose other bits are fixed, which is 32,768 and 128 too large. That isn't subtracted but for all
four at once: what it comes to, times the values, is where the word's sum begins.

A program has whole rows, some at a time, and reads the next ones while it sums; the values are made ready once.
"""

import triton
import triton.language as tl
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait

from bot.inference.kernels.int8 import IS_INTERPRETED
from bot.inference.kernels.pointwise import store_rotated

_WORD_SUM: tl.constexpr = tl.constexpr("""
{
.reg .b32 turned, a, b, c, d;
.reg .f32 sum;
xor.b32 turned, $1, 0x80808080;
prmt.b32 a, turned, 0x47000000, 0x7404;
prmt.b32 b, turned, 0x47000000, 0x7414;
prmt.b32 c, turned, 0x47000000, 0x7424;
prmt.b32 d, turned, 0x47000000, 0x7434;
fma.rn.f32 sum, a, $2, $6;
fma.rn.f32 sum, b, $3, sum;
fma.rn.f32 sum, c, $4, sum;
fma.rn.f32 $0, d, $5, sum;
}
""")
_TOO_LARGE: tl.constexpr = tl.constexpr(32768.0 + 128.0)


@triton.jit
def _words(weight, rows, inside, WIDTH: tl.constexpr, BLOCK_K: tl.constexpr):
    """The words of some rows."""
    words = tl.arange(0, BLOCK_K // 4)
    place = weight + rows[:, None].to(tl.int64) * (WIDTH // 4) + words[None, :]
    mask = inside[:, None] & (words < WIDTH // 4)[None, :]
    return tl.load(place, mask=mask, other=0, eviction_policy="evict_first")


@triton.jit
def _values(x, norm, eps, WIDTH: tl.constexpr, BLOCK_K: tl.constexpr):
    """The values, normed where there is a `norm`: those of each byte of a word, and where its sum begins."""
    columns = tl.arange(0, BLOCK_K)
    value = tl.load(x + columns, mask=columns < WIDTH, other=0.0).to(tl.float32)
    if norm is not None:
        factor = tl.load(norm + columns, mask=columns < WIDTH, other=0.0).to(tl.float32)
        value *= tl.rsqrt(tl.sum(value * value, 0) / WIDTH + eps) * factor
    even, odd = tl.split(tl.reshape(value, [BLOCK_K // 4, 2, 2]))
    first, third = tl.split(even)
    second, fourth = tl.split(odd)
    begin = ((first + second) + (third + fourth)) * -_TOO_LARGE
    return first[None, :], second[None, :], third[None, :], fourth[None, :], begin[None, :]


@triton.jit
def _sums(words, first, second, third, fourth, begin, scale, rows, inside):
    """The sum of each row."""
    if IS_INTERPRETED:
        sums = ((words << 24) >> 24).to(tl.float32) * first + ((words << 16) >> 24).to(tl.float32) * second
        sums += ((words << 8) >> 24).to(tl.float32) * third + (words >> 24).to(tl.float32) * fourth
    else:
        arguments = [words, first, second, third, fourth, begin]
        sums = tl.inline_asm_elementwise(_WORD_SUM, "=f,r,f,f,f,f,f", arguments, dtype=tl.float32, is_pure=True, pack=1)
    return tl.sum(sums, 1) * tl.load(scale + rows, mask=inside, other=0.0)


@triton.jit
def int8_gemv_qkv_kernel(
    x, norm, weight, scale, bias, qkv, cache, cosines, sines, positions, kv_slots, cache_half, eps,
    WIDTH: tl.constexpr, HEADS: tl.constexpr, KV_HEADS: tl.constexpr, HEAD_DIM: tl.constexpr,
    BLOCK_SIZE: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr, TURNS: tl.constexpr, PDL: tl.constexpr,
):  # fmt: skip
    """Norm, project, rotate, store keys and values; one program for TURNS * BLOCK_N pairs (d, d + HEAD_DIM / 2)."""
    HALF: tl.constexpr = HEAD_DIM // 2
    PAIRS: tl.constexpr = (HEADS + 2 * KV_HEADS) * HALF
    pairs = tl.program_id(0) * (BLOCK_N * TURNS) + tl.arange(0, BLOCK_N)
    rows = pairs // HALF * HEAD_DIM + pairs % HALF
    low_words = _words(weight, rows, pairs < PAIRS, WIDTH, BLOCK_K)
    high_words = _words(weight, rows + HALF, pairs < PAIRS, WIDTH, BLOCK_K)
    if PDL:
        gdc_wait()
        gdc_launch_dependents()
    a, b, c, d, begin = _values(x, norm, eps, WIDTH, BLOCK_K)
    slot, position = tl.load(kv_slots), tl.load(positions)
    for turn in tl.static_range(TURNS):
        now_low, now_high = low_words, high_words
        now, now_rows, inside = pairs, rows, pairs < PAIRS
        if turn + 1 < TURNS:
            pairs += BLOCK_N
            rows = pairs // HALF * HEAD_DIM + pairs % HALF
            low_words = _words(weight, rows, pairs < PAIRS, WIDTH, BLOCK_K)
            high_words = _words(weight, rows + HALF, pairs < PAIRS, WIDTH, BLOCK_K)
        low = _sums(now_low, a, b, c, d, begin, scale, now_rows, inside)
        high = _sums(now_high, a, b, c, d, begin, scale, now_rows + HALF, inside)
        dims = now % HALF
        angle = position * HALF + dims
        store_rotated(
            low, high, bias, tl.program_id(1), slot, now // HALF, dims, inside, qkv, cache, tl.load(cosines + angle),
            tl.load(sines + angle), cache_half, HEADS, KV_HEADS, HEAD_DIM, BLOCK_SIZE,
        )  # fmt: skip


@triton.jit
def int8_gemv_gated_kernel(
    x, norm, weight, scale, out, eps,
    WIDTH: tl.constexpr, OUT_WIDTH: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr,
    TURNS: tl.constexpr, PDL: tl.constexpr,
):  # fmt: skip
    """out = silu(gate) * up of the normed x; one program for TURNS * BLOCK_N gates and their ups."""
    rows = tl.program_id(0) * (BLOCK_N * TURNS) + tl.arange(0, BLOCK_N)
    gate_words = _words(weight, rows, rows < OUT_WIDTH, WIDTH, BLOCK_K)
    up_words = _words(weight, rows + OUT_WIDTH, rows < OUT_WIDTH, WIDTH, BLOCK_K)
    if PDL:
        gdc_wait()
        gdc_launch_dependents()
    a, b, c, d, begin = _values(x, norm, eps, WIDTH, BLOCK_K)
    for turn in tl.static_range(TURNS):
        now_gate, now_up = gate_words, up_words
        now, inside = rows, rows < OUT_WIDTH
        if turn + 1 < TURNS:
            rows += BLOCK_N
            gate_words = _words(weight, rows, rows < OUT_WIDTH, WIDTH, BLOCK_K)
            up_words = _words(weight, rows + OUT_WIDTH, rows < OUT_WIDTH, WIDTH, BLOCK_K)
        gate = _sums(now_gate, a, b, c, d, begin, scale, now, inside)
        up = _sums(now_up, a, b, c, d, begin, scale, now + OUT_WIDTH, inside)
        tl.store(out + now, (gate * tl.sigmoid(gate) * up).to(out.dtype.element_ty), mask=inside)


@triton.jit
def int8_gemv_kernel(
    values, norm, weight, scale, residual, out, eps,
    WIDTH: tl.constexpr, OUT_WIDTH: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr,
    TURNS: tl.constexpr, PDL: tl.constexpr,
):  # fmt: skip
    """out = values @ weight.T; one program for TURNS * BLOCK_N outputs.

    With a `norm`, values are normed first; with a `residual`, which may be `out` itself, it is added. None is without.
    """
    rows = tl.program_id(0) * (BLOCK_N * TURNS) + tl.arange(0, BLOCK_N)
    words = _words(weight, rows, rows < OUT_WIDTH, WIDTH, BLOCK_K)
    if PDL:
        gdc_wait()
        gdc_launch_dependents()
    a, b, c, d, begin = _values(values, norm, eps, WIDTH, BLOCK_K)
    for turn in tl.static_range(TURNS):
        now_words, now, inside = words, rows, rows < OUT_WIDTH
        if turn + 1 < TURNS:
            rows += BLOCK_N
            words = _words(weight, rows, rows < OUT_WIDTH, WIDTH, BLOCK_K)
        total = _sums(now_words, a, b, c, d, begin, scale, now, inside)
        if residual is not None:
            total += tl.load(residual + now, mask=inside, other=0.0).to(tl.float32)
        tl.store(out + now, total.to(out.dtype.element_ty), mask=inside)
