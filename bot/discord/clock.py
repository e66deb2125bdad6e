"""The time of day at Discord's, by which a message's age is told: this machine's clock may be wrong, or jump.

A question's age decides whether it is still answered after a restart, and how far back missed ones are fetched. Message
ids hold Discord's time, and each of its answers over HTTP says what time it is there; from then on the monotonic clock
counts.
"""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from time import monotonic

import aiohttp

_WIDEST_STEP = timedelta(days=1)
_END = datetime(9000, 1, 1, tzinfo=UTC)

BORN = datetime(2026, 1, 1, tzinfo=UTC)
"""Nobody asked Trinity anything before. An id that tells of an earlier time comes from a server that only counts."""


class DiscordClock:
    """Learns the time from the answers to requests; before the first one, this machine's clock has to do.

    A time that is a day off what was told before may come from something in front of Discord: it counts once the next
    answer says the same.
    """

    def __init__(self) -> None:
        self._told: tuple[datetime, float] | None = None
        self._doubted: tuple[datetime, float] | None = None

    def now(self) -> datetime:
        """The present moment."""
        return datetime.now(UTC) if self._told is None else _moved_on(self._told)

    def certain_now(self) -> datetime | None:
        """The earlier of Discord's time and this machine's, by which it is safe to delete; None before Discord told."""
        return None if self._told is None else min(_moved_on(self._told), datetime.now(UTC))

    def asked_at(self, told_by_id: datetime) -> datetime:
        """When a question was asked, that arrives now: as its id says, or now if the id doesn't tell the time."""
        return told_by_id if told_by_id >= BORN else self.now()

    def note(self, date: str | None) -> None:
        """Take the time from an answer's Date header; without one, or with one that can't be right, nothing changes."""
        try:
            read = parsedate_to_datetime(date or "")
            moment = read.replace(tzinfo=read.tzinfo or UTC).astimezone(UTC)
        except (ValueError, TypeError, OverflowError, IndexError):
            return  # an offset of 99 hours, for instance
        if not BORN <= moment < _END:
            return
        told = moment, monotonic()
        known = self._told, self._doubted
        if self._told is None or any(of and abs(_moved_on(of) - moment) < _WIDEST_STEP for of in known):
            self._told, self._doubted = told, None
        else:
            self._doubted = told

    def trace(self) -> aiohttp.TraceConfig:
        """What has to be given to an HTTP client for this clock to hear of its answers."""

        async def hear(_session: object, _context: object, end: aiohttp.TraceRequestEndParams) -> None:
            self.note(end.response.headers.get("Date"))

        trace = aiohttp.TraceConfig()
        trace.on_request_end.append(hear)
        return trace


def _moved_on(told: tuple[datetime, float]) -> datetime:
    moment, told_at = told
    return moment + timedelta(seconds=monotonic() - told_at)
