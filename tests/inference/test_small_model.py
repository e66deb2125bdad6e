"""A real model, SmolLM2-135M-Instruct, gives transformers' greedy tokens in float32, whatever else the engine does."""

from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer

from bot.inference.engine import Request, SamplingParams
from bot.inference.loading.build import build_runner
from bot.inference.scheduling.core import EngineCore
from tests.groups import with_transformers
from tests.inference.runs import reference_tokens
from tests.inference.small_model import small_model

pytestmark = [with_transformers, pytest.mark.timeout(3600)]

ROOT = Path(__file__).parents[2]
LENGTHS = (20, 33, 48, 64, 65, 90, 127, 128, 160, 200, 256, 300, 377, 450, 512, 640, 800, 1000, 1250, 1500)
NUM_NEW = 24


@pytest.fixture(scope="module")
def folder():
    return small_model()


@pytest.fixture(scope="module")
def prompts(folder):
    """Pieces of Trinity's own documentation as questions, each of exactly so many tokens."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    text = (ROOT / "README.md").read_text(encoding="utf-8") + (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    before = tokenizer.encode("<|im_start|>user\n", add_special_tokens=False).ids
    after = tokenizer.encode("<|im_end|>\n<|im_start|>assistant\n", add_special_tokens=False).ids
    made, start = [], 0
    for length in LENGTHS:
        inner = length - len(before) - len(after)
        made.append((*before, *ids[start : start + inner], *after))
        start += inner
    return made


@pytest.fixture(scope="module")
def expected(folder, prompts):
    from transformers import LlamaForCausalLM

    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32, use_safetensors=True).eval()
    return [reference_tokens(model, prompt, NUM_NEW) for prompt in prompts]


@pytest.fixture(scope="module")
def core(folder):
    runner = build_runner(folder, "cpu", context_window=2048, max_num_sequences=8)
    return EngineCore(runner, eos_token_ids=frozenset())


def answers(core, requests):
    """The tokens of each request, all of them running at once, and how many of a prompt's were in the cache."""
    tokens: dict[int, list[int]] = {number: [] for number in range(len(requests))}
    reused = dict.fromkeys(tokens, 0)
    for number, request in enumerate(requests):
        core.submit(number, request)
    while core.has_work:
        for output in core.step():
            assert output.error is None
            tokens[output.request_id] += output.token_ids
            if output.counters is not None:
                reused[output.request_id] = output.counters.num_cached_tokens
    return list(tokens.values()), list(reused.values())


def request(prompt, owner, num_new=NUM_NEW):
    return Request(tuple(prompt), SamplingParams(max_new_tokens=num_new, temperature=0.0), cache_owner=owner)


def test_alone(core, prompts, expected):
    given = [answers(core, [request(prompt, f"alone {n}")])[0][0] for n, prompt in enumerate(prompts)]

    assert given == expected


def test_all_at_once(core, prompts, expected):
    given, _ = answers(core, [request(prompt, f"at once {n}") for n, prompt in enumerate(prompts)])

    assert given == expected


def test_with_what_is_cached(core, prompts, expected):
    given, reused = [], []
    for number, prompt in enumerate(prompts):
        answers(core, [request(prompt[: len(prompt) * 2 // 3], f"cached {number}", 4)])
        tokens, cached = answers(core, [request(prompt, f"cached {number}")])
        given += tokens
        reused += cached

    assert given == expected
    assert all(cached >= length // 2 - 32 for cached, length in zip(reused, LENGTHS, strict=True) if length > 100)
