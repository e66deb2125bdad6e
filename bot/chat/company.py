"""Who may be in the engine with whom: most questions run side by side, one that was there at two deaths runs alone.

Only what was alone in the engine when the process died can be blamed for that. What ran in company is tried again, one
such question after the other; what was there at a second death has the engine to itself.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from bot.errors import WaitedTooLong


class Company:
    """A room that many share, or one has to itself; who waits for the latter goes before those who come later."""

    def __init__(self) -> None:
        self._num_inside = 0
        self._num_loners = 0
        self._has_changed = asyncio.Event()
        self._suspects = asyncio.Lock()

    @property
    def is_open(self) -> bool:
        """Whether who wants to share the room needn't wait."""
        return not self._num_loners

    @asynccontextmanager
    async def resumed(self, num_deaths: int) -> AsyncIterator[None]:
        """Be there with a question that was in the engine at so many deaths of the process."""
        if num_deaths == 0:
            async with self.shared():
                yield
        elif num_deaths == 1:
            async with self._suspects, self.shared():
                yield
        else:
            async with self._suspects, self.alone():
                yield

    @asynccontextmanager
    async def shared(self, limit_seconds: float | None = None) -> AsyncIterator[None]:
        """Be there with others.

        Raises:
            WaitedTooLong: the room was somebody's own for longer than that.
        """
        try:
            async with asyncio.timeout(limit_seconds):
                await self._until(lambda: not self._num_loners)
        except TimeoutError:
            raise WaitedTooLong from None
        async with self._inside():
            yield

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Be there alone, after those who are inside have left. One at a time may ask for that."""
        self._num_loners += 1
        try:
            await self._until(lambda: not self._num_inside)
            async with self._inside():
                yield
        finally:
            self._num_loners -= 1
            self._has_changed.set()

    @asynccontextmanager
    async def _inside(self) -> AsyncIterator[None]:
        self._num_inside += 1
        try:
            yield
        finally:
            self._num_inside -= 1
            self._has_changed.set()

    async def _until(self, holds: Callable[[], bool]) -> None:
        while not holds():
            self._has_changed.clear()
            await self._has_changed.wait()
