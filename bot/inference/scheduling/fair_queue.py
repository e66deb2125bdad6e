"""The line of waiting sequences: guilds take turns, in a guild its channels, in a channel its people.

Whoever was served longest ago is next, the newcomer before everyone; a person's own requests keep their order. So a
flood from one guild, channel or person delays the others by one turn, however long it is.
"""

from collections.abc import Iterator

from bot.inference.scheduling.sequence import Sequence


class FairQueue:
    """Waiting sequences of one priority."""

    def __init__(self) -> None:
        self._waiting: dict[Sequence, None] = {}
        self._last_turns: dict[tuple[str, ...], int] = {}
        self._num_turns = 0
        self._next: Sequence | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[Sequence]:
        return iter(self._waiting)

    def push(self, sequence: Sequence) -> None:
        """Put a sequence in line."""
        self._waiting[sequence] = None
        self._next = None

    def peek(self) -> Sequence | None:
        """Whose turn it is."""
        if self._next is None and self._waiting:
            self._next = min(self._waiting, key=self._turns)
        return self._next

    def remove(self, sequence: Sequence) -> None:
        """Take a sequence out of the line without counting it as a turn."""
        del self._waiting[sequence]
        self._next = None

    def serve(self, sequence: Sequence) -> None:
        """Take a sequence out of the line; its guild, channel and person have had their turn."""
        self.remove(sequence)
        self._num_turns += 1
        fairness = sequence.request.fairness
        for width in range(1, len(fairness) + 1):
            self._last_turns[fairness[:width]] = self._num_turns
        if not self._waiting:
            self._last_turns.clear()

    def _turns(self, sequence: Sequence) -> tuple[int, ...]:
        """When guild, channel and person were last served; ties go to whoever came first."""
        fairness = sequence.request.fairness
        return tuple(self._last_turns.get(fairness[:width], 0) for width in range(1, len(fairness) + 1))
