"""The scheduler's side on real, tiny Llamas: every greedy token equals that of transformers' generate.

With speculation too, whose proposals are the right answer with mistakes in it.
"""

import pytest

from bot.inference.engine import Request, SamplingParams
from bot.inference.loading.build import build_runner
from bot.inference.scheduling.core import EngineCore
from bot.inference.scheduling.scheduler import SchedulerLimits
from bot.inference.scheduling.speculation import Speculation
from tests.checkpoints import grouped_config, random_model, save_checkpoint, tiny_config
from tests.groups import with_transformers
from tests.inference.fakes import Prophet
from tests.inference.runs import random_prompt, reference_tokens

pytestmark = with_transformers

NUM_NEW = 40


@pytest.fixture(scope="module", params=[tiny_config, grouped_config], ids=["multi-head", "grouped-query"])
def llama(request, tmp_path_factory):
    model = random_model(request.param())
    return model, save_checkpoint(tmp_path_factory.mktemp("llama"), model)


def open_core(llama, *, num_blocks=64, limits=None, eos=frozenset(), speculation=None, **sizes) -> EngineCore:
    runner = build_runner(llama[1], "cpu", num_blocks=num_blocks, **sizes)
    return EngineCore(runner, eos_token_ids=frozenset(eos), limits=limits, speculation=speculation)


def prophet(answers: dict[tuple[int, ...], list[int]], *, row_tokens: int = 5) -> Prophet:
    return Prophet(lambda request: answers[request.prompt_token_ids], 8, row_tokens=row_tokens)


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


@pytest.fixture(scope="module")
def answers(expected) -> dict[tuple[int, ...], list[int]]:
    return {tuple(prompt): answer for prompt, answer in zip(PROMPTS, expected, strict=True)}


@pytest.mark.parametrize("number", [1, 2, 4])
def test_proposals_change_nothing_however_many_answers_run(llama, answers, number):
    speculation = prophet(answers)
    core = open_core(llama, speculation=speculation)

    assert answer_all(core, [ask(prompt) for prompt in PROMPTS[:number]]) == list(answers.values())[:number]
    assert speculation.num_right > 10
    assert speculation.num_proposed - speculation.num_right > 2


def test_proposals_change_nothing_between_chunks_of_prompts(llama, answers):
    speculation = prophet(answers)
    limits = SchedulerLimits(max_chunk_tokens=24, max_burst_tokens=64)
    core = open_core(llama, max_prefill_tokens=64, limits=limits, speculation=speculation)

    assert answer_all(core, [ask(prompt) for prompt in PROMPTS]) == list(answers.values())
    assert speculation.num_right > 10


def test_proposals_change_nothing_where_conversations_are_preempted(llama):
    prompts = [random_prompt(length, 320, seed=length) for length in (20, 31, 45, 33)]
    right = {tuple(prompt): reference_tokens(llama[0], prompt, 110) for prompt in prompts}
    speculation = prophet(right, row_tokens=3)
    core = open_core(llama, num_blocks=13, speculation=speculation)

    got = answer_all(core, [ask(prompt, f"{number}", num_new=110) for number, prompt in enumerate(prompts)])

    assert got == list(right.values())
    assert core.snapshot().total_preemptions > 0
    assert speculation.num_right > 20


def test_an_answer_ends_at_its_end_of_text_amid_right_proposals(llama, answers):
    prompt, right = PROMPTS[1], answers[tuple(PROMPTS[1])]
    last = right[9]
    speculation = prophet(answers)
    core = open_core(llama, eos={last}, speculation=speculation)

    (got,) = answer_all(core, [ask(prompt)])

    assert got == right[: right.index(last) + 1]
    assert core.snapshot().num_available_blocks == core.snapshot().num_blocks


def test_who_leaves_amid_proposals_disturbs_nobody_and_leaves_nothing(llama, answers):
    core = open_core(llama, speculation=prophet(answers))
    core.submit(100, ask(PROMPTS[4]))
    for _ in range(4):
        core.step()
    core.submit(0, ask(PROMPTS[1]))
    got = [token for _ in range(4) for output in core.step() if output.request_id == 0 for token in output.token_ids]
    core.abort(100)
    while core.has_work:
        got += [token for output in core.step() if output.request_id == 0 for token in output.token_ids]

    assert got == answers[tuple(PROMPTS[1])]
    assert core.snapshot().num_available_blocks == core.snapshot().num_blocks


def test_next_turn_that_starts_from_an_answer_with_wrong_proposals(llama):
    prompt = random_prompt(30, 320, seed=3)
    answer = reference_tokens(llama[0], prompt, 70)
    follow_up = [*prompt, *answer, *random_prompt(10, 320, seed=4)]
    again = reference_tokens(llama[0], follow_up, NUM_NEW)
    core = open_core(llama, speculation=prophet({tuple(prompt): answer, tuple(follow_up): again}))

    assert answer_all(core, [ask(prompt, "ann", num_new=70)]) == [answer]
    assert answer_all(core, [ask(follow_up, "ann")]) == [again]
    assert core.snapshot().total_cached_tokens == 96


def test_a_sampled_answer_is_drawn_the_same_with_proposals(llama):
    requests = [
        Request(tuple(prompt), SamplingParams(max_new_tokens=NUM_NEW, temperature=0.8, top_k=30, seed=seed))
        for seed, prompt in enumerate(PROMPTS[:3])
    ]
    plain = answer_all(open_core(llama), requests)
    drawn = {request.prompt_token_ids: answer for request, answer in zip(requests, plain, strict=True)}
    speculation = prophet(drawn)

    assert answer_all(open_core(llama, speculation=speculation), requests) == plain
    assert speculation.num_right > 10


def test_what_stood_before_is_proposed_and_changes_nothing(llama):
    prompt = random_prompt(20, 320, seed=6) * 3
    speculation = Speculation(8)
    speculation.times.note(1, 1, 1.0)
    for num_tokens in (4, 8):
        speculation.times.note(1, num_tokens, 0.1)  # proposals cost nothing, so every one is tried
    core = open_core(llama, speculation=speculation)

    (got,) = answer_all(core, [ask(prompt)])

    assert got == reference_tokens(llama[0], prompt, NUM_NEW)
    assert speculation.num_proposed > 0
