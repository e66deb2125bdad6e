"""A database that is locked or full, as people on Discord see it: nothing pretends to be stored, and it passes."""

import asyncio
import sqlite3
import time
from contextlib import closing
from typing import NamedTuple

import pytest

from bot.delivery.outcomes import MEMORY_AWAY
from tests.loopback import Expectation, LoopbackDiscord, judge
from tests.scenarios.conftest import OpenHouse
from tests.scenarios.verdicts import report, require_all


class Lock(NamedTuple):
    seconds: float
    is_outlasted: bool


@pytest.mark.parametrize(
    "lock",
    [Lock(1.0, is_outlasted=True), pytest.param(Lock(30.0, is_outlasted=False), marks=pytest.mark.soak)],
    ids=str,
)
async def test_a_database_locked_by_another_process_is_waited_for_or_told_once_per_channel(
    server: LoopbackDiscord, enter: OpenHouse, lock: Lock
) -> None:
    channels = [server.channel(f"channel-{number}") for number in range(2)]
    async with enter(server) as house:
        first = await server.person("Alice").says(channels[0], "hello", mention=True)
        await house.reaches(first, "answered")
        with closing(sqlite3.connect(house.database_path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            began_at = time.monotonic()
            num_asked = 0
            while time.monotonic() < began_at + lock.seconds:
                person = server.person(f"Person {num_asked}")
                await person.says(channels[num_asked % 2], "are you there?", mention=True)
                num_asked += 1
                await asyncio.sleep(lock.seconds / 10)
            other.execute("ROLLBACK")
        last = await server.person("Bob").says(channels[1], "and now?", mention=True)
        await house.reaches(last, "answered", 60)
        counts = await house.inbox.count_by_state()
        async with asyncio.timeout(60):
            while any(count for state, count in counts.items() if state.is_open):
                await asyncio.sleep(0.05)
                counts = await house.inbox.count_by_state()

    states = {state.value: count for state, count in counts.items() if count}
    notices = [
        message for channel in channels for message in channel.visible_messages() if message.content == MEMORY_AWAY
    ]
    verdict = judge(server, Expectation(is_excused=lambda message: "are you there" in message.content))
    report(
        "locked database", seconds=lock.seconds, asked=num_asked + 2, states=states, notices=len(notices),
        unanswered=verdict.num_excused,
    )  # fmt: skip
    verdict.require(turns=num_asked + 2)
    assert {channel.id for channel in channels} >= {message.channel.id for message in notices}
    assert len(notices) <= 2
    if lock.is_outlasted:
        assert notices == []
        require_all(server, house.database_path, turns=num_asked + 2, replies=num_asked + 2)
    else:
        assert len(notices) == 2
