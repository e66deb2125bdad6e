"""The loop's side of the engine, with the echo model on a real thread."""

import asyncio
import gc
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace

import pytest
from tokenizers import Tokenizer

from bot.errors import (
    ConfigError,
    EngineFailed,
    EngineOverloaded,
    EngineUnavailable,
    PromptTooLong,
    RequestFailed,
    WaitedTooLong,
)
from bot.inference.detokenizer import Detokenizer, TokenTexts
from bot.inference.engine import Delta, FairnessKey, FinishReason, Request, SamplingParams
from bot.inference.local import LocalEngine, open_local_engine
from bot.inference.messages import LoadedModel, ReportProgress
from bot.inference.scheduling.scheduler import SchedulerLimits
from bot.inference.worker import Watchdog
from tests.inference.fakes import EOS, FIRST_TOKEN, EchoRunner, LatestStep, Trigger, echo
from tests.inference.vocabulary import build_tokenizer

TOKENIZER = build_tokenizer()


def load(runner: EchoRunner) -> Callable[[ReportProgress], LoadedModel]:
    return lambda _report: LoadedModel(runner, TOKENIZER, "echo")


def ask(*prompt: int, max_new_tokens: int = 20, owner: str = "", shared: int = 0) -> Request:
    return Request(prompt, SamplingParams(max_new_tokens=max_new_tokens), owner, shared)


async def read(engine: LocalEngine, request: Request) -> list[Delta]:
    async with aclosing(engine.generate(request)) as deltas:
        return [delta async for delta in deltas]


def token_ids(deltas: list[Delta]) -> list[int]:
    return [token for delta in deltas for token in delta.token_ids]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110  (what is waited for is the engine thread's state)
            await asyncio.sleep(0.001)


async def test_completion_arrives_in_deltas_and_the_last_says_why_it_ended() -> None:
    runner = EchoRunner(has_eos=False)
    request = ask(30, 31, 32)

    async with open_local_engine(load(runner)) as engine:
        deltas = await read(engine, request)

    assert token_ids(deltas) == echo(request, has_eos=False)
    assert [delta.finish_reason for delta in deltas[:-1]] == [None] * (len(deltas) - 1)
    assert deltas[-1].finish_reason is FinishReason.LENGTH
    assert deltas[-1].counters is not None
    assert deltas[-1].counters.num_new_tokens == 20
    assert runner.violations == []


async def test_texts_of_all_deltas_are_the_completion() -> None:
    begun_characters = range(3 + 0xC2, 3 + 0xF5)  # byte tokens that more must follow
    candidates = (ask(30, number, max_new_tokens=20) for number in range(30, 300))
    request = next(one for one in candidates if echo(one, has_eos=False)[-1] in begun_characters)

    async with open_local_engine(load(EchoRunner(has_eos=False))) as engine:
        deltas = await read(engine, request)

    detokenizer = Detokenizer(TokenTexts(TOKENIZER))
    right = "".join(map(detokenizer.push, echo(request, has_eos=False))) + detokenizer.finish()
    assert "".join(delta.text for delta in deltas) == right
    assert right.endswith("\ufffd")


async def test_what_ends_a_completion_is_not_in_its_text_though_the_vocabulary_calls_it_ordinary() -> None:
    content = json.loads(TOKENIZER.to_str())
    (end,) = (token for token in content["added_tokens"] if token["content"] == "</s>")
    end["special"] = False
    tokenizer = Tokenizer.from_str(json.dumps(content))
    request = next(one for number in range(30, 300) if 1 < len(echo(one := ask(30, number))) < 20)

    async with open_local_engine(lambda _report: LoadedModel(EchoRunner(), tokenizer, "echo")) as engine:
        deltas = await read(engine, request)

    assert token_ids(deltas)[-1] == EOS
    assert deltas[-1].finish_reason is FinishReason.STOP
    assert "</s>" not in "".join(delta.text for delta in deltas)


async def test_deltas_that_were_not_taken_are_merged() -> None:
    request, gate = ask(30, 31, 32, max_new_tokens=50), threading.Event()
    runner = EchoRunner(has_eos=False)
    runner.before_launch = lambda _: len(runner.steps) < 5 or gate.wait(20)

    latest = LatestStep()

    async with (
        open_local_engine(load(runner), observer=latest) as engine,
        aclosing(engine.generate(request)) as answer,
    ):
        first = await anext(answer)
        gate.set()
        await until(lambda: latest.record.num_running == 0)
        rest = [delta async for delta in answer]

    assert len(rest) == 1
    assert token_ids([first, *rest]) == echo(request, has_eos=False)


# Loading


async def test_loading_happens_on_the_engines_thread_and_reports_its_progress() -> None:
    threads, progress = [], []

    def load_slowly(report: ReportProgress) -> LoadedModel:
        threads.append(threading.current_thread())
        report(1, 2)
        report(2, 2)
        return load(EchoRunner())(report)

    def note(done: int, total: int) -> None:
        threads.append(threading.current_thread())
        progress.append((done, total))

    async with open_local_engine(load_slowly, on_progress=note) as engine:
        await read(engine, ask(30))

    assert progress == [(1, 2), (2, 2)]
    assert threads[0] is not threading.main_thread()
    assert set(threads[1:]) == {threading.main_thread()}


async def test_loading_error_is_raised_where_the_engine_is_opened() -> None:
    def refuse(_report: ReportProgress) -> LoadedModel:
        raise ConfigError("TRINITY_MODEL", "no such model")

    with pytest.raises(ConfigError, match="no such model"):
        async with open_local_engine(refuse):
            pass


async def test_loading_can_be_left() -> None:
    may_go_on, has_begun, was_stopped = threading.Event(), asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def load_for_ever(report: ReportProgress) -> LoadedModel:
        loop.call_soon_threadsafe(has_begun.set)
        try:
            while not may_go_on.wait(0.001):
                report(1, 2)
        except EngineUnavailable:
            was_stopped.set()
            raise
        raise AssertionError

    async def open_it() -> None:
        async with open_local_engine(load_for_ever):
            raise AssertionError

    task = asyncio.create_task(open_it())
    await has_begun.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert was_stopped.is_set()


async def test_model_says_how_much_it_can_take() -> None:
    async with open_local_engine(load(EchoRunner(context_window=120))) as engine:
        assert engine.max_sequence_tokens == 120
        assert engine.model_hash == "echo"
        with pytest.raises(PromptTooLong):
            await read(engine, ask(*[30] * 120))


# Leaving


async def leave_by_break(engine: LocalEngine, _latest: LatestStep, request: Request) -> None:
    async with aclosing(engine.generate(request)) as answer:
        async for _ in answer:
            break


async def leave_by_error(engine: LocalEngine, _latest: LatestStep, request: Request) -> None:
    async def fail() -> None:
        async with aclosing(engine.generate(request)) as answer:
            async for _ in answer:
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()


async def leave_by_cancel(engine: LocalEngine, latest: LatestStep, request: Request) -> None:
    task = asyncio.create_task(read(engine, request))
    await until(lambda: latest.record.num_running > 0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def leave_by_timeout(engine: LocalEngine, _latest: LatestStep, request: Request) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await read(engine, request)


@pytest.mark.parametrize("leave", [leave_by_break, leave_by_error, leave_by_cancel, leave_by_timeout])
async def test_abandoned_request_is_aborted(
    leave: Callable[[LocalEngine, LatestStep, Request], Awaitable[None]],
) -> None:
    runner = EchoRunner(has_eos=False, context_window=100_000, num_blocks=25_001)
    latest = LatestStep()

    async with open_local_engine(load(runner), observer=latest) as engine:
        await leave(engine, latest, ask(30, max_new_tokens=90_000))
        await until(lambda: latest.record.total_aborted == 1)

        record = latest.record

    assert record.num_running == 0
    assert record.num_available_blocks == record.num_blocks


async def test_abandoned_request_leaves_nothing_on_the_thread() -> None:
    def num_detokenizers() -> int:
        return sum(type(one) is Detokenizer for one in gc.get_objects())

    runner = EchoRunner(has_eos=False, context_window=100_000, num_blocks=25_001)
    latest = LatestStep()

    async with open_local_engine(load(runner), observer=latest) as engine:
        num_before = num_detokenizers()  # loading sets aside what earlier tests left
        await leave_by_break(engine, latest, ask(30, max_new_tokens=90_000))
        await until(lambda: latest.record.total_aborted == 1)

        assert num_detokenizers() == num_before


async def test_generator_that_is_never_started_submits_nothing() -> None:
    latest = LatestStep()

    async with open_local_engine(load(EchoRunner()), observer=latest) as engine:
        await engine.generate(ask(30)).aclose()
        await read(engine, ask(31))

        assert latest.record.total_requests == 1


# Failures


async def test_failed_request_spares_the_others() -> None:
    requests = [ask(30 + index, *([Trigger.OUT_OF_MEMORY] if index == 2 else [])) for index in range(5)]

    async with open_local_engine(load(EchoRunner())) as engine:
        answers = await asyncio.gather(*(read(engine, request) for request in requests), return_exceptions=True)

    assert isinstance(answers[2], RequestFailed)
    for index in (0, 1, 3, 4):
        answer = answers[index]
        assert isinstance(answer, list)
        assert token_ids(answer) == echo(requests[index])


async def test_full_queue_refuses_at_once() -> None:
    gate = threading.Event()
    runner = EchoRunner(max_num_sequences=1, before_launch=lambda _: gate.wait(20))

    async with open_local_engine(load(runner), limits=SchedulerLimits(max_waiting=2)) as engine:
        tasks = [asyncio.create_task(read(engine, ask(30 + index))) for index in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(EngineOverloaded):
            await read(engine, ask(99))
        gate.set()
        answers = await asyncio.gather(*tasks)

    assert [token_ids(answer) for answer in answers] == [echo(ask(30 + index)) for index in range(3)]


@pytest.mark.parametrize("trigger", [Trigger.STICKY, Trigger.STICKY_AT_COLLECT, Trigger.THREAD_DEATH])
async def test_lost_engine_tells_everyone(trigger: Trigger) -> None:
    gate = threading.Event()
    runner = EchoRunner(before_launch=lambda _: gate.wait(20))

    async with open_local_engine(load(runner)) as engine:
        tasks = [asyncio.create_task(read(engine, ask(30, trigger if index == 1 else 31))) for index in range(3)]
        await asyncio.sleep(0)
        gate.set()
        answers = await asyncio.gather(*tasks, return_exceptions=True)

        await engine.wait_failed()
        assert isinstance(engine.failure, EngineFailed)
        with pytest.raises(EngineFailed):
            await read(engine, ask(40))
        await engine.forget("ann")

    assert all(isinstance(answer, EngineFailed) for answer in answers)


async def test_hung_step_is_noticed_and_holds_nobody_up() -> None:
    runner = EchoRunner()

    async with open_local_engine(load(runner), watchdog=Watchdog(0.05)) as engine:
        with pytest.raises(EngineFailed, match="took more than"):
            await read(engine, ask(30, Trigger.HANG))
        assert engine.failure is not None
    runner.released.set()


# Forgetting


async def test_forgotten_conversation_starts_from_nothing() -> None:
    prompt, latest = range(30, 60), LatestStep()

    async with open_local_engine(load(EchoRunner()), observer=latest) as engine:
        await read(engine, ask(*prompt, owner="ann"))
        before = (await read(engine, ask(*prompt, owner="ann")))[-1].counters
        await engine.forget("ann")
        num_findable = latest.record.num_findable_blocks
        after = (await read(engine, ask(*prompt, owner="ann")))[-1].counters

    assert before is not None
    assert after is not None
    assert before.num_cached_tokens == 28
    assert num_findable == 0
    assert after.num_cached_tokens == 0


# Shutting down


async def test_shutting_down_tells_those_who_wait() -> None:
    runner = EchoRunner(has_eos=False, context_window=100_000, num_blocks=25_001)
    latest = LatestStep()
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(open_local_engine(load(runner), observer=latest))
        tasks = [asyncio.create_task(read(engine, ask(30 + index, max_new_tokens=90_000))) for index in range(12)]
        await until(lambda: latest.record.num_running == 8)

    answers = await asyncio.gather(*tasks, return_exceptions=True)

    assert all(isinstance(answer, EngineUnavailable) for answer in answers)
    with pytest.raises(EngineUnavailable):
        await read(engine, ask(30))
    await engine.forget("ann")


async def test_thread_ends_with_the_block() -> None:
    async with open_local_engine(load(EchoRunner())) as engine:
        await read(engine, ask(30))
        assert "engine" in names_of_threads()

    assert "engine" not in names_of_threads()


async def test_block_waits_until_the_thread_has_let_go_of_its_model() -> None:
    class SlowToGo(EchoRunner):
        def __del__(self) -> None:
            time.sleep(0.2)  # as freeing tensors may take

    def load_slow_to_go(_report: ReportProgress) -> LoadedModel:
        return LoadedModel(SlowToGo(), TOKENIZER, "echo")

    async with open_local_engine(load_slow_to_go) as engine:
        await read(engine, ask(30))

    assert "engine" not in names_of_threads()


def names_of_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate()]


# Many at once


async def test_hundreds_of_conversations_get_their_own_words() -> None:
    rng = random.Random(3)
    runner = EchoRunner(num_blocks=1200, max_num_sequences=12)
    tally = Counter[str]()

    async def converse(engine: LocalEngine, number: int) -> None:
        history: tuple[int, ...] = ()
        for turn in range(4):
            spoiler = [Trigger.COLLECT_ERROR] if (4 * number + turn) % 30 == 0 else []
            prompt = (*history, *(rng.randrange(FIRST_TOKEN, 500) for _ in range(rng.randrange(1, 20))), *spoiler)
            request = Request(
                prompt,
                SamplingParams(max_new_tokens=rng.randrange(1, 25)),
                f"conversation {number}",
                fairness=FairnessKey(str(number % 3), str(number)),
            )
            right = echo(request, max_sequence_tokens=engine.max_sequence_tokens)
            got: list[int] = []
            try:
                async with aclosing(engine.generate(request)) as answer:
                    async for delta in answer:
                        got += delta.token_ids
                        if rng.random() < 0.005:
                            break
                    else:
                        assert got == right
                        tally["answered"] += 1
            except RequestFailed:
                assert spoiler
                tally["failed"] += 1
                continue
            assert got == right[: len(got)]
            history = (*prompt, *got)[:100]
            if rng.random() < 0.1:
                await engine.forget(request.cache_owner)

    latest = LatestStep()
    async with open_local_engine(load(runner), observer=latest) as engine, asyncio.TaskGroup() as tasks:
        for number in range(80):
            tasks.create_task(converse(engine, number))
    record = latest.record

    assert runner.violations == []
    assert (record.num_running, record.num_waiting) == (0, 0)
    assert record.num_available_blocks == record.num_blocks
    assert tally["answered"] > 200
    assert tally["failed"] == record.total_failed > 0
    assert record.total_cached_tokens > 0


async def test_who_waits_in_the_queue_for_too_long_is_told_so() -> None:
    runner = EchoRunner(max_num_sequences=1, has_eos=False, before_launch=lambda _step: time.sleep(0.005))
    latest = LatestStep()

    async with open_local_engine(load(runner), observer=latest) as engine:
        running = asyncio.create_task(read(engine, ask(30, 31, max_new_tokens=190)))
        await until(lambda: latest.record.num_running == 1)
        with pytest.raises(WaitedTooLong):
            await read(engine, replace(ask(40, 41), max_queued_seconds=0.01))

        assert len(token_ids(await running)) == 190
