"""Text files beside a question: put below its words with their names, each in a fence, and cut to the room there is.

What is cut off is gone: the conversation remembers what the model has read, and no more. All of a question may take
half of a prompt, so that the persona fits beside it, and the file is still there for what is asked about it next.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.conversation.chat_format import TurnEncoder
from bot.conversation.persona import MAX_PERSONA_TOKENS
from bot.conversation.sanitize import repair
from bot.conversation.tokenizer import encode
from bot.conversation.window import TokenBudget

_LONGEST_NAME = 100
_RESERVE = 64  # tokens for what the chat format and the asker's name take
_FENCES = re.compile("`{3,}")


@dataclass(frozen=True, slots=True)
class TextFile:
    """A file that was read, as text."""

    name: str
    text: str
    guessed_encoding: str = ""
    """What it was taken for, where it doesn't say itself how it is to be read."""


@dataclass(frozen=True, slots=True)
class Cut:
    """That of a file only the beginning is in the question: so many of its lines, or, without lines, characters."""

    name: str
    num_kept: int
    num_all: int
    is_lines: bool


def file_name(name: str) -> str:
    """A file's name as it may stand in a question: one short line, without backticks."""
    return " ".join(repair(name).replace("`", "'").split())[:_LONGEST_NAME] or "file"


def attached(names: Sequence[str]) -> str:
    """How files are named to the model that it doesn't get to read."""
    return "\n".join(f"[attached: {file_name(name)}]" for name in names)


def fenced(text: str) -> str:
    """`text` between two fences that are longer than any within it."""
    longest = max((len(match[0]) for match in _FENCES.finditer(text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}\n{text}\n{fence}"


def question_tokens(budget: TokenBudget) -> int:
    """How many tokens a question with its files may take."""
    half = budget.num_prompt_tokens // 2
    return min(half, budget.num_prompt_tokens - min(MAX_PERSONA_TOKENS, half) - _RESERVE)


def with_files(encoder: TurnEncoder, limit: int, words: str, files: Sequence[TextFile]) -> tuple[str, list[Cut]]:
    """The words with the files below them, within `limit` tokens where the words leave room; and what was cut.

    Each file may take an equal share, and what one leaves over is the next ones'. However long the words are, the files
    get a quarter of the limit: whether all of it fits is found out with the prompt.
    """
    parts, cuts = [words] if words else [], []
    left = max(limit - _cost(encoder, words), limit // 4)
    for number, file in enumerate(files):
        text, cut = _fitted(encoder, left // (len(files) - number), file)
        left -= _cost(encoder, text)
        parts.append(text)
        if cut is not None:
            cuts.append(cut)
    return "\n\n".join(parts), cuts


def _fitted(encoder: TurnEncoder, limit: int, file: TextFile) -> tuple[str, Cut | None]:
    """The file as it stands in the question: whole, or its first lines, or the beginning of its first line."""
    name, text = file_name(file.name), repair(file.text).strip("\n").rstrip()
    # More can't fit, whatever it is; so nothing longer is encoded.
    head = text[: (limit + 1) * encoder.longest_piece]
    if head == text and _cost(encoder, whole := _shown(name, "", text)) <= limit:
        return whole, None
    lines, num_lines = head.split("\n"), text.count("\n") + 1

    def first_lines(number: int) -> str:
        return _shown(name, f" (the first {number:,} of {num_lines:,} lines)", "\n".join(lines[:number]))

    def first_characters(number: int) -> str:
        return _shown(name, f" (the first {number:,} of {len(text):,} characters)", head[:number])

    number = _most(encoder, limit, min(len(lines), num_lines - 1), first_lines)
    if number:
        return first_lines(number), Cut(name, number, num_lines, is_lines=True)
    number = _most(encoder, limit, len(head), first_characters)
    return first_characters(number), Cut(name, number, len(text), is_lines=False)


def _most(encoder: TurnEncoder, limit: int, most: int, shown: Callable[[int], str]) -> int:
    """The largest number from 0 to `most` for which what is shown stays within the limit."""
    return bisect_right(range(1, most + 1), limit, key=lambda number: _cost(encoder, shown(number)))


def _shown(name: str, part: str, text: str) -> str:
    return f"{name}{part}:\n{fenced(text)}"


def _cost(encoder: TurnEncoder, text: str) -> int:
    return len(encode(encoder.tokenizer, encoder.format.tags.clean(text)))
