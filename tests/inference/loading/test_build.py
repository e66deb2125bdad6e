"""Which devices a setting may name, and what a runner on the CPU is given."""

import pytest
import torch

from bot.errors import ConfigError
from bot.inference.loading.build import build_runner, settle_device
from tests.checkpoints import random_model, save_checkpoint, tiny_config
from tests.groups import with_transformers

pytestmark = with_transformers


@pytest.fixture
def folder(tmp_path):
    return save_checkpoint(tmp_path / "model", random_model(tiny_config(max_position_embeddings=128)))


def test_cpu_is_the_cpu_even_beside_a_card():
    assert settle_device("cpu") == torch.device("cpu")


def test_auto_takes_a_card_where_there_is_one():
    expected = torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")

    assert settle_device("auto") == expected


@pytest.mark.parametrize("name", ["", "gpu", "CPU", "cpu:0", "cuda:one", "cuda:-1", "cuda:1:2", "mps", "cuda 0"])
def test_a_name_of_no_device_is_refused_in_a_sentence_that_names_it(name):
    with pytest.raises(ConfigError) as refused:
        settle_device(name)

    assert refused.value.setting == "TRINITY_DEVICE"
    assert repr(name) in refused.value.problem
    assert "auto, cpu, cuda" in refused.value.problem


def test_a_card_that_is_not_there_is_refused_with_how_many_are():
    with pytest.raises(ConfigError) as refused:
        settle_device("cuda:99")

    assert refused.value.setting == "TRINITY_DEVICE"
    assert f"finds {torch.cuda.device_count()} CUDA cards" in refused.value.problem


def test_every_conversation_on_the_cpu_has_room_for_its_whole_window(folder):
    runner = build_runner(folder, "cpu", max_num_sequences=3)

    assert runner.context_window == 128
    assert runner.num_blocks == 3 * 128 // runner.block_size + 1


def test_a_wider_window_than_the_model_s_is_cut_to_it_and_a_narrower_one_counts(folder):
    assert build_runner(folder, "cpu", context_window=4096).context_window == 128
    assert build_runner(folder, "cpu", context_window=96).context_window == 96


def test_a_folder_without_a_tokenizer_is_refused_before_its_weights_are_read(folder):
    (folder / "tokenizer.json").unlink()
    (folder / "model.safetensors").write_bytes(b"not weights")

    with pytest.raises(ConfigError, match="tokenizer"):
        build_runner(folder, "cpu")


def test_a_start_says_how_many_tokens_and_conversations_there_is_room_for(folder, caplog):
    caplog.set_level("INFO")

    build_runner(folder, "cpu", max_num_sequences=3, num_blocks=6)

    assert "CPU: room for 160 tokens; conversations of up to 128, from 1 (the longest) to 3 (short ones)" in caplog.text
