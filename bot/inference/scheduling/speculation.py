"""Whether it pays to run proposed tokens behind a row's newest one, and how many.

A step of a few tokens reads the same weights as a step of one, so it takes little longer; how much longer is measured
on this machine, step by step. What it brings follows from how likely the lookup's proposals are. Proposals are made
where the second outweighs the first by a margin, and only while few answers run: with many a step has enough to do.
Where only the measured times speak against it, it is tried again now and then, ever more seldom, since a machine that
was busy for a while would be called slow for ever.
"""

from collections.abc import Iterable
from collections.abc import Sequence as Series
from dataclasses import dataclass, field

from bot.inference.scheduling.lookup import Lookup
from bot.inference.scheduling.sequence import Sequence

MOST_ROWS = 4
"""Answers that run at once; with more there are no proposals."""
_MOST_TOKENS = 16
_ROW_LENGTHS = (4, 8)
"""Tokens of a row with proposals: few lengths, which are captured in graphs."""
_MARGIN = 1.08
_FIRST_PAUSE, _LAST_PAUSE = 32, 1024
"""Steps between two tries against what was measured."""
_WEIGHT = 0.2
"""Of the newest measurement in an average."""
_MOST_OUTLYING = 2.0
"""A measurement counts as at most so many times what was expected."""


def _guessed_cost(num_more: int) -> float:
    """What a step with so many proposals takes, in steps without, before it is measured."""
    return 1.1 + 0.03 * num_more


@dataclass(slots=True)
class StepTimes:
    """Seconds of a decode step by its rows and tokens: running averages."""

    seconds: dict[tuple[int, int], float] = field(default_factory=dict)

    def note(self, num_rows: int, num_tokens: int, seconds: float) -> None:
        """Take a measurement."""
        expected = self.seconds.get((num_rows, num_tokens))
        plain = self.seconds.get((num_rows, num_rows))
        if expected is None and num_tokens > num_rows and plain is not None:
            expected = plain * _guessed_cost(num_tokens - num_rows)
        if expected is None:
            self.seconds[num_rows, num_tokens] = seconds
            return
        seconds = min(seconds, expected * _MOST_OUTLYING)
        self.seconds[num_rows, num_tokens] = expected + _WEIGHT * (seconds - expected)

    def cost(self, num_rows: int, num_tokens: int) -> float:
        """What a step takes, in steps of the same rows without proposals."""
        plain = self.seconds.get((num_rows, num_rows))
        seconds = self.seconds.get((num_rows, num_tokens))
        if not plain or seconds is None:
            return _guessed_cost(num_tokens - num_rows)
        return seconds / plain


@dataclass(frozen=True, slots=True)
class _Candidate:
    """What could be proposed for a sequence."""

    sequence: Sequence
    proposed: tuple[int, ...]
    chances: tuple[float, ...]

    def gain(self, num_more: int) -> float:
        """Tokens that `num_more` proposals are expected to bring."""
        return sum(self.chances[:num_more])


_Choice = tuple[Sequence, tuple[int, ...], float]
"""For whom, which tokens, and how many of them are expected to be right."""


class Speculation:
    """Decides what is proposed, step by step."""

    def __init__(self, most_step_tokens: int) -> None:
        self.times = StepTimes()
        self.num_verified = 0
        """Rows with proposals that were read back, the tokens proposed in them, and how many of those were right."""
        self.num_proposed = 0
        self.num_right = 0
        self._most_tokens = min(most_step_tokens, _MOST_TOKENS)
        self._pause = self._left_of_pause = _FIRST_PAUSE

    def note_verdict(self, num_proposed: int, num_right: int) -> None:
        """Count what came of a row with proposals."""
        self.num_verified += 1
        self.num_proposed += num_proposed
        self.num_right += num_right

    def propose(self, sequences: Series[Sequence]) -> dict[Sequence, tuple[int, ...]]:
        """What is proposed for which of the sequences that decode together; nothing for most."""
        if len(sequences) > MOST_ROWS:
            return {}
        candidates = sorted(
            (candidate for sequence in sequences if (candidate := _candidate(sequence))),
            key=lambda candidate: candidate.gain(_ROW_LENGTHS[0]),
            reverse=True,
        )
        num_rows = len(sequences)
        best: list[_Choice] = []
        best_guessed: list[_Choice] = []
        best_rate = guessed_rate = _MARGIN * num_rows
        for chosen in self._choices(candidates, num_rows):
            num_more = sum(len(proposed) for _, proposed, _ in chosen)
            tokens = num_rows + sum(gain for _, _, gain in chosen)
            if (rate := tokens / self.times.cost(num_rows, num_rows + num_more)) > best_rate:
                best, best_rate = chosen, rate
            if (rate := tokens / _guessed_cost(num_more)) > guessed_rate:
                best_guessed, guessed_rate = chosen, rate
        if not best and best_guessed and self._may_try():
            best = best_guessed
        return {sequence: proposed for sequence, proposed, _ in best}

    def _choices(self, candidates: list[_Candidate], num_rows: int) -> Iterable[list[_Choice]]:
        """The likeliest one, two ... candidates, each length for all of them."""
        for length in _ROW_LENGTHS:
            for number in range(1, len(candidates) + 1):
                chosen = [
                    (one.sequence, one.proposed[: length - 1], one.gain(length - 1)) for one in candidates[:number]
                ]
                if num_rows + sum(len(proposed) for _, proposed, _ in chosen) <= self._most_tokens:
                    yield chosen

    def _may_try(self) -> bool:
        self._left_of_pause -= 1
        if self._left_of_pause:
            return False
        self._pause = min(2 * self._pause, _LAST_PAUSE)
        self._left_of_pause = self._pause
        return True


def _candidate(sequence: Sequence) -> _Candidate | None:
    if sequence.request.sampling.repetition_penalty != 1:
        return None  # what was sampled after a wrong proposal would count as seen
    if sequence.lookup is None:
        sequence.lookup = Lookup(sequence.token_ids)
    most = min(_ROW_LENGTHS[-1], sequence.max_tokens - sequence.num_launched) - 1
    expected, chances = sequence.lookup.expect(most + sequence.num_pending)
    # What is pending is guessed as well: where the guess is wrong, so are most likely the proposals.
    proposed, chances = expected[sequence.num_pending :], chances[sequence.num_pending :]
    return _Candidate(sequence, proposed, chances) if proposed else None
