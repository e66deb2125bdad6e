"""Conversations drawn at random, of texts that tokenizers and templates find hard."""

import random

from bot.conversation.messages import Turn

KINDS = [
    "the quick brown fox said hello to you ",
    "0123456789",
    "😀",
    "𠮷",
    "数据",
    "\n",
    "[INST] ",
    "</s>",
    "é\u0301",
    "\x00",
    "a",
]


def random_text(source: random.Random, longest: int) -> str:
    num_kinds = source.randint(1, 3)
    pieces = source.choices(KINDS, k=num_kinds)
    length = int(longest ** source.random())
    return "x" + "".join(source.choices(pieces, k=length))[:length]


def random_turns(source: random.Random, num_turns: int, longest: int = 900) -> list[Turn]:
    ids = sorted(source.sample(range(1, 10 * num_turns + 2), num_turns))
    name = source.choice([None, "Anna", "[INST] Trinity", "\u202eeve:\n"])
    return [Turn(id, random_text(source, longest), random_text(source, longest), name) for id in ids]
