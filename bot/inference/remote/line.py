"""Who is sent to the server next: as many at once as it takes, the rest in a fair line.

Servers have queues of their own, but those know nothing of guilds, channels and people. Background work goes where
nobody waits, and gives its place up to whoever comes.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from bot.errors import EngineOverloaded, WaitedTooLong
from bot.inference.engine import BACKGROUND, Request
from bot.inference.scheduling.fair_queue import FairQueue


@dataclass(eq=False, slots=True)
class Place:
    """A request's place in line."""

    request: Request
    is_admitted: asyncio.Event = field(default_factory=asyncio.Event)
    must_yield: asyncio.Event = field(default_factory=asyncio.Event)
    """Somebody waits for the place of this, which is background work."""


class Line:
    """The requests of one engine.

    Args:
        max_running: as many are at the server at once.
        max_waiting: as many more may wait; the next is refused.
    """

    def __init__(self, max_running: int, max_waiting: int) -> None:
        self._max_running = max_running
        self._max_open = max_running + max_waiting
        self._running: dict[Place, None] = {}
        self._waiting: tuple[FairQueue[Place], FairQueue[Place]] = (FairQueue(), FairQueue())

    @property
    def num_running(self) -> int:
        """Requests that are at the server."""
        return len(self._running)

    @property
    def num_waiting(self) -> int:
        """Requests that aren't."""
        return sum(map(len, self._waiting))

    @asynccontextmanager
    async def place(self, request: Request) -> AsyncIterator[Place]:
        """Wait for a place, and hold it for as long as the block lasts.

        Raises:
            EngineOverloaded: too many wait already.
            WaitedTooLong: no place was free within the request's `max_queued_seconds`.
        """
        if self.num_running + self.num_waiting >= self._max_open:
            raise EngineOverloaded
        place = Place(request)
        self._waiting[_rank(place)].push(place)
        self._admit()
        try:
            async with asyncio.timeout(request.max_queued_seconds):
                await place.is_admitted.wait()
        except TimeoutError:
            self._leave(place)
            raise WaitedTooLong from None
        except BaseException:
            self._leave(place)
            raise
        try:
            yield place
        finally:
            self._leave(place)

    async def wait_again(self, place: Place) -> None:
        """Give background work's place up to those who wait, and wait for another one."""
        del self._running[place]
        place.must_yield.clear()
        place.is_admitted.clear()
        self._waiting[_rank(place)].push(place)
        self._admit()
        await place.is_admitted.wait()

    def _leave(self, place: Place) -> None:
        if place in self._running:
            del self._running[place]
        else:
            self._waiting[_rank(place)].remove(place)
        self._admit()

    def _admit(self) -> None:
        people, background = self._waiting
        while len(self._running) < self._max_running:
            queue = people if len(people) else background
            place = queue.peek()
            if place is None:
                return
            queue.serve(place)
            self._running[place] = None
            place.is_admitted.set()
        giving = [place for place in self._running if _rank(place) == BACKGROUND]
        for place in giving[: len(people)]:
            place.must_yield.set()


def _rank(place: Place) -> int:
    return BACKGROUND if place.request.priority >= BACKGROUND else 0
