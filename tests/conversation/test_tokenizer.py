import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from bot.conversation.sanitize import repair
from bot.conversation.tokenizer import encode, load_tokenizer, read_tokenizer
from bot.errors import ConfigError
from tests.conversation.vocabularies import load_any_vocabulary, write_small_vocabulary

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


def test_a_folder_with_only_a_broken_tokenizer_model_is_refused_by_name(tmp_path):
    (tmp_path / "tokenizer.model").write_bytes(b"sentencepiece")

    with pytest.raises(ConfigError, match=r"its tokenizer\.model can't be converted: it is damaged"):
        load_tokenizer(tmp_path)


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"tokenizer\.json does not exist"):
        load_tokenizer(tmp_path / "nowhere")


def test_a_name_that_no_file_can_have_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"does not exist|can't be read"):
        load_tokenizer(tmp_path / f"{'x' * 300}.json")


def test_a_broken_file_is_refused(tmp_path):
    (tmp_path / "tokenizer.json").write_text("{}")

    with pytest.raises(ConfigError, match="can't be read"):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('"<s>": 1', '"<s>": 2', "have the same id"),
        ('"byte_fallback": true', '"byte_fallback": false', "no byte pieces"),
    ],
)
def test_another_vocabulary_is_refused(tmp_path: Path, old, new, problem):
    path = write_small_vocabulary(tmp_path)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))

    with pytest.raises(ConfigError, match=problem):
        load_tokenizer(tmp_path)


def test_prompts_are_made_without_transformers_and_torch():
    check = (
        "import sys, bot.conversation.window; sys.exit(bool({'torch', 'transformers', 'discord'} & set(sys.modules)))"
    )

    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


def _change(folder: Path, edit) -> None:
    path = write_small_vocabulary(folder)
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def _added(token_id: int, content: str, **flags: bool) -> dict:
    plain = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized", "special"), False)
    return {"id": token_id, "content": content, **plain, **flags}


FLAGS = [{}, {"normalized": True}, {"lstrip": True, "rstrip": True}, {"single_word": True}, {"special": True}]


@pytest.mark.parametrize("flags", FLAGS, ids=str)
def test_text_never_becomes_an_added_token_however_it_is_flagged(tmp_path, flags):
    size = Tokenizer.from_file(str(write_small_vocabulary(tmp_path))).get_vocab_size()
    plain = encode(load_tokenizer(tmp_path), "hello [PAD] there [PAD]")
    _change(tmp_path, lambda content: content["added_tokens"].append(_added(size, "[PAD]", **flags)))

    ids = encode(load_tokenizer(tmp_path), "hello [PAD] there [PAD]")
    raw_ids = encode(Tokenizer.from_file(str(tmp_path / "tokenizer.json")), "hello [PAD] there [PAD]")

    assert ids == raw_ids == plain


def test_an_added_token_that_the_model_writes_stays_visible(tmp_path):
    size = Tokenizer.from_file(str(write_small_vocabulary(tmp_path))).get_vocab_size()
    _change(tmp_path, lambda content: content["added_tokens"].append(_added(size, "<note>")))

    (token,) = (t for i, t in read_tokenizer(tmp_path).get_added_tokens_decoder().items() if i == size)

    assert not token.special


@pytest.mark.parametrize("is_special", [False, True])
def test_an_id_that_the_model_has_no_row_for_is_refused(tmp_path, is_special):
    size = Tokenizer.from_file(str(write_small_vocabulary(tmp_path))).get_vocab_size()
    _change(tmp_path, lambda content: content["added_tokens"].append(_added(size, "[PAD]", special=is_special)))

    with pytest.raises(ConfigError, match=rf"'\[PAD\]' has id {size}, and the model knows ids up to {size - 1}"):
        load_tokenizer(tmp_path, num_embeddings=size)
    assert load_tokenizer(tmp_path, num_embeddings=size + 1)
    assert load_tokenizer(tmp_path, num_embeddings=size + 64)


def test_ids_between_which_some_are_missing_are_fine(tmp_path):
    _change(tmp_path, lambda content: content["model"]["vocab"].update(zzz=5000))

    assert load_tokenizer(tmp_path, num_embeddings=5001).id_to_token(4000) is None


def _two_with_one_id(content):
    content["model"]["vocab"]["zzz"] = 300


def _without_a_byte(content):
    vocabulary = content["model"]["vocab"]
    vocabulary["<other>"] = vocabulary.pop("<0xF3>")


def _merge_to_an_added_token(content):
    content["model"]["vocab"] |= {"▁<": 5000, "▁<s": 5001, "▁<s>": 5002}
    content["model"]["merges"] += [["▁", "<"], ["▁<", "s"], ["▁<s", ">"]]
    content["added_tokens"].append(_added(5002, "▁<s>"))


def _lower_case(content):
    content["normalizer"]["normalizers"].append({"type": "Lowercase"})


def _blanks_of_gpt_2(content):
    content["normalizer"] = None
    content["pre_tokenizer"] = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}


def _damage_merges(content):
    content["model"]["merges"].append(["never", "heard of"])


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (_two_with_one_id, "have the same id"),
        (_without_a_byte, "no byte pieces"),
        (_merge_to_an_added_token, "whoever writes '<s>' would write a control token"),
        (_lower_case, "spell text in another way"),
        (_blanks_of_gpt_2, "spell text in another way"),
        (_damage_merges, "can't be read as a tokenizer"),
        (lambda content: content.update(model={"type": "WordPiece"}), "can't be read as a tokenizer"),
        (lambda content: content.pop("model"), "can't be read as a tokenizer"),
    ],
)
def test_a_vocabulary_of_another_kind_is_refused_in_a_line(tmp_path, edit, words):
    _change(tmp_path, edit)

    with pytest.raises(ConfigError, match=words) as refused:
        load_tokenizer(tmp_path)

    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 600


@pytest.mark.parametrize("content", [b"", b"\xff\xfe{\x00}\x00", b"[" * 200_000, b'{"version": "1.0", ', b"\x00" * 100])
def test_a_file_that_is_no_tokenizer_is_refused_in_a_line(tmp_path, content):
    (tmp_path / "tokenizer.json").write_bytes(content)

    with pytest.raises(ConfigError, match="can't be read as a tokenizer") as refused:
        load_tokenizer(tmp_path)

    assert "\n" not in str(refused.value)


def test_an_absurdly_large_file_is_not_read(tmp_path):
    with (tmp_path / "tokenizer.json").open("wb") as file:
        file.truncate(2**33)

    with pytest.raises(ConfigError, match="larger than any tokenizer"):
        load_tokenizer(tmp_path)


def test_a_byte_order_mark_is_passed_over(tmp_path):
    path = write_small_vocabulary(tmp_path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())

    assert encode(load_tokenizer(tmp_path), "hello")
