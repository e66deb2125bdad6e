"""A backup of a large database while the bot answers: how much longer a turn takes then."""

import asyncio
import itertools
import os
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from bot.conversation.messages import ConversationKey
from bot.store.files.database import open_database
from tests.discord.house import House
from tests.loopback import LoopbackDiscord, judge_database
from tests.scenarios.conftest import OpenHouse
from tests.scenarios.verdicts import report, require_all
from tests.store.past import fill

ROOT = Path(__file__).parents[2]
BACKUP = "import asyncio, sys, pathlib; from bot.store.files.backup import backup; "
BACKUP += "asyncio.run(backup(sys.argv[1], pathlib.Path(sys.argv[2])))"


class Size(NamedTuple):
    num_old_turns: int
    num_rounds: int
    num_calm_turns: int


@pytest.mark.parametrize("size", [Size(500, 1, 3), pytest.param(Size(60_000, 5, 60), marks=pytest.mark.soak)], ids=str)
async def test_turns_go_on_while_a_backup_is_made(
    server: LoopbackDiscord, enter: OpenHouse, tmp_path: Path, size: Size
) -> None:
    """Calm turns and turns beside a backup by turns, so that whatever else the machine does strikes both."""
    url, copy = f"sqlite+aiosqlite:///{tmp_path / 'trinity.db'}", tmp_path / "copy.db"
    elsewhere = ConversationKey("another platform", 42)
    async with open_database(url) as database:
        long_ago = datetime.now(UTC) - timedelta(days=2)
        await fill(database, [elsewhere], 1, size.num_old_turns, long_ago, long_ago + timedelta(days=1))
    seconds: dict[bool, list[float]] = {False: [], True: []}
    backups: list[float] = []
    number = itertools.count()
    async with enter(server) as house:
        for _ in range(size.num_rounds):
            for _ in range(size.num_calm_turns):
                seconds[False].append(await turn(house, next(number)))
            began_at, running = time.monotonic(), await begin_backup(url, copy)
            while running.returncode is None:
                seconds[True].append(await turn(house, next(number)))
            assert running.returncode == 0
            backups.append(time.monotonic() - began_at)
    num_turns = len(seconds[False]) + len(seconds[True])

    require_all(server, house.database_path, turns=num_turns, replies=num_turns)
    judge_database(copy)
    calm, beside = (sorted(seconds[is_beside]) for is_beside in (False, True))
    report(
        "backup beside turns", old_turns=size.num_old_turns, database=f"{copy.stat().st_size / 2**20:.0f} MiB",
        backup=f"{max(backups):.1f} s at most", calm_turns=len(calm), turns_beside=len(beside),
        calm_p50_p99=f"{at(calm, 0.5)} {at(calm, 0.99)} ms", beside_p50_p99=f"{at(beside, 0.5)} {at(beside, 0.99)} ms",
        factor=round(at(beside, 0.5) / at(calm, 0.5), 2),
    )  # fmt: skip
    assert len(beside) > 0


async def begin_backup(url: str, copy: Path) -> asyncio.subprocess.Process:
    """In a process of its own, as `trinity backup` does it."""
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    return await asyncio.create_subprocess_exec(sys.executable, "-c", BACKUP, url, str(copy), env=environ)


async def turn(house: House, number: int) -> float:
    """Ask and wait until the answer is there; returns the seconds from the one to the other."""
    server = house.server
    question = await server.person("Alice").says(server.channel(f"channel-{number % 20}"), "hello", mention=True)
    await house.reaches(question, "answered", 60)
    return server.answer_to(question).changed_at - question.sent_at


def at(in_order: list[float], share: float) -> int:
    """A percentile in milliseconds."""
    return round(in_order[int((len(in_order) - 1) * share)] * 1000)
