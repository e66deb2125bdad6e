"""/reset against an answer that is being written, at every moment of it: nothing of before comes back."""

import asyncio
import random
import re
import time

import pytest

from tests.engines import EchoEngine
from tests.loopback import LoopbackDiscord
from tests.scenarios.conftest import OpenHouse
from tests.scenarios.verdicts import report

SEED = 20261122
ENDED = ("answered", "withdrawn", "failed")


@pytest.mark.parametrize("num_races", [8, pytest.param(200, marks=pytest.mark.soak)])
async def test_nothing_from_before_a_reset_is_in_a_later_prompt(
    server: LoopbackDiscord, enter: OpenHouse, num_races: int
) -> None:
    chance, began_at, ends = random.Random(SEED), time.monotonic(), dict.fromkeys(ENDED, 0)
    alice, general = server.person("Alice"), server.channel("general")
    async with enter(server, engine=EchoEngine(seconds_per_word=0.01)) as house:
        await server.wait_until(lambda: server.bot.commands)
        for number in range(num_races):
            before = await alice.says(general, f"secret{number}", mention=True)
            await asyncio.sleep(chance.random() * 0.12)
            reset = await alice.uses("/reset", general)
            await reset.answered()
            after = await alice.says(general, "what did I say?", mention=True)
            await house.reaches(after, "answered")
            ends[await house.state(before)] += 1
            assert "what did I say?" in house.prompts[-1]
            assert not re.search(r"secret\d", house.prompts[-1])
            await (await alice.uses("/reset", general)).answered()

    report(
        "reset races", seed=SEED, races=num_races, rows_of_before_in_later_prompts=0, **ends,
        seconds=round(time.monotonic() - began_at),
    )  # fmt: skip
    assert sum(ends.values()) == num_races
    if num_races == 200:
        assert ends["answered"] > 0
        assert ends["withdrawn"] > 0
