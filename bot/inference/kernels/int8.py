# ruff: noqa: N803, D403 - Triton's constants are in capitals, and a kernel is one function
# mypy: ignore-errors
"""What eight-bit weights, keys and values ask of kernels: making floats of them, and storing them.

Triton's own conversion of int8 takes an instruction for each number, at a quarter of the rate of ordinary arithmetic.
`widened` takes two for two numbers instead: a byte, its sign bit turned, becomes the low byte of a float whose high
bits are fixed, so that it is 1,024 (or 8,388,608) and 128 too large, and that is subtracted, without any rounding.
"""

import os

import triton
import triton.language as tl
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait

IS_INTERPRETED: tl.constexpr = tl.constexpr(os.environ.get("TRITON_INTERPRET") == "1")
_ROUNDER: tl.constexpr = tl.constexpr(12582912.0)
"""1.5 * 2**23: a small float that it is added to has no bits left for what is behind the point."""

_TO_HALF: tl.constexpr = tl.constexpr("""
{
.reg .b32 turned, low, high, most;
xor.b32 turned, $2, 0x80808080;
mov.b32 most, 0x64806480;
prmt.b32 low, turned, 0x64646464, 0x4140;
prmt.b32 high, turned, 0x64646464, 0x4342;
sub.f16x2 $0, low, most;
sub.f16x2 $1, high, most;
}
""")

_TO_SINGLE: tl.constexpr = tl.constexpr("""
{
.reg .b32 turned, a, b, c, d;
xor.b32 turned, $4, 0x80808080;
prmt.b32 a, turned, 0x4B000000, 0x7440;
prmt.b32 b, turned, 0x4B000000, 0x7441;
prmt.b32 c, turned, 0x4B000000, 0x7442;
prmt.b32 d, turned, 0x4B000000, 0x7443;
sub.f32 $0, a, 0f4B000080;
sub.f32 $1, b, 0f4B000080;
sub.f32 $2, c, 0f4B000080;
sub.f32 $3, d, 0f4B000080;
}
""")


@triton.jit
def widened(tile, DTYPE: tl.constexpr):
    """The tile as floats of DTYPE; int8 without the slow conversion, anything else by Triton's."""
    if (tile.dtype == tl.int8) & (not IS_INTERPRETED) & (tl.float16 == DTYPE):
        return tl.inline_asm_elementwise(_TO_HALF, "=r,=r,r", [tile], dtype=tl.float16, is_pure=True, pack=4)
    if (tile.dtype == tl.int8) & (not IS_INTERPRETED) & (tl.float32 == DTYPE):
        return tl.inline_asm_elementwise(_TO_SINGLE, "=r,=r,=r,=r,r", [tile], dtype=tl.float32, is_pure=True, pack=4)
    return tile.to(DTYPE)


@triton.jit(do_not_specialize=["first_row"])
def dequantise_rows_kernel(
    weight, scale, out, first_row,
    WIDTH: tl.constexpr, BLOCK: tl.constexpr, PDL: tl.constexpr,
):  # fmt: skip
    """out = the floats of the weight's rows from `first_row` on; one program for BLOCK numbers of a row."""
    row = tl.program_id(0)
    columns = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = columns < WIDTH
    source = (first_row + row).to(tl.int64)
    tile = tl.load(weight + source * WIDTH + columns, mask=inside, other=0)
    factor = tl.load(scale + source)
    if PDL:
        gdc_wait()
        gdc_launch_dependents()
    value = widened(tile, tl.float32) * factor
    tl.store(out + row.to(tl.int64) * WIDTH + columns, value.to(out.dtype.element_ty), mask=inside)


@triton.jit
def halves_kernel(
    x, norm, out, scales, eps, WIDTH: tl.constexpr, BLOCK: tl.constexpr, PDL: tl.constexpr,
):  # fmt: skip
    """A row of x, normed where there is a `norm`, as integers of 16 bits and their scale; one program for each row.

    Line 2 * row of `out` has their high bytes, the line behind it the low ones, as skinny products take them. A row
    that isn't finite gets a scale that isn't.
    """
    row = tl.program_id(0).to(tl.int64)
    columns = tl.arange(0, BLOCK)
    inside = columns < WIDTH
    if norm is not None:
        factor = tl.load(norm + columns, mask=inside, other=0.0).to(tl.float32)
    if PDL:
        gdc_wait()
        gdc_launch_dependents()
    value = tl.load(x + row * WIDTH + columns, mask=inside, other=0.0).to(tl.float32)
    if norm is not None:
        value *= tl.rsqrt(tl.sum(value * value, 0) / WIDTH + eps) * factor
    largest = tl.max(tl.abs(value), 0) + tl.sum(value - value, 0)  # the sum is zero, or NaN
    scale = tl.where(largest == 0, 1.0, largest / 32639.0)
    whole = (value / scale + _ROUNDER) - _ROUNDER
    high = tl.floor((whole + 128.0) / 256.0)
    place = out + row * (2 * WIDTH) + columns
    tl.store(place, high.to(tl.int8), mask=inside)
    tl.store(place + WIDTH, (whole - high * 256.0).to(tl.int8), mask=inside)
    tl.store(scales + row, scale)


@triton.jit
def quantise_and_store_kernel(
    qkv, cache, scales, kv_slots, cache_half,
    HEADS: tl.constexpr, KV_HEADS: tl.constexpr, HEAD_DIM: tl.constexpr, DIM_BLOCK: tl.constexpr,
    BLOCK_SIZE: tl.constexpr, BLOCK_HEADS: tl.constexpr, PDL: tl.constexpr,
):  # fmt: skip
    """Store a token's keys and values, rotated already, in eight bits; one program for some of their heads.

    A vector that isn't finite gets a scale that isn't, as in `model.int8.quantise`.
    """
    row = tl.program_id(0).to(tl.int64)
    heads = tl.program_id(1) * BLOCK_HEADS + tl.arange(0, BLOCK_HEADS)  # keys, then values
    dims = tl.arange(0, DIM_BLOCK)
    is_head = heads < 2 * KV_HEADS
    inside = is_head[:, None] & (dims < HEAD_DIM)[None, :]
    if PDL:
        gdc_wait()
        gdc_launch_dependents()
    source = qkv + (row * (HEADS + 2 * KV_HEADS) + HEADS + heads[:, None]) * HEAD_DIM + dims[None, :]
    value = tl.load(source, mask=inside, other=0.0).to(tl.float32)
    largest = tl.max(tl.abs(value), 1) + tl.sum(value - value, 1)  # the sum is zero, or NaN
    scale = (largest / 127.0).to(tl.float16)
    divisor = scale.to(tl.float32)
    divisor = tl.where(divisor == 0, 1.0, divisor)
    rounded = (value / divisor[:, None] + _ROUNDER) - _ROUNDER
    rounded = tl.minimum(tl.maximum(rounded, -127.0), 127.0)
    slot = tl.load(kv_slots + row).to(tl.int64)
    is_value = heads >= KV_HEADS
    place = ((slot // BLOCK_SIZE) * KV_HEADS + heads - tl.where(is_value, KV_HEADS, 0)) * BLOCK_SIZE + slot % BLOCK_SIZE
    vectors = place + tl.where(is_value, cache_half // HEAD_DIM, 0)
    tl.store(cache + vectors[:, None] * HEAD_DIM + dims[None, :], rounded.to(tl.int8), mask=inside)
    tl.store(scales + vectors, scale, mask=is_head)
