# ruff: noqa: N803, PLR0915 - Triton's constants are in capitals, and a kernel is one function
# mypy: ignore-errors
"""Paged attention of decode rows, which every card can run; on tensor cores there is `dot_attention`.

Keys and values are read where they lie, block by block through the sequence's block table, for any mix of sequences in
one launch, so a pass can be captured in a graph.

Decode attention has one query for each row and reads all of the row's keys, so few rows don't fill the card. A row is
therefore cut into *shares* of consecutive blocks, each the work of one program: `SPLITS` is the most shares a row may
have, `LEAST` the fewest blocks in one. A program leaves its share's sums and scale as a *part* in scratch memory; the
last of a row to arrive joins the parts. How many shares pay at which number of rows stands in `tiles`.

Of a cache in eight bits a key's scale multiplies its score, and a value's scale its share, so that neither vector is
multiplied itself. Floats have none: `scales` is None.
"""

import triton
import triton.language as tl
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait

from bot.inference.kernels.int8 import widened

LOG2_E: tl.constexpr = tl.constexpr(1.4426950408889634)


@triton.jit
def decode_attention_kernel(
    qkv, cache, scales, tables, positions, out, partial_sums, partial_scales, arrivals,
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
        vector = (block * KV_HEADS + head // (HEADS // KV_HEADS)) * BLOCK_SIZE
        start = cache + vector * HEAD_DIM
        is_key = number * BLOCK_SIZE + offsets < length
        mask = in_tile & is_key[:, None]
        keys = tl.load(start + tile, mask=mask, other=0)
        values = tl.load(start + cache_half + tile, mask=mask, other=0)
        scores = tl.sum(widened(keys, tl.float32) * query[None, :], 1)
        if scales is not None:
            scores *= tl.load(scales + vector + offsets, mask=is_key, other=0.0).to(tl.float32)
        scores = tl.where(is_key, scores, float("-inf"))
        higher = tl.maximum(top, tl.max(scores, 0))
        shrink = tl.exp2(top - higher)
        shares = tl.exp2(scores - higher)
        total = total * shrink + tl.sum(shares, 0)
        if scales is not None:
            place = scales + cache_half // HEAD_DIM + vector + offsets
            shares *= tl.load(place, mask=is_key, other=0.0).to(tl.float32)
        sums = sums * shrink + tl.sum(widened(values, tl.float32) * shares[:, None], 0)
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
