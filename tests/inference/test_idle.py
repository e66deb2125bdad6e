"""An engine that nobody asks gives its card back, and wakes for the next question; the echo model on a real thread."""

import asyncio
import random
from collections.abc import Callable
from contextlib import aclosing, suppress

import pytest

from bot.errors import CardTaken, EngineUnavailable
from bot.inference.engine import Request, SamplingParams
from bot.inference.idle import IdleLimits, Idleness
from bot.inference.local import LocalEngine, open_local_engine
from bot.inference.messages import LoadedModel, ReportProgress
from bot.inference.scheduling.scheduler import SchedulerLimits
from bot.inference.worker import Watchdog
from tests.inference.fakes import FIRST_TOKEN, EchoMemory, EchoRunner, LatestStep, Trigger, echo
from tests.inference.vocabulary import build_tokenizer

TOKENIZER = build_tokenizer()


def load(memory: EchoMemory) -> Callable[[ReportProgress], LoadedModel]:
    return lambda _report: LoadedModel(memory.runner, TOKENIZER, "echo", memory=memory)


def ask(*prompt: int, max_new_tokens: int = 20, owner: str = "") -> Request:
    return Request(prompt, SamplingParams(max_new_tokens=max_new_tokens), owner)


async def read(engine: LocalEngine, request: Request) -> list[int]:
    async with aclosing(engine.generate(request)) as deltas:
        return [token async for delta in deltas for token in delta.token_ids]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110  (what is waited for is the engine thread's state)
            await asyncio.sleep(0.001)


async def test_the_card_is_given_back_after_a_while_and_the_next_question_takes_it_again(caplog) -> None:
    caplog.set_level("INFO", logger="bot.inference.idle")
    memory, latest, request = EchoMemory(EchoRunner()), LatestStep(), ask(30, 31, 32)

    async with open_local_engine(load(memory), idle_limits=IdleLimits(0.02), observer=latest) as engine:
        first = await read(engine, request)
        await until(lambda: engine.is_asleep)
        done_by_then, is_known = [*memory.done], latest.record.is_asleep
        second = await read(engine, request)
        is_asleep = engine.is_asleep and memory.done[-1] == "restore"

    assert done_by_then == ["save", "save", "save", "release"]
    assert memory.done[4] == "restore"
    assert is_known
    assert not is_asleep
    assert first == second == echo(request)
    assert memory.runner.violations == []
    assert "the card is given back" in caplog.messages[0]
    assert "awake again" in caplog.messages[1]


async def test_what_was_saved_once_is_not_saved_again() -> None:
    memory = EchoMemory(EchoRunner())

    async with open_local_engine(load(memory), idle_limits=IdleLimits(0.01)) as engine:
        for _ in range(3):
            await until(lambda: engine.is_asleep)
            await read(engine, ask(30))

    assert memory.done[:8] == ["save", "save", "save", "release", "restore", "release", "restore", "release"]


async def test_nothing_is_found_in_the_cache_after_sleep() -> None:
    memory, prompt = EchoMemory(EchoRunner()), range(30, 60)

    async with open_local_engine(load(memory), idle_limits=IdleLimits(0.05)) as engine:
        await read(engine, ask(*prompt, owner="ann"))
        await until(lambda: engine.is_asleep)
        await engine.forget("ann")
        await engine.forget("bob")
        is_asleep = engine.is_asleep
        async with aclosing(engine.generate(ask(*prompt, owner="ann"))) as deltas:
            counters = (await anext(deltas)).counters

    assert is_asleep
    assert counters is not None
    assert counters.num_cached_tokens == 0
    assert memory.runner.violations == []


@pytest.mark.parametrize("limits", [None, IdleLimits(3600.0)])
async def test_without_a_limit_or_before_it_is_over_the_card_is_kept(limits: IdleLimits | None) -> None:
    memory = EchoMemory(EchoRunner())

    async with open_local_engine(load(memory), idle_limits=limits) as engine:
        await read(engine, ask(30))
        await asyncio.sleep(0.02)
        await read(engine, ask(31))

    assert memory.done == []


async def test_a_host_without_room_keeps_the_model_on_the_card(caplog) -> None:
    memory = EchoMemory(EchoRunner(), is_host_full=True)

    async with open_local_engine(load(memory), idle_limits=IdleLimits(0.01)) as engine:
        await until(lambda: "stays on the card" in caplog.text)
        tokens = await read(engine, ask(30))
        await asyncio.sleep(0.03)

    assert tokens == echo(ask(30))
    assert caplog.text.count("stays on the card") == 1
    assert memory.done == []


MOMENTS = [("save", 1), ("save", 2), ("save", 3), ("release", 1), ("restore", 1)]


@pytest.mark.parametrize("moment", MOMENTS, ids=lambda moment: f"{moment[0]} {moment[1]}")
async def test_a_question_in_the_middle_is_answered(moment: tuple[str, int]) -> None:
    loop, asked, calls = asyncio.get_running_loop(), asyncio.Event(), []

    def note(what: str) -> None:
        calls.append(what)
        if (what, calls.count(what)) == moment:
            loop.call_soon_threadsafe(asked.set)

    memory = EchoMemory(EchoRunner(), before=note)
    async with open_local_engine(load(memory), idle_limits=IdleLimits(0.01)) as engine:
        if moment[0] == "restore":
            await until(lambda: engine.is_asleep)
            early = asyncio.create_task(read(engine, ask(99)))
        await asked.wait()
        answers = await asyncio.gather(*(read(engine, ask(30 + number)) for number in range(12)))
        if moment[0] == "restore":
            answers.append(await early)

    assert answers[:12] == [echo(ask(30 + number)) for number in range(12)]
    assert answers[12:] in ([], [echo(ask(99))])
    assert memory.runner.violations == []


async def test_who_leaves_while_it_wakes_is_aborted_and_it_falls_asleep_again() -> None:
    memory = EchoMemory(EchoRunner(), others_have_it=True)
    latest, limits = LatestStep(), IdleLimits(0.01, try_seconds=0.02)

    async with open_local_engine(load(memory), idle_limits=limits, observer=latest) as engine:
        await until(lambda: engine.is_asleep)
        asking = asyncio.create_task(read(engine, ask(30)))
        await until(lambda: latest.record.num_waiting == 1)
        asking.cancel()
        await until(lambda: latest.record.total_aborted == 1)
        memory.others_have_it = False
        tokens = await read(engine, ask(31))

    assert tokens == echo(ask(31))
    assert memory.runner.violations == []


async def test_who_asks_while_others_have_the_card_waits_until_they_give_it_back(caplog) -> None:
    memory = EchoMemory(EchoRunner(), others_have_it=True)
    latest, limits = LatestStep(), IdleLimits(0.01, try_seconds=0.02)

    async with open_local_engine(load(memory), idle_limits=limits, observer=latest) as engine:
        await until(lambda: engine.is_asleep)
        asking = [asyncio.create_task(read(engine, ask(30 + number))) for number in range(3)]
        await until(lambda: latest.record.num_waiting == 3)
        is_asleep = engine.is_asleep
        memory.others_have_it = False
        answers = await asyncio.gather(*asking)

    assert is_asleep
    assert answers == [echo(ask(30 + number)) for number in range(3)]
    assert caplog.text.count("the card has no room for the model now") == 1


async def test_it_ends_at_once_while_it_sleeps_or_waits_for_the_card() -> None:
    memory = EchoMemory(EchoRunner(), others_have_it=True)
    latest = LatestStep()

    async with open_local_engine(load(memory), idle_limits=IdleLimits(0.01), observer=latest) as engine:
        await until(lambda: engine.is_asleep)
        asking = asyncio.create_task(read(engine, ask(30)))
        await until(lambda: latest.record.num_waiting == 1)

    with pytest.raises(EngineUnavailable):
        await asking


async def test_waking_that_hangs_is_noticed() -> None:
    memory = EchoMemory(EchoRunner())
    memory.before = lambda what: what == "restore" and memory.runner.released.wait()

    async with open_local_engine(load(memory), idle_limits=IdleLimits(0.01), watchdog=Watchdog(0.2)) as engine:
        await until(lambda: engine.is_asleep)
        asking = asyncio.create_task(read(engine, ask(30)))
        await engine.wait_failed()
        with pytest.raises(type(engine.failure)):
            await asking
    memory.runner.released.set()


# What the thread decides by


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


LIMITS = IdleLimits(60.0, try_seconds=1.0, give_up_seconds=30.0)


def asleep(memory: EchoMemory, clock: Clock) -> Idleness:
    idleness = Idleness(memory, LIMITS, clock)
    clock.now += 60
    while not idleness.fall_asleep():
        pass
    return idleness


def test_idleness_begins_when_the_last_answer_has_ended() -> None:
    clock = Clock()
    idleness = Idleness(EchoMemory(EchoRunner()), LIMITS, clock)
    clock.now += 50
    idleness.note_work()
    clock.now += 59

    assert not idleness.fall_asleep()
    assert idleness.wait_seconds(has_work=False) == 1.0
    assert idleness.wait_seconds(has_work=True) == 0.0


def test_others_are_asked_for_the_card_each_second_and_those_who_wait_are_told_in_the_end() -> None:
    clock, memory = Clock(), EchoMemory(EchoRunner())
    idleness = asleep(memory, clock)
    memory.others_have_it = True

    tries, given_up_at = [], None
    began_at = clock.now
    while given_up_at is None:
        assert not idleness.wake()
        tries.append(clock.now)
        given_up_at = clock.now if idleness.has_given_up() else None
        wait = idleness.wait_seconds(has_work=True)
        assert wait == 1.0
        clock.now += wait
    memory.others_have_it = False

    assert given_up_at - began_at == 30.0
    assert len(tries) == 31
    assert idleness.is_asleep
    assert idleness.wake()
    assert not idleness.is_asleep


async def test_who_waits_for_a_card_that_others_keep_is_told_so() -> None:
    limits = IdleLimits(0.01, try_seconds=0.01, give_up_seconds=0.05)
    memory = EchoMemory(EchoRunner(), others_have_it=True)

    async with open_local_engine(load(memory), idle_limits=limits) as engine:
        await until(lambda: engine.is_asleep)
        answers = await asyncio.gather(*(read(engine, ask(30)) for _ in range(3)), return_exceptions=True)
        memory.others_have_it = False
        tokens = await read(engine, ask(31))

    assert [type(answer) for answer in answers] == [CardTaken] * 3
    assert tokens == echo(ask(31))


# Many at once


@pytest.mark.slow
async def test_two_hundred_sleeps_between_questions_mix_nothing_up() -> None:
    rng, rng_of_thread = random.Random(11), random.Random(12)
    runner = EchoRunner(num_blocks=200, max_num_sequences=6)
    tally = {"answered": 0, "left": 0, "failed": 0}

    def note(what: str) -> None:
        memory.others_have_it = what == "restore" and rng_of_thread.random() < 0.2

    memory = EchoMemory(runner, before=note)

    async def converse(engine: LocalEngine, number: int) -> None:
        history: tuple[int, ...] = ()
        while memory.done.count("release") < 200:
            await asyncio.sleep(rng.random() * 0.008)
            spoiler = [Trigger.COLLECT_ERROR] if rng.random() < 0.02 else []
            words = (rng.randrange(FIRST_TOKEN, 500) for _ in range(rng.randrange(1, 20)))
            prompt = (*history, *words, *spoiler)
            request = ask(*prompt, max_new_tokens=rng.randrange(1, 12), owner=f"conversation {number}")
            got: list[int] = []
            try:
                with suppress(TimeoutError):
                    async with asyncio.timeout(rng.choice([None, 0.003])):
                        got = await read(engine, request)
            except Exception:
                assert spoiler
                tally["failed"] += 1
                continue
            if got:
                assert got == echo(request)
            tally["answered" if got else "left"] += 1
            history = (*prompt, *got)[:60] if not spoiler else ()
            if rng.random() < 0.1:
                await engine.forget(request.cache_owner)

    latest, limits, idle_limits = LatestStep(), SchedulerLimits(max_chunk_tokens=16), IdleLimits(0.001, 0.001)
    async with open_local_engine(load(memory), idle_limits=idle_limits, observer=latest, limits=limits) as engine:
        async with asyncio.timeout(200), asyncio.TaskGroup() as tasks:
            for number in range(2):
                tasks.create_task(converse(engine, number))
        await until(lambda: engine.is_asleep)

    assert runner.violations == []
    assert (latest.record.num_running, latest.record.num_waiting) == (0, 0)
    assert tally["answered"] > 100
    assert tally["left"] > 3
