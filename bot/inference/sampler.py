"""From logits to tokens: greedy rows and sampled rows side by side, each under its own parameters.

A row's random number is a hash of its seed and the token's position, so a draw never depends on what else is in the
batch. (Logits may differ in their last bits with the batch's size, as the matrix products round differently.)
"""

from dataclasses import dataclass

import torch
from torch import Tensor


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
    Filters in transformers' order: repetition penalty (Keskar et al., CTRL), temperature, top-k, top-p.
    """
    scores = _penalized(logits.float(), seen.index_select(0, rows.slots), rows.penalties[:, None])
    greedy = scores.argmax(dim=1)
    is_greedy = rows.temperatures == 0
    temperatures = rows.temperatures.masked_fill(is_greedy, 1.0)[:, None]
    ordered, order = torch.sort(scores / temperatures, dim=1, descending=True)
    index = _draw(ordered, rows)
    tokens = torch.where(is_greedy, greedy, order.gather(1, index[:, None])[:, 0])
    seen.index_put_((rows.slots, tokens), torch.ones((), dtype=seen.dtype, device=seen.device))
    return tokens


def _penalized(scores: Tensor, seen: Tensor, penalties: Tensor) -> Tensor:
    penalized = torch.where(scores > 0, scores / penalties, scores * penalties)
    return torch.where(seen, penalized, scores)


def _draw(ordered: Tensor, rows: SamplingRows) -> Tensor:
    """Rank of the token drawn from descending scores [n, vocab], by inverting the cumulative distribution."""
    vocab_size = ordered.shape[1]
    ranks = torch.arange(vocab_size, device=ordered.device)
    top_ks = rows.top_ks.masked_fill(rows.top_ks <= 0, vocab_size)[:, None]
    probabilities = torch.softmax(ordered.masked_fill(ranks >= top_ks, float("-inf")), dim=1)
    cumulative = probabilities.cumsum(dim=1)
    # A rank is kept while the mass before it is short of top_p; rank 0 always is.
    is_kept = ((cumulative - probabilities < rows.top_ps[:, None]) | (ranks == 0)) & (ranks < top_ks)
    num_kept = is_kept.sum(dim=1)
    mass = cumulative.gather(1, (num_kept - 1)[:, None])
    target = uniform(rows.seeds, rows.positions)[:, None] * mass
    return torch.minimum((cumulative <= target).sum(dim=1), num_kept - 1)


def uniform(seeds: Tensor, positions: Tensor) -> Tensor:
    """A number in [0, 1) for each seed and position: the finaliser of splitmix64 (Steele et al., 2014) over both."""
    mixed = _mix(_mix(seeds) + positions)
    return ((mixed >> 40) & 0xFFFFFF).float() * 2.0**-24


def _mix(state: Tensor) -> Tensor:
    state = state + -0x61C8864680B583EB
    state = (state ^ _shift(state, 30)) * -0x40A7B892E31B1A47
    state = (state ^ _shift(state, 27)) * -0x6B2FB644ECCEEE15
    return state ^ _shift(state, 31)


def _shift(state: Tensor, count: int) -> Tensor:
    """A logical right shift of signed 64-bit integers."""
    return (state >> count) & ((1 << (64 - count)) - 1)
