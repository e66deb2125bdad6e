"""Real snowflakes: discord.py reads times out of ids, and bots order messages by them."""

import datetime
import time

DISCORD_EPOCH_MS = 1_420_070_400_000


class Snowflakes:
    """Hands out strictly growing ids whose upper bits are the wall clock."""

    def __init__(self) -> None:
        self._last_id = 0
        self._used: set[int] = set()

    def next_id(self, *, age_seconds: float = 0.0) -> int:
        """A fresh id of now, or of `age_seconds` ago; ids of now only ever grow."""
        fresh = _id_at(time.time() - age_seconds)
        if age_seconds == 0.0:
            fresh = max(fresh, self._last_id + 1)
            self._last_id = fresh
        while fresh in self._used:
            fresh += 1
        self._used.add(fresh)
        return fresh


def _id_at(unix_seconds: float) -> int:
    return (int(unix_seconds * 1000) - DISCORD_EPOCH_MS) << 22


def timestamp_of(snowflake: int) -> str:
    """The ISO 8601 time, with offset, at which an id was made."""
    return iso_time(((snowflake >> 22) + DISCORD_EPOCH_MS) / 1000)


def iso_time(unix_seconds: float) -> str:
    """A wall-clock time as Discord writes it."""
    return datetime.datetime.fromtimestamp(unix_seconds, datetime.UTC).isoformat()
