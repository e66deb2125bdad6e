"""Whose turn it is to begin a session: Discord takes one IDENTIFY in five seconds, whichever process sends it.

Large bots may begin several at once: shards whose numbers leave the same rest by `max_concurrency` take turns, others
don't wait for them. discord.py knows of neither.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

MARGIN = 1.1
"""By so much longer than Discord wants a turn lasts, since two frames may be on their way for different times."""
OPENING_SECONDS = 10.0
"""How long a turn is kept for a connection that is being made, and then forgotten: its process may have died."""


class IdentifyTurns(Protocol):
    """Gives out turns."""

    async def claim(self, shard_id: int, seconds: float, *, is_opening: bool) -> float:
        """Take the turn of a shard's group for some seconds; 0, or how long it is another's at most.

        With `is_opening` the shard only keeps others from it meanwhile, and takes it again for its IDENTIFY.

        Raises:
            StoreError: it can't be found out just now.
        """
        ...


@dataclass(slots=True)
class _Turn:
    shard_id: int
    is_opening: bool
    free_at: float


class LocalTurns:
    """The turns of a bot that runs in this process alone."""

    def __init__(self, max_concurrency: int = 1, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_concurrency = max_concurrency
        self._clock = clock
        self._turns: dict[int, _Turn] = {}

    async def claim(self, shard_id: int, seconds: float, *, is_opening: bool) -> float:
        group, now = shard_id % self._max_concurrency, self._clock()
        turn = self._turns.get(group)
        is_own = turn is not None and turn.is_opening and turn.shard_id == shard_id
        if turn is not None and turn.free_at > now and not is_own:
            return turn.free_at - now
        self._turns[group] = _Turn(shard_id, is_opening, now + seconds)
        return 0.0
