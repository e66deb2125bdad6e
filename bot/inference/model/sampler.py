"""From logits to tokens: greedy rows and sampled rows side by side, each under its own parameters.

A token's weight is the exponential of its score, as a share of the largest. Those that the filters leave race: each
token's weight is divided by an exponentially distributed number and the largest wins, which draws in proportion to the
weights and needs no order. A number is a hash of the request's seed, the position and the token, so a draw never
depends on what else is in the batch. (Logits may differ in their last bits with the batch's size, as the matrix
products round differently.)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

import torch
from torch import Tensor

from bot.inference.engine import Weight


@dataclass(frozen=True, slots=True)
class SamplingRows:
    """Sampling parameters of a batch, one entry per row."""

    slots: Tensor  # int64 [n]
    positions: Tensor  # int64 [n]: of the token being sampled
    seeds: Tensor  # int64 [n]
    temperatures: Tensor  # float32 [n]; 0 is greedy
    top_ps: Tensor  # float32 [n]; 1 is off
    top_ks: Tensor  # int64 [n]; 0 is off
    penalties: Tensor  # float32 [n]; 1 is off

    def head(self, num_rows: int) -> "SamplingRows":
        """The leading rows."""
        return SamplingRows(*(getattr(self, name)[:num_rows] for name in self.__slots__))


def sample(logits: Tensor, rows: SamplingRows, seen: Tensor) -> Tensor:
    """Draw one token for each row of `logits` [n, vocab] and mark it in `seen` [slots, vocab].

    Captured in CUDA graphs: nothing in here may wait for the device or bring a number over from the host.
    Filters in transformers' order: repetition penalty (Keskar et al., CTRL), temperature, top-k, top-p; tokens of equal
    weight stay or go together.
    """
    scores = _penalized(logits.float(), seen.index_select(0, rows.slots), rows.penalties[:, None])
    best, greedy = scores.max(dim=1, keepdim=True)
    is_greedy = rows.temperatures == 0
    weights = torch.exp((scores - best) / rows.temperatures.masked_fill(is_greedy, 1.0)[:, None])
    weights = weights.masked_fill(~_is_kept(weights, rows), 0.0)
    drawn = (weights / exponentials(rows.seeds, rows.positions, logits.shape[1])).argmax(dim=1)
    tokens = torch.where(is_greedy, greedy[:, 0], drawn)
    seen.index_put_((rows.slots, tokens), torch.ones((), dtype=seen.dtype, device=seen.device))
    return tokens


def weigh(logits: Tensor, rows: SamplingRows, seen: Tensor, token_ids: Sequence[int]) -> tuple[Weight, ...]:
    """How near tokens were to being the one that `sample` draws from one row of `logits`; nothing is marked."""
    scores = _penalized(logits.float(), seen.index_select(0, rows.slots), rows.penalties[:, None])
    if rows.temperatures[0] != 0:
        weights = torch.exp((scores - scores.max()) / rows.temperatures[:, None])
        weights = weights.masked_fill(~_is_kept(weights, rows), 0.0)
        scores = torch.log(weights / exponentials(rows.seeds, rows.positions, logits.shape[1]))
    told = zip(token_ids, logits[0, token_ids].tolist(), scores[0, token_ids].tolist(), strict=True)
    return tuple(Weight(token_id, logit, score if isfinite(score) else None) for token_id, logit, score in told)


def _penalized(scores: Tensor, seen: Tensor, penalties: Tensor) -> Tensor:
    penalized = torch.where(scores > 0, scores / penalties, scores * penalties)
    return torch.where(seen, penalized, scores)


def _is_kept(weights: Tensor, rows: SamplingRows) -> Tensor:
    """Which tokens the filters leave: fewer than top_k are heavier, and those weigh less than top_p of the rest."""
    vocab_size = weights.shape[1]
    ordered = torch.sort(weights, dim=1, descending=True).values
    ranks = torch.arange(vocab_size, device=weights.device)
    top_ks = rows.top_ks.masked_fill(rows.top_ks <= 0, vocab_size).clamp(max=vocab_size)[:, None]
    least = ordered.gather(1, top_ks - 1)
    masses = ordered.masked_fill(ordered < least, 0.0)
    heavier = masses.cumsum(dim=1) - masses
    num_kept = ((heavier < rows.top_ps[:, None] * masses.sum(dim=1, keepdim=True)) | (ranks == 0)).sum(dim=1)
    return weights >= torch.maximum(ordered.gather(1, (num_kept - 1)[:, None]), least)


def exponentials(seeds: Tensor, positions: Tensor, vocab_size: int) -> Tensor:
    """Exponentially distributed numbers [n, vocab], each a hash of seed, position and token.

    splitmix64's finaliser (Steele et al., 2014) mixes seed and position, Murmur3's (Appleby) adds the token.
    """
    mixed = _mix64(_mix64(seeds) + positions)[:, None]
    tokens = torch.arange(vocab_size, device=seeds.device)[None, :]
    bits = _mix32((mixed & 0xFFFFFFFF) ^ _mix32((tokens * 0x9E3779B9 + _shift(mixed, 32)) & 0xFFFFFFFF))
    share = ((bits >> 9).float() + 0.5) * 2.0**-23
    # Small ones decide who wins, and a fast logarithm is wrong near 1.
    small = share * (1 + share * (1 / 2 + share * (1 / 3 + share / 4)))
    return torch.where(share < 1 / 32, small, -torch.log(1 - share))


def _mix64(state: Tensor) -> Tensor:
    state = state + -0x61C8864680B583EB
    state = (state ^ _shift(state, 30)) * -0x40A7B892E31B1A47
    state = (state ^ _shift(state, 27)) * -0x6B2FB644ECCEEE15
    return state ^ _shift(state, 31)


def _shift(state: Tensor, count: int) -> Tensor:
    """A logical right shift of signed 64-bit integers."""
    return (state >> count) & ((1 << (64 - count)) - 1)


def _mix32(state: Tensor) -> Tensor:
    """Of 32-bit numbers in 64-bit integers, whose products may overflow: the low half is right all the same."""
    state = ((state ^ (state >> 16)) * 0x85EBCA6B) & 0xFFFFFFFF
    state = ((state ^ (state >> 13)) * 0xC2B2AE35) & 0xFFFFFFFF
    return state ^ (state >> 16)
