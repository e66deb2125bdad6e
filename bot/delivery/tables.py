"""Tables as Discord can show them: it knows none of Markdown's, so one becomes an aligned code block.

One that is too wide for that becomes a list, with an entry for each row. The answer is stored as the model wrote it;
what stands here is only how it looks, and depends on the text alone, not on how it arrives.

While a table grows, each row may widen its columns, so what is shown of it is replaced again and again: that is its
`tail`. Once it is long its widths are final, and so are the rows that were shown.

Backticks decide for people and for the output filter alike what is code. So a line is a row only if its backticks are
paired, and a table stays as it is where those before it aren't.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence

from bot.conversation.markup import SPAN
from bot.delivery.open_markup import OpenMarkup

WIDEST = 60
"""In columns; a block that is wider is folded, on a phone long before."""
FINAL_LENGTH = 1500
"""A table of so many characters keeps its widths: the message that shows it may be full."""

_LONGEST_HELD = 200
_LONGEST_FORMATTED = 1000
"""A longer cell makes a list in any case, and marks without an end would be looked for again and again."""
_PIECE = re.compile(r"[^\n]*\n|[^\n]+")
_MAY_BECOME_HEADER = re.compile(r" {0,3}(?:\|(?!\|).*)?", re.DOTALL)
_MAY_BECOME_ROW = re.compile(r" {0,3}(?:\|.*)?", re.DOTALL)
_DELIMITER = re.compile(r"\s*\|(?:\s*:?-+:?\s*\|)*\s*:?-+:?\s*\|?\s*")
_SEPARATOR = re.compile(r"(?<!\\)\|")
_SPOILER = re.compile(r"\|\|[^|\s][^|]*\|\|")
_FORMATTING = re.compile(
    r"(`{1,2})(?=\S)(.+?)(?<=\S)\1|(?<![0-9A-Za-z*_~])(\*{1,3}|__|~~)(?=\S)(.+?)(?<=\S)\3(?![0-9A-Za-z*_~])"
)
"""Within a word marks are what they look like: a product, a power or a name."""
_ESCAPE = re.compile(r"\\([^\w\s])")
_GAP = "  "
_FENCE = "```"
_ZERO_WIDTH_JOINER = "\u200d"
_EMOJI_STYLE = "\ufe0f"


class Tables:
    """Takes an answer in any pieces, and gives it back with its tables replaced."""

    def __init__(self) -> None:
        self._line = ""
        """A line that may be a table's, as far as it came."""
        self._is_passing = False
        """Whether the line that runs is none of a table's, so that it needn't be held."""
        self._header = ""
        """A line that begins a table if the next one says so."""
        self._table: _Table | None = None
        self._open_markup = OpenMarkup()

    @property
    def tail(self) -> str:
        """What is to be shown behind all that was given back, as long as nothing more comes."""
        if self._table is not None:
            return self._table.tail
        held = self._header + self._line
        return held if len(held) > _LONGEST_HELD else ""

    def feed(self, text: str) -> str:
        """Take text; gives back what won't change any more."""
        return "".join(settled for piece in _PIECE.findall(text) for settled in self._take(piece))

    def finish(self) -> str:
        """Gives back the rest, since the text is complete; what comes later begins a line of its own."""
        settled = "".join([*self._end_line(), *self._end_table()])
        self._is_passing = False
        return settled

    def _take(self, piece: str) -> Iterator[str]:
        """Take a line, or a part of one."""
        self._line += piece
        pattern = _MAY_BECOME_ROW if self._table or self._header else _MAY_BECOME_HEADER
        if self._is_passing or not pattern.fullmatch(self._line):
            yield from self._end_table()
            yield self._open_markup.note(self._line)
            self._is_passing, self._line = not piece.endswith("\n"), ""
        elif piece.endswith("\n"):
            yield from self._end_line()

    def _end_line(self) -> Iterator[str]:
        line, self._line = self._line, ""
        is_row = _is_row(line)
        if self._table is not None and is_row:
            yield from self._table.add(_cells(line))
        elif self._header and self._begins_table(line):
            self._table, self._header = _Table(_cells(self._header), _cells(line)), ""
            yield from self._table.begin()
        else:
            yield from self._end_table()
            if is_row:
                self._header = line
            else:
                yield self._open_markup.note(line)

    def _end_table(self) -> Iterator[str]:
        if self._table is not None:
            yield from self._table.end()
        elif self._header:
            yield self._open_markup.note(self._header)
        self._table, self._header = None, ""

    def _begins_table(self, line: str) -> bool:
        has_columns = _DELIMITER.fullmatch(line) is not None and len(_cells(line)) == len(_cells(self._header))
        return has_columns and self._open_markup.is_nothing_open()


class _Table:
    """One table: undecided at first, then a block whose widths are final, or a list."""

    def __init__(self, header: Sequence[str], delimiters: Sequence[str]) -> None:
        self._header = header
        self._alignments = delimiters
        self._rows: list[Sequence[str]] = []
        self._widths = [0] * len(header)
        self._is_list = False
        self._is_final = False
        self._widen(header)

    @property
    def tail(self) -> str:
        return "" if self._is_final else self._block()

    def begin(self) -> Iterator[str]:
        """What is settled already by the header."""
        self._is_list = self._is_final = self._is_too_wide
        yield ""

    def add(self, row: Sequence[str]) -> Iterator[str]:
        """Take a row; gives what is settled thereby."""
        # More cells than columns are no cells; what they say is said all the same.
        last = len(self._header) - 1
        row = [*row[:last], " | ".join(row[last:])]
        row += [""] * (len(self._header) - len(row))
        self._rows.append(row)
        if self._is_list:
            yield self._entry(row)
        elif self._is_final:
            yield self._aligned(row)
        else:
            self._widen(row)
            if self._is_too_wide:
                self._is_list = self._is_final = True
                yield "".join(map(self._entry, self._rows))
            elif len(block := self._block()) >= FINAL_LENGTH:
                self._is_final = True
                yield block

    def end(self) -> Iterator[str]:
        """What was left to be settled."""
        if not self._is_final:
            yield f"{self._block()}{_FENCE}\n"
        elif not self._is_list:
            yield f"{_FENCE}\n"
        elif not self._rows:
            yield f"| {' | '.join(self._header)} |\n"

    @property
    def _is_too_wide(self) -> bool:
        return sum(self._widths) + len(_GAP) * (len(self._widths) - 1) > WIDEST

    def _widen(self, row: Sequence[str]) -> None:
        self._widths = [max(width, width_of(_plain(cell))) for width, cell in zip(self._widths, row, strict=True)]

    def _block(self) -> str:
        rule = _GAP.join("-" * width for width in self._widths)
        return f"{_FENCE}\n{self._aligned(self._header)}{rule}\n{''.join(map(self._aligned, self._rows))}"

    def _aligned(self, row: Sequence[str]) -> str:
        places = zip(map(_plain, row), self._widths, self._alignments, strict=True)
        return _GAP.join(_padded(cell, width, alignment) for cell, width, alignment in places).rstrip() + "\n"

    def _entry(self, row: Sequence[str]) -> str:
        """A row as a part of a list."""
        # Nothing is taken out of a cell here: what it is escaped with, or code within, keeps it from being live.
        first = ": ".join(filter(None, (self._header[0], row[0])))
        lines = [f"{first}\n" if "*" in first else f"**{first}**\n"] if first else []
        for name, cell in zip(self._header[1:], row[1:], strict=True):
            if cell:
                lines.append(f"- {name}: {cell}\n" if name else f"- {cell}\n")
        return "".join(lines)


def width_of(text: str) -> int:
    """How many columns a text takes in a block: wide characters two, those that add to the one before them none."""
    width, is_joined = 0, False
    for place, character in enumerate(text):
        if character == _ZERO_WIDTH_JOINER:
            is_joined = True
        elif is_joined:
            is_joined = False
        elif (
            unicodedata.category(character) not in ("Mn", "Me", "Cf") and not "\U0001f3fb" <= character <= "\U0001f3ff"
        ):
            is_wide = unicodedata.east_asian_width(character) in "WF" or text[place + 1 : place + 2] == _EMOJI_STYLE
            width += 2 if is_wide else 1
    return width


def _is_row(line: str) -> bool:
    line = line.strip()
    has_paired_ticks = "`" not in SPAN.sub("", line) and "\\`" not in line and _FENCE not in line
    return line.startswith("|") and has_paired_ticks and not _SPOILER.search(line)


def _cells(line: str) -> list[str]:
    line = line.strip().removeprefix("|")
    cells = [" ".join(cell.split()) for cell in _SEPARATOR.split(line)]
    return cells[:-1] if len(cells) > 1 and not cells[-1] else cells


def _plain(cell: str) -> str:
    """A cell without formatting, which a block would show as it is written."""
    if len(cell) <= _LONGEST_FORMATTED:
        cell = _FORMATTING.sub(r"\2\4", cell)
    return _ESCAPE.sub(r"\1", cell).replace(_FENCE, "'''")


def _padded(cell: str, width: int, alignment: str) -> str:
    blanks = max(0, width - width_of(cell))
    match alignment.startswith(":"), alignment.endswith(":"):
        case True, True:
            left = blanks // 2
        case False, True:
            left = blanks
        case _:
            left = 0
    return " " * left + cell + " " * (blanks - left)
