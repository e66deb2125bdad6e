"""Eight bits: what is lost, and what isn't."""

import pytest
import torch

from bot.inference.loading.build import build_runner
from bot.inference.model.int8 import dequantise, quantise, quantise_matrix
from bot.inference.model.kv_cache import CacheKind
from bot.inference.model.weights import MatrixKind
from tests.checkpoints import grouped_config, random_model, save_checkpoint, tiny_config
from tests.groups import with_transformers
from tests.inference.runs import Conversation, decode, generate, prefill, random_prompt

NUM_NEW = 20
KINDS = {
    "weights": (MatrixKind.INT8, CacheKind.FLOAT),
    "cache": (MatrixKind.FLOAT, CacheKind.INT8),
    "both": (MatrixKind.INT8, CacheKind.INT8),
}


def test_the_largest_becomes_127_and_nothing_is_off_by_more_than_half_a_step():
    values = torch.randn(6, 40, generator=torch.Generator().manual_seed(0)) * torch.tensor([[1e-3], [1], [9]] * 2)

    data, scale = quantise(values, torch.float32)

    assert data.abs().amax(1).tolist() == [127] * 6
    assert ((dequantise(data, scale, torch.float32) - values).abs() <= 0.501 * scale[:, None]).all()


def test_zeros_stay_zeros_and_what_is_not_finite_does_not_become_so():
    values = torch.ones(3, 8)
    values[0] = 0
    values[1, 3] = float("nan")
    values[2, 5] = float("inf")

    data, scale = quantise(values, torch.float16)

    assert data[0].count_nonzero() == 0
    assert scale.isfinite().tolist() == [True, False, False]


def test_a_matrix_of_any_height_is_filled_to_its_last_row():
    values = torch.randn(2050, 8, generator=torch.Generator().manual_seed(0))
    data, scale = torch.zeros(2050, 8, dtype=torch.int8), torch.zeros(2050)

    quantise_matrix(values, data, scale)

    expected = quantise(values, torch.float32)
    assert torch.equal(data, expected[0])
    assert torch.equal(scale, expected[1])


@pytest.fixture(scope="module", params=["multi-head", "grouped-query"])
def folder(request, tmp_path_factory):
    config = {"multi-head": tiny_config, "grouped-query": grouped_config}[request.param]()
    return save_checkpoint(tmp_path_factory.mktemp("llama"), random_model(config))


@with_transformers
@pytest.mark.parametrize("kinds", KINDS.values(), ids=KINDS)
def test_tokens_do_not_depend_on_chunks_or_on_who_else_is_there(folder, kinds):
    options = {"num_blocks": 64, "weights_kind": kinds[0], "cache_kind": kinds[1]}
    runner = build_runner(folder, "cpu", max_prefill_tokens=512, **options)
    prompts = [random_prompt(length, 320, seed=length) for length in (5, 64, 33, 1, 90)]
    together = [Conversation(n, prompt, range(1 + 5 * n, 6 + 5 * n)) for n, prompt in enumerate(prompts)]

    prefill(runner, together, 29)
    decode(runner, together, NUM_NEW - 1)

    alone = [generate(runner, prompt, NUM_NEW, blocks=(60, 41, 50, 33)) for prompt in prompts]
    assert [conversation.new_tokens for conversation in together] == alone


@with_transformers
def test_a_cache_in_eight_bits_goes_on_from_another_conversation_s_prefix(folder):
    runner = build_runner(folder, "cpu", num_blocks=64, cache_kind=CacheKind.INT8)
    prompt = random_prompt(80, 320, seed=1)
    expected = generate(runner, prompt, NUM_NEW, blocks=(9, 4, 31, 2))

    heir = Conversation(1, prompt, (9, 4, 12, 13))  # the first two blocks are full, and shared
    heir.num_done = 64
    prefill(runner, [heir])
    decode(runner, [heir], NUM_NEW - 1)

    assert heir.new_tokens == expected


@with_transformers
def test_nan_in_a_cache_of_eight_bits_is_flagged_and_stays_in_its_row(folder):
    runner = build_runner(folder, "cpu", num_blocks=64, cache_kind=CacheKind.INT8)
    sick = Conversation(0, random_prompt(40, 320, seed=10), (1, 2, 3))
    well = Conversation(1, random_prompt(40, 320, seed=11), (4, 5, 6))
    expected = generate(runner, well.prompt, NUM_NEW + 1, blocks=(4, 5, 6))
    prefill(runner, [sick, well])
    runner._cache.scales[:, :, 1] = float("nan")

    decode(runner, [sick, well], NUM_NEW - 1)
    heir = Conversation(2, random_prompt(35, 320, seed=12), (3, 1))
    prefill(runner, [heir])
    decode(runner, [heir, well], 1)

    assert (sick.is_finite, well.is_finite, heir.is_finite) == (False, True, True)
    assert well.new_tokens == expected
