"""Which model folders are read, and in what words the others are refused."""

import json

import pytest

from bot.errors import ConfigError
from bot.inference.loading.config import read_shape
from bot.inference.loading.files import INDEX_NAME, find_tokenizer_file, find_weight_files
from tests.checkpoints import grouped_config, random_model, save_checkpoint, tiny_config
from tests.groups import with_transformers

pytestmark = with_transformers


@pytest.fixture
def folder(tmp_path):
    return save_checkpoint(tmp_path / "model", random_model(grouped_config()))


def change_config(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_shape_follows_from_the_config(folder):
    shape = read_shape(folder)

    assert (shape.num_heads, shape.num_kv_heads, shape.head_dim) == (8, 2, 32)
    assert (shape.hidden_size, shape.intermediate_size, shape.num_layers) == (256, 96, 2)
    assert shape.qkv_size == 256 + 2 * 64
    assert shape.eos_token_ids == {2}


def test_end_of_text_tokens_of_the_generation_config_go_first(folder):
    (folder / "generation_config.json").write_text('{"eos_token_id": [5, 7]}')

    assert read_shape(folder).eos_token_ids == {5, 7}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"architectures": ["GemmaForCausalLM"]}, "holds GemmaForCausalLM; only LlamaForCausalLM, MistralForCausalLM"),
        ({"architectures": []}, "holds nothing; only LlamaForCausalLM"),
        ({"architectures": ["LlamaForCausalLM", "LlamaModel"]}, "holds LlamaForCausalLM, LlamaModel; only"),
        ({"quantization_config": {"bits": 4}}, "is quantised"),
        ({"mlp_bias": True}, "mlp_bias is not supported"),
        ({"hidden_act": "gelu"}, "activation 'gelu' is not supported"),
        ({"num_key_value_heads": 3}, "key-value heads"),
        ({"num_hidden_layers": 0}, "its sizes must be positive"),
        ({"vocab_size": "many"}, "can't be understood"),
        ({"rope_parameters": {"rope_type": "yarn", "factor": 2.0}}, "yarn"),
        ({"rope_parameters": {"rope_type": "default", "partial_rotary_factor": 0.5}}, "partial_rotary_factor 0.5"),
        ({"rope_parameters": {"rope_type": "llama3", "factor": 8.0}}, "rope_type"),
        ({"residual_multiplier": 0.22}, "residual_multiplier (0.22) is not known here"),
        ({"final_logit_softcapping": 30.0}, "final_logit_softcapping (30.0) is not known here"),
        ({"num_local_experts": 8}, "num_local_experts (8) is not known here"),
        ({"rope_interleaved": True}, "rope_interleaved (True) is not known here"),
    ],
)
def test_what_is_no_plain_llama_is_refused(folder, changes, words):
    change_config(folder, **changes)

    with pytest.raises(ConfigError) as refusal:
        read_shape(folder)

    assert words in str(refusal.value)


def test_what_changes_nothing_is_passed_over(folder):
    others = {"use_sliding_window": False, "sliding_window": 64, "max_window_layers": 1, "qk_norm": False}
    change_config(folder, **others, logits_scaling=1, window_pattern=None, unsloth_version="2025.1", _scale="of theirs")

    assert read_shape(folder).context_window == 512


def test_code_that_comes_with_a_model_is_never_executed(folder, tmp_path, caplog):
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Config: ...\n")
    change_config(folder, auto_map={"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Config"})

    shape = read_shape(folder)

    assert shape.num_layers == 2
    assert "auto_map" in caplog.text
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", ["", "{", "[]", "\xff", '{"a":' * 100_000])
def test_a_config_that_is_no_json_object_is_refused(folder, content):
    (folder / "config.json").write_text(content, encoding="latin-1")

    with pytest.raises(ConfigError, match=r"config\.json"):
        read_shape(folder)


def test_missing_files_are_named(folder):
    (folder / "config.json").unlink()
    (folder / "tokenizer.json").rename(folder / "tokenizer.model")

    with pytest.raises(ConfigError, match=r"config\.json is missing"):
        read_shape(folder)
    assert find_tokenizer_file(folder) == folder / "tokenizer.model"
    (folder / "tokenizer.model").unlink()
    with pytest.raises(ConfigError, match=r"no tokenizer\.json"):
        find_tokenizer_file(folder)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "model.pth", "model.ckpt"])
def test_pickle_weights_are_refused_by_name(folder, name):
    (folder / "model.safetensors").rename(folder / name)

    with pytest.raises(ConfigError, match="only pickle weights") as refusal:
        find_weight_files(folder)

    assert name in str(refusal.value)


def test_an_empty_folder_has_no_weights(tmp_path):
    with pytest.raises(ConfigError, match="holds no model"):
        find_weight_files(tmp_path)


BESIDE = [
    "._model.safetensors",
    "adapter_model.safetensors",
    "consolidated.00.safetensors",
    "model.safetensors.part",
    "model (1).safetensors",
    "optimizer.safetensors",
    "model-00007-of-00009.safetensors",
    "tokenizer.model",
]


@pytest.mark.parametrize("num_shards", [1, 3])
@pytest.mark.parametrize("has_index", [False, True])
def test_what_lies_beside_the_weights_is_passed_over(tmp_path, num_shards, *, has_index):
    folder = save_checkpoint(tmp_path, random_model(tiny_config()), num_shards=num_shards)
    weights = find_weight_files(folder)
    if not has_index:
        (folder / INDEX_NAME).unlink(missing_ok=True)
    for name in BESIDE:
        if num_shards == 1 or has_index or "-of-" not in name:
            (folder / name).write_bytes(b"rubbish")

    assert find_weight_files(folder) == weights


def test_weights_under_a_name_of_their_own_are_found(folder):
    (folder / "model.safetensors").rename(folder / "weights.safetensors")
    (folder / "adapter_model.safetensors").write_bytes(b"rubbish")

    assert [path.name for path in find_weight_files(folder)] == ["weights.safetensors"]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["llama.Q4_K_M.gguf"], "a GGUF file is named by itself"),
        (["llama.Q4_K_M.GGUF", "config.json"], "a GGUF file is named by itself"),
        (["adapter_model.safetensors", "adapter_config.json"], "only an adapter"),
        (["consolidated.00.safetensors", "params.json"], "in another layout"),
        (["consolidated.00.pth", "params.json"], "in another layout"),
        (["pytorch_model.bin", "config.json"], "only pickle weights"),
        (["model.safetensors.part", "config.json"], "a download that wasn't finished"),
        (["model-00001-of-00003.safetensors", "model-00003-of-00003.safetensors"], "lacks part 2 of 3"),
        (["model-00001-of-00001.safetensors", "model-00001-of-00002.safetensors"], "in 1 and in 2 parts"),
        (["config.json"], r"has no \*\.safetensors file"),
        (["inner/config.json", "inner/model.safetensors"], "its folder inner does"),
        (["notes.txt"], "holds no model"),
        ([], "holds no model"),
    ],
)
def test_a_folder_without_weights_says_what_it_has_instead(tmp_path, names, words):
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{}")

    with pytest.raises(ConfigError, match=words) as refused:
        find_weight_files(tmp_path)

    assert "\n" not in str(refused.value)
    if "config.json" not in names and not any(name.startswith("model-") for name in names):
        with pytest.raises(ConfigError, match=words):
            read_shape(tmp_path)


def test_a_link_whose_target_is_gone_is_named(folder):
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").symlink_to("../blobs/gone")

    with pytest.raises(ConfigError, match="links to files that are gone"):
        find_weight_files(folder)


def test_an_index_of_shards_that_are_gone_gives_way_to_the_whole(folder, caplog):
    (folder / INDEX_NAME).write_text('{"weight_map": {"model.norm.weight": "model-00001-of-00002.safetensors"}}')

    assert [path.name for path in find_weight_files(folder)] == ["model.safetensors"]
    assert "passed over" in caplog.text


def test_shards_of_an_index_are_found_once_each(tmp_path):
    folder = save_checkpoint(tmp_path, random_model(tiny_config()), num_shards=3)

    names = [file.name for file in find_weight_files(folder)]

    assert names == [f"model-{number:05}-of-00003.safetensors" for number in (1, 2, 3)]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("../model.safetensors", "points outside its folder"),
        ("/etc/model.safetensors", "points outside its folder"),
        ("sub/model.safetensors", "points outside its folder"),
        ("..\\model.safetensors", "points outside its folder"),
        (".hidden.safetensors", "points outside its folder"),
        ("pytorch_model.bin", "only safetensors files are loaded"),
    ],
)
def test_an_index_leads_nowhere_else(folder, name, words):
    (folder / INDEX_NAME).write_text(json.dumps({"weight_map": {"model.norm.weight": name}}))

    with pytest.raises(ConfigError, match=words):
        find_weight_files(folder)


def test_a_shard_that_is_missing_is_named(folder):
    (folder / "model.safetensors").unlink()
    (folder / INDEX_NAME).write_text('{"weight_map": {"model.norm.weight": "gone.safetensors"}}')

    with pytest.raises(ConfigError, match=r"gone\.safetensors is missing, though .* names it"):
        find_weight_files(folder)


def test_a_config_may_begin_with_a_byte_order_mark(folder):
    path = folder / "config.json"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())

    assert read_shape(folder).num_layers == 2


@pytest.mark.parametrize("content", ["{}", '{"weight_map": {}}', '{"weight_map": {"a": 1}}', "nonsense"])
def test_an_index_without_a_map_is_refused(folder, content):
    (folder / INDEX_NAME).write_text(content)

    with pytest.raises(ConfigError, match=r"index\.json"):
        find_weight_files(folder)
