"""Phrase patterns from text files: "(What is|What's) my {thing}(?|)" stands for every choice of its alternatives.

A file holds blocks, each behind a line `== name`. A line is a pattern, and `3*` before it counts three times. In a
pattern `(a|b)` is a choice and `{slot}` is filled: by the caller, from a word list, by a maker of values, or from the
block of that name. `{Slot}` begins with a capital, `{slot+s}` is the plural, `{3-99}` a number between both.
"""

import random
import re
import tomllib
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

FOLDER = Path(__file__).parent / "patterns"
Entry = TypeVar("Entry")
Maker = Callable[[random.Random], str]


class Slot(str):
    """The name of something that is filled in when a text is drawn."""

    __slots__ = ()


Node = str | Slot | tuple["Sequence", ...]
Sequence = list[Node]

_PART = re.compile(
    r"\\(?P<literal>.)|\{(?P<slot>[A-Za-z_][A-Za-z_0-9]*(?:\+s)?|\d+-\d+)\}|(?P<bracket>[()|])|(?P<text>[^\\{()|]+|.)"
)
_WEIGHT = re.compile(r"(\d+)\*(.*)", re.DOTALL)
makers: dict[str, Maker] = {}
"""Slots that are made by code; `values` puts its own here."""


def parse_pattern(pattern: str) -> Sequence:
    """The parts of a pattern: texts, slots, and choices as tuples of sequences.

    Raises:
        ValueError: a bracket is missing, or a bar stands outside of brackets.
    """
    stack: list[list[Sequence]] = [[[]]]
    for match in _PART.finditer(pattern):
        if not match["bracket"]:
            stack[-1][-1].append(Slot(match["slot"]) if match["slot"] else match["literal"] or match["text"])
        elif match["bracket"] == "(":
            stack.append([[]])
        elif len(stack) == 1:
            raise ValueError(f"{match['bracket']!r} outside of alternatives in {pattern!r}")
        elif match["bracket"] == "|":
            stack[-1].append([])
        else:
            choice = tuple(stack.pop())
            stack[-1][-1].append(choice)
    if len(stack) > 1:
        raise ValueError(f"unclosed bracket in {pattern!r}")
    return stack[0][0]


@cache
def read_table(name: str) -> dict[str, Any]:
    """A TOML file of this folder."""
    return tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))


def read_blocks(name: str) -> dict[str, list[str]]:
    """The blocks of a pattern file as lines; what stands above the first is a remark."""
    blocks: dict[str, list[str]] = {}
    title = ""
    for line in (FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("== "):
            title = line.removeprefix("== ")
            blocks[title] = []
        elif title and line.strip():
            blocks[title].append(line)
    return blocks


@cache
def patterns() -> dict[str, tuple[Sequence, ...]]:
    """Every block of every pattern file, parsed."""
    parsed: dict[str, tuple[Sequence, ...]] = {}
    for name in ("values", "tell", "ask", "talk", "statements", "personas", "habits"):
        for title, lines in read_blocks(name).items():
            if title in parsed:
                raise ValueError(f"two blocks are called {title!r}")
            sequences: list[Sequence] = []
            for line in lines:
                weighted = _WEIGHT.fullmatch(line)
                sequences += [parse_pattern(weighted[2] if weighted else line)] * (int(weighted[1]) if weighted else 1)
            parsed[title] = tuple(sequences)
    return parsed


@cache
def word_lists() -> dict[str, tuple[str, ...]]:
    """The word lists of words.txt."""
    return {title: tuple("|".join(lines).split("|")) for title, lines in read_blocks("words").items()}


def draw(block: str, rng: random.Random, slots: Mapping[str, str] | None = None, **more: str) -> str:
    """A text from a block of patterns. `slots` and keywords fill slots before anything else does."""
    parts: list[str] = []
    _walk(_one(patterns()[block], rng), rng, {**(slots or {}), **more}, parts)
    return "".join(parts)


def _walk(sequence: Sequence, rng: random.Random, slots: Mapping[str, str], parts: list[str]) -> None:
    for node in sequence:
        if isinstance(node, Slot):
            parts.append(slots[node] if node in slots else fill(node, rng))
        elif isinstance(node, str):
            parts.append(node)
        else:
            _walk(_one(node, rng), rng, slots, parts)


def _one(entries: tuple[Entry, ...], rng: random.Random) -> Entry:
    """One of the entries; several times as fast as `rng.choice`."""
    return entries[int(rng.random() * len(entries))]


def fill(slot: str, rng: random.Random) -> str:
    """A text for a slot that the caller left open."""
    if slot[0].isdigit():
        first, _, last = slot.partition("-")
        return str(rng.randint(int(first), int(last)))
    if slot.endswith("+s"):
        return plural(fill(slot[:-2], rng))
    if slot[0].isupper():
        text = fill(slot[0].lower() + slot[1:], rng)
        return text[:1].upper() + text[1:]
    if slot in makers:
        return makers[slot](rng)
    if slot in word_lists():
        return _one(word_lists()[slot], rng)
    return draw(slot, rng)


def plural(noun: str) -> str:
    """The plural of an English noun, near enough."""
    irregular = {"fish": "fish", "goldfish": "goldfish", "sheep": "sheep", "mouse": "mice", "goose": "geese"}
    if noun in irregular:
        return irregular[noun]
    if noun.endswith("y") and noun[-2:-1] not in tuple("aeiou"):
        return f"{noun[:-1]}ies"
    return f"{noun}es" if noun.endswith(("x", "s", "ch", "sh")) else f"{noun}s"


def article_fixed(text: str) -> str:
    """The text with "a" or "an" as the word behind it wants it; a mark of a value may stand between."""
    return re.sub(
        "\\b(a|an) (\x01?)([A-Za-z])",
        lambda match: f"{'an' if match[3].lower() in 'aeiou' else 'a'} {match[2]}{match[3]}",
        text,
    )
