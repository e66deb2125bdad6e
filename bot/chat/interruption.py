"""What comes from outside while a question is being answered: a stop, or an edit of the question."""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import Enum, auto


class StopReason(Enum):
    """Why an answer was stopped from outside."""

    RESET = auto()
    """The conversation was reset."""
    QUESTION_DELETED = auto()
    ANSWER_DELETED = auto()
    """A message that shows a part of the answer was deleted."""
    CHANNEL_LOST = auto()
    """The channel is gone, or closed to the bot."""
    ASKED = auto()
    """Somebody wants no more of it. With `keep`, what was said so far is shown and stored."""


class Interruption:
    """Whether one answer was stopped or its question edited, and the waits that are ended by that."""

    def __init__(self) -> None:
        self.reason: StopReason | None = None
        """Why the answer was stopped; None where it wasn't."""
        self.is_edited = False
        """Whether the question was edited since the last try at its answer began."""
        self._keeps = False
        self._body: asyncio.Timeout | None = None
        self._turn: asyncio.Timeout | None = None
        self.piece: asyncio.Timeout | None = None
        """The wait for the model's next piece: any stop, and an edit, ends it as its limit does."""
        self._silent_at = math.inf
        self._silence: asyncio.TimerHandle | None = None

    @property
    def is_there(self) -> bool:
        """Whether nothing more is to be taken of the try that runs."""
        return self.reason is not None or self.is_edited

    @property
    def voids(self) -> bool:
        """Whether the try that runs answers a question that reads otherwise by now."""
        return self.is_edited and self.reason is None

    @property
    def is_asked(self) -> bool:
        """Whether somebody wants no more of the answer, but keeps what was said."""
        return self.reason is StopReason.ASKED and self._keeps

    def stop(self, reason: StopReason, *, keep: bool) -> bool:
        """Stop the answer; see `Exchange.stop`."""
        if self.reason is None or (self._keeps and not keep):
            self.reason, self._keeps = reason, keep
        waiting = self.piece or self._turn
        _end(waiting if self._keeps else self._body or waiting)
        return self._body is not None and self.reason is reason and not self._keeps

    def edit(self) -> None:
        """Have the answer begin again: the question reads otherwise now."""
        self.is_edited = True
        _end(self.piece)

    def limit_piece(self, seconds: float) -> None:
        """Have the wait for a piece, which begins now, end after so long. One timer does for many pieces."""
        loop = asyncio.get_running_loop()
        self._silent_at = loop.time() + seconds
        if self._silence is None and seconds < math.inf:
            self._silence = loop.call_at(self._silent_at, self._end_silence)

    def end_limit(self) -> None:
        """No piece is waited for any more."""
        if self._silence is not None:
            self._silence.cancel()
            self._silence = None

    def _end_silence(self) -> None:
        self._silence = None
        if self.piece is None:
            return
        remaining = self._silent_at - asyncio.get_running_loop().time()
        if remaining > 0:  # there were pieces since
            self.limit_piece(remaining)
        else:
            _end(self.piece)

    @asynccontextmanager
    async def ends_body(self) -> AsyncIterator[None]:
        """Let a stop that keeps nothing end the body at once; see `Exchange.until_stopped`."""
        is_over = self.reason is not None and not self._keeps
        try:
            async with asyncio.timeout(0 if is_over else None) as self._body:
                yield
        finally:
            self._body = None

    @asynccontextmanager
    async def ends_wait_for_turn(self, give_up_at: float | None) -> AsyncIterator[None]:
        """Let any stop end the body, as the limit does: with TimeoutError."""
        try:
            async with asyncio.timeout_at(give_up_at) as self._turn:
                yield
        finally:
            self._turn = None


def _end(scope: asyncio.Timeout | None) -> None:
    if scope is not None and not scope.expired():
        scope.reschedule(asyncio.get_running_loop().time())
