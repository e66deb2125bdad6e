"""What is said to people who wait: how many answers come before theirs, and about when it begins.

It is a small line in the message that becomes the answer's first one, so nothing of it stays. Like an answer that grows
it bears the mark, and the next process goes on with it.
"""

import asyncio
import math

from bot.chat.chat import Exchange
from bot.chat.queue import Wait
from bot.delivery.limits import NoticeLimiter
from bot.delivery.parts import Parts, Purpose
from bot.words import Phrase, phrase

LONG_SECONDS = 10.0
"""Who waits less than this is shown nothing."""
WAKING_SECONDS = 4.0
"""The engine wakes within one second; who waits longer for that is told."""
UPDATE_SECONDS = 10.0
LOOK_SECONDS = 1.0
CHANNEL_SECONDS = 3.0
"""Between two such lines in a channel: those of many who ask at once don't hold up the answers there."""


class WaitingLine:
    """The line for one question; `looks` is called every second or so until its answer begins."""

    def __init__(self, exchange: Exchange, parts: Parts, pace: NoticeLimiter) -> None:
        self._exchange = exchange
        self._parts = parts
        self._pace = pace
        self._next_at = 0.0

    async def look(self) -> None:
        """Show the line, or bring it up to date, where that is due."""
        now, wait = asyncio.get_running_loop().time(), self._exchange.wait
        if wait is None or now < self._next_at or not self._parts.may_show_wait:
            return
        if self._parts.shows_wait or (_is_long(wait) and self._may_begin()):
            self._next_at = now + UPDATE_SECONDS
            await self._parts.show_wait(sentence_of(wait))

    def _may_begin(self) -> bool:
        """Whether those before it have their messages, so that replies stand in the order of the questions."""
        is_next = all((Purpose.ANSWER, 0) in other.parts for other in self._exchange.before)
        return is_next and self._pace.allows(self._exchange.message_id, self._exchange.channel_id)


def waiting_pace() -> NoticeLimiter:
    """One for all channels."""
    return NoticeLimiter(0.0, CHANNEL_SECONDS)


def sentence_of(wait: Wait) -> Phrase:
    """A wait in words."""
    if wait.is_waking:
        return phrase("waking_up")
    if wait.num_ahead == 0:
        return phrase("next_in_line")
    if wait.seconds is None:
        return phrase("answers_ahead", n=wait.num_ahead)
    tens = max(10, 10 * math.ceil(wait.seconds / 10))
    when = phrase("seconds", n=tens) if tens < 90 else phrase("minutes", n=math.ceil(wait.seconds / 60))
    return phrase("answers_ahead_and_when", n=wait.num_ahead, when=when)


def _is_long(wait: Wait) -> bool:
    if wait.is_waking:
        return wait.waited_seconds >= WAKING_SECONDS
    # Who is the only one to wait sees the typing indicator.
    is_in_line = wait.num_ahead + wait.num_behind > 0
    will_be_long = wait.num_ahead > 0 and (wait.seconds or 0.0) > LONG_SECONDS
    return is_in_line and (wait.waited_seconds >= LONG_SECONDS or will_be_long)
