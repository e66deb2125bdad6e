"""What is too old goes, and a clock that is wrong costs a day's worth at most."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from bot.chat.retention import DAILY, HOURLY, Retention
from bot.discord.clock import DiscordClock
from bot.operations.purge import purge_older_than
from bot.store.files.database import Database, open_database
from bot.store.rows.history import History
from bot.store.rows.personas import Personas
from tests.store.said import HERE, MORNING, Clock, ask, hold_turn, said


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/trinity.db"


@pytest.fixture(scope="module")
def forty_days(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of forty days on which something was said at nine, the last of them today."""

    async def talk(file: Path) -> None:
        clock = Clock()
        async with open_database(f"sqlite:///{file}", clock=clock) as database:
            for age in range(39, -1, -1):
                clock.now = MORNING - timedelta(days=age)
                await hold_turn(database, ask(1000 - age, f"{age} days ago", created_at=clock.now))

    file = tmp_path_factory.mktemp("forty-days") / "trinity.db"
    asyncio.run(talk(file))
    return file


@pytest.fixture
async def database(url: str, tmp_path: Path, forty_days: Path) -> AsyncIterator[Database]:
    """Those forty days, in a file of the test's own."""
    shutil.copy(forty_days, tmp_path / "trinity.db")
    clock = Clock()
    clock.now = MORNING
    async with open_database(url, clock=clock) as database:
        yield database


async def ages(database: Database) -> list[int]:
    return [int(question.split()[0]) for question, _ in await said(database)]


class Ticks:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("years_ahead", [0, 1, 70])
async def test_one_run_deletes_a_days_worth_at_most(database, caplog, years_ahead):
    retention = Retention(History(database), 30, lambda: MORNING + timedelta(days=365 * years_ahead))

    assert await retention.run_if_due() == 1

    assert await ages(database) == list(range(38, -1, -1))
    assert "trinity purge" in caplog.text


@pytest.mark.no_cover
async def test_what_has_become_too_old_while_the_bot_runs_goes_every_hour(database):
    clock, ticks = Clock(), Ticks()
    clock.now = MORNING
    retention = Retention(History(database), 39, clock, monotonic=ticks)
    for _ in range(48):
        await retention.run_if_due()
        clock.move(hours=1)
        ticks.now += HOURLY

    assert await ages(database) == list(range(37, -1, -1))


async def test_another_run_comes_only_after_the_pause(database):
    ticks = Ticks()
    retention = Retention(History(database), 30, lambda: MORNING, DAILY, ticks)
    await retention.run_if_due()

    ticks.now = DAILY - 1
    assert await retention.run_if_due() == 0
    ticks.now = DAILY
    assert await retention.run_if_due() == 1


async def test_nothing_is_deleted_before_the_time_is_certain(database):
    now: list[datetime | None] = [None]
    retention = Retention(History(database), 30, lambda: now[0])
    assert await retention.run_if_due() == 0

    now[0] = MORNING
    assert await retention.run_if_due() == 1


def test_discords_clock_is_certain_once_it_told_and_the_earlier_one_counts():
    clock = DiscordClock()
    assert clock.certain_now() is None

    clock.note("Fri, 02 Jan 2026 10:00:00 GMT")
    assert clock.certain_now().date().isoformat() == "2026-01-02"


async def test_a_purge_says_what_goes_and_asks(database, url):
    await Personas(database).save(HERE, "Pirate", "Arr.", author_id=5, author_name="Ada")
    lines: list[str] = []

    status = await purge_older_than(url, 30, lines.append, lambda _: False, lambda: MORNING)

    assert status == 2
    assert "Older are 9 turns of 1 conversations, from 2026-10-14 on, 0 pinned facts and 0 changes" in "\n".join(lines)
    assert len(await ages(database)) == 40


async def test_a_purge_that_is_confirmed_deletes_all_of_it_beside_the_daemon(database, url):
    lines: list[str] = []

    status = await purge_older_than(url, 30, lines.append, lambda _: True, lambda: MORNING)

    assert status == 0
    assert await ages(database) == list(range(30, -1, -1))
    assert lines[-1] == "9 turns were deleted."
    await purge_older_than(url, 30, lines.append, lambda _: pytest.fail("was asked"), lambda: MORNING)
    assert lines[-1] == "Nothing that was said is older."
