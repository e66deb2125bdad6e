"""The scheduler's side on real, tiny Llamas: every greedy token equals that of transformers' generate."""

import pytest

from bot.inference.engine import Request, SamplingParams
from bot.inference.loading.build import build_runner
from bot.inference.scheduling.core import EngineCore
from bot.inference.scheduling.scheduler import SchedulerLimits
from tests.checkpoints import grouped_config, random_model, save_checkpoint, tiny_config
from tests.groups import with_transformers
from tests.inference.runs import random_prompt, reference_tokens

pytestmark = with_transformers

NUM_NEW = 40


@pytest.fixture(scope="module", params=[tiny_config, grouped_config], ids=["multi-head", "grouped-query"])
def llama(request, tmp_path_factory):
    model = random_model(request.param())
    return model, save_checkpoint(tmp_path_factory.mktemp("llama"), model)


def open_core(llama, *, num_blocks=64, limits=None, **sizes) -> EngineCore:
    return EngineCore(
        build_runner(llama[1], "cpu", num_blocks=num_blocks, **sizes), eos_token_ids=frozenset(), limits=limits
    )


def answer_all(core: EngineCore, requests: list[Request]) -> list[list[int]]:
    answers: dict[int, list[int]] = {index: [] for index in range(len(requests))}
    for index, request in enumerate(requests):
        core.submit(index, request)
    while core.has_work:
        for output in core.step():
            assert output.error is None
            answers[output.request_id] += output.token_ids
    return list(answers.values())


def ask(prompt: list[int], owner: str = "", shared: int = 0, num_new: int = NUM_NEW) -> Request:
    return Request(tuple(prompt), SamplingParams(max_new_tokens=num_new), owner, shared)


PROMPTS = [random_prompt(length, 320, seed=length) for length in (5, 64, 33, 1, 90, 130)]


@pytest.fixture(scope="module")
def expected(llama) -> list[list[int]]:
    return [reference_tokens(llama[0], prompt, NUM_NEW) for prompt in PROMPTS]


def test_conversations_one_after_another(llama, expected):
    core = open_core(llama)

    assert [answer_all(core, [ask(prompt)])[0] for prompt in PROMPTS] == expected


def test_conversations_all_at_once(llama, expected):
    core = open_core(llama)

    assert answer_all(core, [ask(prompt) for prompt in PROMPTS]) == expected


def test_prompts_in_chunks_between_the_tokens_of_running_answers(llama, expected):
    core = open_core(llama, max_prefill_tokens=64, limits=SchedulerLimits(max_chunk_tokens=24, max_burst_tokens=64))

    assert answer_all(core, [ask(prompt) for prompt in PROMPTS]) == expected


def test_conversations_that_are_preempted_and_computed_again(llama):
    core = open_core(llama, num_blocks=13)
    prompts = [random_prompt(length, 320, seed=length) for length in (20, 31, 45, 33)]

    answers = answer_all(core, [ask(prompt, f"{number}", num_new=110) for number, prompt in enumerate(prompts)])

    assert answers == [reference_tokens(llama[0], prompt, 110) for prompt in prompts]
    assert core.snapshot().total_preemptions > 0


def test_next_turns_that_start_from_cached_blocks(llama):
    core = open_core(llama)
    for turn in range(1, 4):
        # With these seeds the first two logits are never so close that rounding decides between them.
        prompts = [random_prompt(40, 320, seed=0) + random_prompt(50 * turn, 320, seed=seed)[1:] for seed in (5, 8)]

        answers = answer_all(core, [ask(prompt, str(seed), shared=40) for seed, prompt in enumerate(prompts)])

        assert answers == [reference_tokens(llama[0], prompt, NUM_NEW) for prompt in prompts]
    assert core.snapshot().total_cached_tokens >= 2 * (64 + 128)


def test_next_turn_that_starts_from_the_blocks_of_an_answer(llama):
    core = open_core(llama)
    prompt = random_prompt(30, 320, seed=3)
    (answer,) = answer_all(core, [ask(prompt, "ann", num_new=70)])
    follow_up = [*prompt, *answer, *random_prompt(10, 320, seed=4)]

    (again,) = answer_all(core, [ask(follow_up, "ann")])

    assert again == reference_tokens(llama[0], follow_up, NUM_NEW)
    assert core.snapshot().total_cached_tokens == 96  # three blocks of 32, of the 99 tokens that were computed
