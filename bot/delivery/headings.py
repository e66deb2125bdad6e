"""Headings as Discord can show them: it knows three sizes, and shows the marks of a smaller one as they are.

So a smaller one becomes bold. The answer is stored as the model wrote it; as in `tables`, this is only how it looks.
"""

import re

from bot.delivery.open_markup import OpenMarkup

LONGEST = 200
"""A longer line is no heading, and isn't held until its end has come."""
_PIECE = re.compile(r"[^\n]*\n|[^\n]+")
_MAY_BECOME_ONE = re.compile(r" {0,3}(?:#{0,3}|#{4,6}(?:[ \t].*)?)", re.DOTALL)
_HEADING = re.compile(r" {0,3}#{4,6}[ \t]+(?P<words>[^#\s].*?)[ \t]*(?:[ \t]#+[ \t]*)?")
_BOLD = re.compile(r"\*\*[^*]+\*\*")


class Headings:
    """Takes an answer in any pieces, and gives it back with its small headings in bold."""

    def __init__(self) -> None:
        self._line = ""
        """A line that may be a heading, as far as it came."""
        self._is_passing = False
        """Whether the line that runs is none, so that it needn't be held."""
        self._open_markup = OpenMarkup()

    def feed(self, text: str) -> str:
        """Take text; gives back what won't change any more."""
        return "".join(map(self._take, _PIECE.findall(text)))

    def finish(self) -> str:
        """Gives back the rest, since the text is complete; what comes later begins a line of its own."""
        line, self._line, self._is_passing = self._line, "", False
        return self._open_markup.note(self._shown(line))

    def _take(self, piece: str) -> str:
        self._line += piece
        is_whole = piece.endswith("\n")
        may_be_one = not self._is_passing and len(self._line) <= LONGEST and _MAY_BECOME_ONE.fullmatch(self._line)
        if may_be_one and not is_whole:
            return ""
        line, self._line = self._line, ""
        self._is_passing = not is_whole
        return self._open_markup.note(self._shown(line) if may_be_one else line)

    def _shown(self, line: str) -> str:
        heading = _HEADING.fullmatch(line.removesuffix("\n"))
        if heading is None or not self._open_markup.is_nothing_open():
            return line
        words = heading["words"]
        end = "\n" if line.endswith("\n") else ""
        if _BOLD.fullmatch(words):
            return words + end
        if "`" in words or words.endswith("\\") or "||" in words:
            return line
        if "*" not in words:
            return f"**{words}**{end}"
        return line if "_" in words else f"__{words}__{end}"
