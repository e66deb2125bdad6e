"""The line of those that wait: guilds take turns, in a guild its channels, in a channel its people.

Whoever was served longest ago is next, the newcomer before everyone; a person's own requests keep their order. So a
flood from one guild, channel or person delays the others by one turn, however long it is.
"""

from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar

from bot.inference.engine import Request


class Waits(Protocol):
    """What can stand in line."""

    @property
    def request(self) -> Request:
        """Says whom it is for."""
        ...


Each = TypeVar("Each", bound=Waits)


class FairQueue(Generic[Each]):
    """Those of one priority that wait."""

    def __init__(self) -> None:
        self._waiting: dict[Each, None] = {}
        self._last_turns: dict[tuple[str, ...], int] = {}
        self._num_turns = 0
        self._next: Each | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[Each]:
        return iter(self._waiting)

    def push(self, each: Each) -> None:
        """Put one in line."""
        self._waiting[each] = None
        self._next = None

    def peek(self) -> Each | None:
        """Whose turn it is."""
        if self._next is None and self._waiting:
            self._next = min(self._waiting, key=self._turns)
        return self._next

    def remove(self, each: Each) -> None:
        """Take one out of the line without counting it as a turn."""
        del self._waiting[each]
        self._next = None

    def serve(self, each: Each) -> None:
        """Take one out of the line; its guild, channel and person have had their turn."""
        self.remove(each)
        self._num_turns += 1
        fairness = each.request.fairness
        for width in range(1, len(fairness) + 1):
            self._last_turns[fairness[:width]] = self._num_turns
        if not self._waiting:
            self._last_turns.clear()

    def _turns(self, each: Each) -> tuple[int, ...]:
        """When guild, channel and person were last served; ties go to whoever came first."""
        fairness = each.request.fairness
        return tuple(self._last_turns.get(fairness[:width], 0) for width in range(1, len(fairness) + 1))
