from dataclasses import replace

import pytest

from bot.inference.engine import SamplingParams
from bot.inference.loading.build import build_runner
from bot.inference.scheduling.step import DecodeRow, DecodeStep, PrefillChunk, PrefillStep
from tests.checkpoints import grouped_config, random_model, save_checkpoint, tiny_config
from tests.groups import with_transformers
from tests.inference.runs import (
    Conversation,
    decode,
    decode_beside_nan,
    generate,
    prefill,
    random_prompt,
    reference_tokens,
)

pytestmark = with_transformers

NUM_NEW = 24


@pytest.fixture(scope="module", params=["multi-head", "grouped-query", "tied"])
def llama(request, tmp_path_factory):
    config = {
        "multi-head": tiny_config,
        "grouped-query": grouped_config,
        "tied": lambda: tiny_config(tie_word_embeddings=True),
    }[request.param]()
    model = random_model(config)
    return model, save_checkpoint(tmp_path_factory.mktemp("llama"), model)


@pytest.fixture
def runner(llama):
    return build_runner(llama[1], "cpu", num_blocks=64)


def test_greedy_tokens_equal_transformers(llama, runner):
    prompt = random_prompt(75, 320, seed=1)

    tokens = generate(runner, prompt, NUM_NEW, blocks=range(1, 5))

    assert tokens == reference_tokens(llama[0], prompt, NUM_NEW)


def test_scattered_blocks_and_chunks_change_nothing(llama, runner):
    prompt = random_prompt(130, 320, seed=2)
    conversation = Conversation(3, prompt, (17, 4, 33, 9, 21))

    prefill(runner, [conversation], chunk_tokens=37)
    decode(runner, [conversation], NUM_NEW - 1)

    assert conversation.new_tokens == reference_tokens(llama[0], prompt, NUM_NEW)


def test_packed_prompts_and_batched_rows_each_get_their_own_tokens(llama, runner):
    lengths = [5, 64, 33, 1, 90]
    prompts = [random_prompt(length, 320, seed=length) for length in lengths]
    conversations = [Conversation(n, prompt, range(1 + 5 * n, 6 + 5 * n)) for n, prompt in enumerate(prompts)]

    prefill(runner, conversations)
    decode(runner, conversations, NUM_NEW - 1)

    expected = [reference_tokens(llama[0], prompt, NUM_NEW) for prompt in prompts]
    assert [conversation.new_tokens for conversation in conversations] == expected


def test_chunks_of_several_prompts_pack_at_any_offset(llama, runner):
    prompts = [random_prompt(length, 320, seed=length) for length in (100, 41, 77)]
    conversations = [Conversation(n, prompt, range(1 + 5 * n, 6 + 5 * n)) for n, prompt in enumerate(prompts)]

    prefill(runner, conversations, chunk_tokens=29)
    decode(runner, conversations, NUM_NEW - 1)

    expected = [reference_tokens(llama[0], prompt, NUM_NEW) for prompt in prompts]
    assert [conversation.new_tokens for conversation in conversations] == expected


def test_a_repetition_penalty_equals_that_of_transformers(llama, runner):
    prompt = random_prompt(40, 320, seed=4)
    conversation = Conversation(0, prompt, (5, 6, 7), SamplingParams(repetition_penalty=1.7))
    plain = Conversation(1, prompt, (8, 9, 10))

    prefill(runner, [conversation, plain])
    decode(runner, [conversation, plain], NUM_NEW - 1)

    assert conversation.new_tokens == reference_tokens(llama[0], prompt, NUM_NEW, repetition_penalty=1.7)
    assert plain.new_tokens == reference_tokens(llama[0], prompt, NUM_NEW)


def test_a_sampled_row_draws_the_same_whatever_its_batch(runner):
    sampling = SamplingParams(temperature=0.9, top_p=0.9, top_k=40, seed=7)
    prompt = random_prompt(40, 320, seed=5)
    alone = Conversation(0, prompt, (1, 2, 3), sampling)
    prefill(runner, [alone])
    decode(runner, [alone], NUM_NEW - 1)

    beside = Conversation(5, prompt, (11, 12, 13), sampling)
    others = [
        Conversation(1, random_prompt(30, 320, seed=6), (14, 15), SamplingParams(temperature=2.0, seed=7)),
        Conversation(2, random_prompt(20, 320, seed=8), (16, 17)),
    ]
    prefill(runner, [*others, beside])
    decode(runner, [*others, beside], NUM_NEW - 1)

    assert beside.new_tokens == alone.new_tokens
    assert len(set(alone.new_tokens)) > 3


def test_other_seeds_draw_other_tokens(runner):
    drawn = []
    for seed in (1, 2):
        sampling = SamplingParams(temperature=1.5, top_p=1.0, top_k=0, seed=seed)
        conversation = Conversation(0, random_prompt(12, 320, seed=9), (1, 2), sampling)
        prefill(runner, [conversation])
        decode(runner, [conversation], NUM_NEW)
        drawn.append(conversation.new_tokens)

    assert drawn[0] != drawn[1]


def test_nan_in_one_row_is_flagged_and_stays_in_its_row(llama, runner):
    sick, well, heir = decode_beside_nan(runner, NUM_NEW)

    assert not sick.is_finite
    assert well.is_finite
    assert heir.is_finite
    assert well.new_tokens == reference_tokens(llama[0], well.prompt, NUM_NEW + 1)


@pytest.mark.parametrize(
    "step",
    [
        DecodeStep(()),
        DecodeStep((DecodeRow(8, 0, (1,)),)),
        DecodeStep((DecodeRow(0, 32, (1,)),)),
        DecodeStep((DecodeRow(0, 0, (64,)),)),
        PrefillStep((PrefillChunk(0, (320,), 0, (1,), SamplingParams(), True),)),
        PrefillStep((PrefillChunk(0, (-1,), 0, (1,), SamplingParams(), True),)),
        PrefillStep((PrefillChunk(0, (5,) * 33, 0, (1,), SamplingParams(), True),)),
        PrefillStep((PrefillChunk(0, (5,) * 600, 0, tuple(range(1, 30)), SamplingParams(), True),)),
    ],
)
def test_a_step_that_does_not_fit_is_refused_and_changes_nothing(llama, runner, step):
    prompt = random_prompt(20, 320, seed=13)
    conversation = Conversation(0, prompt, (1, 2))
    prefill(runner, [conversation])

    with pytest.raises(ValueError, match="can't take this step"):
        runner.launch(step)
    decode(runner, [conversation], 7)

    assert conversation.new_tokens == reference_tokens(llama[0], prompt, 8)


def test_a_shorter_window_is_kept(llama):
    runner = build_runner(llama[1], "cpu", context_window=64, num_blocks=8)

    assert runner.context_window == 64
    with pytest.raises(ValueError, match="blocks for 65 tokens"):
        runner.launch(DecodeStep((DecodeRow(0, 64, (1, 2, 3)),)))


@pytest.mark.parametrize(
    "scaling",
    [
        {"rope_type": "linear", "factor": 4.0},
        {
            "rope_type": "llama3",
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 64,
        },
    ],
    ids=["linear", "llama3"],
)
def test_scaled_positions_equal_transformers(tmp_path, scaling):
    model = random_model(tiny_config(rope_parameters={"rope_theta": 10000.0, **scaling}))
    runner = build_runner(save_checkpoint(tmp_path, model), "cpu", num_blocks=16)
    prompt = random_prompt(150, 320, seed=14)

    tokens = generate(runner, prompt, NUM_NEW, blocks=range(1, 8))

    assert runner.shape.rope_scaling.rope_type == scaling["rope_type"]
    assert tokens == reference_tokens(model, prompt, NUM_NEW)


def test_the_runner_says_what_ends_a_completion(runner):
    assert runner.eos_token_ids == {2}


@pytest.mark.parametrize("lengths", [(4,), (1, 5), (3, 3), (5, 1, 2)])
def test_a_token_is_sampled_after_each_proposal_as_if_it_stood(llama, runner, lengths):
    prompts = [random_prompt(20 + 11 * number, 320, seed=30 + number) for number in range(len(lengths))]
    conversations = [Conversation(n, prompt, range(1 + 5 * n, 6 + 5 * n)) for n, prompt in enumerate(prompts)]
    prefill(runner, conversations)
    proposals = [tuple(random_prompt(length, 320, seed=length)[1:]) for length in lengths]
    rows = tuple(
        replace(conversation.row(), proposed=proposed)
        for conversation, proposed in zip(conversations, proposals, strict=True)
    )

    sampled = runner.launch(DecodeStep(rows)).collect()

    for prompt, conversation, proposed, one in zip(prompts, conversations, proposals, sampled, strict=True):
        for number, token_id in enumerate(one.token_ids):
            before = [*prompt, *conversation.new_tokens, *proposed[:number]]
            assert [token_id] == reference_tokens(llama[0], before, 1)
        assert len(one.token_ids) == len(proposed) + 1


def test_wrong_proposals_leave_nothing_for_the_tokens_that_follow(llama, runner):
    prompt = random_prompt(29, 320, seed=40)
    conversation = Conversation(2, prompt, (1, 2, 3))
    prefill(runner, [conversation])
    wrong = replace(conversation.row(), proposed=(7, 8, 9, 10, 11))

    (sampled,) = runner.launch(DecodeStep((wrong,))).collect()
    conversation.new_tokens.append(sampled.token_ids[0])
    known = replace(conversation.row(), token_id=sampled.token_ids[0])
    (after,) = runner.launch(DecodeStep((known,))).collect()
    conversation.new_tokens += after.token_ids
    decode(runner, [conversation], NUM_NEW)

    assert conversation.new_tokens == reference_tokens(llama[0], prompt, NUM_NEW + 3)
