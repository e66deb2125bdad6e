"""Whether the bot is healthy. Only then does it feed systemd's watchdog, which otherwise kills and restarts it.

Three things have to make progress: the event loop, which needs no check, since the check runs on it; the engine; and
the connection to Discord, where a failed attempt counts as well as an event, because no restart mends an outage of
Discord's.
"""

import asyncio
import logging
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

GATEWAY_SILENCE_LIMIT_SECONDS = 600.0
"""Events come every minute at least (the answers to heartbeats); a stalled login is given up after five."""


class Health:
    """Collects signs of progress. A part that is still being opened isn't expected to give any."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._gateway_moved_at: float | None = None
        self._is_engine_lost: Callable[[], bool] = lambda: False

    def watch_engine(self, is_lost: Callable[[], bool]) -> None:
        """Count a lost engine as a problem from now on."""
        self._is_engine_lost = is_lost

    def note_gateway(self) -> None:
        """Note that the gateway sent something, or that an attempt to reach it began or failed.

        From the first call on, a long silence is a problem.
        """
        self._gateway_moved_at = self._clock()

    @property
    def gateway_silence_seconds(self) -> float | None:
        """Seconds since the last `note_gateway`; None before the first."""
        return None if self._gateway_moved_at is None else self._clock() - self._gateway_moved_at

    @property
    def problem(self) -> str | None:
        """What makes no progress any more, in words; None if all is well."""
        if self._is_engine_lost():
            return "the engine is lost"
        silence = self.gateway_silence_seconds
        if silence is not None and silence > GATEWAY_SILENCE_LIMIT_SECONDS:
            return f"nothing from Discord's gateway for {GATEWAY_SILENCE_LIMIT_SECONDS / 60:g} minutes"
        return None


async def feed_watchdog(health: Health, interval_seconds: float, notify: Callable[[str], object]) -> None:
    """Send `WATCHDOG=1` at each interval while there is no problem."""
    was_fed = True
    while True:
        problem = health.problem
        if problem is None:
            notify("WATCHDOG=1")
        elif was_fed:
            log.critical("systemd gets no more signs of life: %s", problem)
        was_fed = problem is None
        await asyncio.sleep(interval_seconds)
