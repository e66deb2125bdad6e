"""Lets a card go when nobody has asked for a while, and takes it back for the next question. No torch.

Belongs to the engine's thread, which calls it between two steps. What has to outlast it is copied to the host's memory
a little at a time, so that a question in the middle of that is answered at once; only when all is there is the card let
go, in one go. What others have taken of it by the time somebody asks is waited for, for a while.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from bot.inference.scheduling.containment import is_out_of_memory

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class IdleLimits:
    """When a card is let go, and how it is waited for."""

    unload_seconds: float
    """After so long without a question it is given back."""
    try_seconds: float = 1.0
    """Between two tries to take it back where others have it."""
    give_up_seconds: float = 30.0
    """So long those who ask wait for it."""


class Releasable(Protocol):
    """Whatever holds a card's memory."""

    def save(self) -> bool:
        """Copy a little more of what has to outlast it to the host's memory; whether all is there."""
        ...

    def release(self) -> None:
        """Give the card's memory back, once all is saved."""
        ...

    def restore(self) -> None:
        """Take it again.

        Raises:
            torch.OutOfMemoryError: others have it now; nothing is held.
        """
        ...


class Idleness:
    """Knows since when nobody has asked, and lets go and takes back what `memory` stands for."""

    def __init__(
        self,
        memory: Releasable | None,
        limits: IdleLimits | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.is_asleep = False
        """The card is given back; `wake` takes it again."""
        self._memory = memory
        self._limits = limits
        self._clock = clock
        self._idle_since = clock()
        self._saving_since: float | None = None
        self._waking_since: float | None = None
        self._next_try_at = 0.0

    def wait_seconds(self, *, has_work: bool) -> float | None:
        """For how long the thread may wait for somebody to ask; None, for as long as nobody does."""
        if has_work:
            return max(self._next_try_at - self._clock(), 0.0) if self.is_asleep else 0.0
        if self.is_asleep or self._memory is None or self._limits is None:
            return None
        return max(self._idle_since + self._limits.unload_seconds - self._clock(), 0.0)

    def note_work(self) -> None:
        """Somebody has asked, or is being answered."""
        self._idle_since = self._clock()
        self._saving_since = None

    def fall_asleep(self) -> bool:
        """Do the next piece of it, where nobody has asked for long enough; whether the card was let go by it."""
        self._waking_since = None  # whoever waited for it has gone
        if self._memory is None or self.wait_seconds(has_work=False) != 0.0:
            return False
        if self._saving_since is None:
            self._saving_since = self._clock()
        try:
            if not self._memory.save():
                return False
        except Exception as error:
            if not is_out_of_memory(error) and not isinstance(error, MemoryError):
                raise
            log.warning("the model stays on the card although nobody asks: %s", error)
            self._memory = None
            return False
        saved_at = self._clock()
        self._memory.release()
        self.is_asleep = True
        log.info(
            "nobody has asked for a while: the card is given back (%.1f s to copy the model, %.2f s to let go)",
            saved_at - self._saving_since,
            self._clock() - saved_at,
        )
        return True

    def wake(self) -> bool:
        """Take the card back, where it was let go; False where others have it, and it is to be tried again."""
        if not self.is_asleep or self._memory is None or self._limits is None:
            return True
        began_at = self._clock()
        if began_at < self._next_try_at:
            return False
        if self._waking_since is None:
            self._waking_since = began_at
        try:
            self._memory.restore()
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            if self._waking_since == began_at:
                log.warning("somebody asks, and the card has no room for the model now: %s", error)
            self._next_try_at = self._clock() + self._limits.try_seconds
            return False
        log.info("awake again, %.2f s after somebody asked", self._clock() - self._waking_since)
        self.is_asleep, self._waking_since = False, None
        return True

    def has_given_up(self) -> bool:
        """Whether those who ask have waited long enough for a card that others have; the next ones begin anew."""
        if self._waking_since is None or self._limits is None:
            return False
        if self._clock() - self._waking_since < self._limits.give_up_seconds:
            return False
        self._waking_since = None
        return True
