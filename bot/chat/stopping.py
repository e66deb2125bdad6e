"""Ending a stream from outside: a reset or a deleted question stops an answer while its next piece is awaited."""

import asyncio
from collections.abc import AsyncGenerator
from typing import TypeVar

T = TypeVar("T")


class Stop:
    """A switch that is thrown once. Whoever waits in `next` gets None then, and so does everybody after."""

    def __init__(self) -> None:
        self.is_thrown = False
        self._waiting: asyncio.Timeout | None = None

    def throw(self) -> None:
        """Stop; a wait under way ends at the loop's next turn."""
        self.is_thrown = True
        if self._waiting is not None:
            self._waiting.reschedule(asyncio.get_running_loop().time())

    async def next(self, items: AsyncGenerator[T, None]) -> T | None:
        """The next of `items`; None when there is none any more, or when the switch was thrown."""
        if self.is_thrown:
            return None
        try:
            async with asyncio.timeout(None) as self._waiting:
                return await anext(items, None)
        except TimeoutError:
            if not self.is_thrown:
                raise
            return None
        finally:
            self._waiting = None
