# ruff: noqa: N803 - Triton's constants are in capitals, and a kernel is one function
# mypy: ignore-errors
"""Attention of large prefill passes on Hopper: a pass's own keys come by tensor descriptor, a prefix's by block table.

Most of what a prompt attends to is the prompt itself, and that lies in one piece in `qkv`: the card's copy engine
brings it tile by tile, which costs the program no registers and no arithmetic on addresses.
"""

import triton
import triton.language as tl
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait

from bot.inference.kernels.dot_attention import LOG2_E, attend_run, soften


@triton.jit
def packed_attention_kernel(
    qkv, own, cache, tables, tiles, out, cache_half, table_stride, scale,
    HEADS: tl.constexpr, KV_HEADS: tl.constexpr, HEAD_DIM: tl.constexpr, BLOCK_SIZE: tl.constexpr,
    BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, STAGES: tl.constexpr, PDL: tl.constexpr,
):  # fmt: skip
    """Causal attention of a tile of tokens under one query head; one program for each (tile, head).

    `own` describes `qkv` in boxes of BLOCK_N keys or values. What lies before the tile's sequence in this pass is in
    the cache.
    """
    tile = tiles + tl.program_id(0) * 5
    head = tl.program_id(1)
    first_row, num_rows, start = tl.load(tile), tl.load(tile + 1), tl.load(tile + 2)
    table_row, num_before = tl.load(tile + 3), tl.load(tile + 4)
    if PDL:
        gdc_wait()
        gdc_launch_dependents()
    if num_rows == 0:
        return
    kv_head = head // (HEADS // KV_HEADS)
    rows = tl.arange(0, BLOCK_M)
    dims = tl.arange(0, HEAD_DIM)
    offsets = tl.arange(0, BLOCK_N)
    is_query = (rows < num_rows)[:, None] & (dims >= 0)[None, :]
    row_index = (first_row + rows).to(tl.int64)
    queries = tl.load(qkv + (row_index * ((HEADS + 2 * KV_HEADS) * HEAD_DIM) + head * HEAD_DIM)[:, None]
                      + dims[None, :], mask=is_query, other=0.0)  # fmt: skip
    top = tl.full([BLOCK_M], float("-inf"), dtype=tl.float32)
    total = tl.zeros([BLOCK_M], dtype=tl.float32)
    sums = tl.zeros([BLOCK_M, HEAD_DIM], dtype=tl.float32)
    table = tables + table_row.to(tl.int64) * table_stride
    last_whole = num_before // BLOCK_N * BLOCK_N
    for key in tl.range(0, last_whole, BLOCK_N, num_stages=2):
        sums, total, top = attend_run(
            queries, sums, total, top, cache, None, cache_half, table, key, offsets, num_before, start + rows, kv_head,
            dims, scale, KV_HEADS, HEAD_DIM, HEAD_DIM, BLOCK_SIZE, BLOCK_N, 1, False, "tf32",
        )  # fmt: skip
    for key in tl.range(last_whole, num_before, BLOCK_N, num_stages=1):
        sums, total, top = attend_run(
            queries, sums, total, top, cache, None, cache_half, table, key, offsets, num_before,
            rows * 0 + num_before - 1, kv_head, dims, scale, KV_HEADS, HEAD_DIM, HEAD_DIM, BLOCK_SIZE, BLOCK_N, 1,
            True, "tf32",
        )  # fmt: skip
    first_at = start - num_before  # of the tile's queries, among those of its sequence in this pass
    base = first_row - first_at
    key_column, value_column = (HEADS + kv_head) * HEAD_DIM, (HEADS + KV_HEADS + kv_head) * HEAD_DIM
    own_whole = (first_at + 1) // BLOCK_N * BLOCK_N
    for key in tl.range(0, own_whole, BLOCK_N, num_stages=STAGES):
        scores = tl.dot(queries, own.load([base + key, key_column]).T)
        shares, shrink, total, top = soften(scores, total, top, scale * LOG2_E)
        values = own.load([base + key, value_column])
        sums = tl.dot(shares.to(values.dtype), values, sums * shrink[:, None])
    for key in tl.range(own_whole, first_at + num_rows, BLOCK_N, num_stages=STAGES):
        scores = tl.dot(queries, own.load([base + key, key_column]).T)
        scores = tl.where((key + offsets)[None, :] <= (first_at + rows)[:, None], scores, float("-inf"))
        shares, shrink, total, top = soften(scores, total, top, scale * LOG2_E)
        values = own.load([base + key, value_column])
        sums = tl.dot(shares.to(values.dtype), values, sums * shrink[:, None])
    target = out + (row_index * (HEADS * HEAD_DIM) + head * HEAD_DIM)[:, None] + dims[None, :]
    tl.store(target, (sums / total[:, None]).to(out.dtype.element_ty), mask=is_query)
