# ruff: noqa: N803, N806, D403, PLR0915 - Triton's constants are in capitals, and a kernel is one function
# mypy: ignore-errors
"""Triton kernels that every batch size shares: norm, rotation and storage, gating, decode attention, greedy choice.

They use neither tl.dot nor bf16, so that they compile for a Tesla T4 (sm_75), for which Triton has no tensor-core path.
Addresses into the cache are 64-bit. `PDL` is Hopper's programmatic dependent launch: a kernel starts while the one
before it drains, and waits (`gdc_wait`) before it touches what that one wrote.
"""

import triton
import triton.language as tl
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait

LOG2_E: tl.constexpr = tl.constexpr(1.4426950408889634)


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
    low, high, rows, slot, heads, dims, inside, qkv, cache, cosine, sine, cache_half,
    HEADS: tl.constexpr, KV_HEADS: tl.constexpr, HEAD_DIM: tl.constexpr, BLOCK_SIZE: tl.constexpr,
):  # fmt: skip
    """Rotate queries and keys; queries go back to `qkv`, keys and values to the cache.

    `low` and `high` are the halves d and d + HEAD_DIM / 2 of the heads; the rest broadcasts to their shape.
    """
    HALF: tl.constexpr = HEAD_DIM // 2
    turns = heads < HEADS + KV_HEADS
    turned_low = tl.where(turns, low * cosine - high * sine, low)
    turned_high = tl.where(turns, high * cosine + low * sine, high)
    is_query = inside & (heads < HEADS)
    query = qkv + rows.to(tl.int64) * ((HEADS + 2 * KV_HEADS) * HEAD_DIM) + heads * HEAD_DIM + dims
    tl.store(query, turned_low.to(qkv.dtype.element_ty), mask=is_query)
    tl.store(query + HALF, turned_high.to(qkv.dtype.element_ty), mask=is_query)
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
    qkv, cache, cosines, sines, positions, kv_slots, cache_half,
    HEADS: tl.constexpr, KV_HEADS: tl.constexpr, HEAD_DIM: tl.constexpr, HALF_BLOCK: tl.constexpr,
    BLOCK_SIZE: tl.constexpr, BLOCK_HEADS: tl.constexpr, PDL: tl.constexpr,
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
        low, high, row, tl.load(kv_slots + row), heads, dims, inside, qkv, cache, cosine, sine, cache_half,
        HEADS, KV_HEADS, HEAD_DIM, BLOCK_SIZE,
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


@triton.jit
def decode_attention_kernel(
    qkv, cache, tables, positions, out, partial_sums, partial_scales, arrivals,
    cache_half, table_stride, scale,
    HEADS: tl.constexpr, KV_HEADS: tl.constexpr, HEAD_DIM: tl.constexpr, DIM_BLOCK: tl.constexpr,
    BLOCK_SIZE: tl.constexpr, SPLITS: tl.constexpr, LEAST: tl.constexpr, STAGES: tl.constexpr, PDL: tl.constexpr,
):  # fmt: skip
    """Attention of one query head of one row over its share of the row's blocks; the last share to arrive joins them.

    Online softmax (Milakov and Gimelshein, arXiv 1805.02867), split over keys as in flash-decoding. One program for
    each (row, head, split); a row is cut into at most SPLITS shares, of at least LEAST blocks, and the programs beyond
    have nothing to do. `arrivals` is zero before and after.
    """
    row, head, split = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    dims = tl.arange(0, DIM_BLOCK)
    offsets = tl.arange(0, BLOCK_SIZE)
    in_head = dims < HEAD_DIM
    length = tl.load(positions + row) + 1
    num_blocks = tl.cdiv(length, BLOCK_SIZE)
    per_split = tl.cdiv(num_blocks, tl.minimum(tl.cdiv(num_blocks, LEAST), SPLITS))
    num_splits = tl.cdiv(num_blocks, per_split)
    first = split * per_split
    last = tl.minimum(first + per_split, num_blocks)
    tile = offsets[:, None] * HEAD_DIM + dims[None, :]
    in_tile = in_head[None, :] & (offsets[:, None] >= 0)
    if PDL:
        gdc_wait()
        gdc_launch_dependents()
    if split >= num_splits:
        return
    query = tl.load(qkv + row.to(tl.int64) * ((HEADS + 2 * KV_HEADS) * HEAD_DIM) + head * HEAD_DIM + dims,
                    mask=in_head, other=0.0).to(tl.float32) * (scale * LOG2_E)  # fmt: skip
    top = float("-inf")
    total = 0.0
    sums = tl.zeros([DIM_BLOCK], dtype=tl.float32)
    for number in tl.range(first, last, num_stages=STAGES):
        block = tl.load(tables + row * table_stride + number).to(tl.int64)
        start = cache + (block * KV_HEADS + head // (HEADS // KV_HEADS)) * (BLOCK_SIZE * HEAD_DIM)
        is_key = number * BLOCK_SIZE + offsets < length
        mask = in_tile & is_key[:, None]
        keys = tl.load(start + tile, mask=mask, other=0.0)
        values = tl.load(start + cache_half + tile, mask=mask, other=0.0)
        scores = tl.sum(keys.to(tl.float32) * query[None, :], 1)
        scores = tl.where(is_key, scores, float("-inf"))
        higher = tl.maximum(top, tl.max(scores, 0))
        shrink = tl.exp2(top - higher)
        shares = tl.exp2(scores - higher)
        sums = sums * shrink + tl.sum(values.to(tl.float32) * shares[:, None], 0)
        total = total * shrink + tl.sum(shares, 0)
        top = higher
    target = out + (row.to(tl.int64) * HEADS + head) * HEAD_DIM + dims
    if num_splits == 1:
        tl.store(target, (sums / total).to(out.dtype.element_ty), mask=in_head)
    else:
        group = row * HEADS + head
        part = group * SPLITS + split
        tl.store(partial_sums + part * DIM_BLOCK + dims, sums)
        tl.store(partial_scales + part * 2, top)
        tl.store(partial_scales + part * 2 + 1, total)
        tl.debug_barrier()
        if tl.atomic_add(arrivals + group, 1, sem="acq_rel") == num_splits - 1:
            numbers = tl.arange(0, SPLITS)
            parts, is_part = group * SPLITS + numbers, numbers < num_splits
            tops = tl.load(partial_scales + parts * 2, mask=is_part, other=float("-inf"), cache_modifier=".cg")
            totals = tl.load(partial_scales + parts * 2 + 1, mask=is_part, other=0.0, cache_modifier=".cg")
            shares = tl.exp2(tops - tl.max(tops, 0))
            place = partial_sums + parts[:, None] * DIM_BLOCK + dims[None, :]
            joined = tl.load(place, mask=is_part[:, None] & (dims >= 0)[None, :], other=0.0, cache_modifier=".cg")
            joined = tl.sum(joined * shares[:, None], 0) / tl.sum(totals * shares, 0)
            tl.store(target, joined.to(out.dtype.element_ty), mask=in_head)
            tl.store(arrivals + group, 0)


@triton.jit
def greedy_kernel(logits, tokens, finite, WIDTH: tl.constexpr, BLOCK: tl.constexpr, PDL: tl.constexpr):
    """The first largest logit of a row, and whether all of them are finite; one program for each row."""
    row = tl.program_id(0).to(tl.int64)
    best = float("-inf")
    token = 0
    num_bad = 0
    if PDL:
        gdc_wait()
        gdc_launch_dependents()
    for start in range(0, WIDTH, BLOCK):
        columns = start + tl.arange(0, BLOCK)
        inside = columns < WIDTH
        value = tl.load(logits + row * WIDTH + columns, mask=inside, other=float("-inf")).to(tl.float32)
        num_bad += tl.sum((inside & ~(tl.abs(value) < float("inf"))).to(tl.int32), 0)
        top, index = tl.max(value, 0, return_indices=True)
        is_better = top > best
        token = tl.where(is_better, start + index, token)
        best = tl.where(is_better, top, best)
    # A row of NaN may point to the padding, and a token past the vocabulary would crash the next step.
    tl.store(tokens + row, tl.minimum(token, WIDTH - 1).to(tl.int64))
    tl.store(finite + row, num_bad == 0)
