"""A step together with whose it is, and how it is cut up when it was refused, until the guilty one stands alone."""

from dataclasses import dataclass
from itertools import compress

from bot.inference.sequence import Sequence
from bot.inference.step import DecodeStep, PrefillChunk, PrefillStep, Step

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

        With `may_cut_prompt` a single long chunk is cut too, which takes less memory.
        """
        middle = len(self.sequences) // 2
        if middle:
            return [self._part(slice(None, middle)), self._part(slice(middle, None))]
        if isinstance(self.step, DecodeStep) or not may_cut_prompt:
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
