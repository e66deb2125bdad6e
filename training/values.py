"""Values that people tell: words, names, codes, other scripts; made so that copying is learnt, and no list.

A sixteenth of all values (by checksum) never occurs as a value in training; the evaluation draws from that sixteenth
only. Which of its makers a value comes from is written in patterns/values.txt.
"""

import random
import unicodedata
import zlib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from tokenizers import Tokenizer

import bot.demo_model
from bot.conversation.sanitize import speaker_name
from bot.conversation.tokenizer import END_ID, encode, load_tokenizer, plain_tokenizer
from training.grammar import Maker, fill, makers

MODEL_FOLDER = Path(bot.demo_model.__file__).parent
_FIRST_PIECE = 259
_MOST_BYTES = 10
"""As many as five letters of Greek or Cyrillic take."""
_UNCLEAR_BYTES = range(_MOST_BYTES + 1, _MOST_BYTES + 4)
"""Names so close to the border are not trained with: nobody could tell on which side they are."""


@cache
def tokenizer() -> Tokenizer:
    """The demonstration model's tokenizer, as the bot loads it."""
    return plain_tokenizer(load_tokenizer(MODEL_FOLDER))


def is_held_out(value: str) -> bool:
    """Whether a value belongs to the sixteenth that training never uses."""
    return zlib.crc32(value.strip().lower().encode()) % 16 == 0


@cache
def num_bytes(name: str) -> int:
    """How many tokens of a name are single bytes, because the vocabulary has no pieces for its letters."""
    return sum(END_ID < token < _FIRST_PIECE for token in encode(tokenizer(), name))


def is_spellable(name: str) -> bool:
    """Whether answers repeat a name: one with more letters in bytes than this is left out of them."""
    return num_bytes(name) <= _MOST_BYTES


@cache
def _pieces() -> tuple[str, ...]:
    """The vocabulary's pieces that are plain letters: each has to be met in values, or it can't be copied."""
    pieces = {piece.strip("\u2581") for piece in tokenizer().get_vocab()}
    return tuple(sorted(piece for piece in pieces if piece.isascii() and piece.isalpha()))


def script_word(rng: random.Random) -> str:
    """A few letters of another script."""
    letters = fill("script", rng)
    return "".join(rng.choice(letters) for _ in range(rng.randint(2, 6)))


def odd_text(rng: random.Random) -> str:
    """Signs and letters from anywhere in Unicode, as in decorated display names."""
    first, last = (int(point, 16) for point in fill("odd_range", rng).split("-"))
    drawn = (chr(rng.randint(first, last)) for _ in range(rng.choice((1, 2, 3, 5, 8))))
    text = "".join(sign for sign in drawn if unicodedata.category(sign)[0] in "LNS")
    return text or odd_text(rng)


def display_name(rng: random.Random) -> str:
    """A name as the bot would put it before a message in a channel."""
    name = speaker_name(fill("display_name", rng))
    return display_name(rng) if num_bytes(name) in _UNCLEAR_BYTES else name


makers.update(
    piece=lambda rng: rng.choice(_pieces()).lower(),
    script_word=script_word,
    odd_text=odd_text,
    first_name_lower=lambda rng: fill("first_name", rng).lower(),
)


@dataclass
class ValueSource:
    """Draws values; `held_out` chooses the evaluation's sixteenth."""

    rng: random.Random
    held_out: bool = False
    used: set[str] = field(default_factory=set)

    def pick(self, make: Maker | str) -> str:
        """One value of this side of the split, not yet used in this conversation where that can be had."""
        value = ""
        for attempt in range(200):
            value = (fill(make, self.rng) if isinstance(make, str) else make(self.rng)).strip()
            if value and is_held_out(value) == self.held_out and (attempt > 150 or value.lower() not in self.used):
                break
        else:
            while is_held_out(value) != self.held_out:
                value = fill("Made_word", self.rng)
        self.used.add(value.lower())
        return value
