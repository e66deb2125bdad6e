"""Llamas of many shapes give the logits and the greedy tokens that transformers gives, in float32."""

from dataclasses import dataclass
from functools import partial
from typing import Any

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

pytestmark = with_transformers

LLAMA_3_SCALING = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
MAX_ERROR = 2e-5
"""Of all logits together, relative: rounding in float32."""


@dataclass(frozen=True, slots=True)
class Tiny:
    """A tiny model of some family."""

    architecture: str = "LlamaForCausalLM"
    changes: tuple[tuple[str, Any], ...] = ()

    def config(self) -> Any:
        import transformers

        plain = tiny_config(initializer_range=0.1, **({} if "Llama" not in self.architecture else dict(self.changes)))
        if "Llama" in self.architecture:
            return plain
        settings = {
            name: getattr(plain, name)
            for name in (
                *("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads"),
                *("num_key_value_heads", "max_position_embeddings", "rms_norm_eps", "tie_word_embeddings"),
                *("bos_token_id", "eos_token_id", "initializer_range"),
            )
        }
        config_class = getattr(transformers, self.architecture.replace("ForCausalLM", "Config"))
        return config_class(**(settings | dict(self.changes)))


def llama(**changes: Any) -> Tiny:
    return Tiny(changes=tuple(changes.items()))


def grouped(head_dim: int) -> Tiny:
    """Four query heads of a size share two of keys, in a stream that is as wide as they aren't."""
    return llama(hidden_size=192, num_attention_heads=4, num_key_value_heads=2, head_dim=head_dim)


TINY = {
    "heads of 64": grouped(64),
    "heads of 80": grouped(80),
    "heads of 96": grouped(96),
    "heads of 128": grouped(128),
    "seven heads share a key": llama(hidden_size=224, num_attention_heads=7, num_key_value_heads=1),
    "attention bias": llama(attention_bias=True, hidden_size=128, num_attention_heads=4),
    "tied, 1B's proportions": llama(
        tie_word_embeddings=True, rope_parameters={"rope_theta": 5e5, **LLAMA_3_SCALING}, num_key_value_heads=1
    ),
    "linear": llama(rope_parameters={"rope_theta": 1e4, "rope_type": "linear", "factor": 4.0}),
    "Qwen2": Tiny("Qwen2ForCausalLM", (("tie_word_embeddings", True), ("num_key_value_heads", 1))),
    "Mistral": Tiny("MistralForCausalLM", (("sliding_window", None), ("num_key_value_heads", 1), ("head_dim", 48))),
    "Mistral, a window as wide": Tiny("MistralForCausalLM", (("sliding_window", 512),)),
}


@pytest.fixture(scope="module", params=TINY)
def tiny(request, tmp_path_factory):
    model = random_model(TINY[request.param].config())
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith(".bias"):
                parameter.uniform_(-1.0, 1.0)
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
    model = random_model(TINY["attention bias"].config())
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith(".bias"):
                parameter.uniform_(-1.0, 1.0)
    runner = build_runner(save_checkpoint(tmp_path, model), "cpu", num_blocks=16, weights_kind=MatrixKind.INT8)

    assert error_of(model, runner, random_prompt(60, 320, seed=2)) < 0.05


def test_a_sliding_window_is_the_context_window(tmp_path, caplog):
    tiny = Tiny("MistralForCausalLM", (("sliding_window", 96),))
    model = random_model(tiny.config())
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


def test_weights_beyond_fp16_are_kept_as_bf16_where_the_device_has_it(tmp_path):
    model = random_model(tiny_config())
    with torch.no_grad():
        model.lm_head.weight[5, 7] = 1e5
    folder = save_checkpoint(tmp_path, model, dtype=torch.bfloat16)
    load = partial(load_weights, folder, read_shape(folder), torch.device("cpu"))

    weights, _hash = load_in_range(load, torch.float16, has_bf16=True)

    assert weights.embedding.dtype == torch.bfloat16
    assert weights.head.data[5, 7] == torch.tensor(1e5, dtype=torch.bfloat16)
    with pytest.raises(ConfigError, match=r"too large for FP16 .* in lm_head.weight; use a card that computes in BF16"):
        load_in_range(load, torch.float16, has_bf16=False)


def test_bf16_is_computed_with_as_it_is(tmp_path):
    model = random_model(tiny_config(initializer_range=0.1))
    folder = save_checkpoint(tmp_path, model, dtype=torch.bfloat16)
    runner = build_runner(folder, "cpu", num_blocks=16, dtype=torch.bfloat16)

    assert error_of(model, runner, random_prompt(60, 320, seed=5)) < 0.05
    assert len(generate(runner, random_prompt(40, 320, seed=6), 6, range(1, 3))) == 6


def test_a_tensor_that_the_config_does_not_know_is_refused(tmp_path):
    model = random_model(TINY["attention bias"].config())
    model.config.attention_bias = False
    folder = save_checkpoint(tmp_path, model)

    with pytest.raises(ConfigError, match=r"tensors that its config doesn't know: .*_proj\.bias"):
        build_runner(folder, "cpu", num_blocks=16)
