"""The time of day at Discord's, by which a message's age is told: this machine's clock may be wrong, or jump.

A question's age decides whether it is still answered after a restart, and how far back missed ones are fetched. Message
ids hold Discord's time, and each of its answers over HTTP says what time it is there; from then on the monotonic clock
counts.
"""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from time import monotonic

import aiohttp

BORN = datetime(2026, 1, 1, tzinfo=UTC)
"""Nobody asked Trinity anything before. An id that tells of an earlier time comes from a server that only counts."""


class DiscordClock:
    """Learns the time from the answers to requests; before the first one, this machine's clock has to do."""

    def __init__(self) -> None:
        self._told: tuple[datetime, float] | None = None

    def now(self) -> datetime:
        """The present moment."""
        if self._told is None:
            return datetime.now(UTC)
        moment, told_at = self._told
        return moment + timedelta(seconds=monotonic() - told_at)

    def asked_at(self, told_by_id: datetime) -> datetime:
        """When a question was asked, that arrives now: as its id says, or now if the id doesn't tell the time."""
        return told_by_id if told_by_id >= BORN else self.now()

    def note(self, date: str | None) -> None:
        """Take the time from an answer's Date header; without one, or with one that can't be read, nothing changes."""
        try:
            moment = parsedate_to_datetime(date or "")
        except ValueError:
            return
        self._told = moment.replace(tzinfo=moment.tzinfo or UTC), monotonic()

    def trace(self) -> aiohttp.TraceConfig:
        """What has to be given to an HTTP client for this clock to hear of its answers."""

        async def hear(_session: object, _context: object, end: aiohttp.TraceRequestEndParams) -> None:
            self.note(end.response.headers.get("Date"))

        trace = aiohttp.TraceConfig()
        trace.on_request_end.append(hear)
        return trace
