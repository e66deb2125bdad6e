"""When a new session may be begun with Discord's gateway: with pauses that grow, and within a budget of a day.

Discord allows a bot 1,000 IDENTIFYs in a day, and resets the token of one that exceeds them. A gateway that ends
every session at once would use them up within hours, and so would a process that is restarted again and again: that
is why the budget outlives the process, in a file.
"""

import asyncio
import json
import logging
import time
from collections.abc import Callable
from pathlib import Path

log = logging.getLogger(__name__)

DAY_SECONDS = 86_400.0
SESSIONS_PER_DAY = 1000
"""What Discord allows a bot; one in very many guilds more."""
_BURST_SHARE, _DAILY_SHARE = 0.2, 0.7
"""So many at once, and so many more spread over the day: a tenth is left for other uses of the token."""
STEADY_SECONDS = 60.0
"""A session that ended sooner makes the next pause longer."""
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 900.0
_FILE_NAME = "gateway-sessions.json"


class IdentifyBudget:
    """A bucket of IDENTIFYs, full at first and refilled evenly over the day; kept in `folder` where there is one."""

    def __init__(
        self,
        folder: Path | None = None,
        clock: Callable[[], float] = time.time,
        sessions_per_day: int = SESSIONS_PER_DAY,
    ) -> None:
        self._burst, self._per_day = max(1.0, _BURST_SHARE * sessions_per_day), _DAILY_SHARE * sessions_per_day
        self._path = None if folder is None else folder / _FILE_NAME
        self._clock = clock
        self._left = self._burst
        self._counted_at = clock()
        self._is_read = folder is None
        self._writing = asyncio.Lock()

    async def wait_seconds(self) -> float:
        """How long to wait until another IDENTIFY may be sent."""
        if not self._is_read:
            self._is_read = True
            await asyncio.to_thread(self._read)
        self._refill()
        return max(0.0, 1 - self._left) * DAY_SECONDS / self._per_day

    async def spend(self) -> None:
        """Count an IDENTIFY that is about to be sent."""
        self._refill()
        self._left -= 1
        async with self._writing:
            await asyncio.to_thread(self._write)

    def _refill(self) -> None:
        now = self._clock()
        # A clock that was set back gives nothing, and one that was set ahead no more than a full bucket.
        self._left = min(self._burst, self._left + max(0.0, now - self._counted_at) * self._per_day / DAY_SECONDS)
        self._counted_at = now

    def _read(self) -> None:
        try:
            kept = json.loads(self._path.read_text(encoding="utf-8")) if self._path else {}
            left, counted_at = float(kept["left"]), float(kept["counted_at"])
        except FileNotFoundError:
            return
        except (OSError, ValueError, TypeError, KeyError) as error:
            log.warning("how many sessions were begun today can't be read: %s", type(error).__name__)
            return
        if counted_at <= self._clock() + DAY_SECONDS and -self._per_day <= left <= self._burst:
            self._left, self._counted_at = left, min(counted_at, self._clock())

    def _write(self) -> None:
        if self._path is None:
            return
        draft = self._path.with_suffix(".new")
        try:
            draft.unlink(missing_ok=True)
            draft.touch(mode=0o600)
            draft.write_text(json.dumps({"left": self._left, "counted_at": self._counted_at}), encoding="utf-8")
            draft.replace(self._path)
        except OSError as error:
            log.warning("how many sessions were begun today can't be kept: %s", error)


class SessionStarts:
    """Says how long to wait before each IDENTIFY of a connection; lives on, whatever clients come and go.

    With `budget`, several connections share one.
    """

    def __init__(
        self,
        folder: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
        time_of_day: Callable[[], float] = time.time,
        budget: IdentifyBudget | None = None,
    ) -> None:
        self.budget = budget or IdentifyBudget(folder, time_of_day)
        self._clock = clock
        self._num_short = 0
        self._begun_at: float | None = None
        self._lost_at = clock()

    async def pause_seconds(self) -> float:
        """How long to wait before the next IDENTIFY."""
        owed = await self.budget.wait_seconds()
        if owed > STEADY_SECONDS:
            log.warning("too many sessions were begun at Discord's gateway; the next one begins in %.0f s", owed)
        pause = min(FIRST_PAUSE_SECONDS * 2.0 ** (self._num_short - 1), LONGEST_PAUSE_SECONDS) if self._num_short else 0
        return max(owed, self._lost_at + pause - self._clock(), 0.0)

    async def begin(self) -> None:
        """Note that an IDENTIFY is about to be sent."""
        await self.budget.spend()
        self._begun_at = self._clock()

    def lose(self) -> None:
        """Note that the session is lost for good; nothing where none was begun since the last one."""
        if self._begun_at is None:
            return
        self._lost_at = self._clock()
        is_short = self._lost_at - self._begun_at < STEADY_SECONDS
        self._num_short = min(self._num_short + 1, 20) if is_short else 0
        self._begun_at = None
