"""Deleting what has become too old: by a time that is certain, and a day's worth at a time.

What is deleted is gone for good, and a clock may be wrong by a year at one start. So the time has to be known by more
than this machine's clock where there is another (Discord tells it with each answer), the earlier one counts, and one
run deletes no more than what was said within a day of the oldest that is there. Whoever wants more gone at once says
so: `trinity purge`.
"""

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from bot.store.rows.history import History

log = logging.getLogger(__name__)

A_DAYS_WORTH = timedelta(days=1)
HOURLY = 3600.0
DAILY = 86_400.0


class Retention:
    """Keeps a history within a number of days.

    Args:
        history: the history.
        days: how long what was said is kept.
        now: the present moment; None as long as it isn't certain, and then nothing is deleted.
        pause_seconds: between two runs.
        monotonic: what the pause is measured by.
    """

    def __init__(
        self,
        history: History,
        days: int,
        now: Callable[[], datetime | None],
        pause_seconds: float = HOURLY,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._history = history
        self._kept = timedelta(days=days)
        self._now = now
        self._pause_seconds = pause_seconds
        self._monotonic = monotonic
        self._next_run = float("-inf")

    async def run_if_due(self) -> int:
        """Delete what is too old, a day's worth at most; returns the number of turns.

        Raises:
            StoreError: the database can't be used just now.
        """
        now = self._now()
        if now is None or self._monotonic() < self._next_run:
            return 0
        # Before anything is deleted: a failure must not lead to another run at once.
        self._next_run = self._monotonic() + self._pause_seconds
        due = now - self._kept
        oldest = await self._history.oldest()
        # Where nothing was said, only ids of what was seen can be too old.
        limit = due if oldest is None else oldest + A_DAYS_WORTH
        num_turns = await self._history.delete_older_than(min(due, limit))
        if limit < due:
            log.warning(
                "what was said up to %s is older than %d days; up to %s it is deleted now, a day's worth at a time: "
                "if the time is right, `trinity purge` deletes the rest at once",
                due.date(),
                self._kept.days,
                limit.date(),
            )
        return num_turns
