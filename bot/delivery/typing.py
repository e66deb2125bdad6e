"""Shows "Trinity is typing" in every channel where somebody waits for the first words, once per channel."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable

from bot.delivery.sender import Sender

log = logging.getLogger(__name__)

REPEAT_SECONDS = 8.0
"""Discord shows it for ten seconds."""
FIRST_SECONDS = 0.15
"""An answer whose first words are there sooner doesn't share the pace of all requests with an indicator before it."""


class TypingIndicator:
    """Counts who waits where; a task per channel repeats the indicator while that isn't nobody."""

    def __init__(self, sender: Sender, tasks: asyncio.TaskGroup) -> None:
        self._sender = sender
        self._tasks = tasks
        self._num_waiting: Counter[int] = Counter()
        self._shown: dict[int, asyncio.Task[None]] = {}

    def start(self, channel_id: int) -> Callable[[], None]:
        """Show it from now on; returns what ends that, which does no harm when called twice."""
        self._num_waiting[channel_id] += 1
        if channel_id not in self._shown:
            self._shown[channel_id] = self._tasks.create_task(self._repeat(channel_id))
        is_over = False

        def stop() -> None:
            nonlocal is_over
            if not is_over:
                is_over = True
                self._leave(channel_id)

        return stop

    def _leave(self, channel_id: int) -> None:
        self._num_waiting[channel_id] -= 1
        if self._num_waiting[channel_id] == 0:
            del self._num_waiting[channel_id]
            self._shown.pop(channel_id).cancel()

    async def _repeat(self, channel_id: int) -> None:
        try:
            await asyncio.sleep(FIRST_SECONDS)
            while True:
                await self._sender.show_typing(channel_id)
                await asyncio.sleep(REPEAT_SECONDS)
        except Exception as error:
            # What is only shown while one waits can't take the session with it.
            log.error("the typing indicator of channel %s has ended", channel_id, exc_info=error)
