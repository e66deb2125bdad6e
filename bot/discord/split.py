"""Long text becomes messages: cut where a reader would cut, with every code block whole in each part.

A cut depends only on the text up to one character behind a full part, never on how the text arrives. So while an answer
streams in, the parts before the last one are final and can be sent; only the last one still grows.
"""

import re
import unicodedata
from dataclasses import dataclass

PART_UNITS = 1990
"""Discord takes 2,000; whether it counts code points or UTF-16 units isn't documented, so the larger count is used."""

_FENCE = "```"
_CLOSING = "\n```"
_LANGUAGE = re.compile(r"[A-Za-z0-9_+\-.#]{0,30}(?=\n)")
# The lookbehind lets a long run of dots be tried once, not at each of its dots.
_SENTENCE_END = re.compile(r"(?<![.!?…])[.!?…]++[\"'”’)\]*_]*+\s|[。！？]++[」』）”]*+")
# Joiners, the half-width voicing marks, and the vowels AM of Thai and Lao belong to the character before them.
_JOINERS = frozenset("\u200c\u200d\uff9e\uff9f\u0e33\u0eb3")
_PREPENDED = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\u0d4e\U000110bd\U000110cd")
_VIRAMA_CLASS = 9
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u2800\u3164\uffa0")


def utf16_length(text: str) -> int:
    """The number of UTF-16 units in `text`."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def is_blank(text: str) -> bool:
    """Whether nothing in `text` can be seen; Discord refuses such a message (error 50006)."""
    return not any(
        unicodedata.category(character)[0] not in "CZ"
        and character not in _INVISIBLE
        and not "\ufe00" <= character <= "\ufe0f"  # variation selectors
        for character in text
    )


@dataclass(frozen=True, slots=True)
class _Piece:
    """A stretch of the text; `opened_by` is the language of the code block it begins in, None outside of one."""

    text: str
    opened_by: str | None

    def scan(self) -> tuple[str | None, int]:
        """The language of the code block that the piece ends in, or None, and where that block opens (-1: before)."""
        language, start, place = self.opened_by, -1, self.text.find(_FENCE)
        while place >= 0:
            start = place
            match = _LANGUAGE.match(self.text, place + 3)
            language = (match[0] if match else "") if language is None else None
            place = self.text.find(_FENCE, place + 3)
        return language, start

    @property
    def is_blank(self) -> bool:
        """Whether the piece would be a message in which nothing can be read."""
        return is_blank(self._without_closing_fence().text)

    def render(self) -> str:
        """The piece as a message, with its code blocks closed and, where it begins in one, opened again."""
        return self._without_closing_fence()._render()

    def _without_closing_fence(self) -> "_Piece":
        """The piece without a fence that would only close the block that the part before has closed already."""
        text = self.text.lstrip()
        return self if self.opened_by is None or not text.startswith(_FENCE) else _Piece(text[len(_FENCE) :], None)

    def _render(self) -> str:
        ends_in_block = self.scan()[0] is not None
        head = "" if self.opened_by is None else f"{_FENCE}{self.opened_by}\n"
        body = self.text.strip() if self.opened_by is None else self.text.rstrip()
        return head + body + (_CLOSING if ends_in_block else "")


class Splitter:
    """Takes text in any pieces and keeps it as messages of at most `limit` UTF-16 units."""

    def __init__(self, limit: int = PART_UNITS) -> None:
        self._limit = limit
        self._done: list[str] = []
        self._rest = _Piece("", None)

    @property
    def parts(self) -> list[str]:
        """The messages so far, none of them blank; all but the last are final."""
        rest = [] if self._rest.is_blank else [self._rest.render()]
        return self._done + rest

    @property
    def ends_in_code_block(self) -> bool:
        """Whether a code block is still open."""
        return self._rest.scan()[0] is not None

    def feed(self, text: str) -> None:
        """Add text at the end."""
        pending, start, opened_by = self._rest.text + text, 0, self._rest.opened_by
        while (end := self._full_end(pending, start, opened_by)) is not None:
            window = _Piece(pending[start : end + 1], opened_by)
            cut = _cut_place(window, end - start)
            piece = _Piece(window.text[:cut], opened_by)
            if not piece.is_blank:
                self._done.append(piece.render())
            opened_by, start = piece.scan()[0], start + cut
        self._rest = _Piece(pending[start:], opened_by)

    def _full_end(self, text: str, start: int, opened_by: str | None) -> int | None:
        """Where a part that begins at `start` has to end at the latest; None while all the rest fits."""
        budget = self._limit - len(_CLOSING)
        if opened_by is not None:
            budget -= len(_FENCE) + len(opened_by) + 1
        window = text[start : start + budget + 1]
        if utf16_length(window) <= budget:
            return None
        units = 0
        for index, character in enumerate(window):
            units += 2 if character > "\uffff" else 1
            if units > budget:
                return start + index
        return None


def split(text: str, limit: int = PART_UNITS) -> list[str]:
    """`text` as messages of at most `limit` UTF-16 units."""
    splitter = Splitter(limit)
    splitter.feed(text)
    return splitter.parts


def _cut_place(window: _Piece, end: int) -> int:
    """The best place to cut at, in 1..end; `window` has one character more than may be kept."""
    place = next((place for place in _wished_places(window.text, end) if is_boundary(window.text, place)), 0)
    place = place or _last_boundary(window.text, end)
    language, opened_at = _Piece(window.text[:place], window.opened_by).scan()
    if language is not None and opened_at > 0 and not _has_code(window.text[opened_at:place]):
        # A block that would only be opened here begins in the next part instead.
        return opened_at if is_boundary(window.text, opened_at) else place
    return place


def _has_code(block: str) -> bool:
    """Whether anything stands behind the line that opens a block."""
    return not is_blank(block.partition("\n")[2])


def _wished_places(text: str, end: int) -> list[int]:
    """Behind the last paragraph, line, sentence and word, each only where the part is at least half full."""
    half = end // 2
    sentences = [match.end() for match in _SENTENCE_END.finditer(text, half, end)]
    words = [place + 1 for place in range(end - 1, half, -1) if text[place].isspace()][:1]
    paragraph, line = text.rfind("\n\n", half, end), text.rfind("\n", half, end)
    return [place for place in (paragraph + 2 if paragraph >= 0 else 0, line + 1, *sentences[-1:], *words) if place > 0]


def _last_boundary(text: str, end: int) -> int:
    """The last place up to `end` where no grapheme is cut; `end` where one grapheme fills the whole part."""
    return next((place for place in range(end, 0, -1) if is_boundary(text, place)), end)


def is_boundary(text: str, place: int) -> bool:
    """Whether `text` may be cut before `place`: not inside a grapheme (UAX 29, on the safe side) nor in a fence."""
    before, after = text[place - 1], text[place]
    if before == "`" == after or (before == "\r" and after == "\n"):
        return False
    if before.isascii() and after.isascii():
        return True
    return not (
        _extends(after)
        or before == "\u200d"
        or before in _PREPENDED
        or (unicodedata.combining(before) == _VIRAMA_CLASS and after.isalpha())
        or _is_inside_flag(text, place)
        or _is_inside_hangul(before, after)
    )


def _extends(character: str) -> bool:
    """Whether a character belongs to the one before it."""
    return (
        character in _JOINERS
        or unicodedata.category(character) in {"Mn", "Me", "Mc"}
        or "\U0001f3fb" <= character <= "\U0001f3ff"  # skin tones
        or "\U000e0020" <= character <= "\U000e007f"  # tags, as in the flag of Scotland
    )


def _is_inside_flag(text: str, place: int) -> bool:
    """Whether `place` is between the two regional indicators of a flag."""
    start = place
    while start > 0 and "\U0001f1e6" <= text[start - 1] <= "\U0001f1ff":
        start -= 1
    return (place - start) % 2 == 1 and "\U0001f1e6" <= text[place] <= "\U0001f1ff"


def _is_inside_hangul(before: str, after: str) -> bool:
    """Whether two characters can be parts of one Korean syllable: leading, then vowel, then trailing letters."""
    is_leading = "\u1100" <= before <= "\u115f" or "\ua960" <= before <= "\ua97c"
    is_leading_or_syllable = "\u1100" <= after <= "\u115f" or "\ua960" <= after <= "\ud7a3"
    is_vowel_or_trailing = "\u1160" <= after <= "\u11ff" or "\ud7b0" <= after <= "\ud7fb"
    return is_vowel_or_trailing or (is_leading and is_leading_or_syllable)
