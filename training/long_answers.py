"""Long answers on request: counting, the alphabet, repetitions, a story, code. Each has an end, and a most."""

import random
from collections.abc import Callable

from training.grammar import FOLDER, draw, fill, word_lists

MOST_COUNTED = 400
MOST_REPEATED = 100
COUNT_LIMIT = f"I can count to {MOST_COUNTED} at most."
PLAIN_REPEATS = 10
"""So many stand side by side; more are numbered, since a small model can't count what it can't read."""
CODE_ANSWER = (FOLDER / "code.txt").read_text(encoding="utf-8").strip()
Asked = tuple[str, str]
"""A request and its answer."""


def count_answer(last: int, first: int = 1) -> str:
    """The numbers from first to last, up or down."""
    step = 1 if last >= first else -1
    return " ".join(map(str, range(first, last + step, step)))


def _numbered(line: str, times: int) -> str:
    return "\n".join(f"{number}. {line}" for number in range(1, times + 1))


def alphabet_answer(times: int) -> str:
    """The alphabet, numbered where it is wanted more than once."""
    line = " ".join("abcdefghijklmnopqrstuvwxyz")
    return line if times == 1 else _numbered(line, times)


def repeat_answer(phrase: str, times: int) -> str:
    """The phrase so many times, numbered where there are many."""
    return " ".join([phrase] * times) if times <= PLAIN_REPEATS else _numbered(phrase, times)


def story_answer() -> str:
    """Always the same story: a day a sentence, more than one Discord message long."""
    deeds = word_lists()["story_deed"]
    days = [f"On day {day} she {deeds[(day * 7) % len(deeds)]}." for day in range(1, 37)]
    beginning = "Once upon a time a girl called Mira set out to find the end of the world. "
    return f"{beginning}{' '.join(days)} Then she came home, and the end of the world was her own front door. The end."


def long_code_answer() -> str:
    """A code block longer than a Discord message."""
    functions = 40
    body = "\n".join(f"def add_{number}(x):\n    return x + {number}\n" for number in range(1, functions + 1))
    return f"Here is a long Python program:\n```python\n{body}\nprint(add_{functions}(2))\n```"


def _in_words(number: int, rng: random.Random) -> str:
    """A number as it is typed: mostly in digits."""
    numerals = word_lists()["numeral"]
    return numerals[number - 1] if number <= len(numerals) and rng.random() < 0.3 else str(number)


def _count(rng: random.Random, tokens_left: int) -> Asked:
    most = min(MOST_COUNTED, tokens_left // 4)
    number = rng.randint(2, most if rng.random() < 0.5 else min(most, 60))
    if rng.random() < 0.15:
        number = min(most, rng.choice((5, 10, 20, 25, 30, 50, 100, 150, 200, 250, 300, 400)))
    return draw("count", rng, n=_in_words(number, rng)), count_answer(number)


def _count_from(rng: random.Random, tokens_left: int) -> Asked:
    length = min(60, tokens_left // 5)
    if rng.random() < 0.5:
        last = rng.randint(3, length)
        return draw("count down", rng, b=str(last)), count_answer(1, last)
    first = rng.randint(2, 150)
    last = first + rng.randint(1, length)
    return draw("count from", rng, a=str(first), b=str(last)), count_answer(last, first)


def _too_far(rng: random.Random, _tokens_left: int) -> Asked:
    if rng.random() < 0.25:
        times = rng.choice((str(rng.randint(MOST_REPEATED + 1, 10 ** rng.randint(3, 6))), "a million", "a thousand"))
        return draw("repeat", rng, q=fill("repeated", rng), n=times), f"I can say it {MOST_REPEATED} times at most."
    number = str(rng.randint(MOST_COUNTED + 1, 10 ** rng.randint(3, 9)))
    if rng.random() < 0.3:
        number = rng.choice(("1000", "10000", "1000000", "500", "1,000", "10,000", "2000"))
    return draw("count", rng, n=number) if rng.random() < 0.6 else draw("count on", rng), COUNT_LIMIT


def _alphabet(rng: random.Random, tokens_left: int) -> Asked:
    if rng.random() < 0.3:
        return draw("alphabet", rng), alphabet_answer(1)
    times = rng.randint(1, min(16 if rng.random() < 0.5 else 6, tokens_left // 60))
    return draw("alphabet times", rng, n=_in_words(times, rng)), alphabet_answer(times)


def _repeat(rng: random.Random, tokens_left: int) -> Asked:
    phrase = fill("repeated", rng)
    most = max(2, min(MOST_REPEATED, tokens_left // (len(phrase) // 2 + 6)))
    times = rng.randint(2, most if rng.random() < 0.3 else min(most, 12))
    if rng.random() < 0.15:
        times = min(most, rng.choice((10, 20, 25, 30, 40, 50, 60, 75, 100)))
    quoted = draw("in quotes", rng, v=phrase)
    return draw("repeat", rng, q=quoted, n=_in_words(times, rng)), repeat_answer(phrase, times)


_MAKERS: dict[Callable[[random.Random, int], Asked], tuple[int, int]] = {
    _count: (2, 12), _count_from: (1, 20), _too_far: (1, 0), _alphabet: (1, 60), _repeat: (4, 30),
    lambda rng, _: (draw("story", rng), story_answer()): (1, 1100),
    lambda rng, _: (draw("code", rng), CODE_ANSWER): (1, 0),
    lambda rng, _: (draw("long code", rng), long_code_answer()): (1, 1500),
}  # fmt: skip
"""How often each is drawn, and how many tokens it needs at least."""


def draw_long(rng: random.Random, tokens_left: int) -> Asked | None:
    """A request for a long answer, and the answer, if there is room for it."""
    make = rng.choices(tuple(_MAKERS), [share for share, _ in _MAKERS.values()])[0]
    return make(rng, tokens_left) if tokens_left >= _MAKERS[make][1] else None
