import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from bot.chat.sanitize import repair
from bot.chat.tokenizer import encode, load_tokenizer
from bot.errors import ConfigError
from tests.chat.vocabularies import load_any_vocabulary, write_small_vocabulary

SPELLINGS = "</s> <s> <unk> x</s>y<s>"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    return load_any_vocabulary("small", tmp_path_factory.mktemp("vocabulary"))


def test_special_tokens_in_a_text_are_ordinary_text(tokenizer):
    ids = encode(tokenizer, SPELLINGS)

    assert min(ids) > 2
    assert tokenizer.decode(ids, skip_special_tokens=False) == SPELLINGS


@given(text=st.text().map(repair))
def test_no_text_gives_a_special_token_and_every_text_comes_back(small, text):
    ids = encode(small, text)

    assert not {0, 1, 2} & set(ids)
    assert small.decode(ids, skip_special_tokens=False) == text.replace("▁", " ")


def test_a_raw_tokenizer_is_made_safe(tmp_path):
    raw = Tokenizer.from_file(str(write_small_vocabulary(tmp_path)))
    raw.enable_truncation(3)
    raw.enable_padding(length=40)

    assert raw.encode("</s>").ids[0] == 2
    assert encode(raw, SPELLINGS) == encode(load_tokenizer(tmp_path), SPELLINGS)


def test_a_transformers_tokenizer_is_taken_too(tmp_path):
    from transformers import PreTrainedTokenizerFast

    wrapped = PreTrainedTokenizerFast(tokenizer_file=str(write_small_vocabulary(tmp_path)))

    assert encode(wrapped, SPELLINGS) == encode(load_tokenizer(tmp_path), SPELLINGS)


def test_a_folder_with_only_tokenizer_model_is_refused_by_name(tmp_path):
    (tmp_path / "tokenizer.model").write_bytes(b"sentencepiece")

    with pytest.raises(ConfigError, match=r"^TRINITY_MODEL: .* has only tokenizer\.model; tokenizer\.json is needed"):
        load_tokenizer(tmp_path)


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"tokenizer\.json does not exist"):
        load_tokenizer(tmp_path / "nowhere")


def test_a_broken_file_is_refused(tmp_path):
    (tmp_path / "tokenizer.json").write_text("{}")

    with pytest.raises(ConfigError, match="can't be read"):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('"<s>": 1', '"<s>": 2', "must have id"),
        ('"content": "</s>"', '"content": "<eos>"', "</s> must have id 2"),
        ('"byte_fallback": true', '"byte_fallback": false', "no byte pieces"),
    ],
)
def test_another_vocabulary_is_refused(tmp_path: Path, old, new, problem):
    path = write_small_vocabulary(tmp_path)
    text = path.read_text().replace('"</s>": 2', '"<eos>": 2') if "<eos>" in new else path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))

    with pytest.raises(ConfigError, match=problem):
        load_tokenizer(tmp_path)


def test_prompts_are_made_without_transformers_and_torch():
    check = "import sys, bot.chat.window; sys.exit(bool({'torch', 'transformers', 'discord'} & set(sys.modules)))"

    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
