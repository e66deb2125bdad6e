"""The last hour in points of ten seconds: tokens a second, and how long first words took."""

import statistics
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from bot.observer import Observer, StepRecord

POINT_SECONDS = 10.0
_NUM_POINTS = 360


class Point(NamedTuple):
    """What ten seconds brought."""

    at: float
    """When they ended, in seconds since 1970."""
    tokens_per_second: float
    first_words_seconds: float | None
    """The median; None where nobody got first words."""


class LastHour(Observer):
    """Collects the points; `close_point` is called every ten seconds."""

    def __init__(
        self, monotonic: Callable[[], float] = time.monotonic, wall_clock: Callable[[], float] = time.time
    ) -> None:
        self.points: deque[Point] = deque(maxlen=_NUM_POINTS)
        self._monotonic = monotonic
        self._wall_clock = wall_clock
        self._began_at = monotonic()
        self._num_tokens = 0
        self._num_tokens_before = 0
        self._first_words: list[float] = []

    def on_step(self, record: StepRecord) -> None:
        self._num_tokens = record.total_new_tokens

    def on_first_words(self, seconds: float) -> None:
        self._first_words.append(seconds)

    def close_point(self) -> Point:
        """Make a point of all since the last one."""
        now = self._monotonic()
        seconds = max(now - self._began_at, 1e-9)
        # An engine that was replaced counts from zero.
        num_tokens = max(0, self._num_tokens - self._num_tokens_before)
        first_words = statistics.median(self._first_words) if self._first_words else None
        point = Point(self._wall_clock(), num_tokens / seconds, first_words)
        self.points.append(point)
        self._began_at, self._num_tokens_before, self._first_words = now, self._num_tokens, []
        return point
