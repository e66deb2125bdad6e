"""The part of Discord's markdown that pictures show: lines of words, each word in a style."""

import re
from dataclasses import dataclass, replace
from enum import Enum


@dataclass(frozen=True)
class Style:
    """How a word looks."""

    is_bold: bool = False
    is_italic: bool = False
    is_code: bool = False
    is_mention: bool = False


class Kind(Enum):
    """What a line is."""

    TEXT = "text"
    SMALL = "small"
    HEADING = "heading"
    QUOTE = "quote"
    BULLET = "bullet"
    CODE = "code"


@dataclass(frozen=True)
class Run:
    """Letters in one style."""

    text: str
    style: Style


@dataclass(frozen=True)
class Line:
    """A line, before it is wrapped."""

    kind: Kind
    runs: tuple[Run, ...]


_INLINE = re.compile(
    r"\\(?P<escaped>[\\`*_~|<>#@.-])"
    r"|(?P<ticks>`+)(?P<code>.+?)(?P=ticks)"
    r"|\*\*(?P<bold>.+?)\*\*"
    r"|\*(?P<italic>[^*\s][^*]*)\*"
    r"|\b_(?P<italic2>[^_]+)_\b"
    r"|<(?P<mention>[@#/][^<>]+)>"
    r"|\[(?P<label>[^\]]+)\]\((?P<link>[^)\s]+)\)"
)
_PREFIXES = (("-# ", Kind.SMALL), ("> ", Kind.QUOTE), ("- ", Kind.BULLET), ("* ", Kind.BULLET))
_HEADING = re.compile(r"#{1,3} ")
_FENCE = "```"


def lines_of(text: str) -> list[Line]:
    """The text's lines; those between fences are code, the fences themselves are not shown."""
    lines, is_code = [], False
    for raw in text.split("\n"):
        if raw.strip().startswith(_FENCE):
            is_code = not is_code
        elif is_code:
            lines.append(Line(Kind.CODE, (Run(raw, Style(is_code=True)),)))
        else:
            lines.append(_line(raw))
    return lines


def runs_of(text: str, style: Style = Style()) -> list[Run]:
    """A text's letters with their styles."""
    runs, position = [], 0
    for match in _INLINE.finditer(text):
        runs.append(Run(text[position : match.start()], style))
        runs += _formatted(match, style)
        position = match.end()
    runs.append(Run(text[position:], style))
    return [run for run in runs if run.text]


def _line(raw: str) -> Line:
    for prefix, kind in _PREFIXES:
        if raw.startswith(prefix):
            return Line(kind, tuple(runs_of(raw.removeprefix(prefix))))
    if heading := _HEADING.match(raw):
        return Line(Kind.HEADING, tuple(runs_of(raw[heading.end() :], Style(is_bold=True))))
    return Line(Kind.TEXT, tuple(runs_of(raw)))


def _formatted(match: re.Match[str], style: Style) -> list[Run]:
    if match["escaped"]:
        return [Run(match["escaped"], style)]
    if match["code"]:
        return [Run(match["code"], replace(style, is_code=True))]
    if match["bold"]:
        return runs_of(match["bold"], replace(style, is_bold=True))
    if match["mention"] or match["label"]:
        return [Run(match["mention"] or match["label"], replace(style, is_mention=True))]
    return runs_of(match["italic"] or match["italic2"], replace(style, is_italic=True))
