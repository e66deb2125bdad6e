"""A step together with whose it is: how it is cut up when it was refused, and what is known of it once it is launched.

Until a launched step is read back, a sequence may have ended, been preempted or been started over, and its slot may
belong to another.
"""

from dataclasses import dataclass, replace
from itertools import compress

from bot.inference.scheduling.sequence import Sequence
from bot.inference.scheduling.step import DecodeStep, PendingTokens, PrefillChunk, PrefillStep, SampledTokens, Step

_MIN_CUT_TOKENS = 128


@dataclass(frozen=True, slots=True)
class Batch:
    """A step, and whose its chunks or rows are, in the same order."""

    step: Step
    sequences: tuple[Sequence, ...]

    def of_running(self) -> "Batch | None":
        """The share of those that still run, or None."""
        stays = [sequence.is_running for sequence in self.sequences]
        sequences = tuple(compress(self.sequences, stays))
        if not sequences:
            return None
        if isinstance(self.step, DecodeStep):
            return Batch(DecodeStep(tuple(compress(self.step.rows, stays))), sequences)
        return Batch(PrefillStep(tuple(compress(self.step.chunks, stays))), sequences)

    def halves(self, *, may_cut_prompt: bool) -> "list[Batch]":
        """The same work in two steps, to be launched in this order; empty if it can't be cut.

        With `may_cut_prompt` a single long chunk is cut too, which takes less memory. A row alone loses its proposals.
        """
        middle = len(self.sequences) // 2
        if middle:
            return [self._part(slice(None, middle)), self._part(slice(middle, None))]
        if isinstance(self.step, DecodeStep):
            (row,) = self.step.rows
            return [Batch(DecodeStep((replace(row, proposed=()),)), self.sequences)] if row.proposed else []
        if not may_cut_prompt:
            return []
        (chunk,) = self.step.chunks
        if len(chunk.token_ids) <= _MIN_CUT_TOKENS:
            return []
        return [Batch(PrefillStep((piece,)), self.sequences) for piece in _cut(chunk)]

    def _part(self, part: slice) -> "Batch":
        if isinstance(self.step, DecodeStep):
            return Batch(DecodeStep(self.step.rows[part]), self.sequences[part])
        return Batch(PrefillStep(self.step.chunks[part]), self.sequences[part])


def _cut(chunk: PrefillChunk) -> tuple[PrefillChunk, PrefillChunk]:
    middle = len(chunk.token_ids) // 2
    head = PrefillChunk(chunk.slot, chunk.token_ids[:middle], chunk.start, chunk.block_ids, chunk.sampling, False)
    tail = PrefillChunk(
        slot=chunk.slot,
        token_ids=chunk.token_ids[middle:],
        start=chunk.start + middle,
        block_ids=chunk.block_ids,
        sampling=chunk.sampling,
        is_last=chunk.is_last,
        seen_token_ids=chunk.seen_token_ids,
    )
    return head, tail


@dataclass(frozen=True, slots=True)
class LaunchedRow:
    """One sequence's share in a launched step, as things stood at its launch."""

    sequence: Sequence
    incarnation: int
    slot: int
    is_sampling: bool
    proposed: tuple[int, ...] = ()

    def agreed(self, token_ids: tuple[int, ...]) -> tuple[int, ...]:
        """The sampled tokens that stand: each but the first was sampled after a proposal, which had to be right."""
        num_right = 0
        for proposal, token_id in zip(self.proposed, token_ids, strict=False):
            if proposal != token_id:
                break
            num_right += 1
        return token_ids[: num_right + 1]

    @property
    def is_current(self) -> bool:
        """Nothing has made its token worthless since."""
        return not self.sequence.is_finished and self.incarnation == self.sequence.incarnation


@dataclass(frozen=True, slots=True)
class LaunchedStep:
    """A launched step, to be read back."""

    pending: PendingTokens
    is_decode: bool
    rows: tuple[LaunchedRow, ...]
    done_at: float | None = None
    """When it was over, where its launch already waited for that."""

    @property
    def is_verifying(self) -> bool:
        """How far its rows come isn't known before it is read back."""
        return any(row.proposed for row in self.rows)

    @property
    def num_tokens(self) -> int:
        """Tokens that a decode step runs."""
        return sum(1 + len(row.proposed) for row in self.rows)

    def collect(self) -> list[tuple[LaunchedRow, SampledTokens]]:
        """Wait for the tokens; each with the row that it is for.

        Raises:
            Exception: whatever the runner raises, or that its answer doesn't fit the step.
        """
        sampling = [row for row in self.rows if row.is_sampling]
        tokens = self.pending.collect()
        expected, got = [row.slot for row in sampling], [token.slot for token in tokens]
        if expected != got:
            raise RuntimeError(f"the model runner returned tokens of slots {got}, not {expected}")
        return list(zip(sampling, tokens, strict=True))


def note_launch(batch: Batch, pending: PendingTokens, now: float) -> LaunchedStep:
    """Note whose a step is at the moment of its launch."""
    is_decode = isinstance(batch.step, DecodeStep)
    return LaunchedStep(pending, is_decode, _launched_rows(batch), now if pending.is_done else None)


def _launched_rows(batch: Batch) -> tuple[LaunchedRow, ...]:
    if isinstance(batch.step, DecodeStep):
        shares = [(True, row.proposed) for row in batch.step.rows]
    else:
        shares = [(chunk.is_last, ()) for chunk in batch.step.chunks]
    return tuple(
        LaunchedRow(sequence, sequence.incarnation, sequence.slot, *share)
        for sequence, share in zip(batch.sequences, shares, strict=True)
    )
