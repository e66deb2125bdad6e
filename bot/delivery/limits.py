"""What keeps the bot inside Discord's limits: one pace for all requests, and no request that is known to be refused.

Discord allows a bot 50 requests a second in all, and bans an address for 10,000 refused ones in ten minutes. All times
are the event loop's own, so that a clock that jumps changes nothing.
"""

import asyncio
import heapq
from collections import OrderedDict, deque
from contextlib import suppress
from enum import IntEnum
from itertools import count
from typing import Any

REQUESTS_PER_SECOND = 40.0
"""Below Discord's 50, so that requests which bunch up on their way still don't exceed it."""
MOST_IN_A_SECOND = 45
"""As many really leave in any second, whatever they waited for on their way."""
EDITS_PER_SECOND = 30.0
"""The part of them that the edits of running answers may take."""


def _now() -> float:
    return asyncio.get_running_loop().time()


class Urgency(IntEnum):
    """Which request goes first when several wait."""

    FIRST = 0
    """Creates, final edits, deletions."""
    EDIT = 1
    """Edits of answers that still grow; what is missed comes with the next one."""
    LAST = 2
    """Typing indicators, reads, and buttons that are of no use any more."""


class Pacer:
    """Lets requests out one by one, evenly spaced, the most urgent first."""

    def __init__(self, requests_per_second: float = REQUESTS_PER_SECOND) -> None:
        self.share = 1.0
        """The part of all requests that may be made here; other processes with the same account make the rest."""
        self.num_streaming = 0
        """Answers that run just now."""
        self._full_gap = 1 / requests_per_second
        self._next_at = 0.0
        self._order = count()
        self._waiting: list[tuple[Urgency, int, asyncio.Future[None]]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._left: deque[float] = deque()
        """When the last ones left, or will."""

    @property
    def _gap(self) -> float:
        return self._full_gap / self.share

    async def wait(self, urgency: Urgency) -> None:
        """Wait until this request may leave."""
        if not self._waiting and _now() >= self._next_at:
            self._next_at = _now() + self._gap
            return
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (urgency, next(self._order), place))
        self._set_timer()
        await place

    async def leave(self) -> None:
        """Wait until a request that was let out may really leave.

        discord.py holds requests back for the limit of their route. Those that it lets go at once would exceed the
        limit of all.
        """
        now, most = _now(), max(1, int(MOST_IN_A_SECOND * self.share))
        while len(self._left) > most:
            self._left.popleft()
        leaves_at = now if len(self._left) < most else max(now, self._left.popleft() + 1.0)
        self._left.append(leaves_at)
        if leaves_at > now:
            await asyncio.sleep(leaves_at - now)

    def spend(self) -> None:
        """Count a request that could not wait (an interaction's answer)."""
        self._next_at = max(self._next_at, _now()) + self._gap

    def _set_timer(self) -> None:
        if self._timer is None and self._waiting:
            self._timer = asyncio.get_running_loop().call_at(self._next_at, self._let_out)

    def _let_out(self) -> None:
        self._timer = None
        while self._waiting and _now() >= self._next_at:
            place = heapq.heappop(self._waiting)[2]
            if not place.done():
                place.set_result(None)
                self._next_at = _now() + self._gap
        self._set_timer()


class Breaker:
    """Holds all requests back while Discord is out of order, but for one probe in each pause.

    It opens at once when Discord's proxy bans us, else after several failures in a row. The pauses grow to 30 seconds.
    """

    FAILURES_TO_OPEN = 5
    LONGEST_PAUSE_SECONDS = 30.0

    def __init__(self) -> None:
        self._closed = asyncio.Event()
        self._closed.set()
        self._num_failures = 0
        self._pause = 1.0
        self._probe_at = 0.0

    @property
    def is_open(self) -> bool:
        """Whether requests are held back."""
        return not self._closed.is_set()

    async def wait(self) -> None:
        """Wait until a request may be tried."""
        while self.is_open:
            if _now() >= self._probe_at:
                self._probe_at = _now() + self._pause
                return
            with suppress(TimeoutError):
                async with asyncio.timeout_at(self._probe_at):
                    await self._closed.wait()

    def succeeded(self) -> None:
        """Discord answered."""
        self._num_failures, self._pause = 0, 1.0
        self._closed.set()

    def failed(self, *, is_ban: bool = False) -> None:
        """Discord didn't answer, or (`is_ban`) its proxy refuses this address."""
        self._num_failures += 1
        if is_ban:
            self._pause = self.LONGEST_PAUSE_SECONDS
        if is_ban or self._num_failures >= self.FAILURES_TO_OPEN:
            self._closed.clear()
            self._probe_at = _now() + self._pause
            self._pause = min(2 * self._pause, self.LONGEST_PAUSE_SECONDS)


class ClosedChannels:
    """Remembers where Discord refuses our requests, so that they aren't repeated.

    A channel stays closed for ten minutes, longer each time, or until its permissions change; where a moderator muted
    the bot for a while, until that is over. When too many requests were refused lately, only channels that took one
    before stay open.
    """

    CLOSED_SECONDS = 600.0
    SHORTLY_SECONDS = 60.0
    LONGEST_SECONDS = 6 * 3600.0
    REFUSALS_PER_WINDOW = 40
    WINDOW_SECONDS = 600.0
    MAX_CHANNELS = 10_000

    def __init__(self) -> None:
        self._closed: OrderedDict[int, tuple[float, float]] = OrderedDict()  # channel id -> open again at, closed for
        self._closed_to_edits: set[int] = set()
        self._muted: OrderedDict[int, float] = OrderedDict()  # channel id -> muted until
        self._known_open: OrderedDict[int, None] = OrderedDict()
        self._refusals: deque[float] = deque()

    def is_closed(self, channel_id: int, *, to_edits: bool = False) -> bool:
        """Whether a request to this channel is known to be refused; `to_edits`, whether an edit or a deletion is."""
        until, _ = self._closed.get(channel_id, (0.0, 0.0))
        is_known_closed = _now() < until and (not to_edits or channel_id in self._closed_to_edits)
        is_refused = is_known_closed or self.muted_seconds(channel_id) is not None
        return is_refused or (self._is_spent() and channel_id not in self._known_open)

    def muted_seconds(self, channel_id: int) -> float | None:
        """For how long the bot is still muted in this channel by a moderator; None where it isn't."""
        seconds = self._muted.get(channel_id, 0.0) - _now()
        return seconds if seconds > 0 else None

    def mute(self, channel_id: int, seconds: float) -> None:
        """What Discord refused was for a mute that ends then: the channel isn't closed for longer."""
        self._closed.pop(channel_id, None)
        self._muted[channel_id] = _now() + seconds
        _forget_oldest(self._muted, self.MAX_CHANNELS)

    def close_shortly(self, channel_id: int) -> None:
        """Discord refused a request for what the person in this channel chose, and may choose otherwise at any time."""
        self._closed[channel_id] = (_now() + self.SHORTLY_SECONDS, self.CLOSED_SECONDS / 2)
        self._closed_to_edits.add(channel_id)
        _forget_oldest(self._closed, self.MAX_CHANNELS)

    def close(self, channel_id: int, *, to_edits: bool = True) -> None:
        """Discord refused a request to this channel, and not for a mute.

        Without `to_edits`, what the bot has written there may still be changed: that it may write nothing new doesn't
        forbid that.
        """
        until, seconds = self._closed.pop(channel_id, (0.0, self.CLOSED_SECONDS / 2))
        if until <= _now():
            seconds = min(2 * seconds, self.LONGEST_SECONDS)
        self._closed[channel_id] = (_now() + seconds, seconds)
        _forget_oldest(self._closed, self.MAX_CHANNELS)
        self._closed_to_edits.intersection_update(self._closed)
        if to_edits:
            self._closed_to_edits.add(channel_id)

    def note_refusal(self, channel_id: int) -> None:
        """Count a refused request: Discord bans who makes too many. The channel no longer is known to be open."""
        self._refusals.append(_now())
        self._known_open.pop(channel_id, None)

    def reopen(self, channel_id: int) -> None:
        """The channel's permissions may have changed, or the bot may be muted no longer."""
        self._closed.pop(channel_id, None)
        self._closed_to_edits.discard(channel_id)
        self._muted.pop(channel_id, None)

    def open(self, channel_id: int) -> None:
        """The channel took a request."""
        self.reopen(channel_id)
        self._known_open[channel_id] = None
        self._known_open.move_to_end(channel_id)
        _forget_oldest(self._known_open, self.MAX_CHANNELS)

    def _is_spent(self) -> bool:
        while self._refusals and self._refusals[0] <= _now() - self.WINDOW_SECONDS:
            self._refusals.popleft()
        return len(self._refusals) >= self.REFUSALS_PER_WINDOW


class NoticeLimiter:
    """Lets one notice through per person and per channel in a while; the rest are only counted."""

    MAX_ENTRIES = 10_000
    LOG_SECONDS = 60.0

    def __init__(self, person_seconds: float = 30.0, channel_seconds: float = 5.0) -> None:
        self.num_suppressed = 0
        self._person_seconds = person_seconds
        self._channel_seconds = channel_seconds
        self._last: OrderedDict[tuple[str, int], float] = OrderedDict()
        self._num_logged = 0
        self._log_at = float("-inf")

    def num_to_log(self) -> int:
        """How many were suppressed since this was last asked; 0 if that was within the last minute."""
        if _now() < self._log_at:
            return 0
        num_new, self._num_logged = self.num_suppressed - self._num_logged, self.num_suppressed
        self._log_at = _now() + self.LOG_SECONDS
        return num_new

    def allows(self, person_id: int, channel_id: int) -> bool:
        """Whether a notice may be shown now; if so, it counts as shown."""
        person, channel = ("person", person_id), ("channel", channel_id)
        never = float("-inf")
        is_too_soon = (
            _now() < self._last.get(person, never) + self._person_seconds
            or _now() < self._last.get(channel, never) + self._channel_seconds
        )
        if is_too_soon:
            self.num_suppressed += 1
            return False
        for key in (person, channel):
            self._last[key] = _now()
            self._last.move_to_end(key)
        _forget_oldest(self._last, self.MAX_ENTRIES)
        return True


def _forget_oldest(entries: OrderedDict[Any, Any], limit: int) -> None:
    while len(entries) > limit:
        entries.popitem(last=False)
