"""Llamas of many shapes give the logits and the greedy tokens that transformers gives, in float32."""

from functools import partial

import pytest
import torch

from bot.errors import ConfigError
from bot.inference.loading.build import build_runner, load_in_range
from bot.inference.loading.config import read_shape
from bot.inference.loading.weights import load_weights
from bot.inference.model.weights import MatrixKind
from tests.checkpoints import random_model, save_checkpoint, tiny_config
from tests.groups import with_transformers
from tests.inference.runs import Conversation, decode, generate, prefill, random_prompt, read_logits, reference_tokens
from tests.inference.tiny_shapes import TINY, Tiny

pytestmark = with_transformers

MAX_ERROR = 2e-5
"""Of all logits together, relative: rounding in float32."""


@pytest.fixture(scope="module", params=TINY)
def tiny(request, tmp_path_factory):
    model = TINY[request.param].model()
    return model, save_checkpoint(tmp_path_factory.mktemp("tiny"), model)


def error_of(model, runner, prompt) -> float:
    with torch.inference_mode():
        expected = model(torch.tensor([prompt])).logits[0]
    given = torch.cat(list(read_logits(runner, prompt)))
    return float((given - expected).norm() / expected.norm())


def test_logits_and_greedy_tokens_equal_transformers(tiny):
    model, folder = tiny
    runner = build_runner(folder, "cpu", num_blocks=40)
    prompt = random_prompt(150, 320, seed=1)

    error = error_of(model, runner, prompt)
    alone = generate(runner, prompt, 12, range(1, 7))
    beside = [Conversation(slot, prompt[: 150 - 40 * slot], range(7 + 6 * slot, 13 + 6 * slot)) for slot in range(3)]
    prefill(runner, beside)
    decode(runner, beside, 11)

    assert error < MAX_ERROR
    assert alone == reference_tokens(model, prompt, 12)
    for conversation in beside:
        assert conversation.new_tokens == reference_tokens(model, conversation.prompt, 12)


def test_biases_are_kept_in_eight_bits(tmp_path):
    model = TINY["attention bias"].model()
    runner = build_runner(save_checkpoint(tmp_path, model), "cpu", num_blocks=16, weights_kind=MatrixKind.INT8)

    assert error_of(model, runner, random_prompt(60, 320, seed=2)) < 0.05


def test_a_sliding_window_is_the_context_window(tmp_path, caplog):
    tiny = Tiny("MistralForCausalLM", (("sliding_window", 96),))
    model = tiny.model()
    folder = save_checkpoint(tmp_path, model)
    runner = build_runner(folder, "cpu", num_blocks=8)
    prompt = random_prompt(80, 320, seed=3)

    tokens = generate(runner, prompt, 16, range(1, 5))

    assert runner.context_window == read_shape(folder).context_window == 96
    assert tokens == reference_tokens(model, prompt, 16)
    assert "attends to 96 tokens at a time" in caplog.text


def test_bf16_checkpoints_are_computed_in_float32_on_the_cpu(tmp_path):
    model = random_model(tiny_config())
    folder = save_checkpoint(tmp_path, model, dtype=torch.bfloat16)
    runner = build_runner(folder, "cpu", num_blocks=16)

    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.bfloat16())

    assert error_of(model, runner, random_prompt(60, 320, seed=4)) < MAX_ERROR


@pytest.mark.parametrize("kind", MatrixKind)
def test_weights_beyond_fp16_are_kept_as_bf16_where_the_device_has_it(tmp_path, kind):
    model = random_model(tiny_config())
    with torch.no_grad():
        model.lm_head.weight[5, 7] = 1e5
    folder = save_checkpoint(tmp_path, model, dtype=torch.bfloat16)
    load = partial(load_weights, folder, read_shape(folder), torch.device("cpu"), kind=kind)

    weights, _hash = load_in_range(load, torch.float16, has_bf16=True)

    assert weights.embedding.dtype == torch.bfloat16
    assert weights.head.dense(torch.bfloat16)[5, 7] == torch.tensor(1e5, dtype=torch.bfloat16)
    with pytest.raises(ConfigError, match=r"too large for FP16 .* in lm_head.weight; use a card that computes in BF16"):
        load_in_range(load, torch.float16, has_bf16=False)


def test_bf16_is_computed_with_as_it_is(tmp_path):
    model = random_model(tiny_config(initializer_range=0.1))
    folder = save_checkpoint(tmp_path, model, dtype=torch.bfloat16)
    runner = build_runner(folder, "cpu", num_blocks=16, dtype=torch.bfloat16)

    assert error_of(model, runner, random_prompt(60, 320, seed=5)) < 0.05
    assert len(generate(runner, random_prompt(40, 320, seed=6), 6, range(1, 3))) == 6


def test_a_tensor_that_the_config_does_not_know_is_refused(tmp_path):
    model = TINY["attention bias"].model()
    model.config.attention_bias = False
    folder = save_checkpoint(tmp_path, model)

    with pytest.raises(ConfigError, match=r"tensors that its config doesn't know: .*_proj\.bias"):
        build_runner(folder, "cpu", num_blocks=16)
