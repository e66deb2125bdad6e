"""Values that people tell: words, names, codes, dates, other scripts; made so that copying is learnt, not a list.

A sixteenth of all values (by checksum) never occurs as a value in training; the evaluation draws from that sixteenth only.
"""

import random
import string
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

from bot.demo_model.training import lexicon_people as people
from bot.demo_model.training import lexicon_things as things
from bot.demo_model.training.chat_format import TOKENIZER_FILE
from bot.demo_model.training.lexicon_letters import CODAS, DAYS, EMOJI, ENDINGS, MONTHS, ONSETS, SCRIPTS, VOWELS


def is_held_out(value: str) -> bool:
    """True for the sixteenth of all values that training never uses."""
    return zlib.crc32(value.strip().lower().encode()) % 16 == 0


@cache
def vocabulary_pieces() -> tuple[str, ...]:
    """The letters-only pieces of the trained tokenizer; empty before there is one."""
    if not TOKENIZER_FILE.exists():
        return ()
    from tokenizers import Tokenizer

    pieces = {piece.strip("▁") for piece in Tokenizer.from_file(str(TOKENIZER_FILE)).get_vocab()}
    return tuple(sorted(p for p in pieces if p.isascii() and p.isalpha()))


@dataclass
class ValueSource:
    """Draws values; `held_out` chooses the evaluation's sixteenth."""

    rng: random.Random
    held_out: bool = False
    used: set[str] = field(default_factory=set)

    def pick(self, make: Callable[[random.Random], str]) -> str:
        """One value of this side of the split, not yet used in this conversation where that can be had."""
        value = ""
        for attempt in range(200):
            value = make(self.rng).strip()
            if is_held_out(value) == self.held_out and (attempt > 150 or value.lower() not in self.used):
                break
        else:
            while is_held_out(value) != self.held_out:
                value = made_word(self.rng).capitalize()
        self.used.add(value.lower())
        return value


def made_word(rng: random.Random) -> str:
    """A pronounceable word that nobody has seen, or one put together from the vocabulary's pieces."""
    pieces = vocabulary_pieces()
    if pieces and rng.random() < 0.45:
        return "".join(rng.choice(pieces).lower() for _ in range(rng.choice((1, 2, 2, 3))))
    syllables = rng.choice((1, 2, 2, 3))
    word = "".join(rng.choice(ONSETS) + rng.choice(VOWELS) + rng.choice(CODAS) for _ in range(syllables))
    return word + (rng.choice(ENDINGS) if rng.random() < 0.4 else "")


def made_name(rng: random.Random) -> str:
    return made_word(rng).capitalize()


def script_word(rng: random.Random) -> str:
    letters = rng.choice(SCRIPTS)
    return "".join(rng.choice(letters) for _ in range(rng.randint(2, 6)))


def letters_and_digits(rng: random.Random) -> str:
    kind = rng.random()
    if kind < 0.35:
        return "".join(rng.choice(string.digits) for _ in range(rng.choice((1, 2, 2, 3, 4, 4, 5, 6))))
    if kind < 0.6:
        return "".join(rng.choice(string.ascii_uppercase + string.digits) for _ in range(rng.randint(3, 8)))
    if kind < 0.8:
        return "".join(rng.choice(string.ascii_lowercase) for _ in range(rng.randint(3, 8)))
    return f"{rng.choice(string.ascii_uppercase)}{rng.choice('-/#.')}{rng.randint(1, 9999)}"


def user_name(rng: random.Random) -> str:
    word = rng.choice(things.VALUE_WORDS) if rng.random() < 0.5 else made_word(rng)
    kind = rng.random()
    if kind < 0.3:
        return f"{word}_{rng.randint(1, 999)}"
    if kind < 0.5:
        return word.capitalize() + rng.choice(things.VALUE_WORDS).capitalize()
    if kind < 0.65:
        return f"{word}{rng.randint(1, 9999)}"
    if kind < 0.75:
        return f"xX_{word}_Xx"
    if kind < 0.85:
        return f"{word}.{made_word(rng)}"
    return f"{rng.choice(('the', 'mr', 'lady', 'dark', 'not', 'real'))}{rng.choice(('_', '-', ''))}{word}"


def person(rng: random.Random) -> str:
    """A person's name as people tell it."""
    kind = rng.random()
    if kind < 0.42:
        return rng.choice(people.FIRST_NAMES)
    if kind < 0.72:
        return made_name(rng)
    if kind < 0.80:
        return f"{rng.choice(people.FIRST_NAMES)} {rng.choice(people.SURNAMES)}"
    if kind < 0.84:
        return f"{rng.choice(('Dr.', 'Captain', 'Sir', 'Lady', 'Professor', 'Old', 'Big', 'Queen'))} {made_name(rng)}"
    if kind < 0.87:
        return f"{made_name(rng)} the {rng.choice(things.ADJECTIVES).capitalize()}"
    return script_word(rng).capitalize() if kind < 0.93 else user_name(rng)


def display_name(rng: random.Random) -> str:
    """A name as it stands before a message in a channel: one line, 32 characters at most."""
    kind = rng.random()
    if kind < 0.4:
        name = rng.choice(people.FIRST_NAMES)
    elif kind < 0.52:
        name = rng.choice(people.FIRST_NAMES).lower()
    elif kind < 0.78:
        name = user_name(rng)
    elif kind < 0.9:
        name = person(rng)
    elif kind < 0.94:
        name = f"{person(rng)} {rng.choice(EMOJI)}"
    else:
        name = f"{made_name(rng)} {rng.choice(('(he/him)', '(she/her)', '[AFK]', '| mod', '#1', 'Jr.'))}"
    return name[:32].strip()


def place(rng: random.Random) -> str:
    return rng.choice(people.CITIES) if rng.random() < 0.55 else made_name(rng)


def word_or_two(rng: random.Random) -> str:
    words = [
        rng.choice(things.VALUE_WORDS) if rng.random() < 0.7 else made_word(rng)
        for _ in range(rng.choice((1, 1, 2, 2, 3)))
    ]
    return " ".join(words)


def title(rng: random.Random) -> str:
    joiner = rng.choice((" of the ", " and the ", " in ", " ", "'s ", ": "))
    head = rng.choice(things.VALUE_WORDS).title() if rng.random() < 0.6 else made_name(rng)
    tail = rng.choice(things.VALUE_WORDS).title() if rng.random() < 0.6 else made_name(rng)
    return ("The " if rng.random() < 0.4 else "") + head + joiner + tail


def ordinal(number: int) -> str:
    ending = "th" if 10 < number < 14 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def date(rng: random.Random) -> str:
    day, month = rng.randint(1, 28), rng.choice(MONTHS)
    forms = (
        f"{day} {month}",
        f"{month} {day}",
        f"{month} {ordinal(day)}",
        f"the {ordinal(day)} of {month}",
        f"{rng.randint(1950, 2030)}-{rng.randint(1, 12):02}-{day:02}",
        f"{rng.choice(DAYS)} at {rng.randint(1, 12)}",
        f"{rng.choice(DAYS)}",
        f"{day}/{rng.randint(1, 12)}/{rng.randint(1950, 2030)}",
    )
    return rng.choice(forms)


def anything(rng: random.Random) -> str:
    """Any value at all, for any property."""
    kind = rng.random()
    if kind < 0.22:
        return rng.choice(things.VALUE_WORDS)
    if kind < 0.40:
        return made_word(rng)
    if kind < 0.52:
        return made_name(rng)
    if kind < 0.62:
        return word_or_two(rng)
    if kind < 0.70:
        return title(rng)
    if kind < 0.82:
        return letters_and_digits(rng)
    if kind < 0.86:
        return date(rng)
    if kind < 0.92:
        return rng.choice(
            (rng.choice(things.FOODS), rng.choice(things.COLOURS), rng.choice(people.CITIES), person(rng))
        )
    if kind < 0.97:
        return script_word(rng)
    return rng.choice(EMOJI)


def one_of(words: list[str], *, known: float = 0.5) -> Callable[[random.Random], str]:
    """A maker that draws from a list some of the time and anything else for the rest."""

    def make(rng: random.Random) -> str:
        return rng.choice(words) if rng.random() < known else anything(rng)

    return make


def vehicle(rng: random.Random) -> str:
    """A car or the like, as people name theirs."""
    brand = rng.choice(things.VEHICLES) if rng.random() < 0.7 else made_name(rng)
    roll = rng.random()
    if roll < 0.2:
        return brand
    words = [brand]
    for _ in range(rng.choice((1, 1, 1, 2, 2)) if roll < 0.75 else 0):
        words.insert(
            0,
            rng.choice(
                (
                    *things.COLOURS,
                    "old",
                    "new",
                    "rusty",
                    "tiny",
                    "big",
                    "second-hand",
                    "fast",
                    "battered",
                    "vintage",
                    "electric",
                )
            ),
        )
    if roll > 0.6 and rng.random() < 0.4:
        words.append(str(rng.randint(1, 500)))
    first = words[0]
    return f"{'an' if first[0].lower() in 'aeiou' else 'a'} {' '.join(words)}"
