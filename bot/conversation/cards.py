"""Character cards, as other programs make them: JSON by itself, or in a PNG; read into a persona, and written.

There are three versions. The first is a flat object; the second and the third have their fields in `data` and name
themselves in `spec`. In a PNG the JSON lies in base64 in a text chunk, `chara` for the first two and `ccv3` for the
third, before the image or behind it. Sources: github.com/malfoyslastname/character-card-spec-v2 and
github.com/kwaroran/character-card-spec-v3.

A file comes from anybody, so nothing in it is believed: no compressed chunk is opened, and what can't be read is
refused.
"""

import base64
import binascii
import json
import re
import struct
import unicodedata
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bot.conversation.chat_format import TurnEncoder
from bot.conversation.persona import MAX_PERSONA_NAME_LENGTH, Persona, prompt_cost
from bot.conversation.sanitize import repair
from bot.conversation.window import TokenBudget
from bot.errors import CardTooLong, UnreadableCard
from bot.words import Phrase, phrase

MAX_CARD_BYTES = 8 * 2**20
"""A file may have so many: a card's picture is often large."""
_MAX_JSON_BYTES = 2**20
_MAX_PROMPT_LENGTH = 100_000
"""In characters, far more than a persona may have: what is longer isn't worth counting its tokens."""
_PNG = b"\x89PNG\r\n\x1a\n"
_KEYWORDS = (b"ccv3", b"chara")
"""The newer version goes first: a card may have both."""
_MACRO = re.compile(r"\{\{\s*(char|user|original)\s*\}\}|<(bot|char|user)>", re.IGNORECASE)
_OURS = "trinity"
"""Our place in a card's `extensions`."""
_SEPARATOR = "\n\n"
_MAX_NAME_LENGTH = 100

NOT_A_CARD = phrase("card_unknown")
BROKEN = phrase("card_broken")
TOO_LARGE = phrase("card_too_large", limit=MAX_CARD_BYTES // 2**20)
COMPRESSED = phrase("card_compressed")
AMBIGUOUS = phrase("card_ambiguous")
NOTHING_IN_IT = phrase("card_empty")

_READ = ("system_prompt", "description", "personality", "scenario")
"""The fields that make the persona, in their order in its prompt."""
_UNREAD = ("first_mes", "mes_example", "post_history_instructions", "alternate_greetings", "character_book")
"""Fields that are text for a model too, and that a persona has no place for."""


@dataclass(frozen=True, slots=True)
class Card:
    """What a card says that a persona can use: a name, and texts by the names of their fields."""

    name: str
    fields: tuple[tuple[str, str], ...]
    unread: tuple[str, ...] = ()
    """Fields with something in them that is left out."""
    is_own: bool = False
    """It was written by `card_of`, so that its text is a prompt as it is."""

    @property
    def prompt(self) -> str:
        """The persona's prompt."""
        text = _SEPARATOR.join(text for _, text in self.fields)
        return text if self.is_own or self.name.casefold() in text.casefold() else f"Your name is {self.name}. {text}"

    @property
    def persona_name(self) -> str:
        """The card's name as a persona can have it; empty where nothing is left of it."""
        words = "".join(_word_character(character) for character in unicodedata.normalize("NFKC", self.name))
        return re.sub("-{2,}", "-", words)[:MAX_PERSONA_NAME_LENGTH].strip("-")


def read_card(content: bytes) -> Card:
    """The card in a file.

    Raises:
        UnreadableCard: there is none, or none that can be read.
    """
    if len(content) > MAX_CARD_BYTES:
        raise UnreadableCard(TOO_LARGE)
    text = _text_in_png(content) if content.startswith(_PNG) else content
    return _card_in(_parsed(text))


def fitting_prompt(card: Card, encoder: TurnEncoder, budget: TokenBudget) -> str:
    """The card's prompt, made sure that a persona may cost so much.

    Raises:
        CardTooLong: with what it costs, and which field costs most of it.
    """
    num_tokens, limit = prompt_cost(card.prompt, encoder, budget)
    if num_tokens > limit:
        costs = {name: prompt_cost(text, encoder, budget)[0] for name, text in card.fields}
        longest = max(costs, key=costs.__getitem__)
        raise CardTooLong(num_tokens, limit, longest, costs[longest])
    return card.prompt


def card_of(persona: Persona) -> str:
    """A persona as a card of the second version, which readers of the third take as well; the first's fields too."""
    fields = {
        "name": persona.name,
        "description": persona.prompt,
        "personality": "",
        "scenario": "",
        "first_mes": "",
        "mes_example": "",
    }
    data = {
        **fields,
        "creator_notes": "",
        "system_prompt": "",
        "post_history_instructions": "",
        "alternate_greetings": [],
        "tags": [],
        "creator": "",
        "character_version": "",
        "extensions": {_OURS: {"is_prompt": True}},
    }
    card = {"spec": "chara_card_v2", "spec_version": "2.0", "data": data, **fields}
    return json.dumps(card, ensure_ascii=False, indent=2)


def _text_in_png(content: bytes) -> bytes:
    """The card's JSON in a PNG's text chunks."""
    found: dict[bytes, bytes] = {}
    has_compressed = False
    for kind, data in _chunks(content):
        keyword, _, text = data.partition(b"\0")
        keyword = keyword.lower()
        if kind == b"tEXt" and keyword in _KEYWORDS:
            if found.setdefault(keyword, text) != text:
                raise UnreadableCard(AMBIGUOUS)
        elif keyword in _KEYWORDS:
            has_compressed = True
    for keyword in _KEYWORDS:
        if keyword in found:
            return _decoded(found[keyword])
    raise UnreadableCard(COMPRESSED if has_compressed else NOT_A_CARD)


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The text chunks of a PNG: their kind and what is in them. All others are passed over unread."""
    position = len(_PNG)
    while position < len(content):
        if position + 12 > len(content):
            raise UnreadableCard(BROKEN)
        length, kind = struct.unpack_from(">I4s", content, position)
        end = position + 12 + length
        if end > len(content):
            raise UnreadableCard(BROKEN)
        if kind == b"IEND":
            return
        if kind in (b"tEXt", b"zTXt", b"iTXt"):
            data = content[position + 8 : end - 4]
            if zlib.crc32(data, zlib.crc32(kind)) != struct.unpack_from(">I", content, end - 4)[0]:
                raise UnreadableCard(BROKEN)
            yield kind, data
        position = end


def _decoded(text: bytes) -> bytes:
    if len(text) > _MAX_JSON_BYTES * 4 // 3 + 4:
        raise UnreadableCard(phrase("card_text_too_large", limit=_MAX_JSON_BYTES // 2**10))
    try:
        return base64.b64decode(b"".join(text.split()), validate=True)
    except binascii.Error:
        raise UnreadableCard(BROKEN) from None


def _parsed(text: bytes) -> Mapping[str, Any]:
    if len(text) > _MAX_JSON_BYTES:
        raise UnreadableCard(phrase("card_text_too_large", limit=_MAX_JSON_BYTES // 2**10))
    try:
        parsed = json.loads(text.decode("utf-8-sig"))
    except (ValueError, RecursionError):  # not UTF-8, not JSON, a number of 5,000 digits; nested too deeply
        raise UnreadableCard(NOT_A_CARD) from None
    if not isinstance(parsed, dict):
        raise UnreadableCard(NOT_A_CARD)
    return parsed


def _card_in(card: Mapping[str, Any]) -> Card:
    inner = card.get("data")
    source = inner if isinstance(inner, dict) and str(card.get("spec", "")).startswith("chara_card_v") else card
    name = " ".join(_text(source, "name").split())[:_MAX_NAME_LENGTH]
    if not name or not any(isinstance(source.get(field), str) for field in _READ):
        raise UnreadableCard(NOT_A_CARD)
    extensions = source.get("extensions")
    ours = extensions.get(_OURS) if isinstance(extensions, dict) else None
    is_own = isinstance(ours, dict) and ours.get("is_prompt") is True
    texts = ((field, _text(source, field).strip()) for field in _READ)
    fields = tuple((field, text if is_own else _without_macros(text, name)) for field, text in texts if text)
    if not fields:
        raise UnreadableCard(NOTHING_IN_IT)
    if sum(len(text) for _, text in fields) > _MAX_PROMPT_LENGTH:
        raise UnreadableCard(phrase("card_text_too_large", limit=_MAX_PROMPT_LENGTH // 1000))
    return Card(name, fields, tuple(field for field in _UNREAD if source.get(field)), is_own)


def _text(source: Mapping[str, Any], field: str) -> str:
    value = source.get(field)
    return repair(value).replace("\r\n", "\n") if isinstance(value, str) else ""


def _without_macros(text: str, name: str) -> str:
    """A text with the character's name, and "the user", in place of the marks that stand for them."""

    def replaced(match: re.Match[str]) -> str:
        macro = (match[1] or match[2]).lower()
        return {"user": "the user", "original": ""}.get(macro, name)

    return _MACRO.sub(replaced, text).strip()


def _word_character(character: str) -> str:
    is_word = character.isalnum() or character in "-_" or unicodedata.category(character) in ("Mn", "Mc")
    return character if is_word else "-" if character.isspace() else ""


def unread_note(card: Card) -> Phrase | None:
    """What is said of the fields that are left out; None where there are none."""
    return phrase("card_fields_left", fields=", ".join(f"`{field}`" for field in card.unread)) if card.unread else None
