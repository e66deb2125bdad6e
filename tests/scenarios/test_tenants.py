"""Canaries: what is said in one channel is never seen in another one's prompt or reply, nor in any log."""

import asyncio
import logging
import random
import re
import time
from typing import NamedTuple

import pytest

from bot.errors import RequestFailed
from bot.inference.engine import Request
from tests.discord.house import House
from tests.engines import EchoEngine, digest
from tests.loopback import LoopbackDiscord, Message, Permission
from tests.scenarios.conftest import OpenHouse
from tests.scenarios.verdicts import report

SEED = 20261122
CANARY = re.compile(r"canary(\d+)of(\d+)")


class Size(NamedTuple):
    num_channels: int
    num_turns: int
    num_restarts: int


class Parrot(EchoEngine):
    """Repeats every canary of its prompt; fails now and then."""

    def __init__(self, chance: random.Random, owners: dict[str, str]) -> None:
        super().__init__(answer=self._repeat, seconds_per_word=0.001)
        self.decode = lambda _: ""
        self.strays: list[str] = []
        self.num_failures = 0
        self._chance = chance
        self._owners = owners

    def _repeat(self, request: Request) -> str | Exception:
        prompt = self.decode(list(request.prompt_token_ids))
        canaries = CANARY.findall(prompt)
        home = self._owners.get(request.fairness.channel)
        self.strays += [f"{number} of {owner} in a prompt of {home}" for number, owner in canaries if owner != home]
        if self._chance.random() < 0.05:
            self.num_failures += 1
            return RequestFailed()
        seen = " ".join(f"canary{number}of{owner}" for number, owner in canaries[-3:])
        return f"{digest(request.prompt_token_ids)} {seen} and so on and on"


@pytest.mark.parametrize("size", [Size(4, 8, 1), pytest.param(Size(8, 500, 10), marks=pytest.mark.soak)], ids=str)
async def test_no_canary_is_ever_seen_abroad(
    server: LoopbackDiscord, enter: OpenHouse, caplog: pytest.LogCaptureFixture, size: Size
) -> None:
    caplog.set_level(logging.DEBUG)
    chance, began_at = random.Random(SEED), time.monotonic()
    channels = [server.channel(f"channel-{number}") for number in range(size.num_channels)]
    owners = {str(channel.id): str(number) for number, channel in enumerate(channels)}
    engine, num_resets, num_deleted = Parrot(chance, owners), 0, 0
    plan = [channel for channel in channels for _ in range(size.num_turns)]
    chance.shuffle(plan)
    asked: list[Message] = []
    moderator = server.person("Alice", permissions=Permission.MANAGE_MESSAGES | Permission.MANAGE_GUILD)
    for number in range(size.num_restarts + 1):
        share = plan[number :: size.num_restarts + 1]
        async with enter(server, engine=engine, drain_seconds=0) as house:
            engine.decode = house.encoder.tokenizer.decode
            for index, channel in enumerate(share):
                text = f"canary{len(asked)}of{owners[str(channel.id)]} tell me"
                asked.append(await server.person(f"Person {chance.randrange(30)}").says(channel, text, mention=True))
                if chance.random() < 0.05:
                    await moderator.uses("/reset", channel)
                    num_resets += 1
                if chance.random() < 0.05:
                    await moderator.deletes(chance.choice(asked[-5:]))
                    num_deleted += 1
                if index % size.num_channels == 0:
                    await catch_up(house, asked, 2 * size.num_channels)
            if number == size.num_restarts:
                await catch_up(house, asked, 0)
    abroad = [
        f"{message.content!r} in {message.channel.name}"
        for message in server.world.messages.values()
        for _, owner in CANARY.findall(message.content)
        if owner != owners[str(message.channel.id)]
    ]
    logged = [record.getMessage() for record in caplog.records if ours(record) and CANARY.search(record.getMessage())]
    report(
        "canaries", seed=SEED, channels=size.num_channels, turns=len(asked), prompts=len(engine.requests),
        resets=num_resets, deleted=num_deleted, cancelled=engine.num_aborted, engine_failures=engine.num_failures,
        restarts=size.num_restarts, abroad_in_prompts=len(engine.strays), abroad_in_channels=len(abroad),
        in_logs=len(logged), seconds=round(time.monotonic() - began_at),
    )  # fmt: skip
    assert engine.strays == []
    assert abroad == []
    assert logged == []
    assert len(asked) == size.num_channels * size.num_turns
    assert len(engine.requests) > len(asked) * 0.5
    assert engine.num_failures or size.num_restarts == 1


async def catch_up(house: House, asked: list[Message], num_left: int) -> None:
    """Wait until no more than so many questions are open."""
    async with asyncio.timeout(120):
        while True:
            counts = await house.inbox.count_by_state()
            num_open = sum(count for state, count in counts.items() if state.is_open)
            num_seen = sum(counts.values())
            if num_open <= num_left and num_seen >= len([m for m in asked if not m.is_deleted]) - num_left:
                return
            await asyncio.sleep(0.01)


def ours(record: logging.LogRecord) -> bool:
    """Libraries are held to INFO in every log that Trinity writes; here they are heard in full."""
    return record.name.split(".")[0] == "bot" or record.levelno >= logging.INFO
