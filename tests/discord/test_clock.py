"""Discord's time of day: learnt from its answers, kept whatever this machine's clock does."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web

from bot.discord.clock import DiscordClock
from tests.discord.conftest import OpenHouse
from tests.discord.house import ask
from tests.loopback import LoopbackDiscord, judge
from tests.loopback.wire import Call

NOON = "Sun, 22 Nov 2026 12:00:00 GMT"


def test_the_time_is_what_discord_said_last() -> None:
    clock = DiscordClock()

    clock.note("Sun, 22 Nov 2026 11:00:00 GMT")
    clock.note(NOON)

    assert timedelta(0) <= clock.now() - datetime(2026, 11, 22, 12, tzinfo=UTC) < timedelta(minutes=1)


@pytest.mark.parametrize(
    "date",
    [
        None,
        "",
        "soon",
        "0",
        ",",
        "Sun, 99 Nov 2026 12:00:00 GMT",
        "Sun, 22 Nov 2026 12:00:00 +9999",
        "Sun, 22 Nov 2026 12:00:00 -9999",
        "Sun, 22 Nov 2026 12:00:00 +2400",
        "Sun, 22 Nov 2026 12:00:00 +99999999999999999999",
        "Sun, 22 Nov 99999999999 12:00:00 GMT",
        "Fri, 31 Dec 9999 23:59:59 -2359",
        "Mon, 01 Jan 0001 00:00:00 +2359",
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "2026-11-22T12:00:00Z",
    ],
)
def test_what_cannot_be_read_changes_nothing(date: str | None) -> None:
    fresh, set_once = DiscordClock(), DiscordClock()
    set_once.note(NOON)

    fresh.note(date)
    set_once.note(date)

    assert abs(fresh.now() - datetime.now(UTC)) < timedelta(minutes=1)
    assert set_once.now().hour == 12


def test_a_time_that_is_a_day_off_counts_once_it_is_said_again() -> None:
    clock = DiscordClock()
    clock.note(NOON)

    clock.note("Fri, 22 Nov 2030 12:00:00 GMT")
    after_one = clock.now()
    clock.note("Fri, 22 Nov 2030 12:00:01 GMT")
    after_two = clock.now()

    assert after_one.year == 2026
    assert after_two.year == 2030


def test_an_offset_is_reckoned_in() -> None:
    clock = DiscordClock()

    clock.note("Sun, 22 Nov 2026 14:00:00 +0200")

    assert clock.now().astimezone(UTC).hour == 12


async def test_a_wild_date_costs_no_request(server: LoopbackDiscord, enter: OpenHouse) -> None:
    async with enter(server) as house:
        server.faults.add(Dated("Sun, 22 Nov 2026 12:00:00 +9999"))
        await ask(house)

    judge(server).require(turns=1, replies=1)


@dataclass(frozen=True, slots=True)
class Dated:
    """Gives each answer another Date header."""

    date: str

    async def before(self, call: Call) -> web.Response | None:
        return None

    async def after(self, call: Call, answer: web.Response) -> web.Response:
        answer.headers["Date"] = self.date
        return answer
