"""The time at Discord, by which a message's age is known: this machine's clock may be wrong, or jump.

A question's age decides whether it is still answered after a restart, and how far back missed ones are fetched. Message
ids hold Discord's time, and each of its answers over HTTP says what time it is there; from then on the monotonic clock
counts.
"""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from time import monotonic

import aiohttp

_WIDEST_STEP = timedelta(days=1)
_END = datetime(9000, 1, 1, tzinfo=UTC)

EARLIEST_QUESTION = datetime(2026, 1, 1, tzinfo=UTC)
"""No question is older. An id with an earlier time comes from a server whose ids don't hold the time."""


class DiscordClock:
    """Learns the time from the answers to requests; before the first one, this machine's clock has to do.

    A time that is a day off the known one may come from something in front of Discord: it counts once the next answer
    agrees with it.
    """

    def __init__(self) -> None:
        self._known: tuple[datetime, float] | None = None
        self._doubtful: tuple[datetime, float] | None = None

    def now(self) -> datetime:
        return datetime.now(UTC) if self._known is None else _moved_on(self._known)

    def certain_now(self) -> datetime | None:
        """The earlier of Discord's time and this machine's, safe to delete by; None before the first answer."""
        return None if self._known is None else min(_moved_on(self._known), datetime.now(UTC))

    def asked_at(self, time_in_id: datetime) -> datetime:
        """When a question was asked, that arrives now: as its id says, or now if the id doesn't tell the time."""
        return time_in_id if time_in_id >= EARLIEST_QUESTION else self.now()

    def note(self, date: str | None) -> None:
        """Take the time from an answer's Date header; without one, or with one that can't be right, nothing changes."""
        moment = _moment_of(date)
        if moment is None or not EARLIEST_QUESTION <= moment < _END:
            return
        noted = moment, monotonic()
        earlier = self._known, self._doubtful
        if self._known is None or any(of and abs(_moved_on(of) - moment) < _WIDEST_STEP for of in earlier):
            self._known, self._doubtful = noted, None
        else:
            self._doubtful = noted

    def trace(self) -> aiohttp.TraceConfig:
        """What has to be given to an HTTP client for this clock to hear of its answers."""

        async def hear(_session: object, _context: object, end: aiohttp.TraceRequestEndParams) -> None:
            self.note(end.response.headers.get("Date"))

        trace = aiohttp.TraceConfig()
        trace.on_request_end.append(hear)
        return trace


@lru_cache(maxsize=2)  # many answers come in one second
def _moment_of(date: str | None) -> datetime | None:
    try:
        read = parsedate_to_datetime(date or "")
        return read.replace(tzinfo=read.tzinfo or UTC).astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None  # an offset of 99 hours, for instance


def _moved_on(noted: tuple[datetime, float]) -> datetime:
    moment, noted_at = noted
    return moment + timedelta(seconds=monotonic() - noted_at)
