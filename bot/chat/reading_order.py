"""The order in which a channel's questions are committed, where some of them are read first (a file, for instance).

They are committed in the order in which they came: after a crash, whatever was said behind the last one that was
committed is fetched again. So a question that comes while an earlier one is being read is committed after that one.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from bot.conversation.messages import Question

Preparation = Callable[[Question], Awaitable[tuple[Question, Sequence[str]]]]
"""Reads what belongs to a question, a file for instance, before it is committed: all of the question, and notes."""
Channel = tuple[str, int]
"""The platform, and the channel there."""


class ReadingOrder:
    """For each channel the last question that is being read, or waits for one that is; as what its commit sets."""

    def __init__(self) -> None:
        self._last: dict[Channel, asyncio.Event] = {}

    def join(self, channel: Channel, received: asyncio.Event, *, is_read: bool) -> asyncio.Event | None:
        """Add a question, read first or not; returns what to wait for before it is committed."""
        before = self._last.get(channel)
        if is_read or before is not None:
            self._last[channel] = received
        return before

    def leave(self, channel: Channel, received: asyncio.Event) -> None:
        """Nobody waits for this one any more."""
        if self._last.get(channel) is received:
            del self._last[channel]
