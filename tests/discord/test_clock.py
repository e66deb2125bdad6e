"""Discord's time of day: learnt from its answers, kept whatever this machine's clock does."""

from datetime import UTC, datetime, timedelta

import pytest

from bot.discord.clock import DiscordClock

NOON = "Sun, 22 Nov 2026 12:00:00 GMT"


def test_the_time_is_what_discord_said_last() -> None:
    clock = DiscordClock()

    clock.note("Sun, 22 Nov 2026 11:00:00 GMT")
    clock.note(NOON)

    assert timedelta(0) <= clock.now() - datetime(2026, 11, 22, 12, tzinfo=UTC) < timedelta(minutes=1)


@pytest.mark.parametrize("date", [None, "", "soon", "Sun, 99 Nov 2026 12:00:00 GMT"])
def test_what_cannot_be_read_changes_nothing(date: str | None) -> None:
    fresh, told = DiscordClock(), DiscordClock()
    told.note(NOON)

    fresh.note(date)
    told.note(date)

    assert abs(fresh.now() - datetime.now(UTC)) < timedelta(minutes=1)
    assert told.now().hour == 12
