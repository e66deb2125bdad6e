"""Values that people tell: words, names, codes, other scripts; made so that copying is learnt, and no list.

A sixteenth of all values (by checksum) never occurs as a value in training; the evaluation draws from that sixteenth
only. Which of its makers a value comes from is written in patterns/values.txt.
"""

import random
import string
import unicodedata
import zlib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from tokenizers import Tokenizer

import bot.demo_model
from bot.conversation.sanitize import speaker_name
from bot.conversation.tokenizer import END_ID, encode, load_tokenizer, plain_tokenizer
from training.grammar import Maker, fill, makers, word_lists

MODEL_FOLDER = Path(bot.demo_model.__file__).parent
_FIRST_PIECE = 259
_MOST_BYTES = 10
"""As many as five letters of Greek or Cyrillic take."""
_UNCLEAR_BYTES = range(_MOST_BYTES + 1, _MOST_BYTES + 4)
"""Names so close to the border are not trained with: nobody could tell on which side they are."""
_ODD_RANGES = (
    (0x1D400, 0x1D7CB), (0x1F130, 0x1F169), (0x2500, 0x27BF), (0x0E00, 0x0E5B), (0x0F00, 0x0FDA), (0x1680, 0x169C),
    (0xA4D0, 0xA4FF), (0x12000, 0x12399), (0x13000, 0x1342E), (0x4E00, 0x9FFF), (0x0600, 0x06FF), (0x1F300, 0x1FAFF),
    (0x00A1, 0x024F), (0xAC00, 0xD7A3),
)  # fmt: skip
"""Letters and signs that display names are decorated with, as ranges of code points."""


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
    """Whether a name is one that the model repeats: one with more letters in bytes than this is left out of answers."""
    return num_bytes(name) <= _MOST_BYTES


@cache
def _pieces() -> tuple[str, ...]:
    """The vocabulary's pieces that are plain letters: each has to be met in values, or it can't be copied."""
    pieces = {piece.strip("\u2581") for piece in tokenizer().get_vocab()}
    return tuple(sorted(piece for piece in pieces if piece.isascii() and piece.isalpha()))


def made_word(rng: random.Random) -> str:
    """A pronounceable word that nobody has seen, or one put together from the vocabulary's pieces."""
    if rng.random() < 0.45:
        return "".join(rng.choice(_pieces()).lower() for _ in range(rng.choice((1, 2, 2, 3))))
    syllables = rng.choice((1, 2, 2, 3))
    word = "".join(fill("onset", rng) + fill("vowel", rng) + fill("coda", rng) for _ in range(syllables))
    return word + (fill("name_ending", rng) if rng.random() < 0.4 else "")


def script_word(rng: random.Random) -> str:
    """A few letters of another script."""
    letters = rng.choice(word_lists()["script"])
    return "".join(rng.choice(letters) for _ in range(rng.randint(2, 6)))


def odd_text(rng: random.Random) -> str:
    """Signs and letters from anywhere in Unicode, as in decorated display names."""
    first, last = rng.choice(_ODD_RANGES)
    drawn = (chr(rng.randint(first, last)) for _ in range(rng.choice((1, 2, 3, 5, 8))))
    text = "".join(sign for sign in drawn if unicodedata.category(sign)[0] in "LNS")
    return text or odd_text(rng)


def _letters(alphabet: str, fewest: int, most: int) -> Maker:
    return lambda rng: "".join(rng.choice(alphabet) for _ in range(rng.randint(fewest, most)))


def _ordinal(rng: random.Random) -> str:
    number = rng.randint(1, 31)
    return f"{number}{'th' if 10 < number < 14 else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


def display_name(rng: random.Random) -> str:
    """A name as the bot would put it before a message in a channel."""
    name = speaker_name(fill("display_name", rng))
    return display_name(rng) if num_bytes(name) in _UNCLEAR_BYTES else name


makers.update(
    made_word=made_word,
    script_word=script_word,
    odd_text=odd_text,
    digits=_letters(string.digits, 1, 6),
    upper_code=_letters(string.ascii_uppercase + string.digits, 3, 8),
    lower_letters=_letters(string.ascii_lowercase, 3, 8),
    capital=_letters(string.ascii_uppercase, 1, 1),
    ordinal=_ordinal,
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
                value = made_word(self.rng).capitalize()
        self.used.add(value.lower())
        return value
