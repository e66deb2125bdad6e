"""The gate at which live messages wait while missed ones are fetched, so that a channel's order is kept."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress

_MAX_WAIT_SECONDS = 60.0


class Gate:
    """Where live messages wait: all of them while it is shut, and those of single channels a little longer.

    A barrier is an event that is set when it is taken away. Who waited at one looks again: there may be another.
    """

    def __init__(self) -> None:
        self._before_all: asyncio.Event | None = asyncio.Event()
        self._channels: dict[int, asyncio.Event] = {}

    def shut(self) -> None:
        """Let no message pass."""
        if self._before_all is None:
            self._before_all = asyncio.Event()

    def open_but_for(self, channel_ids: Iterable[int]) -> dict[int, asyncio.Event]:
        """Let everything pass but for the messages of these channels; returns their barriers."""
        removed = [*self._channels.values(), *filter(None, [self._before_all])]
        self._channels, self._before_all = {}, None
        barriers = self.shut_channels(channel_ids)
        for barrier in removed:
            barrier.set()
        return barriers

    def shut_channels(self, channel_ids: Iterable[int]) -> dict[int, asyncio.Event]:
        """Let nothing of these channels pass; returns their barriers, old ones included."""
        return {channel_id: self._channels.setdefault(channel_id, asyncio.Event()) for channel_id in channel_ids}

    def open_channel(self, channel_id: int, barrier: asyncio.Event) -> None:
        """Let a channel's messages pass, unless it has another barrier by now."""
        barrier.set()
        if self._channels.get(channel_id) is barrier:
            del self._channels[channel_id]

    async def passage(self, channel_id: int) -> None:
        """Wait until a channel's messages may pass, a minute at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_MAX_WAIT_SECONDS):
                while (barrier := self._before_all or self._channels.get(channel_id)) is not None:
                    await barrier.wait()
