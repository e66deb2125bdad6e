# ruff: noqa: N803 - Triton's constants are in capitals, and a kernel is one function
# mypy: ignore-errors
# ruff: noqa: N803 - Triton's constants are in capitals, and a kernel is one function
"""The sampler as one Triton kernel: `sampler.sample` without a sort.

Weights lie between 0 and 1, where floats and their bits have the same order, so the least weight that a filter keeps is
found bit by bit: 30 counts (or sums) over a row that stays in registers. Plain arithmetic only, for every card.
"""

import triton
import triton.language as tl
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait


@triton.jit
def _mix64(state):
    state = state + -0x61C8864680B583EB
    state = (state ^ ((state >> 30) & ((1 << 34) - 1))) * -0x40A7B892E31B1A47
    state = (state ^ ((state >> 27) & ((1 << 37) - 1))) * -0x6B2FB644ECCEEE15
    return state ^ ((state >> 31) & ((1 << 33) - 1))


@triton.jit
def _mix32(state):
    state = (state ^ (state >> 16)) * tl.full([], 0x85EBCA6B, tl.uint32)
    state = (state ^ (state >> 13)) * tl.full([], 0xC2B2AE35, tl.uint32)
    return state ^ (state >> 16)


@triton.jit
def _exponentials(seed, position, tokens):
    mixed = _mix64(_mix64(seed) + position)
    low, high = mixed.to(tl.uint32), (mixed >> 32).to(tl.uint32)
    bits = _mix32(_mix32(tokens.to(tl.uint32) * tl.full([], 0x9E3779B9, tl.uint32) + high) ^ low)
    share = ((bits >> 9).to(tl.float32) + 0.5) * 1.1920928955078125e-07
    small = share * (1.0 + share * (0.5 + share * (0.3333333333333333 + share * 0.25)))
    return tl.where(share < 0.03125, small, -tl.log(1.0 - share))


@triton.jit
def sample_kernel(
    logits, slots, positions, seeds, temperatures, top_ps, top_ks, penalties, seen, tokens,
    WIDTH: tl.constexpr, BLOCK: tl.constexpr, PDL: tl.constexpr,
):  # fmt: skip
    """Draw a token for a row, mark it as seen; one program for each row."""
    row = tl.program_id(0).to(tl.int64)
    columns = tl.arange(0, BLOCK)
    inside = columns < WIDTH
    if PDL:
        gdc_wait()
        gdc_launch_dependents()
    seen_row = seen + tl.load(slots + row) * WIDTH
    penalty, temperature = tl.load(penalties + row), tl.load(temperatures + row)
    scores = tl.load(logits + row * WIDTH + columns, mask=inside, other=float("-inf")).to(tl.float32)
    if penalty != 1.0:
        is_seen = tl.load(seen_row + columns, mask=inside, other=0) != 0
        scores = tl.where(is_seen, tl.where(scores > 0, scores / penalty, scores * penalty), scores)
    best, token = tl.max(scores, 0, return_indices=True)
    if temperature > 0:
        weights = tl.where(inside, tl.exp((scores - best) / temperature), 0.0)
        bits = weights.to(tl.int32, bitcast=True)
        top_k = tl.load(top_ks + row).to(tl.int32)
        least = 0
        if (top_k > 0) & (top_k < WIDTH):
            for step in range(30):
                tried = least | (1 << (29 - step))
                if tl.sum((bits >= tried).to(tl.int32), 0) >= top_k:
                    least = tried
        top_p = tl.load(top_ps + row)
        if top_p < 1.0:
            kept = tl.where(bits >= least, weights, 0.0)
            wanted = top_p * tl.sum(kept, 0)
            lowest = 0
            for step in range(30):
                tried = lowest | (1 << (29 - step))
                if tl.sum(tl.where(bits >= tried, kept, 0.0), 0) >= wanted:
                    lowest = tried
            least = tl.maximum(least, tl.minimum(lowest, 0x3F800000))  # the bits of 1: the heaviest always stays
        race = tl.where((bits >= least) & inside, weights, 0.0)
        race = race / _exponentials(tl.load(seeds + row), tl.load(positions + row), columns)
        _winner, token = tl.max(race, 0, return_indices=True)
    # A row of NaN may point to the padding, and a token past the vocabulary would crash the next step.
    token = tl.minimum(token, WIDTH - 1).to(tl.int64)
    tl.store(tokens + row, token)
    tl.store(seen_row + token, 1)


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
