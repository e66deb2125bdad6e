"""What people do to a sentence: openings, endings, lower case, missing punctuation, a typo. Values are left alone."""

import random
import re
from collections.abc import Callable

from training.grammar import draw, read_table

VALUE = re.compile("\x01(.*?)\x02", re.DOTALL)
"""A value inside a drawn text stands between these two marks until the text is finished."""
_TYPING = read_table("typing")
ASKS_TO_REMEMBER, MAY_ASK_TO_REMEMBER, _AFTER_VALUE, _DROPPED = (
    re.compile(_TYPING[name], re.IGNORECASE)
    for name in ("asks_to_remember", "may_ask_to_remember", "after_value", "dropped")
)


def marked(value: str) -> str:
    """A value with its marks around it."""
    return f"\x01{value}\x02"


def plain(text: str) -> str:
    """The text without the marks around values."""
    return text.replace("\x01", "").replace("\x02", "")


def outside_values(text: str, change: Callable[[str], str]) -> str:
    """Applies a change to what lies between the values."""
    return "".join(part if at % 2 else change(part) for at, part in enumerate(re.split("(\x01.*?\x02)", text)))


def sentence(text: str) -> str:
    """The text with a capital at its beginning, unless it begins with a value."""
    return text[:1].upper() + text[1:]


def add_noise(text: str, rng: random.Random, kind: str = "", *, lower: bool = False) -> str:
    """A drawn text as somebody might type it, all in small letters if `lower`; marks around values stay in.

    `kind` is "statement" (something to remember), "claim" (a statement that tells nothing), "question", or empty.
    """
    if kind in ("statement", "claim") and rng.random() < 0.06:
        text = _DROPPED.sub("", text)
    if rng.random() < 0.3:
        opening = draw(f"{kind if rng.random() < 0.65 else ''} openings".strip(), rng)
        begins = opening.endswith((".", "!")) and rng.random() < 0.7
        keeps_first = begins or text.startswith(("I ", "I'", "\x01"))
        text = f"{opening} {sentence(text) if begins else text if keeps_first else text[:1].lower() + text[1:]}"
    roll = rng.random()
    if roll < 0.1 and kind:
        text = text.rstrip("?.! ") + draw(f"{kind} endings", rng)
    elif roll < 0.16:
        text = text.rstrip("?.! ") + draw("closings", rng) + rng.choice(("", "", "?" if kind == "question" else "."))
    if rng.random() < 0.06:
        pattern, replacement = rng.choice(list(_TYPING["casual"].items()))
        text = outside_values(text, lambda part: re.sub(pattern, replacement, part))
    if rng.random() < 0.08 and len(text) > 14:
        text = _typo(text, rng)
    return _case_and_punctuation(text, rng, lower=lower)


def _typo(text: str, rng: random.Random) -> str:
    """One slip in a word of four letters or more, outside of values."""
    hidden = VALUE.sub(lambda match: "\x00" * (len(match[0]) - 1) + "\x02", text)
    hidden = _AFTER_VALUE.sub(lambda match: "\x00" * len(match[0]), hidden)
    slippery = [word for word in re.finditer(r"[a-z]{4,}", hidden) if not MAY_ASK_TO_REMEMBER.search(word[0])]
    if not slippery:
        return text
    word = rng.choice(slippery)
    at = rng.randrange(word.start() + 1, word.end() - 1)
    slips = (
        text[:at] + text[at + 1 :],
        text[:at] + text[at] + text[at:],
        text[:at] + text[at + 1] + text[at] + text[at + 2 :],
        text[:at] + rng.choice(_TYPING["neighbours"].get(text[at], text[at])) + text[at + 1 :],
    )
    return rng.choice(slips)


def _case_and_punctuation(text: str, rng: random.Random, *, lower: bool) -> str:
    roll = rng.random()
    if lower or roll < 0.1:
        text = outside_values(text, str.lower)
    elif roll < 0.13:
        text = outside_values(text, str.upper)
    elif roll < 0.6:
        text = sentence(text)
    roll = rng.random()
    if roll < 0.2:
        text = text.rstrip("?.!")
    elif roll < 0.24:
        text = outside_values(text, lambda part: re.sub(r"(?<!^)'", "", part))
    elif roll < 0.27:
        text += rng.choice(("!", "!!", "??", "...", " :)", " 🙂", " !", " ?"))
    elif roll < 0.29:
        text = text.rstrip("?.!") + "?"
    return re.sub(" +", " ", text).strip()
