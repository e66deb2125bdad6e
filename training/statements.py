"""What the model has no answer for: questions about the world, requests, statements that tell nothing, pasted texts.

Whatever is close to a sentence of the evaluation's own lists is thrown away, so that those lists stay unseen.
"""

import random
import re
from collections.abc import Callable
from functools import cache

from training.grammar import fill
from training.noise import sentence
from training.probes import held_back_texts

_WORD = re.compile(r"[a-z0-9]+")
_MOST_WORDS = 16


def words_of(text: str) -> frozenset[str]:
    """The words of a text, in any order."""
    return frozenset(_WORD.findall(text.lower().replace("'", "")))


@cache
def _held_back() -> dict[str, list[frozenset[str]]]:
    """The evaluation's own sentences as sets of words, under every longer word of theirs."""
    index: dict[str, list[frozenset[str]]] = {}
    for text in held_back_texts():
        for word in words_of(text):
            if len(word) > 3:
                index.setdefault(word, []).append(words_of(text))
    return index


def is_held_back(text: str, share: float = 0.79) -> bool:
    """Whether a text is, but for a word or so, one that the evaluation asks."""
    said = words_of(text)
    held = (other for word in said for other in _held_back().get(word, ()))
    return len(said) <= _MOST_WORDS and any(len(said & other) >= share * max(len(said), len(other)) for other in held)


def _apart(shares: dict[str, int], rng: random.Random) -> str:
    """A text of one of these slots that is not close to anything the evaluation asks."""
    for _ in range(20):
        text = fill(rng.choices(tuple(shares), tuple(shares.values()))[0], rng)
        if not is_held_back(text):
            break
    return text


def draw_question(rng: random.Random) -> str:
    """A question or a request that has no answer here."""
    return _apart({"real_question": 20, "wider question": 30, "question": 43, "odd signs": 7}, rng)


def draw_statement(rng: random.Random) -> str:
    """A statement that tells nothing about whoever says it."""
    return _apart({"word heap": 5, "real_remark": 15, "near miss": 44, "statement": 36}, rng)


def draw_paste(rng: random.Random, most_tokens: int) -> str:
    """A pasted text without sense of about 20 to `most_tokens` tokens, mostly the longer."""
    fewest, most = (60, most_tokens) if rng.random() < 0.8 else (15, 100)
    num_bytes = rng.randint(min(fewest, most_tokens), min(most, most_tokens)) * 2
    block, keys, letters, same = (fill(slot, rng) for slot in ("paste block", "keys", "script", "repeated unit"))
    between = "\n" if block == "code line" else rng.choice((" ", "\n"))
    make: Callable[[], str]
    make, joiner = rng.choices(
        (
            (lambda: same, rng.choice((" ", "", "\n"))),
            (lambda: rng.choice(keys), ""),
            (lambda: "".join(rng.choice(letters) for _ in range(rng.randint(2, 7))), between),
            (lambda: sentence(fill(block, rng)), between),
        ),
        (15, 10, 10, 65),
    )[0]
    text = ""
    while len(text.encode()) < (num_bytes if joiner else num_bytes // 2):
        text += make() + joiner
    return fill("before a paste", rng) + text.strip() if rng.random() < 0.4 else text.strip()
