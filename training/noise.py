"""What people do to a sentence: openings, endings, lower case, missing punctuation, a typo. Values are left alone."""

import random
import re
from collections.abc import Callable

from training.grammar import draw

VALUE = re.compile("\x01(.*?)\x02", re.DOTALL)
"""A value inside a drawn text stands between these two marks until the text is finished."""
ASKS_TO_REMEMBER = re.compile(
    r"remember|\bnote\b|keep in mind|don.?t forget|bear in mind|\bsave\b|\bstore\b|memo|"
    r"(write|jot|put|note) (this |that |it |)down",
    re.IGNORECASE,
)
MAY_ASK_TO_REMEMBER = re.compile(
    r"mind|aware|future|later|your words|my words|record|register|memor|forget|save|store|\bnote|keep|log this|write|"
    r"down|need it|learn|remember",
    re.IGNORECASE,
)
"""What may be a wish to remember something: left without slips, since an answer can depend on it."""
_AFTER_VALUE = re.compile("\x02[^,.;:!?\x00]*")
"""What follows a value without a stop between: with a slip nobody could tell where the value ends."""
_DROPPED = re.compile(
    r"^(I|I've|I have|I'm|I am|I was|We|We've|We have|My) "
    r"(?=(live\b|living|lived|moved|relocated|work|working|employed|"
    r"born|raised|grew|from\b|originally|speak|drive|hate|love|like|enjoy|collect|study|got\b|been\b|come\b|turned|adopted|"
    r"allergic|based|named|called|bought|just|also|have\b|can't|don't|favou?rite|fav\b|birthday|hobby|job|dog|cat|name\b))",
    re.IGNORECASE,
)
"""The first word, which people leave out: "moved to ...", "born in ...", "favourite film is ..."."""
_CASUAL = (
    (r"\byou\b", "u"), (r"\byour\b", "ur"), (r"\bare\b", "r"), (r"\bplease\b", "pls"), (r"\b[Ww]hat is\b", "whats"),
    (r"\bbecause\b", "cuz"), (r"\bto you\b", "to u"), (r"\bfavou?rite\b", "fav"), (r"\bI( am|'m)\b", "im"),
)  # fmt: skip
_NEIGHBOURS = {
    "a": "sq", "e": "wr", "i": "uo", "o": "ip", "n": "bm", "t": "ry", "s": "ad", "r": "et", "h": "gj", "u": "yi",
}  # fmt: skip


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
    """A drawn text as somebody might type it; marks around values stay in.

    Args:
        text: what was drawn.
        rng: decides.
        kind: "statement" (something to remember), "claim" (a statement that tells nothing), "question", or empty.
        lower: all is typed in small letters.
    """
    if kind in ("statement", "claim") and rng.random() < 0.06:
        text = _DROPPED.sub("", text)
    if rng.random() < 0.3:
        opening = _opening(kind if rng.random() < 0.65 else "", rng)
        begins = opening.endswith((".", "!")) and rng.random() < 0.7
        text = f"{opening} {sentence(text) if begins else _lower_first(text)}"
    roll = rng.random()
    if roll < 0.1 and kind:
        text = text.rstrip("?.! ") + _ending(kind, rng)
    elif roll < 0.16:
        text = text.rstrip("?.! ") + draw("closings", rng) + rng.choice(("", "", "?" if kind == "question" else "."))
    if rng.random() < 0.06:
        pattern, replacement = rng.choice(_CASUAL)
        text = outside_values(text, lambda part: re.sub(pattern, replacement, part))
    if rng.random() < 0.08 and len(text) > 14:
        text = _typo(text, rng)
    return _case_and_punctuation(text, rng, lower=lower)


def _opening(kind: str, rng: random.Random) -> str:
    if kind == "statement" and rng.random() < 0.2:
        return draw("remember openings", rng)
    blocks = {"statement": "statement openings", "claim": "statement openings", "question": "question openings"}
    return draw(blocks.get(kind, "openings"), rng)


def _ending(kind: str, rng: random.Random) -> str:
    if kind == "question":
        return draw("question endings", rng)
    return draw("memory endings" if kind == "statement" and rng.random() < 0.3 else "statement endings", rng)


def _lower_first(text: str) -> str:
    return text if text[:2] in ("I ", "I'") or text[:1] == "\x01" else text[:1].lower() + text[1:]


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
        text[:at] + rng.choice(_NEIGHBOURS.get(text[at], text[at])) + text[at + 1 :],
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
