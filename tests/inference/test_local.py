"""The loop's side of the engine, with the echo model on a real thread."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing

from bot.inference.engine import Delta, FinishReason, Request, SamplingParams
from bot.inference.local import LocalEngine, open_local_engine
from bot.inference.messages import LoadedModel, ReportProgress
from tests.inference.fakes import EchoRunner, echo
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
    async with asyncio.timeout(20):
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
