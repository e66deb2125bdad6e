# ruff: noqa: N803, PLR0915 - Triton's constants are in capitals, and a kernel is one function
# mypy: ignore-errors
"""Paged attention: of packed prompts on tensor cores, and of decode rows, which every card can run.

Both read keys and values where they lie, block by block through the sequence's block table, for any mix of sequences
in one launch, so a pass can be captured in a graph. `prefill_attention_kernel` needs tl.dot, so sm_80 and above.

Decode attention has one query for each row and reads all of the row's keys, so few rows don't fill the card. A row is
therefore cut into *shares* of consecutive blocks, each the work of one program: `SPLITS` is the most shares a row may
have, `LEAST` the fewest blocks in one. A program leaves its share's sums and scale as a *part* in scratch memory; the
last of a row to arrive joins the parts. How many shares pay at which number of rows stands in `tiles`.
"""

import triton
import triton.language as tl
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait

LOG2_E: tl.constexpr = tl.constexpr(1.4426950408889634)


@triton.jit
def prefill_attention_kernel(
    qkv, cache, tables, tiles, out, cache_half, table_stride, scale,
    HEADS: tl.constexpr, KV_HEADS: tl.constexpr, HEAD_DIM: tl.constexpr, DIM_BLOCK: tl.constexpr,
    BLOCK_SIZE: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, STAGES: tl.constexpr,
    PRECISION: tl.constexpr, PDL: tl.constexpr,
):  # fmt: skip
    """Causal attention of a tile of query rows over their sequence's cached keys; one program for each (tile, head).

    Flash attention (Dao, arXiv 2307.08691) over a block table. A tile is (first row, rows, position, table row); one
    without rows ends at once, so that a graph can launch more than a pass needs. The last tiles, which have the most
    keys, go first.
    """
    tile = tiles + (tl.num_programs(0) - 1 - tl.program_id(0)) * 4
    if PDL:
        gdc_wait()
        gdc_launch_dependents()
    first_row, num_rows = tl.load(tile), tl.load(tile + 1)
    start, table_row = tl.load(tile + 2), tl.load(tile + 3)
    if num_rows == 0:
        return
    head = tl.program_id(1)
    rows = tl.arange(0, BLOCK_M)
    dims = tl.arange(0, DIM_BLOCK)
    offsets = tl.arange(0, BLOCK_N)
    in_head = (dims < HEAD_DIM)[None, :]
    row_index = (first_row + rows).to(tl.int64)[:, None]
    queries = tl.load(qkv + row_index * ((HEADS + 2 * KV_HEADS) * HEAD_DIM) + head * HEAD_DIM + dims[None, :],
                      mask=(rows < num_rows)[:, None] & in_head, other=0.0)  # fmt: skip
    table = tables + table_row * table_stride
    kv_head = head // (HEADS // KV_HEADS)
    end = start + num_rows
    num_whole = (start + 1) // BLOCK_N * BLOCK_N
    top = tl.full([BLOCK_M], float("-inf"), dtype=tl.float32)
    total = tl.zeros([BLOCK_M], dtype=tl.float32)
    sums = tl.zeros([BLOCK_M, DIM_BLOCK], dtype=tl.float32)
    for key in tl.range(0, num_whole, BLOCK_N, num_stages=STAGES):
        sums, total, top = _attend_block(
            queries, sums, total, top, cache, cache_half, table, key + offsets, end, start + rows, kv_head, dims, scale,
            KV_HEADS, HEAD_DIM, DIM_BLOCK, BLOCK_SIZE, False, PRECISION,
        )  # fmt: skip
    for key in tl.range(num_whole, end, BLOCK_N, num_stages=STAGES):
        sums, total, top = _attend_block(
            queries, sums, total, top, cache, cache_half, table, key + offsets, end, start + rows, kv_head, dims, scale,
            KV_HEADS, HEAD_DIM, DIM_BLOCK, BLOCK_SIZE, True, PRECISION,
        )  # fmt: skip
    target = out + row_index * (HEADS * HEAD_DIM) + head * HEAD_DIM + dims[None, :]
    tl.store(target, (sums / total[:, None]).to(out.dtype.element_ty), mask=(rows < num_rows)[:, None] & in_head)


@triton.jit
def _attend_block(
    queries, sums, total, top, cache, cache_half, table, keys_at, end, queries_at, kv_head, dims, scale,
    KV_HEADS: tl.constexpr, HEAD_DIM: tl.constexpr, DIM_BLOCK: tl.constexpr, BLOCK_SIZE: tl.constexpr,
    IS_MASKED: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Take one run of keys into the online softmax; masked where the diagonal or the end of the sequence is near."""
    block = tl.load(table + keys_at // BLOCK_SIZE, mask=keys_at < end, other=0).to(tl.int64)
    place = ((block * KV_HEADS + kv_head) * BLOCK_SIZE + keys_at % BLOCK_SIZE) * HEAD_DIM
    address = cache + place[:, None] + dims[None, :]
    if IS_MASKED or HEAD_DIM != DIM_BLOCK:
        mask = (keys_at < end)[:, None] & (dims < HEAD_DIM)[None, :]
        keys = tl.load(address, mask=mask, other=0.0)
        values = tl.load(address + cache_half, mask=mask, other=0.0)
    else:
        keys = tl.load(address)
        values = tl.load(address + cache_half)
    scores = tl.dot(queries, tl.trans(keys), input_precision=PRECISION) * (scale * LOG2_E)
    if IS_MASKED:
        scores = tl.where(keys_at[None, :] <= queries_at[:, None], scores, float("-inf"))
    higher = tl.maximum(top, tl.max(scores, 1))
    shrink = tl.exp2(top - higher)
    shares = tl.exp2(scores - higher[:, None])
    total = total * shrink + tl.sum(shares, 1)
    sums = tl.dot(shares.to(values.dtype), values, sums * shrink[:, None], input_precision=PRECISION)
    return sums, total, higher


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
