"""Phrase patterns: "(What is|What's) my {key}(?|)" stands for every choice of its alternatives.

A pattern is parsed once into nested tuples; a draw walks it. Slots in braces are filled by the caller.
"""

import random
from functools import cache

Node = str | tuple


def parse_pattern(pattern: str) -> list[Node]:
    """Parses a pattern into a sequence of texts and alternatives (tuples of sequences)."""
    sequence, end = _parse_sequence(pattern, 0, depth=0)
    if end != len(pattern):
        raise ValueError(f"unbalanced bracket in {pattern!r}")
    return sequence


def _parse_sequence(pattern: str, start: int, depth: int) -> tuple[list[Node], int]:
    sequence: list[Node] = []
    text_start = position = start
    while position < len(pattern):
        char = pattern[position]
        if char == "(":
            if text_start < position:
                sequence.append(pattern[text_start:position])
            choice, position = _parse_choice(pattern, position + 1, depth + 1)
            sequence.append(choice)
            text_start = position
        elif char in "|)":
            if not depth:
                raise ValueError(f"{char!r} outside of alternatives in {pattern!r}")
            break
        else:
            position += 1
    if text_start < position:
        sequence.append(pattern[text_start:position])
    return sequence, position


def _parse_choice(pattern: str, position: int, depth: int) -> tuple[tuple, int]:
    options = []
    while True:
        option, position = _parse_sequence(pattern, position, depth)
        if position >= len(pattern):
            raise ValueError(f"unclosed bracket in {pattern!r}")
        options.append(option)
        position += 1
        if pattern[position - 1] == ")":
            return tuple(options), position


def _walk(sequence: list[Node], rng: random.Random, parts: list[str]) -> None:
    for node in sequence:
        if isinstance(node, str):
            parts.append(node)
        else:
            _walk(node[int(rng.random() * len(node))], rng, parts)


@cache
def parse_block(block: str) -> tuple[list[Node], ...]:
    """Parses a block of patterns, one a line; a line that begins with `3*` counts three times."""
    patterns: list[list[Node]] = []
    for line in block.strip().splitlines():
        weight, star, pattern = line.partition("*")
        if star and weight.isdigit():
            patterns += [parse_pattern(pattern)] * int(weight)
        else:
            patterns.append(parse_pattern(line))
    return tuple(patterns)


def draw(block: str, rng: random.Random, **slots: str) -> str:
    """Draws one text from a block of patterns and fills its slots."""
    patterns = parse_block(block)
    parts: list[str] = []
    _walk(patterns[int(rng.random() * len(patterns))], rng, parts)
    text = "".join(parts)
    for name, value in slots.items():
        text = text.replace("{" + name + "}", value)
    return text


def word_list(text: str) -> list[str]:
    """The entries of a text in which bars and line ends stand between them."""
    return text.replace("\n", "|").split("|")
