"""kill -9 at any moment: no question that was received is lost, and none is answered twice."""

import asyncio
import random
import sqlite3
import time
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.loopback import LoopbackDiscord, Message
from tests.loopback.faults import CutOff
from tests.scenarios.echo_daemon import POISON
from tests.scenarios.processes import EchoDaemon, open_echo_daemon
from tests.scenarios.verdicts import report, require_all

SEED = 20261122
MOST_AT_ONCE = 60
TWO_PARTS = {"num_words": (600,), "seconds_per_word": 0.0005}


class Size(NamedTuple):
    num_turns: int
    num_kills: int
    seconds_between_kills: float


@pytest.mark.parametrize("size", [Size(8, 1, 0.5), pytest.param(Size(200, 50, 4.0), marks=pytest.mark.soak)], ids=str)
async def test_random_kills_lose_and_double_nothing(server: LoopbackDiscord, tmp_path: Path, size: Size) -> None:
    chance, began_at = random.Random(SEED), time.monotonic()
    async with open_echo_daemon(server, tmp_path) as daemon:
        talking = asyncio.create_task(talk(server, daemon, chance, size))
        await daemon.settled(1, 30)  # the inbox is known to Discord: a fresh install fetches nothing
        for _ in range(size.num_kills):
            await asyncio.sleep(0.1 + chance.random() * size.seconds_between_kills)
            await daemon.kill()
            await daemon.start()
        await talking
        await daemon.ready()
        restarted_at = time.monotonic()
        await daemon.settled(size.num_turns, 120)
        settled_after = time.monotonic() - restarted_at
        assert await daemon.stop() == 0

    verdict = require_all(server, daemon.database, turns=size.num_turns)
    report(
        "random kills", seed=SEED, turns=verdict.num_turns, kills=size.num_kills, replies=verdict.num_replies,
        set_aside=verdict.num_notices, lost=0, doubled=0, integrity="ok", creates=verdict.num_creates,
        repeats=verdict.num_repeats, settled_seconds=round(settled_after, 1),
        seconds=round(time.monotonic() - began_at),
    )  # fmt: skip


async def talk(server: LoopbackDiscord, daemon: EchoDaemon, chance: random.Random, size: Size) -> None:
    """Questions in eight channels, for as long as the kills go on, and never more at once than the queue takes."""
    mean_seconds = size.num_kills * (0.1 + size.seconds_between_kills / 2 + 1.5) / size.num_turns
    for number in range(size.num_turns):
        while number - daemon.num_done >= MOST_AT_ONCE:  # noqa: ASYNC110 - it is another process that answers
            await asyncio.sleep(0.1)
        channel = server.channel(f"channel-{chance.randrange(8)}")
        await server.person(f"Person {number}").says(channel, f"question {number}", mention=True)
        await asyncio.sleep(0 if number == 0 else chance.random() * 2 * mean_seconds)


class Kill:
    """Kills the daemon when it makes a certain request, before that has its effect or after."""

    def __init__(self, daemon: EchoDaemon, *, after_effect: bool) -> None:
        self._daemon = daemon
        self._after_effect = after_effect

    async def before(self, call):
        if not self._after_effect:
            await self._kill()

    async def after(self, call, answer):
        await self._kill()

    async def _kill(self):
        await self._daemon.kill()
        raise CutOff


REQUESTS = {
    "typing": ("POST", "/channels/*/typing", 1),
    "first part": ("POST", "/channels/*/messages", 1),
    "second part": ("POST", "/channels/*/messages", 2),
    "first edit": ("PATCH", "/channels/*/messages/*", 1),
    "later edit": ("PATCH", "/channels/*/messages/*", 3),
}


def moments() -> list[object]:
    """Before and after each request of one answer's; one of them in the short run."""
    every = [(name, after) for name in REQUESTS for after in (False, True)]
    short = ("first part", True)
    return [moment if moment == short else pytest.param(moment, marks=pytest.mark.soak) for moment in every]


@pytest.mark.parametrize("moment", moments(), ids=str)
async def test_a_kill_at_each_request_is_survived(
    server: LoopbackDiscord, tmp_path: Path, moment: tuple[str, bool]
) -> None:
    name, after_effect = moment
    method, route, nth = REQUESTS[name]
    orders = {"num_words": (5,), "seconds_per_word": 0.4} if name == "typing" else TWO_PARTS
    async with open_echo_daemon(server, tmp_path, **orders) as daemon:
        server.faults.add(Kill(daemon, after_effect=after_effect), method=method, route=route, nth=nth)
        await ask(server, "hello")
        await daemon.ended()
        await daemon.start()
        await daemon.ready()
        await daemon.settled(1, 30)
        assert await daemon.stop() == 0

    require_all(server, daemon.database, turns=1, replies=1)


async def test_a_kill_while_an_answer_is_replaced_leaves_one_answer(server: LoopbackDiscord, tmp_path: Path) -> None:
    async with open_echo_daemon(server, tmp_path, num_words=(30,), seconds_per_word=0.01) as daemon:
        question = await ask(server, "what is tow?")
        await daemon.settled(1, 30)
        answer = server.answer_to(question)
        before, ids = answer.text, [part.id for part in answer.parts]
        server.faults.add(Kill(daemon, after_effect=True), method="PATCH", route="/channels/*/messages/*", nth=1)
        await server.person("Alice").edits(question, f"{server.bot.mention} what is two?")
        await daemon.ended()
        half = server.answer_to(question).text
        await daemon.start()
        await daemon.ready()
        await daemon.settled(1, 30)
        assert await daemon.stop() == 0

    after = server.answer_to(question)
    assert len({before, half, after.text}) == 3
    assert [part.id for part in after.parts] == ids
    with closing(sqlite3.connect(daemon.database)) as connection:
        assert connection.execute("SELECT content FROM messages ORDER BY id").fetchall() == [
            ("what is two?",), (after.text,),
        ]  # fmt: skip
    require_all(server, daemon.database, turns=1, replies=1)


@pytest.mark.soak
@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_kill_at_each_transaction_is_survived(server: LoopbackDiscord, tmp_path: Path, when: str) -> None:
    async with open_echo_daemon(server, tmp_path, **TWO_PARTS) as daemon:
        await ask(server, "the first of all")
        await daemon.settled(1, 30)
        for number in count(1):
            await daemon.kill()
            await daemon.start(**{f"dies_{when}_commit": number})
            await ask(server, f"and then {number}")
            if not await dies(daemon, number + 1):
                break
            await daemon.start()
            await daemon.settled(number + 1, 30)
        if await daemon.stop() != 0:  # the last transaction comes with the end
            number += 1
            await daemon.start()
            await ask(server, "and the last of all")
            await daemon.settled(number + 1, 30)
            assert await daemon.stop() == 0

    verdict = require_all(server, daemon.database, turns=number + 1, replies=number + 1)
    assert number > 8
    report(f"kill {when} each transaction", deaths=number - 1, replies=verdict.num_replies, lost=0, doubled=0)


async def dies(daemon: EchoDaemon, num_questions: int) -> bool:
    """Whether the process dies before it has settled so many questions."""
    async with asyncio.timeout(60):
        while daemon.is_running:
            states = daemon.states()
            if sum(states.values()) >= num_questions and states.get("answered") == num_questions:
                return False
            await asyncio.sleep(0.02)
    await daemon.ended()
    return True


async def test_a_question_that_kills_is_set_aside_and_its_neighbours_are_answered(
    server: LoopbackDiscord, tmp_path: Path
) -> None:
    async with open_echo_daemon(server, tmp_path, num_words=(40,), seconds_per_word=0.01) as daemon:
        neighbours = [await ask(server, f"question {number}", f"channel-{number}") for number in range(3)]
        await server.wait_until(lambda: all(server.answer_to(question) for question in neighbours))
        poison = await ask(server, POISON, "poisoned")
        num_deaths = 0
        while server.answer_to(poison) is None:
            await asyncio.sleep(0.02)
            if not daemon.is_running:
                num_deaths += 1
                await daemon.ended()
                await daemon.start()
        await daemon.ready()
        await daemon.settled(4, 60)
        assert await daemon.stop() == 0

    verdict = require_all(server, daemon.database, turns=4, replies=3)
    # Once among its neighbours, which says nothing, and twice alone.
    assert (num_deaths, verdict.num_notices) == (3, 1)
    assert "set it aside" in server.answer_to(poison).text


async def ask(server: LoopbackDiscord, text: str, channel: str = "general") -> Message:
    return await server.person("Alice").says(server.channel(channel), text, mention=True)
