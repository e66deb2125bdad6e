"""A gateway that drops and requests that fail: every answer arrives once, whole and in order."""

import asyncio
import random
import time

import pytest

from bot.inference.engine import Request
from tests.discord.house import House
from tests.engines import EchoEngine, echo
from tests.loopback import Delay, LoopbackDiscord, Message, RateLimited, Reset, Status
from tests.scenarios.conftest import OpenHouse
from tests.scenarios.verdicts import report, require_all

SEED = 20261122
CREATES, EDITS = "/channels/*/messages", "/channels/*/messages/*"
FAULTS = [
    *(Status(status, after_effect=after) for status in (500, 502, 503, 504, 524) for after in (False, True)),
    *(Reset(after_effect=after, is_hard=hard) for after in (False, True) for hard in (False, True)),
    RateLimited(0.2),
]


def talkative(chance: random.Random, seconds_per_word: float) -> EchoEngine:
    """Answers of one to three parts; an answer's length hangs on its prompt alone, so that a retry says the same."""
    lengths = [chance.choice([5, 40, 600]) for _ in range(100)]

    def answer(request: Request) -> str:
        num_words = lengths[sum(request.prompt_token_ids) % len(lengths)]
        return f"{echo(request)} " + " ".join(f"w{number}" for number in range(num_words))

    return EchoEngine(answer=answer, seconds_per_word=seconds_per_word)


@pytest.mark.parametrize("num_drops", [2, pytest.param(100, marks=pytest.mark.soak)])
async def test_a_gateway_that_drops_in_the_middle_of_answers_costs_none(
    server: LoopbackDiscord, enter: OpenHouse, num_drops: int
) -> None:
    chance, began_at = random.Random(SEED), time.monotonic()
    questions: list[Message] = []
    async with enter(server, engine=talkative(chance, 0.004)) as house:
        for number in range(num_drops):
            questions.append(await ask(server, number, chance))
            await server.wait_until(lambda: house.engine.num_running, timeout=30)
            await asyncio.sleep(chance.random() * 0.3)
            await drop(server, chance.choice(["abort", "op7", "close", "op9_resumable"]))
            questions.append(await ask(server, f"{number} while away", chance))
            await server.wait_until(lambda: server.gateway.counts["resumes"] == number + 1, timeout=30)  # noqa: B023
        await all_reach(house, questions, "answered")

    verdict = require_all(server, house.database_path, turns=2 * num_drops, replies=2 * num_drops)
    assert server.gateway.counts["identifies"] == 1
    report(
        "gateway drops", seed=SEED, drops=num_drops, resumes=server.gateway.counts["resumes"],
        turns=verdict.num_turns, replies=verdict.num_replies, edits=verdict.num_edits, lost=0, doubled=0,
        seconds=round(time.monotonic() - began_at),
    )  # fmt: skip


async def drop(server: LoopbackDiscord, how: str) -> None:
    match how:
        case "abort":
            server.gateway.abort()
        case "op7":
            server.gateway.reconnect()
        case "close":
            await server.gateway.close(4000)
        case "op9_resumable":
            server.gateway.invalidate(is_resumable=True)


@pytest.mark.parametrize("num_turns", [8, pytest.param(200, marks=pytest.mark.soak)])
async def test_one_request_in_five_that_fails_loses_and_doubles_nothing(
    server: LoopbackDiscord, enter: OpenHouse, num_turns: int
) -> None:
    chance, began_at = random.Random(SEED), time.monotonic()
    # Together one in five: independent faults of 1.5 % each.
    share = 1 - 0.8 ** (1 / len(FAULTS))
    for number, fault in enumerate(FAULTS):
        for route in (CREATES, EDITS):
            server.faults.add(fault, route=route, probability=share, seed=SEED + 2 * number + (route == EDITS))
    questions = []
    async with enter(server, engine=talkative(chance, 0.002), edit_interval_seconds=0.1) as house:
        for number in range(num_turns):
            questions.append(await ask(server, number, chance))
            await asyncio.sleep(chance.random() * 0.2)
        await all_reach(house, questions, "answered", seconds=600)
        server.faults.clear()

    hits = sum(call.refusal in ("fault", "cut", "bucket") for call in server.journal.calls)
    verdict = require_all(server, house.database_path, turns=num_turns, replies=num_turns)
    assert hits > num_turns / 4
    report(
        "failing requests", seed=SEED, requests=len(server.journal.calls), failed=hits,
        turns=verdict.num_turns, replies=verdict.num_replies, repeats=verdict.num_repeats, lost=0, doubled=0,
        seconds=round(time.monotonic() - began_at),
    )  # fmt: skip


async def test_a_slow_channel_holds_up_neither_the_model_nor_the_others(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    slow, fast = server.channel("slow"), server.channel("fast")
    server.faults.add(Delay(1.0), channel=slow)
    async with enter(server, engine=EchoEngine()) as house:
        waiting = await server.person("Alice").says(slow, "hello", mention=True)
        await server.wait_until(lambda: house.engine.requests and not house.engine.num_running)
        for number in range(5):
            question = await server.person("Bob").says(fast, f"hello {number}", mention=True)
            await house.reaches(question, "answered")
        state_meanwhile = await house.state(waiting)
        await house.reaches(waiting, "answered")

    assert state_meanwhile == "answering"
    require_all(server, house.database_path, turns=6, replies=6)


async def ask(server: LoopbackDiscord, text: object, chance: random.Random) -> Message:
    channel = server.channel(f"channel-{chance.randrange(8)}")
    return await server.person(f"Person {text}").says(channel, f"question {text}", mention=True)


async def all_reach(house: House, questions: list[Message], state: str, seconds: float = 120.0) -> None:
    for question in questions:
        await house.reaches(question, state, seconds)
