"""Giving a CUDA card back and taking it again. Skipped, and said so, where there is none."""

import asyncio
import gc
from contextlib import aclosing

import pytest
import torch

from bot.inference.engine import Request, SamplingParams
from bot.inference.idle import IdleLimits
from bot.inference.loading.build import MemoryLimits, assemble_runner
from bot.inference.local import open_local_engine
from bot.inference.messages import LoadedModel
from bot.inference.model.kv_cache import CacheKind
from bot.inference.model.weights import MatrixKind
from tests.checkpoints import GROUPED, LLAMA_2_7B, TINY, byte_tokenizer, random_weights
from tests.inference.on_a_card import on_a_card
from tests.inference.runs import Conversation, decode, prefill, random_prompt

pytestmark = on_a_card("none was given back")
CARD = torch.device("cuda", 0)


def used_bytes():
    """What the driver shows as taken on the card."""
    free, total = torch.cuda.mem_get_info(CARD)
    return total - free


def sleep(runner):
    while not runner.save():
        pass
    runner.release()


def build(shape, kinds=(MatrixKind.FLOAT, CacheKind.FLOAT), *, dtype=torch.float32, use_kernels=True):
    weights = random_weights(shape, CARD, dtype, kinds[0])
    limits = MemoryLimits(num_blocks=64, max_num_sequences=16, max_prefill_tokens=512)
    return assemble_runner(shape, weights, limits, kinds[1], use_kernels=use_kernels)


@pytest.mark.parametrize("shape", [TINY, GROUPED], ids=["multi-head", "grouped-query"])
@pytest.mark.parametrize(
    ("kinds", "dtype", "use_kernels"),
    [
        ((MatrixKind.FLOAT, CacheKind.FLOAT), torch.float32, True),
        ((MatrixKind.FLOAT, CacheKind.FLOAT), torch.float32, False),
        ((MatrixKind.FLOAT, CacheKind.FLOAT), torch.float16, True),
        ((MatrixKind.INT8, CacheKind.INT8), torch.float16, True),
    ],
    ids=["floats", "plain torch", "FP16", "eight bits"],
)
def test_tokens_are_the_same_before_and_after_sleep(shape, kinds, dtype, use_kernels):
    runner = build(shape, kinds, dtype=dtype, use_kernels=use_kernels)
    sampling = [SamplingParams(), SamplingParams(temperature=0.9, seed=3), SamplingParams(repetition_penalty=1.4)]

    answers = []
    for nap in range(3):
        if nap:
            sleep(runner)
            runner.restore()
        conversations = [
            Conversation(n, random_prompt(20 + 37 * n, 320, seed=n), range(1 + 7 * n, 8 + 7 * n), sampling[n % 3])
            for n in range(5)
        ]
        prefill(runner, conversations)
        decode(runner, conversations, 30)
        answers.append([one.new_tokens for one in conversations])

    assert answers[0] == answers[1] == answers[2]


def test_every_pass_that_was_captured_is_captured_again():
    runner = build(TINY)
    execution = runner._execution
    captured = set(execution._graphs)

    sleep(runner)
    is_dropped = not any(execution._graphs.values())
    runner.restore()
    for number in (1, 2, 16):
        conversations = [Conversation(n, random_prompt(30, 320, seed=n), (1 + 2 * n, 2 + 2 * n)) for n in range(number)]
        prefill(runner, conversations)
        decode(runner, conversations, 3)

    assert is_dropped
    assert set(execution._graphs) == captured
    assert all(execution._graphs["decode", number] for number in (1, 2, 16))


async def test_the_driver_shows_that_a_7b_has_left_the_card():
    gc.collect()
    torch.cuda.empty_cache()
    reserved_before = torch.cuda.memory_reserved()
    weights = random_weights(LLAMA_2_7B, CARD, torch.float16)
    runner = assemble_runner(LLAMA_2_7B, weights, MemoryLimits(num_blocks=1000))
    tokenizer = byte_tokenizer(LLAMA_2_7B.vocab_size)
    request = Request(tuple(random_prompt(500, LLAMA_2_7B.vocab_size, seed=1)), SamplingParams(max_new_tokens=8))

    async def ask(engine):
        async with aclosing(engine.generate(request)) as deltas:
            return [token async for delta in deltas for token in delta.token_ids]

    def load(_report):
        return LoadedModel(runner, tokenizer, "7b", frozenset(), memory=runner)

    async with open_local_engine(load, idle_limits=IdleLimits(2.0)) as engine:
        awake = await ask(engine)
        used_awake = used_bytes()
        while not engine.is_asleep:  # noqa: ASYNC110  (what is waited for is the engine thread's state)
            await asyncio.sleep(0.05)
        used_asleep, reserved_asleep = used_bytes(), torch.cuda.memory_reserved()
        after_waking = await ask(engine)

    # A piece of memory that the allocator asks the driver for may hold, beside these tensors, a small one that stays.
    assert used_awake - used_asleep + 128 * 2**20 >= runner.memory.num_bytes > 20 * 2**30
    assert reserved_asleep - reserved_before < 256 * 2**20
    assert awake == after_waking
