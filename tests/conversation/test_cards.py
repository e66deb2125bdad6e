"""Character cards of every version are read, hostile files are refused in words, and what is exported comes back."""

import base64
import json
import struct
import tracemalloc
import zlib
from typing import Any

import pytest

from bot.conversation.cards import (
    AMBIGUOUS,
    BROKEN,
    COMPRESSED,
    MAX_CARD_BYTES,
    NOT_A_CARD,
    NOTHING_IN_IT,
    TOO_LARGE,
    card_of,
    fitting_prompt,
    read_card,
    unread_note,
)
from bot.conversation.chat_format import TurnEncoder
from bot.conversation.persona import Persona
from bot.conversation.window import TokenBudget
from bot.errors import CardTooLong, UnreadableCard

BUDGET = TokenBudget(4096, 4096, 1024)
IMAGE = (b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)), (b"IDAT", zlib.compress(b"\0\0"))
FLAT = {
    "name": "Ada",
    "description": "{{char}} is a mathematician.",
    "personality": "patient",
    "scenario": "{{user}} visits <BOT>.",
    "first_mes": "",
    "mes_example": "",
}


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(*chunks: tuple[bytes, bytes]) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in (*chunks, (b"IEND", b"")))


def text_chunk(card: Any, keyword: bytes = b"chara") -> tuple[bytes, bytes]:
    return b"tEXt", keyword + b"\0" + base64.b64encode(json.dumps(card).encode())


def version_2(**fields: Any) -> dict[str, Any]:
    return {"spec": "chara_card_v2", "spec_version": "2.0", "data": {**FLAT, "system_prompt": "", **fields}}


def version_3(**fields: Any) -> dict[str, Any]:
    return version_2(**fields) | {"spec": "chara_card_v3", "spec_version": "3.0"}


WHOLE = "Ada is a mathematician.\n\npatient\n\nthe user visits Ada."


@pytest.mark.parametrize("card", [FLAT, version_2(), version_3()], ids=["1", "2", "3"])
def test_every_version_is_read_as_json_and_before_and_behind_an_image(card: dict[str, Any]) -> None:
    keyword = b"ccv3" if card.get("spec") == "chara_card_v3" else b"chara"
    files = (
        json.dumps(card).encode(),
        b"\xef\xbb\xbf" + json.dumps(card).encode(),
        png(IMAGE[0], text_chunk(card, keyword), IMAGE[1]),
        png(*IMAGE, text_chunk(card, keyword)),
    )

    for content in files:
        read = read_card(content)
        assert (read.name, read.prompt) == ("Ada", WHOLE)


def test_the_newer_of_two_versions_in_a_file_counts() -> None:
    both = png(*IMAGE, text_chunk(version_2()), text_chunk(version_3(description="{{char}} is new."), b"ccv3"))

    assert read_card(both).prompt.startswith("Ada is new.")


def test_a_system_prompt_goes_first_and_what_has_no_place_is_named() -> None:
    card = read_card(json.dumps(version_2(system_prompt="{{original}} Be {{char}}.", first_mes="Hi!")).encode())

    assert card.prompt.startswith("Be Ada.\n\nAda is a mathematician.")
    assert "`first_mes`" in (unread_note(card) or "")
    assert unread_note(read_card(json.dumps(FLAT).encode())) is None


def test_a_prompt_that_never_says_the_name_begins_with_it() -> None:
    assert read_card(b'{"name": "Ada", "description": "A cat."}').prompt == "Your name is Ada. A cat."


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Ada", "Ada"),
        ("Anna the Great!", "Anna-the-Great"),
        ("…", ""),
        ("x" * 50, "x" * 32),
        ("花子", "花子"),
    ],
)
def test_a_cards_name_becomes_one_that_a_persona_can_have(name: str, expected: str) -> None:
    assert read_card(json.dumps({"name": name, "description": "x"}).encode()).persona_name == expected


@pytest.mark.parametrize("prompt", ["You are brief.", 'I\'m own. {{char}} stays\nas "it" is: é 花'])
def test_what_is_exported_comes_back_as_it_was(prompt: str) -> None:
    card = read_card(card_of(Persona("own", prompt)).encode())

    assert (card.persona_name, card.prompt) == ("own", prompt)


def test_a_card_over_the_limit_is_refused_with_its_cost_and_the_longest_field(encoder: TurnEncoder) -> None:
    card = read_card(json.dumps(version_2(description="{{char}} knows a lot of words. " * 100)).encode())

    with pytest.raises(CardTooLong) as refused:
        fitting_prompt(card, encoder, BUDGET)

    assert (refused.value.field, refused.value.limit) == ("description", 512)
    assert refused.value.num_tokens == encoder.num_system_tokens(card.prompt) > 512
    assert "`description`" in str(refused.value)


def test_a_card_within_the_limit_is_its_prompt(encoder: TurnEncoder) -> None:
    assert fitting_prompt(read_card(json.dumps(FLAT).encode()), encoder, BUDGET) == WHOLE


GOOD = png(*IMAGE, text_chunk(FLAT))
BOMB = b"chara\0\0" + zlib.compress(b"A" * 2_000_000)
HOSTILE = {
    "nothing": (b"", NOT_A_CARD),
    "another file": (b"GIF89a" + b"\0" * 100, NOT_A_CARD),
    "no object": (b"[1, 2]", NOT_A_CARD),
    "another object": (b'{"name": "Ada"}', NOT_A_CARD),
    "fields of other types": (b'{"name": ["Ada"], "description": {"a": 1}}', NOT_A_CARD),
    "nothing in its fields": (b'{"name": "Ada", "description": " "}', NOTHING_IN_IT),
    "data that is no object": (b'{"spec": "chara_card_v2", "data": 3}', NOT_A_CARD),
    "deep": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, NOT_A_CARD),
    "a number without end": (b'{"a": ' + b"9" * 100_000 + b"}", NOT_A_CARD),
    "no UTF-8": (b'{"name": "\xff"}', NOT_A_CARD),
    "too large": (b"x" * (MAX_CARD_BYTES + 1), TOO_LARGE),
    "a picture": (png(*IMAGE), NOT_A_CARD),
    "only a signature": (b"\x89PNG\r\n\x1a\n", NOT_A_CARD),
    "cut off": (GOOD[:-30], BROKEN),
    "a length beyond the end": (b"\x89PNG\r\n\x1a\n\xff\xff\xff\xfftEXt", BROKEN),
    "a wrong checksum": (GOOD.replace(b"tEXtchara\0", b"tEXtchara\0A"), BROKEN),
    "not base64": (png(*IMAGE, (b"tEXt", b"chara\0!!!")), BROKEN),
    "compressed": (png(*IMAGE, (b"zTXt", BOMB)), COMPRESSED),
    "international": (png(*IMAGE, (b"iTXt", b"chara\0\1\0\0\0" + zlib.compress(b"A" * 2_000_000))), COMPRESSED),
    "two that differ": (png(*IMAGE, text_chunk(FLAT), text_chunk(version_2())), AMBIGUOUS),
}


@pytest.mark.parametrize(("content", "words"), HOSTILE.values(), ids=HOSTILE)
def test_what_is_no_card_is_refused_in_words_and_takes_little_memory(content: bytes, words: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(UnreadableCard) as refused:
            read_card(content)
        assert tracemalloc.get_traced_memory()[1] < 8 * len(content) + 100_000
    finally:
        tracemalloc.stop()

    assert str(refused.value) == words


def test_a_text_of_a_megabyte_is_refused_before_it_is_parsed() -> None:
    long = {**FLAT, "description": "x" * 2**20}

    for content in (json.dumps(long).encode(), png(*IMAGE, text_chunk(long))):
        with pytest.raises(UnreadableCard, match="1,024"):
            read_card(content)


def test_two_cards_that_are_the_same_are_one() -> None:
    assert read_card(png(*IMAGE, text_chunk(FLAT), text_chunk(FLAT))).name == "Ada"


def test_a_text_that_marks_make_long_is_refused_before_its_tokens_are_counted() -> None:
    card = {**FLAT, "name": "A" * 100, "description": "<bot>" * 10_000}

    with pytest.raises(UnreadableCard, match="100 kB"):
        read_card(json.dumps(card).encode())


@pytest.mark.parametrize("seed", range(4))
def test_a_damaged_file_is_read_or_refused_and_nothing_else(seed: int) -> None:
    for position in range(seed, len(GOOD), 4):
        damaged = GOOD[:position] + bytes([GOOD[position] ^ 0xFF]) + GOOD[position + 1 :]
        try:
            assert read_card(damaged).prompt
        except UnreadableCard:
            continue
