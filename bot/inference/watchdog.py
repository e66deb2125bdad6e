"""Notices a step that never ends: the thread says when it begins and ends one, someone else looks at the clock."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Watchdog:
    """Measures the step under way. Written by one thread, read by another; a single reference changes hands."""

    def __init__(self, limit_seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit_seconds = limit_seconds
        self._clock = clock
        self._began_at: float | None = None

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Time what runs inside."""
        self._began_at = self._clock()
        try:
            yield
        finally:
            self._began_at = None

    @property
    def is_overdue(self) -> bool:
        """The step under way has taken longer than it may."""
        began_at = self._began_at
        return began_at is not None and self._clock() - began_at > self.limit_seconds
