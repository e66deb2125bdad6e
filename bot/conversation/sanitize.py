"""What people may not smuggle into a prompt: template tags, broken Unicode, names that speak for someone else.

A tag is what the model was trained to read as one: its exact spelling in capitals, in letters of any width or style,
also with invisible characters in it; `rows[inst]`, `<<sys>>` and `[ INST ]` are ordinary text. Tags are made inert by
swapping their brackets for others that no normal form maps back: `[INST]` reads `⟦INST⟧` and `<<SYS>>` reads `«SYS»`.
That also holds inside code, the one place where code is altered: the template's tags are text to the tokenizer,
so the model can't tell a quoted one from a real one. No letter is deleted, so whatever is stripped, decoded or
normalised later, no tag comes back. `<s>` and `</s>` need nothing here: they are tokens, which no text is encoded to.
"""

import re
import unicodedata
from functools import lru_cache

from bot.conversation.markup import INVISIBLE, name_key

FALLBACK_NAME = "someone"
MAX_NAME_LENGTH = 32
DEFAULT_OWN_NAME = "Trinity"
ROLE_NAMES = ("User", "Human", "Assistant", "System")
"""Names that a model, or a reader, takes for a part of the template rather than for a person."""

_REPLACEMENT = "\ufffd"
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")

# A tag is looked for in a copy of the text, folded character by character so that places stay the same: letters and
# brackets of any width and style become plain ones, and what can't be seen becomes _GAP.
_GAP = "\x00"
_BLANK_LETTERS = "\u115f\u1160\u2581\u2800\u3164\uffa0\ufffd\\"
_UNSEEN = re.compile(f"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f{INVISIBLE}]")
_INST = re.compile(r"(\[)\0*+(?:/\0*+)?I\0*+N\0*+S\0*+T\0*+(\])")
_SYS = re.compile(r"(<\0*+<)\0*+(?:/\0*+)?S\0*+Y\0*+S\0*+(>\0*+>)")
_BRACKETS = {"[": "⟦", "]": "⟧", "<": "«", ">": "»"}

_NAME_PUNCTUATION = frozenset("[]<>⟦⟧«»‹›`:\ua789\u02d0\u02f8\u2236\u0589\u05c3" + _BLANK_LETTERS)
_MAX_NAME_MARKS = 2


def repair(text: str) -> str:
    """Replace lone surrogates and NUL by U+FFFD: databases, tokenizers and log files each fail on them differently."""
    return _UNSTORABLE.sub(_REPLACEMENT, text)


def neutralise(text: str) -> str:
    """Make every `[INST]`, `[/INST]`, `<<SYS>>` and `<</SYS>>` in `text` inert; the rest stays as it is.

    Forms in other width, or with invisible characters between, count too. Doing it twice changes nothing more, and it
    takes time in proportion to the text's length.
    """
    if text.isascii() and "[" not in text and "<<" not in text:
        return text
    folded = _folded(text)
    swaps = [match.span(group) for tag in (_INST, _SYS) for match in tag.finditer(folded) for group in (1, 2)]
    if not swaps:
        return text
    pieces: list[str] = []
    end = 0
    for start, stop in sorted(swaps):
        pieces += text[end:start], _BRACKETS[folded[start]], text[start + 1 : stop - 1]
        end = stop
    return "".join(pieces) + text[end:]


def clean(text: str) -> str:
    """`text` as it may stand in a prompt: repaired, its tags inert, without blanks around it."""
    return neutralise(repair(text)).strip()


def has_visible_text(text: str) -> bool:
    """Whether a reader sees anything of `text`: it is not all blanks, controls and invisible characters."""
    return any(
        unicodedata.category(character)[0] not in "CZM" and character not in _BLANK_LETTERS for character in set(text)
    )


@lru_cache(maxsize=1024)
def speaker_name(name: str, own_name: str = DEFAULT_OWN_NAME) -> str:
    """`name` as it may stand before a message in a prompt (`NAME: text`).

    One line of at most 32 characters, without brackets, colons, control, direction or invisible characters. A name that
    passes for Trinity's own, for a role of the template, or that has nothing to read in it becomes "someone".
    """
    plain = _plain_name(name)
    taken = {name_key(other) for other in (own_name, DEFAULT_OWN_NAME, *ROLE_NAMES)}
    is_readable = any(unicodedata.category(character)[0] in "LNS" for character in plain)
    return plain if is_readable and name_key(plain) not in taken else FALLBACK_NAME


def _folded(text: str) -> str:
    return text.translate({ord(character): _fold(character) for character in set(text)})


def _fold(character: str) -> str:
    if _UNSEEN.match(character):
        return _GAP
    plain = unicodedata.normalize("NFKC", character)
    return plain if len(plain) == 1 else character


def _plain_name(name: str) -> str:
    whole = unicodedata.normalize("NFKC", repair(name))
    allowed = "".join(" " if character.isspace() else character for character in whole if _may_be_in_name(character))
    kept: list[str] = []
    num_marks = 0
    for character in unicodedata.normalize("NFKC", allowed):
        num_marks = num_marks + 1 if unicodedata.category(character)[0] == "M" else 0
        if num_marks <= _MAX_NAME_MARKS:
            kept.append(character)
    return " ".join("".join(kept).split())[:MAX_NAME_LENGTH].strip()


def _may_be_in_name(character: str) -> bool:
    return character.isspace() or (unicodedata.category(character)[0] != "C" and character not in _NAME_PUNCTUATION)
