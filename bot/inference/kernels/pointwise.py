# ruff: noqa: N803, N806, D403 - Triton's constants are in capitals, and a kernel is one function
# mypy: ignore-errors
"""Triton kernels that every batch size shares: norm, rotation and storage, gating, decode attention, greedy choice.

They use neither tl.dot nor bf16, so that they compile for a Tesla T4 (sm_75), for which Triton has no tensor-core path.
Addresses into the cache are 64-bit. `PDL` is Hopper's programmatic dependent launch: a kernel starts while the one
before it drains, and waits (`gdc_wait`) before it touches what that one wrote.
"""

import triton
import triton.language as tl
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait


@triton.jit
def rms_norm_kernel(x, weight, out, eps, WIDTH: tl.constexpr, BLOCK: tl.constexpr, PDL: tl.constexpr):
    """out[row] = x[row] / rms(x[row]) * weight; one program for each row."""
    row = tl.program_id(0).to(tl.int64)
    columns = tl.arange(0, BLOCK)
    inside = columns < WIDTH
    scale = tl.load(weight + columns, mask=inside, other=0.0).to(tl.float32)
    if PDL:
        gdc_wait()
        gdc_launch_dependents()
    value = tl.load(x + row * WIDTH + columns, mask=inside, other=0.0).to(tl.float32)
    inverse = tl.rsqrt(tl.sum(value * value, 0) / WIDTH + eps)
    tl.store(out + row * WIDTH + columns, (value * inverse * scale).to(out.dtype.element_ty), mask=inside)


@triton.jit
def store_rotated(
    low, high, bias, rows, slot, heads, dims, inside, qkv, cache, cosine, sine, cache_half,
    HEADS: tl.constexpr, KV_HEADS: tl.constexpr, HEAD_DIM: tl.constexpr, BLOCK_SIZE: tl.constexpr,
    KEEPS_ALL: tl.constexpr = False,
):  # fmt: skip
    """Rotate queries and keys; queries go back to `qkv`, keys and values to the cache, and with KEEPS_ALL to both.

    `low` and `high` are the halves d and d + HEAD_DIM / 2 of the heads; the rest broadcasts to their shape. A `bias`,
    where it isn't None, is added first.
    """
    HALF: tl.constexpr = HEAD_DIM // 2
    if bias is not None:
        is_head = heads < HEADS + 2 * KV_HEADS
        added = bias + heads * HEAD_DIM + dims
        low += tl.load(added, mask=is_head & (dims < HALF), other=0.0).to(tl.float32)
        high += tl.load(added + HALF, mask=is_head & (dims < HALF), other=0.0).to(tl.float32)
    turns = heads < HEADS + KV_HEADS
    turned_low = tl.where(turns, low * cosine - high * sine, low)
    turned_high = tl.where(turns, high * cosine + low * sine, high)
    is_kept = inside & (KEEPS_ALL | (heads < HEADS))
    query = qkv + rows.to(tl.int64) * ((HEADS + 2 * KV_HEADS) * HEAD_DIM) + heads * HEAD_DIM + dims
    tl.store(query, turned_low.to(qkv.dtype.element_ty), mask=is_kept)
    tl.store(query + HALF, turned_high.to(qkv.dtype.element_ty), mask=is_kept)
    is_stored = inside & (heads >= HEADS)
    slot = slot.to(tl.int64)
    is_value = heads >= HEADS + KV_HEADS
    head = heads - HEADS - tl.where(is_value, KV_HEADS, 0)
    place = ((slot // BLOCK_SIZE) * KV_HEADS + head) * BLOCK_SIZE + slot % BLOCK_SIZE
    stored = cache + tl.where(is_value, cache_half, 0) + place * HEAD_DIM + dims
    tl.store(stored, turned_low.to(cache.dtype.element_ty), mask=is_stored)
    tl.store(stored + HALF, turned_high.to(cache.dtype.element_ty), mask=is_stored)


@triton.jit
def rotate_and_store_kernel(
    qkv, bias, cache, cosines, sines, positions, kv_slots, cache_half,
    HEADS: tl.constexpr, KV_HEADS: tl.constexpr, HEAD_DIM: tl.constexpr, HALF_BLOCK: tl.constexpr,
    BLOCK_SIZE: tl.constexpr, BLOCK_HEADS: tl.constexpr, KEEPS_ALL: tl.constexpr, PDL: tl.constexpr,
):  # fmt: skip
    """Rotate a token's queries and keys, store keys and values; one program for some heads of a token."""
    row = tl.program_id(0)
    heads = tl.program_id(1) * BLOCK_HEADS + tl.arange(0, BLOCK_HEADS)[:, None]
    dims = tl.arange(0, HALF_BLOCK)[None, :]
    inside = (heads < HEADS + 2 * KV_HEADS) & (dims < HEAD_DIM // 2)
    source = qkv + row.to(tl.int64) * ((HEADS + 2 * KV_HEADS) * HEAD_DIM) + heads * HEAD_DIM + dims
    if PDL:
        gdc_wait()
        gdc_launch_dependents()
    low = tl.load(source, mask=inside, other=0.0).to(tl.float32)
    high = tl.load(source + HEAD_DIM // 2, mask=inside, other=0.0).to(tl.float32)
    angle = tl.load(positions + row) * (HEAD_DIM // 2) + dims
    cosine = tl.load(cosines + angle, mask=dims < HEAD_DIM // 2, other=0.0)  # [1, HALF_BLOCK]: once for all heads
    sine = tl.load(sines + angle, mask=dims < HEAD_DIM // 2, other=0.0)
    store_rotated(
        low, high, bias, row, tl.load(kv_slots + row), heads, dims, inside, qkv, cache, cosine, sine, cache_half,
        HEADS, KV_HEADS, HEAD_DIM, BLOCK_SIZE, KEEPS_ALL,
    )  # fmt: skip


@triton.jit
def silu_mul_kernel(gate_up, out, WIDTH: tl.constexpr, BLOCK: tl.constexpr, PDL: tl.constexpr):
    """out = silu(gate) * up for the halves of each row of `gate_up`; one program for BLOCK columns of a row."""
    row = tl.program_id(0).to(tl.int64)
    columns = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = columns < WIDTH
    if PDL:
        gdc_wait()
        gdc_launch_dependents()
    gate = tl.load(gate_up + row * 2 * WIDTH + columns, mask=inside, other=0.0).to(tl.float32)
    up = tl.load(gate_up + row * 2 * WIDTH + WIDTH + columns, mask=inside, other=0.0).to(tl.float32)
    tl.store(out + row * WIDTH + columns, (gate * tl.sigmoid(gate) * up).to(out.dtype.element_ty), mask=inside)
