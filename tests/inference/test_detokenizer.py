"""Text out of tokens, a piece at a time. The whole text is what the tokenizer itself decodes."""

import os
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from bot.inference.detokenizer import Detokenizer, TokenTexts
from tests.conversation.vocabularies import small_byte_level_vocabulary
from tests.inference.vocabulary import build_tokenizer

REAL_FOLDER = os.environ.get("LLAMA2_TOKENIZER")


class Vocabulary:
    """A tokenizer and its token texts, with a name short enough for a failed test's report."""

    def __init__(self, name: str, tokenizer: Tokenizer) -> None:
        self.name = name
        self.tokenizer = tokenizer
        self.texts = TokenTexts(tokenizer)
        tokenizer.encode_special_tokens = True

    def __repr__(self) -> str:
        return self.name

    def encode(self, text: str) -> list[int]:
        token_ids: list[int] = self.tokenizer.encode(text, add_special_tokens=False).ids
        return token_ids

    def decode(self, token_ids: list[int]) -> str:
        text: str = self.tokenizer.decode(token_ids)
        return text


TINY = Vocabulary("tiny", build_tokenizer())
REAL = Vocabulary("llama-2", Tokenizer.from_file(str(Path(REAL_FOLDER) / "tokenizer.json"))) if REAL_FOLDER else None
BYTE_LEVEL = Vocabulary("byte-level", small_byte_level_vocabulary())
everyone = pytest.mark.parametrize(
    "vocabulary",
    [
        TINY,
        pytest.param(
            REAL,
            marks=pytest.mark.skipif(
                REAL is None, reason="LLAMA2_TOKENIZER names no folder with Llama-2's tokenizer.json"
            ),
        ),
    ],
    ids=["tiny", "llama-2"],
)


def stream(vocabulary: Vocabulary, token_ids: list[int], *, is_continued: bool = False) -> list[str]:
    detokenizer = Detokenizer(vocabulary.texts, is_continued=is_continued)
    return [*map(detokenizer.push, token_ids), detokenizer.finish()]


def sentencepiece_decode(vocabulary: Vocabulary, token_ids: list[int]) -> str:
    """Character by character, as SentencePiece does: a bad byte spoils itself, not its neighbours."""
    text, run = "", b""
    pieces = [vocabulary.tokenizer.id_to_token(token_id) for token_id in token_ids if token_id > 2]
    for piece in [*pieces, ""]:
        if piece.startswith("<0x"):
            run += bytes([int(piece[3:5], 16)])
            continue
        while run:
            length = next((n for n in (1, 2, 3, 4) if _is_character(run[:n])), 0)
            text += run[:length].decode() if length else "\ufffd"
            run = run[length or 1 :]
        text += piece.replace("\u2581", " ")
    return text.removeprefix(" ")


def _is_character(sequence: bytes) -> bool:
    try:
        return len(sequence.decode()) == 1
    except UnicodeDecodeError:
        return False


emoji = st.sampled_from(["😀", "👨‍👩‍👧‍👦", "🏳️‍🌈", "👍🏽", "🇩🇪", "é", "e\u0301", "\u2581", "\ufffd"])
rare = st.characters(min_codepoint=0x3400, max_codepoint=0x9FFF) | st.characters(min_codepoint=0x10000)
anything = st.characters(exclude_categories=["Cs"])
texts_of_people = st.lists(
    emoji | rare | anything | st.sampled_from(["  ", "\n", " hello", "the ", "<s>", "</s>", "<0x41>"])
)


@everyone
@settings(max_examples=300, deadline=None)
@given(parts=texts_of_people)
@example(parts=["  two blanks"])
@example(parts=["\ufffd", "😀"])
def test_pieces_joined_are_the_text(vocabulary: Vocabulary, parts: list[str]) -> None:
    text = "".join(parts)
    token_ids = vocabulary.encode(text)

    pieces = stream(vocabulary, token_ids)

    assert "".join(pieces) == vocabulary.decode(token_ids) == text.replace("\u2581", " ")


@everyone
@settings(max_examples=300, deadline=None)
@given(parts=texts_of_people)
def test_every_piece_is_whole_characters_of_the_text(vocabulary: Vocabulary, parts: list[str]) -> None:
    token_ids = vocabulary.encode("".join(parts))
    text = vocabulary.decode(token_ids)

    shown = ""
    for piece in stream(vocabulary, token_ids):
        shown += piece
        assert text.startswith(shown)


@everyone
@settings(max_examples=300, deadline=None)
@given(choices=st.lists(st.integers(0, 499), max_size=40))
@example(choices=[3 + 0xF0, 3 + 0x9F, 300])
@example(choices=[3 + 0xE2, 3 + 0x82])
@example(choices=[0, 1, 2])
def test_any_tokens_give_what_sentencepiece_gives(vocabulary: Vocabulary, choices: list[int]) -> None:
    pieces = stream(vocabulary, choices)

    assert "".join(pieces) == sentencepiece_decode(vocabulary, choices)


@everyone
def test_emoji_of_four_bytes_appears_at_its_last(vocabulary: Vocabulary) -> None:
    token_ids = [3 + byte for byte in "🦜".encode()]

    assert stream(vocabulary, token_ids) == ["", "", "", "🦜", ""]


@everyone
def test_blanks_between_words_stay_and_the_first_goes(vocabulary: Vocabulary) -> None:
    token_ids = vocabulary.encode("hello there my friend")

    pieces = stream(vocabulary, token_ids)

    assert "".join(pieces) == "hello there my friend"
    assert any(piece.startswith(" ") for piece in pieces)


def test_broken_character_at_the_end_is_shown_as_such() -> None:
    assert stream(TINY, [3 + 0xF0, 3 + 0x9F]) == ["", "", "\ufffd\ufffd"]


def test_special_and_unknown_tokens_have_no_text() -> None:
    assert stream(TINY, [0, 1, 2, 99_999]) == [""] * 5


def test_special_token_inside_a_character_does_not_break_it() -> None:
    first, second = (3 + byte for byte in "é".encode())

    assert "".join(stream(TINY, [first, 2, second])) == "é"


@everyone
def test_a_completion_that_goes_on_with_a_text_keeps_its_first_blank(vocabulary: Vocabulary) -> None:
    token_ids = vocabulary.encode("hello there")

    assert "".join(stream(vocabulary, token_ids)) == "hello there"
    assert "".join(stream(vocabulary, token_ids, is_continued=True)) == " hello there"


@settings(max_examples=200, deadline=None)
@given(parts=texts_of_people)
@example(parts=["  two blanks", "\n\n"])
def test_bytes_joined_are_the_text_in_whole_characters(parts: list[str]) -> None:
    text = "".join(parts)

    shown = ""
    for piece in stream(BYTE_LEVEL, BYTE_LEVEL.encode(text)):
        shown += piece
        assert text.startswith(shown)
    assert shown == text


@settings(max_examples=200, deadline=None)
@given(choices=st.lists(st.integers(0, BYTE_LEVEL.tokenizer.get_vocab_size() + 3), max_size=40))
def test_any_byte_level_tokens_give_what_their_decoder_gives(choices: list[int]) -> None:
    assert "".join(stream(BYTE_LEVEL, choices)) == BYTE_LEVEL.decode(choices)


def test_byte_level_blanks_stay_also_the_first() -> None:
    assert "".join(stream(BYTE_LEVEL, BYTE_LEVEL.encode(" hello there"))) == " hello there"


def test_an_added_token_that_is_not_special_is_shown() -> None:
    tokenizer = small_byte_level_vocabulary(("<|im_end|>",))
    tokenizer.add_tokens(["<note é>"])
    vocabulary = Vocabulary("with a note", tokenizer)
    note, end = (tokenizer.token_to_id(token) for token in ("<note é>", "<|im_end|>"))

    assert "".join(stream(vocabulary, [note, end, note])) == "<note é><note é>"
