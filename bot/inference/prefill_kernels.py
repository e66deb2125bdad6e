# ruff: noqa: N803 - Triton's constants are in capitals, and a kernel is one function
# mypy: ignore-errors
"""Paged prefill attention on tensor cores (tl.dot, sm_80 and above).

It reads keys and values where they lie, block by block, for any mix of sequences and prefixes in one launch, so a
prefill pass can be captured in a graph.
"""

import triton
import triton.language as tl
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait

from bot.inference.kernels import LOG2_E


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
