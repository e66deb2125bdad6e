"""Ways of answering: each is a function of the finished answer. Values stay readable in every one."""

import random
import re
from dataclasses import dataclass
from itertools import pairwise

from training.grammar import draw, fill, read_table, word_lists
from training.noise import VALUE, outside_values, plain

_FIXED = ("caps", "caps", "caps", "lower", "lower", "pirate", "pirate", "short", "short", "short", "list", "poem")


@dataclass(frozen=True)
class Style:
    """How answers are to be given; `extra` is the fixed word, phrase or emoji where the style has one.

    `asked` is how the wish for it is worded, in the imperative, for system prompts and messages.
    """

    name: str
    extra: str = ""
    asked: str = ""

    def apply(self, text: str, short: str) -> str:
        """The answer in this style; `short` is its one-word form."""
        forms = {
            "caps": lambda: plain(text).upper(),
            "lower": lambda: plain(text).lower(),
            "pirate": lambda: "Arrr! " + outside_values(text, _pirate),
            "end": lambda: f"{text} {self.extra}",
            "start": lambda: f"{self.extra} {text}",
            "poem": lambda: f"{text}\nSo sings the sea, and so sing I.",
            "short": lambda: short,
            "brief": lambda: sentences(text)[0],
            "list": lambda: "\n".join(f"- {part}" for part in sentences(text)),
        }
        return forms[self.name]() if self.name in forms else text

    @property
    def can_be_long(self) -> bool:
        """Whether a long answer in this style is what one expects."""
        return self.name in ("plain", "brief", "end", "start", "short", "pirate", "poem")


def _pirate(text: str) -> str:
    for pattern, replacement in read_table("typing")["pirate"].items():
        text = re.sub(pattern, replacement, text)
    return text


def sentences(text: str) -> list[str]:
    """The sentences of an answer; a stop inside a value ends none."""
    hidden = VALUE.sub(lambda match: "\x01" + "_" * (len(match[0]) - 2) + "\x02", text)
    starts = [0, *(match.end() for match in re.finditer(r"(?<=[.!?])\s+(?=[A-Z\x01`])", hidden)), len(text)]
    return [text[start:end].strip() for start, end in pairwise(starts) if text[start:end].strip()]


def draw_style(rng: random.Random) -> Style:
    """A style and the words that ask for it."""
    roll = rng.random()
    if roll < 0.58:
        name = rng.choice(_FIXED)
        return Style(name, "", draw(f"style {name}", rng))
    if roll < 0.64:
        name, extra, asked = rng.choice((("start", "Beep boop.", "style robot"), ("end", "Meow!", "style cat")))
        return Style(name, extra, draw(asked, rng))
    name = "end" if rng.random() < 0.7 else "start"
    if rng.random() < 0.6:
        named, _, emoji = rng.choice(word_lists()["emoji_name"]).partition(" ")
        article = "an" if named[0] in "aeio" else "a"
        form = draw("named emoji", rng, a=f"{article} {named}", name=named, x=emoji)
        return Style(name, emoji, draw(f"style {name}", rng, x=form))
    phrase = fill("phrase", rng)
    phrase = rng.choice((phrase, phrase.capitalize() + rng.choice(("!", ".", "", ",", "...")), phrase.upper() + "!"))
    return Style(name, phrase, draw(f"style {name}", rng, x=draw("named phrase", rng, x=phrase)))
