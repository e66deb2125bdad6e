"""Waiting for the database to come back: a question outlives an outage of a minute or two in memory, in its place.

While the database is away nothing is committed, and so nothing is acknowledged: a crash then loses only what was never
shown to be received, and what was missed is fetched after the restart. Questions keep the slots in the queue that they
took when they came, so that the queue's own bounds (in all, per guild, per person) bound what is kept in memory. One of
them at a time tries whether the database is back, the one that waits longest first; then all go on in that order.

What is new in one channel is tried one after the other from the beginning: after a crash only what lies behind the
newest question that was committed is fetched, so none may overtake one that was refused.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import TypeVar
from weakref import WeakValueDictionary

from bot.errors import DatabaseBusy, StoreError

T = TypeVar("T")

_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 2.0


class Outage:
    """Steps that are repeated while the database is away, for `limit_seconds` at most.

    Whatever is repeated must do no harm twice: an attempt of which the end isn't known may have been committed.
    """

    def __init__(self, limit_seconds: float) -> None:
        self._limit_seconds = limit_seconds
        self._trying = asyncio.Lock()
        self._num_waiting = 0
        self._first_tries: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()

    async def outlast(
        self,
        step: Callable[[], Awaitable[T]],
        on_wait: Callable[[], None] = lambda: None,
        channel_id: int | None = None,
    ) -> T:
        """Do a step; while the database is away, wait and do it again, after those that came before.

        `on_wait` is called when it begins to wait. Where a channel is given, the first try is made after its earlier
        ones.

        Raises:
            DatabaseBusy: it was away for longer than anybody is kept waiting.
        """
        error: DatabaseBusy | None = None
        async with self._first_try(channel_id):
            if not self._num_waiting:
                try:
                    return await step()
                except DatabaseBusy as first:
                    error = first
            if self._limit_seconds <= 0:
                raise error or DatabaseBusy("The database is away.")
            self._num_waiting += 1  # before whoever waits for this first try makes one of their own
        try:
            on_wait()
            async with asyncio.timeout(self._limit_seconds), self._trying:
                for pause in _pauses():
                    try:
                        return await step()
                    except DatabaseBusy as again:
                        error = again
                    await asyncio.sleep(pause)
        except TimeoutError:
            raise DatabaseBusy(str(error or "The database is away.")) from error
        finally:
            self._num_waiting -= 1
        raise AssertionError  # the pauses have no end

    async def commit_once(
        self,
        commit: Callable[[], Awaitable[bool]],
        is_there: Callable[[], Awaitable[bool]],
        on_wait: Callable[[], None],
        channel_id: int,
        *,
        is_alone: bool = True,
    ) -> bool:
        """Commit something new, as `outlast` does; False if it was there before.

        It isn't tried before what came earlier in the same channel was, and waits behind that where it was refused.
        What isn't `is_alone` may be tried while others like it are: refusals are committed many at a time.
        A commit that met with silence may have succeeded: what `is_there` then is what was to be committed.
        """
        is_unsure = False

        async def step() -> bool:
            nonlocal is_unsure
            try:
                return await commit() or (is_unsure and await is_there())
            except DatabaseBusy:
                is_unsure = True
                raise

        if is_alone:
            return await self.outlast(step, on_wait, channel_id)
        async with self._first_try(channel_id):
            pass
        return await self.outlast(step, on_wait)

    def _first_try(self, channel_id: int | None) -> AbstractAsyncContextManager[object]:
        return nullcontext() if channel_id is None else self._first_tries.setdefault(channel_id, asyncio.Lock())


async def repeat_while_away(
    step: Callable[[], Awaitable[T]], *, is_ending: Callable[[], bool], limit_seconds: float
) -> T:
    """Do something that belongs to no question; while the database can't be used, do it again for a while.

    Raises:
        StoreError: it couldn't be used for so long, or the process is ending.
    """
    give_up_at = asyncio.get_running_loop().time() + limit_seconds
    for pause in _pauses():
        try:
            return await step()
        except StoreError:
            if is_ending() or asyncio.get_running_loop().time() + pause > give_up_at:
                raise
        await asyncio.sleep(pause)
    raise AssertionError  # the pauses have no end


def _pauses() -> Iterator[float]:
    pause = _FIRST_PAUSE_SECONDS
    while True:
        yield pause
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
