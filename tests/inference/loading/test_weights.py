"""Weights come from safetensors as they are, or not at all."""

import json
import struct

import pytest
import torch
from safetensors.torch import load_file, save_file

from bot.errors import ConfigError
from bot.inference.loading.config import read_shape
from bot.inference.loading.weights import load_weights
from bot.inference.model.weights import MatrixKind
from tests.checkpoints import grouped_config, random_model, save_checkpoint, tiny_config
from tests.groups import with_transformers

pytestmark = with_transformers

CPU = torch.device("cpu")
NORM = "model.norm.weight"
QUERY = "model.layers.1.self_attn.q_proj.weight"


@pytest.fixture
def folder(tmp_path):
    return save_checkpoint(tmp_path / "model", random_model(grouped_config()))


def load(folder, dtype=torch.float32, kind=MatrixKind.FLOAT):
    return load_weights(folder, read_shape(folder), CPU, dtype, kind=kind)


def change(folder, edit):
    tensors = load_file(folder / "model.safetensors")
    edit(tensors)
    save_file(tensors, folder / "model.safetensors")


def test_projections_are_merged_row_by_row(folder):
    weights, _model_hash = load(folder)

    layer = "model.layers.1."
    stored = load_file(folder / "model.safetensors")
    parts = [stored[f"{layer}self_attn.{name}_proj.weight"] for name in "qkv"]
    assert torch.equal(weights.layers[1].qkv.data, torch.cat(parts))
    parts = [stored[f"{layer}mlp.{name}_proj.weight"] for name in ("gate", "up")]
    assert torch.equal(weights.layers[1].gate_up.data, torch.cat(parts))
    assert torch.equal(weights.head.data, stored["lm_head.weight"])


def test_a_small_models_matrices_lie_by_columns_for_one_row_and_by_rows_for_several(folder):
    weights, _model_hash = load(folder)

    for matrix in (weights.layers[0].qkv, weights.layers[1].down, weights.head):
        alone, together = matrix.factor(1, torch.float32), matrix.factor(2, torch.float32)
        assert torch.equal(alone, together)
        assert alone.is_contiguous()
        assert together.t().is_contiguous()


def test_shards_give_the_same_weights_and_hash_as_one_file(tmp_path):
    model = random_model(tiny_config())

    whole, whole_hash = load(save_checkpoint(tmp_path / "one", model))
    sharded, sharded_hash = load(save_checkpoint(tmp_path / "three", model, num_shards=3))

    assert all(map(torch.equal, whole.tensors(), sharded.tensors()))
    assert whole_hash == sharded_hash


def test_hash_changes_with_a_single_weight(folder):
    _weights, before = load(folder)
    change(folder, lambda tensors: tensors[NORM].view(-1)[3:4].add_(1))

    _weights, after = load(folder)

    assert before != after


def test_tied_embeddings_are_one_tensor(tmp_path):
    weights, _hash = load(save_checkpoint(tmp_path, random_model(tiny_config(tie_word_embeddings=True))))

    assert weights.head.data is weights.embedding


def test_eight_bits_are_within_half_a_step_of_what_is_stored_row_by_row(folder):
    weights, _model_hash = load(folder, kind=MatrixKind.INT8)

    stored = load_file(folder / "model.safetensors")
    parts = [stored[f"model.layers.1.self_attn.{name}_proj.weight"] for name in "qkv"]
    merged, qkv = torch.cat(parts), weights.layers[1].qkv
    assert (qkv.data.dtype, qkv.data.abs().amax(1).unique().tolist()) == (torch.int8, [127])
    assert ((qkv.dense(torch.float32) - merged).abs() <= 0.501 * qkv.scale[:, None]).all()
    assert torch.equal(weights.embedding, stored["model.embed_tokens.weight"])


def test_eight_bits_have_a_hash_of_their_own(folder):
    assert load(folder, kind=MatrixKind.INT8)[1] != load(folder)[1]


def test_tied_embeddings_stay_floats_in_eight_bits(tmp_path):
    folder = save_checkpoint(tmp_path, random_model(tiny_config(tie_word_embeddings=True)))

    weights, _hash = load(folder, kind=MatrixKind.INT8)

    assert weights.head.data is weights.embedding
    assert weights.embedding.dtype == torch.float32


def test_nan_is_found_where_numbers_become_integers(folder):
    change(folder, lambda tensors: tensors[QUERY].view(-1)[7:8].fill_(float("nan")))

    with pytest.raises(ConfigError, match=f"NaN or infinity in {QUERY}"):
        load(folder, kind=MatrixKind.INT8)


def test_progress_ends_at_the_whole(folder):
    seen = []

    load_weights(folder, read_shape(folder), CPU, torch.float32, lambda done, total: seen.append((done, total)))

    assert seen == sorted(seen)
    assert seen[-1][0] == seen[-1][1] > 0


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda t: t.pop(QUERY), f"lacks {QUERY}"),
        (lambda t: t.update(surprise=torch.zeros(2)), "its config doesn't know: surprise"),
        (lambda t: t.update({NORM: torch.zeros(255)}), rf"{NORM} in .* is \[255\]; its config says \[256\]"),
        (lambda t: t.update({NORM: torch.zeros(256, dtype=torch.int8)}), f"{NORM} in .* is I8"),
        (lambda t: t[QUERY].view(-1)[7:8].fill_(float("nan")), f"NaN or infinity in {QUERY}"),
        (lambda t: t[NORM][5:6].fill_(float("inf")), f"NaN or infinity in {NORM}"),
    ],
    ids=["missing", "extra", "mis-shaped", "integers", "NaN", "infinity"],
)
def test_a_wrong_tensor_is_refused_by_name(folder, edit, words):
    change(folder, edit)

    with pytest.raises(ConfigError, match=words):
        load(folder)


def test_a_number_too_large_for_fp16_is_found(folder):
    change(folder, lambda tensors: tensors[NORM][5:6].fill_(1e6))

    assert load(folder)[0].norm.max() == 1e6
    with pytest.raises(ConfigError, match=NORM):
        load(folder, torch.float16)


@pytest.mark.parametrize("kept", [0, 4, 100, -1])
def test_a_truncated_file_is_refused(folder, kept):
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:kept])

    with pytest.raises(ConfigError, match="damaged or truncated"):
        load(folder)


def header(**entries):
    text = json.dumps(entries).encode()
    return struct.pack("<Q", len(text)) + text


@pytest.mark.parametrize(
    "content",
    [
        struct.pack("<Q", 2**63) + b"{}",
        struct.pack("<Q", 200) + b"{",
        header(**{NORM: {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}}),
        header(**{NORM: {"dtype": "F32", "shape": [4], "data_offsets": [16, 0]}}) + b"0" * 16,
        header(**{NORM: {"dtype": "F99", "shape": [4], "data_offsets": [0, 16]}}) + b"0" * 16,
    ],
    ids=["endless header", "short header", "tensor beyond the file", "offsets backwards", "unknown type"],
)
def test_an_absurd_header_is_refused(folder, content):
    (folder / "model.safetensors").write_bytes(content)

    with pytest.raises(ConfigError, match="damaged or truncated"):
        load(folder)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 1\n", "git lfs pull"),
        (b"GGUF\3\0\0\0" + b"0" * 60, "a GGUF file is named by itself"),
        (b"PK\3\4" + b"0" * 60, "a zip file or a pickle"),
        (b"\x80\2}q\0" + b"0" * 60, "a pickle under another name"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b'{"error": "Rate limited"}', "a server's error message"),
        (b"\0" * 4096, "nothing but zeros"),
        (b"", "it is empty"),
    ],
)
def test_what_is_no_safetensors_file_is_named_for_what_it_is(folder, content, words):
    (folder / "model.safetensors").write_bytes(content)

    with pytest.raises(ConfigError, match=words) as refused:
        load(folder)

    assert "\n" not in str(refused.value)
