"""Whose turn it is to begin a session: Discord takes one IDENTIFY in five seconds, whichever process sends it.

Large bots may begin several at once: shards whose numbers leave the same rest by `max_concurrency` take turns, others
don't wait for them. discord.py knows of neither.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

MARGIN = 1.06
"""By so much longer than Discord wants a turn lasts, since two frames may be on their way for different times."""
OPENING_SECONDS = 10.0
"""How long a turn is kept for a connection that is being made, and then forgotten: its process may have died."""
OPENING_POLL_SECONDS = 0.25
"""A turn that is only kept ends sooner."""


class IdentifyTurns(Protocol):
    """Gives out turns."""

    async def claim(self, shard_id: int, seconds: float, *, is_opening: bool, is_again: bool = False) -> float:
        """Take the turn of a shard's group for some seconds; 0, or after how long it is worth asking again.

        With `is_opening` the shard only keeps others from it meanwhile, and takes it again for its IDENTIFY. With
        `is_again` it didn't use the turn that it was given last.

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

    async def claim(self, shard_id: int, seconds: float, *, is_opening: bool, is_again: bool = False) -> float:
        group, now = shard_id % self._max_concurrency, self._clock()
        turn = self._turns.get(group)
        is_own = turn is not None and turn.shard_id == shard_id and (turn.is_opening or is_again)
        if turn is not None and turn.free_at > now and not is_own:
            return min(turn.free_at - now, OPENING_POLL_SECONDS if turn.is_opening else math.inf)
        self._turns[group] = _Turn(shard_id, is_opening, now + seconds)
        return 0.0
