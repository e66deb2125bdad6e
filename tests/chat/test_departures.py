"""A guild that was left is deleted a month later, and only if the platform says once more that it was left."""

from pathlib import Path

import pytest

from bot.chat.departures import Departures
from bot.chat.retention import HOURLY
from bot.errors import DiscordError
from bot.store.files.database import open_database
from bot.store.rows.guilds import Guilds
from tests.store.said import GUILD, Clock, ask, hold_turn, said


class Ticks:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Platform:
    """Says whether the bot is in a guild no more, or that it can't say."""

    answer: bool | None = True
    num_asked = 0

    async def is_gone(self, _guild_id: int) -> bool:
        self.num_asked += 1
        if self.answer is None:
            raise DiscordError("an outage")
        return self.answer


class Month:
    """A guild in which something was said, its departures, and the days that pass."""

    def __init__(self, database) -> None:
        self.database, self.clock, self.ticks, self.platform = database, Clock(), Ticks(), Platform()
        self.departures = Departures(Guilds(database), "discord", 30, self.clock, self.ticks)
        self.departures.is_gone = self.platform.is_gone

    async def passes(self, days: float) -> int:
        self.clock.move(days=days)
        self.ticks.now += days * 24 * HOURLY
        return len(await self.departures.run_if_due())


@pytest.fixture
async def month(tmp_path: Path):
    async with open_database(f"sqlite:///{tmp_path}/trinity.db") as database:
        await hold_turn(database, ask(1))
        month = Month(database)
        await month.departures.note_present([GUILD])
        yield month


async def test_a_guild_goes_thirty_days_after_it_was_left(month):
    await month.departures.note_left(GUILD)

    assert await month.passes(29.9) == 0
    assert len(await said(month.database)) == 1
    assert await month.passes(0.2) == 1
    assert await said(month.database) == []


async def test_who_comes_back_in_time_finds_everything(month):
    await month.departures.note_left(GUILD)
    await month.passes(29)
    await month.departures.note_joined(GUILD)

    assert await month.passes(300) == 0
    assert len(await said(month.database)) == 1


async def test_a_guild_that_is_only_missing_is_never_deleted(month):
    assert await month.departures.note_present([]) == {GUILD}

    assert await month.passes(300) == 0
    assert len(await said(month.database)) == 1
    assert month.platform.num_asked == 0


@pytest.mark.parametrize("answer", [None, False], ids=["doesn't say", "says that it is there"])
async def test_nothing_goes_unless_the_platform_says_again_that_it_was_left(month, answer):
    await month.departures.note_left(GUILD)
    month.platform.answer = answer

    assert await month.passes(31) == 0
    assert len(await said(month.database)) == 1
    month.platform.answer = True
    assert await month.passes(31) == (1 if answer is None else 0)


async def test_before_a_platform_is_there_or_the_time_is_certain_nothing_goes(month):
    await month.departures.note_left(GUILD)
    month.departures.is_gone = None
    assert await month.passes(31) == 0

    month.departures.is_gone = month.platform.is_gone
    unsure = Departures(Guilds(month.database), "discord", 30, lambda: None, month.ticks)
    unsure.is_gone = month.platform.is_gone
    assert await unsure.run_if_due() == []
    assert len(await said(month.database)) == 1


async def test_it_is_looked_at_once_an_hour(month):
    await month.departures.note_left(GUILD)
    await month.passes(0)
    month.clock.move(days=31)

    assert await month.departures.run_if_due() == []
    month.ticks.now += HOURLY
    assert len(await month.departures.run_if_due()) == 1
