"""What the model has no answer for: questions about the world, requests, statements that tell nothing, pasted texts.

Whatever is close to a sentence of the evaluation's own lists is thrown away, so that those lists stay unseen.
"""

import random
import re
from functools import cache

from training.grammar import fill, makers
from training.noise import sentence
from training.probes import held_back_texts

_WORD = re.compile(r"[a-z0-9]+")
_MOST_WORDS = 16
_PASTES = ("salad", "salad", "salad", "code line", "log line", "short line", "number list", "statement", "odd_text")


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
    if len(said) > _MOST_WORDS:
        return False
    held = (other for word in said for other in _held_back().get(word, ()))
    return any(len(said & other) >= share * max(len(said), len(other)) for other in held)


def _apart(shares: dict[str, int], rng: random.Random) -> str:
    """A text of one of these slots that is not close to anything the evaluation asks."""
    for _ in range(20):
        text = fill(rng.choices(tuple(shares), tuple(shares.values()))[0], rng)
        if not is_held_back(text):
            break
    return text


def draw_question(rng: random.Random) -> str:
    """A question or a request that has no answer here."""
    return _apart({"real_question": 20, "wider question": 32, "question": 48}, rng)


def draw_statement(rng: random.Random) -> str:
    """A statement that tells nothing about whoever says it."""
    return _apart({"word_heap": 5, "real_remark": 15, "near miss": 44, "statement": 36}, rng)


def _word_heap(rng: random.Random) -> str:
    return " ".join(fill("any_word", rng) for _ in range(rng.randint(2, 12))) + rng.choice(("", ".", "?", "!"))


makers["word_heap"] = _word_heap


def draw_paste(rng: random.Random, most_tokens: int) -> str:
    """A pasted text without sense of about 20 to `most_tokens` tokens, mostly the longer."""
    fewest, most = (60, most_tokens) if rng.random() < 0.8 else (15, 100)
    num_characters = rng.randint(min(fewest, most_tokens), min(most, most_tokens)) * 2
    request = fill("before a paste", rng) if rng.random() < 0.4 else ""
    roll = rng.random()
    if roll < 0.15:
        unit = rng.choice((fill("any_word", rng), rng.choice("abcxyz!?.😂ahw"), fill("salad", rng)))
        text = rng.choice((" ", "", "\n")).join([unit] * max(6, num_characters // (len(unit) + 2)))[:num_characters]
    elif roll < 0.25:
        letters = rng.choice(("abcdefghijklmnopqrstuvwxyz", "asdfghjkl", "qwertyuiop ", "0123456789", "aA1+/bB2cC3xX"))
        text = "".join(rng.choice(letters) for _ in range(min(900, num_characters // 2)))
    else:
        block, parts = rng.choice(_PASTES), [""]
        script = fill("script", rng)
        while sum(len(part) * (1 if part.isascii() else 3) for part in parts) < num_characters:
            foreign = "".join(rng.choice(script) for _ in range(rng.randint(2, 7)))
            parts.append(sentence(fill(block, rng)) if roll < 0.9 else foreign)
        text = rng.choice((" ", "\n") if block != "code line" else ("\n",)).join(parts[1:])
    return (request + text).strip() or "..."
