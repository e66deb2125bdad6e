"""Takes out of what the model says the characters that nobody sees, or that harm what stands around them."""

import re
import unicodedata

from bot.conversation.sanitize import has_visible_text, repair

_LINE_BREAKS = str.maketrans(dict.fromkeys("\x0b\x0c\x85\u2028\u2029", "\n"))
_UNWANTED = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f\r"  # C0 and C1
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f"  # direction
    "\u200b\u2060-\u2064\ufeff"  # blanks without width; the joiners stay, since emoji and Persian need them
    "\u00ad\u180e\ufff9-\ufffb\U000e0000-\U000e00ff]"  # soft hyphens, annotations, and tags, which can spell a text
)
# Three flags are spelled in tags behind a black one: those of England, Scotland and Wales.
_BLACK_FLAG = "\U0001f3f4"
_FLAGS = [
    _BLACK_FLAG + "".join(chr(0xE0000 + ord(letter)) for letter in f"{region}\x7f")
    for region in ("gbeng", "gbsct", "gbwls")
]
_FLAG_OR_UNWANTED = re.compile(f"(?P<flag>{'|'.join(_FLAGS)})|{_UNWANTED.pattern}")
_FLAG_BEGUN = re.compile(f"{_BLACK_FLAG}[\U000e0061-\U000e007a]{{0,5}}\\Z")
# Most pieces of text hold nothing that has to go or to be replaced: one look tells.
_MAY_CHANGE = re.compile(f"{_UNWANTED.pattern[:-1]}{''.join(map(chr, _LINE_BREAKS))}\ud800-\udfff]")
_MAX_MARKS = 8
MAX_UNSEEN = 200
"""More invisible characters before the first visible one are left out."""


class CharacterFilter:
    """Takes out characters that are invisible or harmful, and all but the first marks on a letter."""

    def __init__(self) -> None:
        self._num_marks = 0
        self._held = ""
        """What may become a flag with the characters that follow."""
        self._unseen: str | None = ""
        """What came before the first character that can be seen; None from that on."""

    def feed(self, text: str, *, is_last: bool = False) -> str:
        if self._held or _BLACK_FLAG in text:
            text = self._held + text
            begun = None if is_last else _FLAG_BEGUN.search(text)
            self._held = begun[0] if begun else ""
            text = text.removesuffix(self._held)
        if _MAY_CHANGE.search(text):
            text = _FLAG_OR_UNWANTED.sub(lambda match: match["flag"] or "", repair(text).translate(_LINE_BREAKS))
        if text.isascii():
            self._num_marks = 0 if text else self._num_marks
        else:
            text = "".join(filter(self._is_kept, text))
        if self._unseen is None:
            return text
        if not has_visible_text(text):
            self._unseen = (self._unseen + text)[:MAX_UNSEEN]
            return ""
        text, self._unseen = self._unseen + text, None
        return text

    def _is_kept(self, character: str) -> bool:
        category = unicodedata.category(character)
        if category[0] == "M":
            self._num_marks += 1
        elif category != "Cf":  # a joiner between marks starts no new letter
            self._num_marks = 0
        return self._num_marks <= _MAX_MARKS or category == "Cf"
