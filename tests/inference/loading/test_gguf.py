"""GGUF files become folders that give the logits that the model gave, and what isn't understood is refused."""

import json

import numpy as np
import pytest
import torch

from bot.inference.loading.build import build_runner
from bot.inference.loading.config import read_shape
from bot.inference.loading.gguf_model import unpack
from bot.inference.loading.unusable import UnusableFile
from tests.checkpoints import byte_tokenizer, grouped_config, random_model, tiny_config
from tests.groups import with_transformers
from tests.inference.loading.gguf_files import gguf, rounded, write_gguf
from tests.inference.runs import random_prompt, read_logits

pytestmark = with_transformers


def unpacked(file, folder):
    folder.mkdir()
    unpack(file, folder, lambda _done, _total: None)
    return folder


def error_of(model, folder):
    prompt = random_prompt(70, 320, seed=1)
    with torch.inference_mode():
        expected = model(torch.tensor([prompt])).logits[0]
    given = torch.cat(list(read_logits(build_runner(folder, "cpu", num_blocks=16), prompt)))
    return float((given - expected).norm() / expected.norm())


@pytest.mark.parametrize(
    ("kind", "most"), [("F32", 1e-5), ("F16", 1e-5), ("BF16", 1e-5), ("Q8_0", 2e-3), ("Q4_1", 2e-3)]
)
def test_an_unpacked_model_gives_the_logits_of_its_numbers(tmp_path, kind, most):
    model = random_model(grouped_config(initializer_range=0.1))
    folder = unpacked(write_gguf(tmp_path / "tiny.gguf", model, kind), tmp_path / "model")

    assert error_of(rounded(model, kind), folder) < most


def test_qwen2_with_its_biases_and_tied_embeddings_is_unpacked(tmp_path):
    from transformers import Qwen2Config

    config = Qwen2Config(
        vocab_size=320,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        initializer_range=0.2,
    )
    model = random_model(config)
    with torch.no_grad():
        for layer in model.model.layers:
            layer.self_attn.k_proj.bias.uniform_(-1, 1)
    folder = unpacked(write_gguf(tmp_path / "tiny.gguf", model), tmp_path / "model")

    assert read_shape(folder).has_qkv_bias
    assert read_shape(folder).has_tied_embeddings
    assert error_of(model, folder) < 1e-5


def test_linear_scaling_and_head_sizes_of_their_own_are_kept(tmp_path):
    scaling = {"rope_theta": 5e4, "rope_type": "linear", "factor": 2.0}
    model = random_model(tiny_config(head_dim=48, rope_parameters=scaling, initializer_range=0.2))
    named = {"rope.scaling.type": "linear", "rope.scaling.factor": 2.0, "attention.key_length": 48}
    file = write_gguf(tmp_path / "tiny.gguf", model, **named)

    assert error_of(model, unpacked(file, tmp_path / "model")) < 1e-5


def test_what_stands_beside_the_numbers_is_written_too(tmp_path):
    folder = unpacked(write_gguf(tmp_path / "tiny.gguf", random_model(tiny_config())), tmp_path / "model")

    assert (folder / "chat_template.jinja").read_text() == "{{ messages }}"
    assert json.loads((folder / "tokenizer_config.json").read_text())["eos_token"] == "<|im_end|>"
    assert read_shape(folder).eos_token_ids == {2}
    assert read_shape(folder).rms_norm_eps == 1e-5


def test_a_tokenizer_beside_the_file_goes_before_the_one_in_it(tmp_path):
    file = write_gguf(tmp_path / "tiny.gguf", random_model(tiny_config()))
    byte_tokenizer(320).save(str(tmp_path / "tokenizer.json"))

    folder = unpacked(file, tmp_path / "model")

    assert (folder / "tokenizer.json").read_bytes() == (tmp_path / "tokenizer.json").read_bytes()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"expert_count": 8}, "expert_count .* may change the arithmetic"),
        ({"architecture": "gemma2"}, "a model of the kind gemma2; only llama and qwen2"),
        ({"rope.dimension_count": 16}, "only a part of each head"),
        ({"rope.scaling.type": "yarn"}, "scales positions by yarn"),
        ({"block_count": None}, "doesn't say its num_hidden_layers"),
        ({"without": "blk.1.ffn_up.weight"}, "^tiny.gguf lacks blk.1.ffn_up.weight: it is one part of several"),
        ({"attention.head_count_kv": [2, 1]}, "^tiny.gguf has another attention.head_count_kv in each layer"),
        ({"block_count": "two"}, "^tiny.gguf has metadata that can't be understood"),
        ({"is_big_endian": True}, "^tiny.gguf is for machines of the other byte order"),
        (
            {"without": "output_norm.weight", "beside": "output_norm.weight", "beside_kind": np.int8},
            "^tiny.gguf has numbers packed as I8, which can't be unpacked",
        ),
        ({"beside": "blk.1.ffn_gate_inp.weight"}, "^tiny.gguf has a tensor blk.1.ffn_gate_inp.weight, which no plain"),
    ],
)
def test_what_is_not_understood_is_refused(tmp_path, changes, words):
    file = write_gguf(tmp_path / "tiny.gguf", random_model(tiny_config()), **changes)

    with pytest.raises(UnusableFile, match=words):
        unpacked(file, tmp_path / "model")


def test_a_damaged_file_is_refused(tmp_path):
    gguf()
    (tmp_path / "tiny.gguf").write_bytes(b"GGUF" + b"\3\0\0\0" + b"\xff" * 40)

    with pytest.raises(UnusableFile, match=r"tiny\.gguf can't be read as GGUF"):
        unpacked(tmp_path / "tiny.gguf", tmp_path / "model")
