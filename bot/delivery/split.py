"""Long text becomes pages, the texts of one message each: cut where a reader would cut, code and formatting kept whole.

A cut depends only on the text up to one character behind a full page, never on how the text arrives. So while an answer
streams in, the pages before the last one are final and can be sent; only the last one still grows.

Formatting that would be cut in two (spoiler, bold, inline code, ...) begins in the next page instead; where it is
longer than half a page it is closed and opened again. Since its end may lie ahead, what counts is how it begins:
`**bold` is formatting, and `2 ** 3 || x` isn't. Emphasis ends with its paragraph, a spoiler does not.
"""

import re
import unicodedata
from dataclasses import dataclass

from bot.conversation.markup import SPAN

MESSAGE_UNITS = 1990
"""Discord takes 2,000; whether it counts code points or UTF-16 units isn't documented, so the larger count is used."""

_FENCE = "```"
CLOSING = "\n```"
_QUOTES = ("> ", ">>> ")
_LASTING = (">>> ", "||", _FENCE)
"""What goes on behind a paragraph's end."""
_MARKS = re.compile(r"\\[^\w\s]|(?P<line>\n+)|(?P<fence>```)|(?P<mark>`+|\|\||\*{1,3}|__|_|~~)")
_QUOTE = re.compile(r"(?:>>> |> )")
_MAX_INLINE_CLOSING = 16
"""Every mark once: ``***``, ``**``, ``*``, ``__``, ``_``, ``~~``, ``||`` and two backticks, and one to spare."""
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
class _Open:
    """Code block, quotation or formatting that has begun and not ended; `start` is -1 if a piece before began it."""

    mark: str
    language: str = ""
    start: int = -1
    is_sure: bool = True
    """False for a backtick that may be a mere character: no cut behind it, but it is not closed and opened again."""

    @property
    def opening(self) -> str:
        return f"{_FENCE}{self.language}\n" if self.mark == _FENCE else self.mark

    @property
    def closing(self) -> str:
        if self.mark == _FENCE:
            return CLOSING
        return "" if self.mark in _QUOTES else self.mark


@dataclass(frozen=True, slots=True)
class _Piece:
    """A stretch of the text; `opened` is what was begun before it, the outermost first."""

    text: str
    opened: tuple[_Open, ...] = ()

    def scan(self) -> tuple[_Open, ...]:
        """What is open at the piece's end."""
        opened = [_Open(was.mark, was.language) for was in self.opened]
        place = self._quote(0, opened) if not opened else 0
        while True:
            if opened and opened[-1].mark == _FENCE:
                end = self.text.find(_FENCE, place)
                if end < 0:
                    return tuple(opened)
                opened.pop()
                place = end + len(_FENCE)
            elif match := _MARKS.search(self.text, place):
                place = self._step(match, opened)
            else:
                return tuple(opened)

    def _step(self, match: re.Match[str], opened: list[_Open]) -> int:
        """Note in `opened` what a mark changes; returns where to go on."""
        if match["line"]:
            is_paragraph_end = len(match["line"]) > 1
            opened[:] = [was for was in opened if was.mark != "> " and (not is_paragraph_end or was.mark in _LASTING)]
            return self._quote(match.end(), opened)
        if match["fence"]:
            language = _LANGUAGE.match(self.text, match.end())
            opened.append(_Open(_FENCE, language[0] if language else "", match.start()))
            return match.end()
        if match["mark"] is None:
            return match.end()
        if match["mark"].startswith("`"):
            return self._step_over_code(match, opened)
        marks = [was.mark for was in opened]
        if match["mark"] in marks:
            if self._may_close(match):
                del opened[marks.index(match["mark"]) :]
        elif self._may_open(match):
            opened.append(_Open(match["mark"], start=match.start()))
        return match.end()

    def _step_over_code(self, match: re.Match[str], opened: list[_Open]) -> int:
        marks = [was.mark for was in opened]
        if match["mark"] in marks:
            del opened[marks.index(match["mark"]) :]
            return match.end()
        # Of two backticks that no two follow, Discord takes one to begin code, and the other belongs to it.
        if span := SPAN.match(self.text, match.start()) or SPAN.match(self.text, match.end() - 1):
            return span.end()
        is_sure = self._may_open(match)
        if not any(was.mark.startswith("`") for was in opened):
            opened.append(_Open(match["mark"], start=match.start(), is_sure=is_sure))
        return match.end()

    def _quote(self, place: int, opened: list[_Open]) -> int:
        """Note the quotation that begins at `place`, the beginning of a line."""
        match = _QUOTE.match(self.text, place)
        if match is None or any(was.mark == ">>> " for was in opened):
            return place
        opened.insert(0, _Open(match[0], start=place))
        return match.end()

    def _may_open(self, match: re.Match[str]) -> bool:
        before, after = self.text[match.start() - 1 : match.start()], self.text[match.end() : match.end() + 1]
        is_line_begin = before in ("", "\n") and match["mark"] == "||"
        return not before.isalnum() and (is_line_begin or (bool(after) and not after.isspace()))

    def _may_close(self, match: re.Match[str]) -> bool:
        before, after = self.text[match.start() - 1 : match.start()], self.text[match.end() : match.end() + 1]
        if match["mark"] == "||":
            return True
        return not before.isspace() and not (match["mark"].startswith("_") and after.isalnum())

    @property
    def is_blank(self) -> bool:
        """Whether the piece would be a message in which nothing can be read."""
        return is_blank(self._without_closings().text)

    def render(self, *, is_last: bool = False) -> str:
        """The piece as a message: its code blocks closed and, where it begins in one, opened again.

        So is its formatting; only what the last piece itself begins may be closed yet.
        """
        return self._without_closings()._render(is_last=is_last)

    def _without_closings(self) -> "_Piece":
        """The piece without marks that would only close what the page before has closed already."""
        text, opened = self.text, self.opened
        while opened:
            mark = opened[-1].mark
            stripped = text.lstrip()
            if mark in _QUOTES or not stripped.startswith(mark):
                break
            text, opened = stripped[len(mark) :], opened[:-1]
        return _Piece(text, opened) if opened != self.opened else self

    def _render(self, *, is_last: bool) -> str:
        is_in_block = any(was.mark == _FENCE for was in self.opened)
        head = "".join(was.opening for was in self.opened)
        body = self.text.rstrip() if is_in_block else self.text.strip()
        ends = [was for was in self.scan() if was.is_sure and (not is_last or was.mark == _FENCE or was.start < 0)]
        return head + body + "".join(was.closing for was in reversed(ends))


class Splitter:
    """Takes text in any pieces and keeps it as messages of at most `limit` UTF-16 units."""

    def __init__(self, limit: int = MESSAGE_UNITS) -> None:
        self._limit = limit
        self._done: list[str] = []
        self._rest = _Piece("")

    @property
    def pages(self) -> list[str]:
        """The pages so far, none of them blank; all but the last are final."""
        rest = [] if self._rest.is_blank else [self._rest.render(is_last=True)]
        return self._done + rest

    def pages_with(self, tail: str) -> list[str]:
        """The pages as they would be with some more text at the end."""
        if not tail:
            return self.pages
        other = Splitter(self._limit)
        other._done, other._rest = [*self._done], self._rest
        other.feed(tail)
        return other.pages

    @property
    def ends_in_code_block(self) -> bool:
        """Whether a code block is still open."""
        return any(was.mark == _FENCE for was in self._rest.scan())

    def feed(self, text: str) -> None:
        """Add text at the end."""
        pending, start, opened = self._rest.text + text, 0, self._rest.opened
        while (end := self._full_end(pending, start, opened)) is not None:
            window = _Piece(pending[start : end + 1], opened)
            cut = _cut_place(window, end - start)
            piece = _Piece(window.text[:cut], opened)
            if not piece.is_blank:
                self._done.append(piece.render())
            opened, start = tuple(was for was in piece.scan() if was.is_sure), start + cut
        self._rest = _Piece(pending[start:], opened)

    def _full_end(self, text: str, start: int, opened: tuple[_Open, ...]) -> int | None:
        """Where a page that begins at `start` has to end at the latest; None while all the rest fits."""
        budget = self._limit - len(CLOSING) - _MAX_INLINE_CLOSING
        budget -= sum(len(was.opening) for was in opened)
        window = text[start : start + budget + 1]
        if utf16_length(window) <= budget:
            return None
        units = 0
        for index, character in enumerate(window):
            units += 2 if character > "\uffff" else 1
            if units > budget:
                return start + index
        return None


def split(text: str, limit: int = MESSAGE_UNITS) -> list[str]:
    """`text` as messages of at most `limit` UTF-16 units."""
    splitter = Splitter(limit)
    splitter.feed(text)
    return splitter.pages


def _cut_place(window: _Piece, end: int) -> int:
    """The best place to cut at, in 1..end; `window` has one character more than may be kept."""
    place = next((place for place in _wished_places(window.text, end) if is_boundary(window.text, place)), 0)
    place = place or _last_boundary(window.text, end)
    for was in _Piece(window.text[:place], window.opened).scan():
        if was.start <= 0 or not is_boundary(window.text, was.start):
            continue
        is_empty_block = was.mark == _FENCE and not _has_code(window.text[was.start : place])
        if is_empty_block or (was.mark not in (_FENCE, *_QUOTES) and was.start > end // 2):
            # What would only be opened here begins in the next page instead.
            return was.start
    return place


def _has_code(block: str) -> bool:
    """Whether anything stands behind the line that opens a block."""
    return not is_blank(block.partition("\n")[2])


def _wished_places(text: str, end: int) -> list[int]:
    """Behind the last paragraph, line, sentence and word, each only where the page is at least half full."""
    half = end // 2
    sentences = [match.end() for match in _SENTENCE_END.finditer(text, half, end)]
    words = [place + 1 for place in range(end - 1, half, -1) if text[place].isspace()][:1]
    paragraph, line = text.rfind("\n\n", half, end), text.rfind("\n", half, end)
    return [place for place in (paragraph + 2 if paragraph >= 0 else 0, line + 1, *sentences[-1:], *words) if place > 0]


def _last_boundary(text: str, end: int) -> int:
    """The last place up to `end` where no grapheme is cut; `end` where one grapheme fills the whole page."""
    return next((place for place in range(end, 0, -1) if is_boundary(text, place)), end)


def is_boundary(text: str, place: int) -> bool:
    """Whether `text` may be cut before `place`: not inside a grapheme (UAX 29, on the safe side) nor in a fence."""
    before, after = text[place - 1], text[place]
    if (before == after and before in "`*_~|") or before == "\\" or (before == "\r" and after == "\n"):
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
