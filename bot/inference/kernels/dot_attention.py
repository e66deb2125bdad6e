# ruff: noqa: N803, N806, PLR0912, PLR0915 - Triton's constants are in capitals, and a kernel is one function
# mypy: ignore-errors
"""Paged attention on tensor cores (tl.dot, sm_80 and above): of packed prompts, and of decode rows in grouped queries.

A program has one *tile*: a run of a sequence's tokens under one query head, or few tokens under all the query heads
that share a key head, so that keys are read once for all of them. Keys and values are read where they lie, through the
sequence's block table, for any mix of sequences in one launch, so a pass can be captured in a graph.

Flash attention (Dao, arXiv 2307.08691). Few tiles don't fill the card, so a tile's keys may be cut into *shares*, each
the work of one program (flash-decoding): it leaves its sums and scales in scratch memory as a *part*, and the last of a
tile to arrive joins the parts. Which tiles and shares pay at which number of tokens stands in `tiles`. What `scales`
are, of a cache in eight bits, stands in `attention`.
"""

import triton
import triton.language as tl
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait

from bot.inference.kernels.int8 import widened

LOG2_E: tl.constexpr = tl.constexpr(1.4426950408889634)


@triton.jit
def dot_attention_kernel(
    qkv, cache, scales, tables, tiles, out, partial_sums, partial_scales, arrivals,
    cache_half, table_stride, scale,
    HEADS: tl.constexpr, KV_HEADS: tl.constexpr, HEAD_DIM: tl.constexpr, DIM_BLOCK: tl.constexpr,
    BLOCK_SIZE: tl.constexpr, TOKENS: tl.constexpr, TOGETHER: tl.constexpr, BLOCK_N: tl.constexpr,
    SHARES: tl.constexpr, LEAST: tl.constexpr, STAGES: tl.constexpr, IS_DECODE: tl.constexpr,
    PRECISION: tl.constexpr, PDL: tl.constexpr,
):  # fmt: skip
    """Causal attention of a tile over its sequence's cached keys; one program for each (tile, heads, share).

    A tile is (first row, rows, position, table row, what isn't of this pass), in a decode pass a row and its position;
    one without rows ends at once, so that a graph can launch more than a pass needs. Head by head, so that a head's
    keys stay in the cache of the card; or, where tiles have shares and are few, tile by tile, the empty ones last. A
    tile has at most SHARES shares, of at least LEAST times BLOCK_N keys, and the programs beyond have nothing to do.
    TOGETHER query heads, a power of two, are in a program. `arrivals` is zero before and after.
    """
    GROUP: tl.constexpr = HEADS // KV_HEADS
    PARTS: tl.constexpr = (GROUP + TOGETHER - 1) // TOGETHER
    if SHARES == 1:
        number, part, share, num_parts = tl.program_id(0), tl.program_id(1), 0, tl.num_programs(1)
    else:
        part, share, number, num_parts = tl.program_id(0), tl.program_id(1), tl.program_id(2), tl.num_programs(0)
    if IS_DECODE:
        first_row, num_rows, table_row = number, 1, number
        start = tl.load(tiles + number)
    else:
        first_row, num_rows = tl.load(tiles + number * 5), tl.load(tiles + number * 5 + 1)
        start, table_row = tl.load(tiles + number * 5 + 2), tl.load(tiles + number * 5 + 3)
    if PDL:
        gdc_wait()
        gdc_launch_dependents()
    if num_rows == 0:
        return
    end = start + num_rows
    num_runs = tl.cdiv(end, BLOCK_N)
    per_share = tl.cdiv(num_runs, tl.minimum(tl.cdiv(num_runs, LEAST), SHARES))
    num_shares = tl.cdiv(num_runs, per_share)
    if share >= num_shares:
        return
    kv_head = part // PARTS
    lines = tl.arange(0, TOKENS * TOGETHER)
    rows, in_group = lines // TOGETHER, part % PARTS * TOGETHER + lines % TOGETHER
    dims = tl.arange(0, DIM_BLOCK)
    offsets = tl.arange(0, BLOCK_N)
    is_query = ((rows < num_rows) & (in_group < GROUP))[:, None] & (dims < HEAD_DIM)[None, :]
    row_index, heads = (first_row + rows).to(tl.int64), kv_head * GROUP + in_group
    queries = tl.load(qkv + (row_index * ((HEADS + 2 * KV_HEADS) * HEAD_DIM) + heads * HEAD_DIM)[:, None]
                      + dims[None, :], mask=is_query, other=0.0)  # fmt: skip
    table = tables + table_row.to(tl.int64) * table_stride
    first, last = share * per_share * BLOCK_N, tl.minimum((share + 1) * per_share * BLOCK_N, end)
    last_whole = tl.minimum((start + 1) // BLOCK_N * BLOCK_N, last)  # every query of the tile sees every key before
    top = tl.full([TOKENS * TOGETHER], float("-inf"), dtype=tl.float32)
    total = tl.zeros([TOKENS * TOGETHER], dtype=tl.float32)
    sums = tl.zeros([TOKENS * TOGETHER, DIM_BLOCK], dtype=tl.float32)
    for key in tl.range(first, last_whole, BLOCK_N, num_stages=STAGES):
        sums, total, top = attend_run(
            queries, sums, total, top, cache, scales, cache_half, table, key, offsets, end, start + rows, kv_head, dims,
            scale, KV_HEADS, HEAD_DIM, DIM_BLOCK, BLOCK_SIZE, BLOCK_N, SHARES, False, PRECISION,
        )  # fmt: skip
    for key in tl.range(tl.maximum(first, last_whole), last, BLOCK_N, num_stages=STAGES):
        sums, total, top = attend_run(
            queries, sums, total, top, cache, scales, cache_half, table, key, offsets, end, start + rows, kv_head, dims,
            scale, KV_HEADS, HEAD_DIM, DIM_BLOCK, BLOCK_SIZE, BLOCK_N, SHARES, True, PRECISION,
        )  # fmt: skip
    group = row_index * HEADS + heads
    target = out + group[:, None] * HEAD_DIM + dims[None, :]
    if SHARES == 1 or num_shares == 1:
        tl.store(target, (sums / total[:, None]).to(out.dtype.element_ty), mask=is_query)
    else:
        is_line = (rows < num_rows) & (in_group < GROUP)
        place = group * SHARES
        tl.store(partial_sums + ((place + share) * DIM_BLOCK)[:, None] + dims[None, :], sums, mask=is_line[:, None])
        tl.store(partial_scales + (place + share) * 2, top, mask=is_line)
        tl.store(partial_scales + (place + share) * 2 + 1, total, mask=is_line)
        tl.debug_barrier()
        arrival = arrivals + number * num_parts + part
        if tl.atomic_add(arrival, 1, sem="acq_rel") == num_shares - 1:
            highest = tl.full([TOKENS * TOGETHER], float("-inf"), dtype=tl.float32)
            for each in tl.static_range(SHARES):  # unrolled, so that the loads don't wait for each other
                mask = is_line & (rows * 0 + each < num_shares)
                top = tl.load(partial_scales + (place + each) * 2, mask=mask, other=float("-inf"), cache_modifier=".cg")
                highest = tl.maximum(highest, top)
            total = tl.zeros([TOKENS * TOGETHER], dtype=tl.float32)
            sums = tl.zeros([TOKENS * TOGETHER, DIM_BLOCK], dtype=tl.float32)
            for each in tl.static_range(SHARES):
                mask = is_line & (rows * 0 + each < num_shares)
                of_part = partial_scales + (place + each) * 2
                top = tl.load(of_part, mask=mask, other=float("-inf"), cache_modifier=".cg")
                weight = tl.exp2(top - highest)
                total += tl.load(of_part + 1, mask=mask, other=0.0, cache_modifier=".cg") * weight
                parts = partial_sums + ((place + each) * DIM_BLOCK)[:, None] + dims[None, :]
                one = tl.load(parts, mask=mask[:, None], other=0.0, cache_modifier=".cg")
                sums += one * weight[:, None]
            tl.store(target, (sums / total[:, None]).to(out.dtype.element_ty), mask=is_query)
            tl.store(arrival, 0)


@triton.jit
def attend_run(
    queries, sums, total, top, cache, scales, cache_half, table, key, offsets, end, queries_at, kv_head, dims, scale,
    KV_HEADS: tl.constexpr, HEAD_DIM: tl.constexpr, DIM_BLOCK: tl.constexpr, BLOCK_SIZE: tl.constexpr,
    BLOCK_N: tl.constexpr, SHARES: tl.constexpr, IS_MASKED: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Take one run of keys into the online softmax; masked where the diagonal or the end of the sequence is near."""
    place = (offsets % BLOCK_SIZE * HEAD_DIM).to(tl.int64)
    for number in tl.static_range(BLOCK_N // BLOCK_SIZE):  # a block's number is one number, not one for each key
        first = key + number * BLOCK_SIZE
        if IS_MASKED:
            block = tl.load(table + first // BLOCK_SIZE, mask=first < end, other=0).to(tl.int64)
        else:
            block = tl.load(table + first // BLOCK_SIZE).to(tl.int64)
        begin = (block * KV_HEADS + kv_head) * (BLOCK_SIZE * HEAD_DIM)
        place += tl.where(offsets // BLOCK_SIZE == number, begin, 0)
    if HEAD_DIM % 16 == 0:
        place = tl.multiple_of(place, 16)  # which `where` makes the compiler forget, and then it loads number by number
    address = cache + place[:, None] + dims[None, :]
    if IS_MASKED or HEAD_DIM != DIM_BLOCK:
        mask = (key + offsets < end)[:, None] & (dims < HEAD_DIM)[None, :]
        keys = tl.load(address, mask=mask, other=0)
        values = tl.load(address + cache_half, mask=mask, other=0)
    else:
        keys = tl.load(address)
        values = tl.load(address + cache_half)
    scores = tl.dot(queries, tl.trans(widened(keys, queries.dtype)), input_precision=PRECISION)
    if scales is not None:
        vectors = scales + place // HEAD_DIM
        scores *= tl.load(vectors, mask=key + offsets < end, other=0.0).to(tl.float32)[None, :]
    if IS_MASKED:
        scores = tl.where((key + offsets)[None, :] <= queries_at[:, None], scores, float("-inf"))
    if IS_MASKED and SHARES > 1:  # of a share that is all behind it a query has seen nothing, which must not be NaN
        top = tl.maximum(top, -1e30)
    shares, shrink, total, top = soften(scores, total, top, scale * LOG2_E)
    if scales is not None:
        of_values = tl.load(vectors + cache_half // HEAD_DIM, mask=key + offsets < end, other=0.0)
        shares *= of_values.to(tl.float32)[None, :]
    values = widened(values, queries.dtype)
    sums = tl.dot(shares.to(values.dtype), values, sums * shrink[:, None], input_precision=PRECISION)
    return sums, total, top


@triton.jit
def soften(scores, total, top, factor):
    """One turn of the online softmax: the scores' shares, what the sums so far shrink by, and the new scales."""
    higher = tl.maximum(top, tl.max(scores, 1) * factor)
    shrink = tl.exp2(top - higher)
    shares = tl.exp2(scores * factor - higher[:, None])
    return shares, shrink, total * shrink + tl.sum(shares, 1), higher
