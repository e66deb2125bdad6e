# ruff: noqa: N803 - Triton's constants are in capitals, and a kernel is one function
# mypy: ignore-errors
# ruff: noqa: N803 - Triton's constants are in capitals, and a kernel is one function
"""The sampler in Triton: `sampler.sample` without a sort. Plain arithmetic only, for every card.

Weights lie between 0 and 1, where floats and their bits have the same order, so the least weight that a filter keeps
is found by its bits. `sample_kernel` finds one bit after the other: 30 counts, or sums, over a row that stays in
registers. A larger vocabulary is the work of several programs, and of several launches: `maxima_kernel`, then
`narrow_kernel` for each five bits of top-k's least weight and then of top-p's, then `race_kernel`.
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
def _scores_of(logits, seen_row, penalty, row, columns, inside, WIDTH: tl.constexpr):
    """Scores of a row under its repetition penalty."""
    scores = tl.load(logits + row * WIDTH + columns, mask=inside, other=float("-inf")).to(tl.float32)
    if penalty != 1.0:
        is_seen = tl.load(seen_row + columns, mask=inside, other=0) != 0
        scores = tl.where(is_seen, tl.where(scores > 0, scores / penalty, scores * penalty), scores)
    return scores


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
    scores = _scores_of(logits, seen_row, penalty, row, columns, inside, WIDTH)
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


NUM_STEPS: tl.constexpr = tl.constexpr(6)
"""Of each of the two searches; a step settles five of thirty bits."""
CANDIDATES: tl.constexpr = tl.constexpr(32)
NUM_FOUND: tl.constexpr = tl.constexpr(2 * 6 + 1)
"""What is known of a row: the bits before each step, and behind them the result of top-k's search."""
_ONE: tl.constexpr = tl.constexpr(0x3F800000)  # the bits of 1: the heaviest always stays


@triton.jit
def maxima_kernel(
    logits, slots, penalties, seen, maxima, places,
    WIDTH: tl.constexpr, CHUNK: tl.constexpr, PDL: tl.constexpr,
):  # fmt: skip
    """The best score of each chunk of a row, and where it is; one program for each."""
    row, chunk = tl.program_id(0).to(tl.int64), tl.program_id(1)
    columns = chunk * CHUNK + tl.arange(0, CHUNK)
    if PDL:
        gdc_wait()
        gdc_launch_dependents()
    seen_row = seen + tl.load(slots + row) * WIDTH
    scores = _scores_of(logits, seen_row, tl.load(penalties + row), row, columns, columns < WIDTH, WIDTH)
    best, place = tl.max(scores, 0, return_indices=True)
    tl.store(maxima + row * tl.num_programs(1) + chunk, best)
    tl.store(places + row * tl.num_programs(1) + chunk, chunk * CHUNK + place)


@triton.jit
def _weights_of(
    logits, seen_row, penalty, temperature, maxima, row, columns,
    WIDTH: tl.constexpr, CHUNKS: tl.constexpr, CHUNKS_BLOCK: tl.constexpr,
):  # fmt: skip
    """Weights of a chunk of a row: exponentials of its scores, as shares of the row's largest."""
    numbers = tl.arange(0, CHUNKS_BLOCK)
    best = tl.max(tl.load(maxima + row * CHUNKS + numbers, mask=numbers < CHUNKS, other=float("-inf")), 0)
    scores = _scores_of(logits, seen_row, penalty, row, columns, columns < WIDTH, WIDTH)
    return tl.where(columns < WIDTH, tl.exp((scores - best) / temperature), 0.0)


@triton.jit
def _settle(found, wanted, sums, row, rows, step, amount, CHUNKS: tl.constexpr, CHUNKS_BLOCK: tl.constexpr):
    """The bits after `step`, and the count or sum that they had to reach."""
    numbers, candidates = tl.arange(0, CHUNKS_BLOCK), tl.arange(0, CANDIDATES)
    place = ((step % 2 * rows + row) * CHUNKS + numbers[:, None]) * CANDIDATES + candidates[None, :]
    totals = tl.sum(tl.load(sums + place, mask=(numbers < CHUNKS)[:, None], other=0.0), 0)
    if step == NUM_STEPS:
        amount = amount * tl.max(totals, 0)  # top-p's share of all that top-k left
    elif step > NUM_STEPS:
        amount = tl.load(wanted + row)
    low = tl.load(found + row * NUM_FOUND + step, mask=step % NUM_STEPS != 0, other=0)
    choice = tl.maximum(tl.sum((totals >= amount).to(tl.int32), 0) - 1, 0)
    return low | (choice << (25 - step % NUM_STEPS * 5)), amount


@triton.jit(do_not_specialize=["step"])
def narrow_kernel(
    logits, slots, temperatures, top_ps, top_ks, penalties, seen, maxima, found, wanted, sums, step,
    WIDTH: tl.constexpr, CHUNK: tl.constexpr, CHUNKS: tl.constexpr, CHUNKS_BLOCK: tl.constexpr, PDL: tl.constexpr,
):  # fmt: skip
    """Count, or sum, the weights of a chunk that reach each of 32 candidates; one program for each chunk of a row.

    The candidates are the five bits of this step behind those that the steps before have settled, from the counts that
    they left: every program does that for itself.
    """
    row, chunk = tl.program_id(0).to(tl.int64), tl.program_id(1)
    rows = tl.num_programs(0)
    columns = chunk * CHUNK + tl.arange(0, CHUNK)
    if PDL:
        gdc_wait()
        gdc_launch_dependents()
    temperature, top_p = tl.load(temperatures + row), tl.load(top_ps + row)
    top_k = tl.load(top_ks + row).to(tl.int32)
    has_k = (top_k > 0) & (top_k < WIDTH)
    is_k = step < NUM_STEPS
    if temperature <= 0:
        return
    if is_k & ~has_k:
        return
    if ~is_k & (top_p >= 1.0):
        return
    low, least = 0, 0
    if step % NUM_STEPS != 0:
        amount = tl.where(is_k, top_k.to(tl.float32), top_p)
        low, amount = _settle(found, wanted, sums, row, rows, step - 1, amount, CHUNKS, CHUNKS_BLOCK)
        if chunk == 0:
            tl.store(found + row * NUM_FOUND + step, low)
            if step == NUM_STEPS + 1:
                tl.store(wanted + row, amount)
    if ~is_k & has_k:
        if step == NUM_STEPS:
            least, _ = _settle(found, wanted, sums, row, rows, step - 1, top_k.to(tl.float32), CHUNKS, CHUNKS_BLOCK)
            if chunk == 0:
                tl.store(found + row * NUM_FOUND + 2 * NUM_STEPS, least)
        else:
            least = tl.load(found + row * NUM_FOUND + 2 * NUM_STEPS)
    seen_row = seen + tl.load(slots + row) * WIDTH
    weights = _weights_of(
        logits, seen_row, tl.load(penalties + row), temperature, maxima, row, columns, WIDTH, CHUNKS, CHUNKS_BLOCK
    )  # fmt: skip
    bits = weights.to(tl.int32, bitcast=True)
    counted = tl.where(is_k, (columns < WIDTH).to(tl.float32), tl.where(bits >= least, weights, 0.0))
    candidates = tl.arange(0, CANDIDATES)
    tried = low | (candidates << (25 - step % NUM_STEPS * 5))
    reached = tl.sum(tl.where(bits[None, :] >= tried[:, None], counted[None, :], 0.0), 1)
    tl.store(sums + ((step % 2 * rows + row) * CHUNKS + chunk) * CANDIDATES + candidates, reached)


@triton.jit
def race_kernel(
    logits, slots, positions, seeds, temperatures, top_ps, top_ks, penalties, seen, maxima, places, found, wanted, sums,
    winners, arrivals, tokens,
    WIDTH: tl.constexpr, CHUNK: tl.constexpr, CHUNKS: tl.constexpr, CHUNKS_BLOCK: tl.constexpr, PDL: tl.constexpr,
):  # fmt: skip
    """Let what the filters leave of a chunk race; the last program of a row to arrive takes the winner of all.

    `arrivals` is zero before and after.
    """
    row, chunk = tl.program_id(0).to(tl.int64), tl.program_id(1)
    rows = tl.num_programs(0)
    columns, numbers = chunk * CHUNK + tl.arange(0, CHUNK), tl.arange(0, CHUNKS_BLOCK)
    if PDL:
        gdc_wait()
        gdc_launch_dependents()
    temperature, top_p = tl.load(temperatures + row), tl.load(top_ps + row)
    top_k = tl.load(top_ks + row).to(tl.int32)
    seen_row = seen + tl.load(slots + row) * WIDTH
    values = maxima
    if temperature > 0:
        least = 0
        if (top_k > 0) & (top_k < WIDTH):
            if top_p < 1.0:
                least = tl.load(found + row * NUM_FOUND + 2 * NUM_STEPS)
            else:
                least, _ = _settle(
                    found, wanted, sums, row, rows, NUM_STEPS - 1, top_k.to(tl.float32), CHUNKS, CHUNKS_BLOCK
                )  # fmt: skip
        if top_p < 1.0:
            lowest, _ = _settle(found, wanted, sums, row, rows, 2 * NUM_STEPS - 1, top_p, CHUNKS, CHUNKS_BLOCK)
            least = tl.maximum(least, tl.minimum(lowest, _ONE))
        weights = _weights_of(
            logits, seen_row, tl.load(penalties + row), temperature, maxima, row, columns, WIDTH, CHUNKS, CHUNKS_BLOCK
        )  # fmt: skip
        race = tl.where((weights.to(tl.int32, bitcast=True) >= least) & (columns < WIDTH), weights, 0.0)
        race = race / _exponentials(tl.load(seeds + row), tl.load(positions + row), columns)
        fastest, place = tl.max(race, 0, return_indices=True)
        tl.store(winners + row * CHUNKS + chunk, fastest)
        tl.store(places + row * CHUNKS + chunk, chunk * CHUNK + place)
        values = winners
    tl.debug_barrier()
    if tl.atomic_add(arrivals + row, 1, sem="acq_rel") == CHUNKS - 1:
        value = tl.load(
            values + row * CHUNKS + numbers, mask=numbers < CHUNKS, other=float("-inf"), cache_modifier=".cg"
        )
        _best, number = tl.max(value, 0, return_indices=True)
        token = tl.load(places + row * CHUNKS + tl.minimum(number, CHUNKS - 1), cache_modifier=".cg")
        # A row of NaN may point to the padding, and a token past the vocabulary would crash the next step.
        token = tl.minimum(token, WIDTH - 1).to(tl.int64)
        tl.store(tokens + row, token)
        tl.store(seen_row + token, 1)
        tl.store(arrivals + row, 0)


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
