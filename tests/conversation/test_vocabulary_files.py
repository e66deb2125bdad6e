"""Vocabularies that come without a tokenizer.json. Those that were published are tried in test_goldens.py."""

import base64
import json
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from bot.conversation.sanitize import repair
from bot.conversation.tokenizer import encode, load_tokenizer
from bot.conversation.vocabulary_files import UnknownVocabularyFile, byte_level_tokenizer, read_vocabulary_file
from bot.errors import ConfigError
from bot.inference.loading.gguf_vocabulary import make_tokenizer
from tests.conversation.vocabularies import write_small_vocabulary

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, BYTE = 1, 2, 3, 4, 6
TRAINER = {3: 2, 35: 1}
"""BPE, with byte pieces."""
NORMALIZER = {4: 0}
"""It leaves blanks as they are."""


def number(value: int) -> bytes:
    written = b""
    while value > 0x7F:
        written += bytes([value & 0x7F | 0x80])
        value >>= 7
    return written + bytes([value])


def field(key: int, value: int | float | bytes) -> bytes:
    if isinstance(value, int):
        return number(key << 3) + number(value)
    if isinstance(value, float):
        return number(key << 3 | 5) + struct.pack("<f", value)
    return number(key << 3 | 2) + number(len(value)) + value


def message(fields: dict[int, int | float | bytes]) -> bytes:
    return b"".join(field(key, value) for key, value in fields.items())


def sentencepiece(pieces, trainer=TRAINER, normalizer=NORMALIZER) -> bytes:
    """A tokenizer.model of pieces, each with a score and a kind."""
    written = [field(1, message({1: text.encode(), 2: float(score), 3: kind})) for text, score, kind in pieces]
    return b"".join(written) + field(2, message(trainer)) + field(3, message(normalizer))


def small_pieces(folder: Path) -> list[tuple[str, float, int]]:
    content = json.loads(write_small_vocabulary(folder).read_text())["model"]
    kinds = {"<unk>": UNKNOWN, "<s>": CONTROL, "</s>": CONTROL}
    found = []
    for text, index in content["vocab"].items():
        kind = BYTE if text.startswith("<0x") else kinds.get(text, NORMAL)
        found.append((text, -float(index) if kind == NORMAL else 0.0, kind))
    return found


@pytest.fixture(scope="module")
def pair(tmp_path_factory) -> tuple[Tokenizer, Tokenizer]:
    """The same vocabulary as tokenizer.json and as tokenizer.model."""
    folder = tmp_path_factory.mktemp("vocabularies")
    original = load_tokenizer(write_small_vocabulary(folder))
    (folder / "model").mkdir()
    (folder / "model" / "tokenizer.model").write_bytes(sentencepiece(small_pieces(folder)))
    return original, load_tokenizer(folder / "model")


@settings(max_examples=60)
@given(
    text=st.text().map(repair) | st.lists(st.sampled_from(["Anna ", "favourite", " the", "count", "\n"])).map("".join)
)
def test_a_tokenizer_model_gives_the_same_ids_as_its_tokenizer_json(pair, text):
    original, converted = pair

    assert encode(converted, text) == encode(original, text)
    assert converted.decode(encode(converted, text), skip_special_tokens=False) == text.replace("▁", " ")


def test_a_gguf_files_vocabulary_of_sentencepiece_gives_the_same_ids(pair, tmp_path):
    texts, scores, kinds = zip(*small_pieces(tmp_path), strict=True)
    values = {"model": "llama", "pre": "default", "tokens": texts, "scores": scores, "token_type": kinds}

    made = make_tokenizer("tiny.gguf", {f"tokenizer.ggml.{name}": value for name, value in values.items()})

    text = "Anna asked: what is\n\n  your favourite \u2603?"
    assert encode(made, text) == encode(pair[0], text)
    assert made.get_vocab() == pair[0].get_vocab()


def test_control_tokens_of_a_tokenizer_model_are_control_tokens(pair):
    original, converted = pair

    assert converted.get_vocab() == original.get_vocab()
    assert {token.content for token in converted.get_added_tokens_decoder().values()} == {"<unk>", "<s>", "</s>"}


def test_tags_that_the_vocabulary_sets_apart_are_text_to_people(tmp_path):
    pieces = [*small_pieces(tmp_path), ("[DOC_1]", 0.0, USER_DEFINED)]
    (tmp_path / "tokenizer.json").unlink()
    (tmp_path / "tokenizer.model").write_bytes(sentencepiece(pieces))

    tokenizer = load_tokenizer(tmp_path)

    assert tokenizer.token_to_id("[DOC_1]") == len(pieces) - 1
    assert len(pieces) - 1 not in encode(tokenizer, "see [DOC_1]")


@pytest.mark.parametrize(
    ("trainer", "normalizer", "more", "words"),
    [
        ({3: 1, 35: 1}, NORMALIZER, [], "its algorithm is not BPE"),
        ({35: 1}, NORMALIZER, [], "its algorithm is not BPE"),
        ({3: 2}, NORMALIZER, [], "no byte pieces in use"),
        ({3: 2, 35: 1, 24: 1}, NORMALIZER, [], "blanks behind words"),
        (TRAINER, {}, [], "it takes blanks out of a text"),
        (TRAINER, {4: 0, 2: b"table"}, [], "it normalises text"),
        (TRAINER, {4: 0, 3: 0}, [], "no blank before a text"),
        (TRAINER, {4: 0, 5: 0}, [], "doesn't spell blanks"),
        (TRAINER, NORMALIZER, [("  ", 0.0, USER_DEFINED)], "a piece that goes before others: '  '"),
        (TRAINER, NORMALIZER, [("</s>", 0.0, NORMAL)], "it has a piece twice"),
    ],
)
def test_what_cannot_be_repeated_exactly_is_refused(tmp_path, trainer, normalizer, more, words):
    file = tmp_path / "tokenizer.model"
    file.write_bytes(sentencepiece([*small_pieces(tmp_path), *more], trainer, normalizer))

    with pytest.raises(UnknownVocabularyFile, match=words):
        read_vocabulary_file(file)


@pytest.mark.parametrize("keep", [0, 1, 40, 2000, -3])
def test_a_file_that_is_cut_off_is_refused(tmp_path, keep):
    whole = sentencepiece(small_pieces(tmp_path))
    (tmp_path / "tokenizer.json").unlink()
    (tmp_path / "tokenizer.model").write_bytes(whole[:keep])

    with pytest.raises(ConfigError, match=r"^TRINITY_MODEL: there is no tokenizer\.json in .* be converted: ") as no:
        load_tokenizer(tmp_path)

    assert "\n" not in str(no.value)


@given(content=st.binary(max_size=200))
def test_any_other_file_is_refused(tmp_path_factory, content):
    file = tmp_path_factory.getbasetemp() / "any.model"
    file.write_bytes(content)

    with pytest.raises(UnknownVocabularyFile):
        read_vocabulary_file(file)


def test_ranked_pieces_of_another_model_than_llama_3_are_refused(tmp_path):
    lines = [f"{base64.b64encode(bytes([byte])).decode()} {byte}" for byte in range(256)]
    (tmp_path / "tokenizer.model").write_text("\n".join(lines))

    with pytest.raises(UnknownVocabularyFile, match="it has 256 pieces; only Llama 3's 128000 are known"):
        read_vocabulary_file(tmp_path / "tokenizer.model")


def test_text_that_is_cut_in_an_unknown_way_is_refused():
    with pytest.raises(UnknownVocabularyFile, match="'falcon'"):
        byte_level_tokenizer({}, [], [], splits="falcon")


@pytest.mark.parametrize("splits", ["gpt-2", "smollm", "llama-3", "qwen2"])
def test_numbers_are_cut_as_the_vocabulary_says(splits):
    tokenizer = byte_level_tokenizer({}, [], [], splits=splits)

    cut = [piece for piece, _ in tokenizer.pre_tokenizer.pre_tokenize_str("a 12345")]

    assert (
        cut
        == {
            "gpt-2": ["a", "Ġ12345"],
            "smollm": ["a", "Ġ", "1", "2", "3", "4", "5"],
            "llama-3": ["a", "Ġ", "123", "45"],
            "qwen2": ["a", "Ġ", "1", "2", "3", "4", "5"],
        }[splits]
    )
