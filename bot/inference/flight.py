"""A launched step on its way: whose tokens it will bring, as things stood when it was launched.

Until it lands, a sequence may have ended, been preempted or been started over, and its slot may belong to another.
"""

from dataclasses import dataclass

from bot.inference.batch import Batch
from bot.inference.sequence import Sequence
from bot.inference.step import DecodeStep, PendingTokens, PrefillStep, SampledToken


@dataclass(frozen=True, slots=True)
class Part:
    """One sequence's share in a launched step, as things stood at its launch."""

    sequence: Sequence
    incarnation: int
    slot: int
    is_sampling: bool

    @property
    def is_current(self) -> bool:
        """Nothing has made its token worthless since."""
        return not self.sequence.is_finished and self.incarnation == self.sequence.incarnation


@dataclass(frozen=True, slots=True)
class Flight:
    """A launched step, to be read back."""

    pending: PendingTokens
    is_decode: bool
    parts: tuple[Part, ...]

    def collect(self) -> list[tuple[Part, SampledToken]]:
        """Wait for the tokens; each with the part that it is for.

        Raises:
            Exception: whatever the runner raises, or that its answer doesn't fit the step.
        """
        sampling = [part for part in self.parts if part.is_sampling]
        tokens = self.pending.collect()
        expected, got = [part.slot for part in sampling], [token.slot for token in tokens]
        if expected != got:
            raise RuntimeError(f"the model runner returned tokens of slots {got}, not {expected}")
        return list(zip(sampling, tokens, strict=True))


def take_off(batch: Batch, pending: PendingTokens) -> Flight:
    """Note whose a step is at the moment of its launch."""
    return Flight(pending, isinstance(batch.step, DecodeStep), _parts(batch))


def _parts(batch: Batch) -> tuple[Part, ...]:
    is_sampling = [True] * len(batch.sequences)
    if isinstance(batch.step, PrefillStep):
        is_sampling = [chunk.is_last for chunk in batch.step.chunks]
    return tuple(
        Part(sequence, sequence.incarnation, sequence.slot, samples)
        for sequence, samples in zip(batch.sequences, is_sampling, strict=True)
    )
