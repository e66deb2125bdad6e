"""A gateway that drops and requests that fail: every answer arrives once, whole and in order."""

import asyncio
import random
import time
from dataclasses import replace
from typing import NamedTuple

import pytest
from aiohttp import web

from bot.inference.engine import Request
from tests.discord.house import House
from tests.engines import EchoEngine, echo
from tests.loopback import (
    CloudflareBan,
    Hang,
    LoopbackDiscord,
    Message,
    RateLimited,
    Reset,
    Status,
    without_waits,
)
from tests.loopback.wire import Call
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
            await server.wait_until(lambda: house.engine.num_running)
            await asyncio.sleep(chance.random() * 0.3)
            await drop(server, chance.choice(["abort", "op7", "close", "op9_resumable"]))
            questions.append(await ask(server, f"{number} while away", chance))
            await server.wait_until(lambda: server.gateway.counts["resumes"] == number + 1)  # noqa: B023
        await all_reach(house, questions, "answered")

    verdict = require_all(server, house.database_path, turns=2 * num_drops, replies=2 * num_drops)
    assert server.gateway.counts["identifies"] == 1
    report(
        "gateway drops", seed=SEED, drops=num_drops, resumes=server.gateway.counts["resumes"],
        turns=verdict.num_turns, replies=verdict.num_replies, edits=verdict.num_edits, lost=0, doubled=0,
        seconds=round(time.monotonic() - began_at),
    )  # fmt: skip


class Stalls(NamedTuple):
    num_stalls: int
    heartbeat_seconds: float


@pytest.mark.parametrize(
    "stalls",
    [Stalls(1, 0.4), pytest.param(Stalls(10, 1.0), marks=pytest.mark.soak)],
    ids=str,
)
async def test_a_gateway_that_falls_silent_is_left_and_every_answer_comes_once(
    enter: OpenHouse, stalls: Stalls
) -> None:
    """The socket stays open and carries nothing, not even the answers to heartbeats."""
    chance, began_at, noticed_after = random.Random(SEED), time.monotonic(), []
    rules = replace(
        without_waits(), heartbeat_interval_seconds=stalls.heartbeat_seconds, max_gateway_frames_per_minute=1000
    )
    async with LoopbackDiscord(rules) as server, enter(server, engine=talkative(chance, 0.02)) as house:
        questions: list[Message] = []
        for number in range(stalls.num_stalls):
            questions.append(await ask(server, number, chance))
            await server.wait_until(lambda: house.engine.num_running)
            server.gateway.stall()
            stalled_at, num_movements = time.monotonic(), house.num_movements
            questions.append(await ask(server, f"{number} into the silence", chance))
            await server.wait_until(lambda: server.gateway.counts["resumes"] == number + 1)  # noqa: B023
            noticed_after.append(time.monotonic() - stalled_at)
            assert house.num_movements > num_movements
            assert house.health.problem is None
        await all_reach(house, questions, "answered")
        identifies = server.gateway.counts["identifies"]

    verdict = require_all(server, house.database_path, turns=len(questions), replies=len(questions))
    report(
        "silent gateway", seed=SEED, heartbeat_seconds=stalls.heartbeat_seconds, stalls=stalls.num_stalls,
        noticed_after=f"{max(noticed_after):.1f} s at most", resumes=server.gateway.counts["resumes"],
        turns=verdict.num_turns, replies=verdict.num_replies, lost=0, doubled=0,
        seconds=round(time.monotonic() - began_at),
    )  # fmt: skip
    assert identifies == 1


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


NUM_AT_ONCE = 40


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
            if number >= NUM_AT_ONCE:  # with more of them waiting, a busy machine would refuse some
                await house.reaches(questions[number - NUM_AT_ONCE], "answered", seconds=600)
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


class Held:
    """Lets requests wait until that is over."""

    def __init__(self) -> None:
        self.is_over = asyncio.Event()

    async def before(self, call: Call) -> web.Response | None:
        await self.is_over.wait()
        return None

    async def after(self, call: Call, answer: web.Response) -> web.Response:
        return answer


async def test_a_slow_channel_holds_up_neither_the_model_nor_the_others(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    slow, fast = server.channel("slow"), server.channel("fast")
    slowness = Held()
    server.faults.add(slowness, channel=slow)
    async with enter(server, engine=EchoEngine()) as house:
        waiting = await server.person("Alice").says(slow, "hello", mention=True)
        await server.wait_until(lambda: house.engine.requests and not house.engine.num_running)
        for number in range(5):
            question = await server.person("Bob").says(fast, f"hello {number}", mention=True)
            await house.reaches(question, "answered")
        state_meanwhile = await house.state(waiting)
        slowness.is_over.set()
        await house.reaches(waiting, "answered")

    assert state_meanwhile == "answering"
    require_all(server, house.database_path, turns=6, replies=6)


@pytest.mark.soak
@pytest.mark.parametrize("after_effect", [False, True])
async def test_a_create_that_is_never_answered_is_given_up_and_repeated(
    server: LoopbackDiscord, enter: OpenHouse, after_effect: bool
) -> None:
    hanging = server.faults.add(Hang(after_effect=after_effect), method="POST", route=CREATES, nth=1)
    async with enter(server) as house:
        question = await ask(server, 1, random.Random(SEED))
        await house.reaches(question, "answered", 60)

    assert hanging.num_hits == 1
    require_all(server, house.database_path, turns=1, replies=1)


@pytest.mark.soak
async def test_a_ban_by_discords_proxy_is_sat_out_and_every_answer_comes_once(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    chance = random.Random(SEED)
    async with enter(server, engine=talkative(chance, 0.01)) as house:
        questions = [await ask(server, number, chance) for number in range(16)]
        await server.wait_until(lambda: sum(bool(server.answer_to(question)) for question in questions) > 3)
        banned_at = time.monotonic()
        server.faults.add(CloudflareBan(20.0), times=1)
        await all_reach(house, questions, "answered", seconds=120)

    verdict = require_all(server, house.database_path, turns=16, replies=16)
    during = [call for call in server.journal.calls if call.refusal == "cloudflare"]
    late = [call for call in during if call.at > banned_at + 2]  # what was under way when it began is done by then
    report("proxy's ban", seconds=20, refused=len(during), probes=len(late), replies=verdict.num_replies)
    assert len(late) <= 1


@pytest.mark.soak
async def test_where_nothing_is_allowed_any_more_few_requests_find_out(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    server.faults.add(Status(403, code=50013), method="POST", route=CREATES)
    channels = [server.channel(f"channel-{number}") for number in range(300)]
    async with enter(server) as house:
        for channel in channels * 2:
            await server.person(f"Person {channel.name}").says(channel, "hello", mention=True)
        await server.wait_until(lambda: house.engine.num_running == 0, timeout=60)
        async with asyncio.timeout(60):
            while any(count and state.is_open for state, count in (await house.inbox.count_by_state()).items()):  # noqa: ASYNC110
                await asyncio.sleep(0.1)

    refused = server.journal.statuses()[403]
    report("permissions lost everywhere", messages=600, refused_requests=refused, bound=100, ban_at=10_000)
    assert 0 < refused <= 100


async def ask(server: LoopbackDiscord, text: object, chance: random.Random) -> Message:
    channel = server.channel(f"channel-{chance.randrange(8)}")
    return await server.person(f"Person {text}").says(channel, f"question {text}", mention=True)


async def all_reach(house: House, questions: list[Message], state: str, seconds: float = 120.0) -> None:
    for question in questions:
        await house.reaches(question, state, seconds)
