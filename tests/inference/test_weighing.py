"""What an engine says of a draw is what it drew by."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest

from bot.inference.engine import Request, SamplingParams, Weighing, Weight
from bot.inference.loading.build import build_runner
from bot.inference.local import LocalEngine, open_local_engine
from bot.inference.messages import LoadedModel
from tests import checkpoints
from tests.groups import with_transformers
from tests.inference.fakes import EchoRunner
from tests.inference.vocabulary import build_tokenizer

pytestmark = with_transformers
TOKENIZER = build_tokenizer()
PROMPT = (1, 30, 31, 32, 30)
SAMPLINGS = {
    "greedy": SamplingParams(),
    "greedy with a penalty": SamplingParams(repetition_penalty=1.5),
    "sampled": SamplingParams(temperature=1.0, seed=2**63 + 11, top_k=0, top_p=1.0),
    "filtered": SamplingParams(temperature=0.7, seed=3, top_k=20, top_p=0.9, repetition_penalty=1.1),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = checkpoints.random_model(checkpoints.tiny_config(max_position_embeddings=256))
    return checkpoints.save_checkpoint(tmp_path_factory.mktemp("llama"), model)


@pytest.fixture
async def engine(folder: Path) -> AsyncIterator[LocalEngine]:
    loaded = build_runner(folder, "cpu", num_blocks=32)
    made = LoadedModel(loaded, TOKENIZER, "tiny", frozenset(), weigh=loaded.weigh)
    async with open_local_engine(lambda _report: made) as opened:
        opened.vocabulary = range(loaded.shape.vocab_size)
        yield opened


async def tokens(engine: LocalEngine, request: Request) -> list[int]:
    async with aclosing(engine.generate(request)) as deltas:
        return [token_id async for delta in deltas for token_id in delta.token_ids]


@pytest.mark.parametrize("sampling", SAMPLINGS.values(), ids=SAMPLINGS)
async def test_the_greatest_score_is_the_token_that_is_drawn(engine: LocalEngine, sampling: SamplingParams) -> None:
    request = Request(PROMPT, replace(sampling, max_new_tokens=12))
    drawn = await tokens(engine, request)

    best = []
    for index in range(len(drawn)):
        so_far = replace(request, prompt_token_ids=(*PROMPT, *drawn[:index]))
        weights = await engine.weigh(so_far, tuple(engine.vocabulary))
        best.append(max((weight for weight in weights if weight.score is not None), key=lambda each: each.score))

    assert isinstance(engine, Weighing)
    assert [weight.token_id for weight in best] == drawn
    if sampling == SamplingParams():
        assert [weight.score for weight in best] == [weight.logit for weight in best]
    if sampling.top_k:
        assert sum(weight.score is not None for weight in weights) <= max(sampling.top_k, 1) or not sampling.temperature


async def test_what_runs_comes_first_and_is_not_disturbed(engine: LocalEngine) -> None:
    request = Request(PROMPT, SamplingParams(max_new_tokens=60))
    alone = await tokens(engine, request)
    running = asyncio.create_task(tokens(engine, request))
    await asyncio.sleep(0)

    weighed = await engine.weigh(Request((1, 40, 41)), (5, 6))

    assert [weight.token_id for weight in weighed] == [5, 6]
    assert await running == alone
    assert await tokens(engine, request) == alone


async def test_an_engine_that_cannot_say_it_says_nothing() -> None:
    async with open_local_engine(lambda _report: LoadedModel(EchoRunner(), TOKENIZER, "echo")) as engine:
        cannot = await engine.weigh(Request(PROMPT), (5, 6))
        too_long = await engine.weigh(Request((1,) * 100_000), (5, 6))
    closed = await engine.weigh(Request(PROMPT), (5, 6))

    nothing: tuple[Weight, ...] = ()
    assert (cannot, too_long, closed) == (nothing,) * 3
