"""Whether Trinity is alive enough to say so to systemd, which otherwise kills and restarts her.

Three things have to move: the event loop, which needs no check, since it is what asks; the engine; and the connection
to Discord, where an attempt that fails counts as well as an event, because no restart mends an outage of Discord's.
"""

import asyncio
import logging
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

GATEWAY_PATIENCE_SECONDS = 600.0
"""Events come every minute at least (the answers to heartbeats); a stalled login is given up after five."""


class Pulse:
    """Collects signs of life. What is still being opened is not expected to give any."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._gateway_moved_at: float | None = None
        self._is_engine_lost: Callable[[], bool] = lambda: False

    def watch_engine(self, is_lost: Callable[[], bool]) -> None:
        """From now on, the engine counts."""
        self._is_engine_lost = is_lost

    def note_gateway(self) -> None:
        """The gateway sent something, or a try to reach it began or failed. From the first time on, it counts."""
        self._gateway_moved_at = self._clock()

    @property
    def gateway_silence_seconds(self) -> float | None:
        """How long ago the gateway moved; None before it did."""
        return None if self._gateway_moved_at is None else self._clock() - self._gateway_moved_at

    @property
    def problem(self) -> str | None:
        """What doesn't move any more."""
        if self._is_engine_lost():
            return "the engine is lost"
        silence = self.gateway_silence_seconds
        if silence is not None and silence > GATEWAY_PATIENCE_SECONDS:
            return f"nothing from Discord's gateway for {GATEWAY_PATIENCE_SECONDS / 60:g} minutes"
        return None


async def feed_watchdog(pulse: Pulse, interval_seconds: float, notify: Callable[[str], object]) -> None:
    """Send `WATCHDOG=1` again and again, for as long as everything moves."""
    was_fed = True
    while True:
        problem = pulse.problem
        if problem is None:
            notify("WATCHDOG=1")
        elif was_fed:
            log.critical("systemd is told no more that I'm alive: %s", problem)
        was_fed = problem is None
        await asyncio.sleep(interval_seconds)
