"""Texts that repeat themselves: loops that small models really fell into, and honest ones that only look like it.

`loops.jsonl` and `endings.jsonl` are SmolLM2-135M-Instruct's (Apache 2.0, 4-bit weights) at temperature 0: of its
answers to 70 prompts the first never ended, and are cut at 420 tokens; the others ended. Four more that went on and on
aren't among them: two count without repeating a word (primes, a table of years), two had only begun their loops.
"""

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

CHARACTERS_PER_TOKEN = 3.6
"""About what a Llama vocabulary makes of such texts."""
_FOLDER = Path(__file__).parent / "repetition"
_THINGS = """
    lamp stone river garden window bread horse engine letter cloud basket ladder mirror violin candle harbour carpet
    needle orchard pepper saddle tunnel valley wagon anchor blanket compass drawer feather guitar hammer island
""".split()  # noqa: SIM905 - a list would take a line for each
_VERBS = ["open", "paint", "carry", "mend", "fold", "wash", "count", "lift", "trade", "polish", "measure", "borrow"]
_NAMES = ["Ada", "Bo", "Cleo", "Dan", "Eva", "Finn", "Gus", "Hana", "Ida", "Jon", "Kim", "Lea", "Max", "Nia", "Ole"]


class Loop(NamedTuple):
    """An answer that never ended: how many tokens it took, and behind how many characters its loop begins."""

    text: str
    num_tokens: int
    begins_at: int


def real_loops() -> list[Loop]:
    """Forty of them."""
    return [Loop(**entry) for entry in _entries("loops.jsonl")]


def honest_texts() -> list[tuple[str, str]]:
    """Two hundred, each with its kind."""
    texts = [("ended", entry["text"]) for entry in _entries("endings.jsonl")]
    texts += [("written", text) for text in (_FOLDER / "honest.txt").read_text(encoding="utf-8").split("\n%%\n")]
    kinds = [*_KINDS.items()]
    for number in range(200 - len(texts)):
        kind, make = kinds[number % len(kinds)]
        texts.append((kind, make(random.Random(number))))
    return texts


def _entries(name: str) -> Iterator[dict[str, object]]:
    for line in (_FOLDER / name).read_text(encoding="utf-8").splitlines():
        yield json.loads(line)


def _numbered_list(rng: random.Random) -> str:
    return "\n".join(f"{n}. {rng.choice(_VERBS).title()} the {rng.choice(_THINGS)}." for n in range(1, 61))


def _log(rng: random.Random) -> str:
    second = rng.randrange(3600)
    return "\n".join(
        f"2026-03-0{1 + n // 50} 12:{(second + n) // 60 % 60:02}:{(second + n) % 60:02} INFO worker heartbeat ok"
        for n in range(80)
    )


def _access_log(rng: random.Random) -> str:
    return "\n".join(
        f'10.0.{rng.randrange(4)}.{rng.randrange(256)} - - "GET /{rng.choice(_THINGS)}.html" 200 {rng.randrange(9000)}'
        for _ in range(60)
    )


def _progress(rng: random.Random) -> str:
    name = rng.choice(_THINGS)
    return "\n".join(f"Downloading {name}.bin: {n} % done, {200 - 2 * n} MB to go" for n in range(0, 101, 2))


def _table(rng: random.Random) -> str:
    rows = [f"| {rng.choice(_NAMES)} | {rng.choice(_THINGS)} | {rng.randrange(50)} | yes |" for _ in range(40)]
    return "\n".join(["| who | what | how many | paid |", "|---|---|---|---|", *rows])


def _csv(rng: random.Random) -> str:
    rows = (f"{n},{rng.choice(_NAMES)},{rng.choice(_THINGS)},{rng.random():.2f}" for n in range(60))
    return "id,name,item,price\n" + "\n".join(rows)


def _multiplication(rng: random.Random) -> str:
    top = rng.randrange(10, 15)
    return "\n".join(f"{a} times {b} is {a * b}" for a in range(1, top) for b in range(1, top))


def _truth_table(rng: random.Random) -> str:
    width = rng.randrange(3, 6)
    return "\n".join(" | ".join(f"{n:0{width}b}") + f" | {'true' if n % 3 else 'false'}" for n in range(2**width))


def _accessors(rng: random.Random) -> str:
    fields = rng.sample(_THINGS, 14)
    return "class Box:\n" + "\n".join(
        f"    def get_{name}(self):\n        return self._{name}\n\n    def set_{name}(self, value):\n"
        f"        self._{name} = value\n"
        for name in fields
    )


def _errors_in_go(rng: random.Random) -> str:
    steps = rng.sample(_VERBS, 10)
    return "\n".join(f"if err := {step}(ctx); err != nil {{\n    return err\n}}" for step in steps)


def _switch(rng: random.Random) -> str:
    cases = "\n".join(f'    case {n}:\n      return "{rng.choice(_THINGS)}";' for n in range(30))
    return f"switch (code) {{\n{cases}\n}}"


def _html(rng: random.Random) -> str:
    rows = "\n".join(f"  <tr><td>{rng.choice(_NAMES)}</td><td>{rng.randrange(99)}</td></tr>" for _ in range(30))
    return f"<table>\n{rows}\n</table>"


def _sql(rng: random.Random) -> str:
    return "\n".join(
        f"INSERT INTO items (name, owner) VALUES ('{rng.choice(_THINGS)}', '{rng.choice(_NAMES)}');" for _ in range(40)
    )


def _json(rng: random.Random) -> str:
    return json.dumps([{"name": rng.choice(_NAMES), "likes": rng.sample(_THINGS, 2)} for _ in range(20)], indent=2)


def _matrix(rng: random.Random) -> str:
    size = rng.randrange(8, 12)
    rows = ", ".join("[" + ", ".join("1" if a == b else "0" for b in range(size)) + "]" for a in range(size))
    return f"identity = [{rows}]"


def _countdown_song(rng: random.Random) -> str:
    thing = rng.choice(_THINGS)
    return "\n".join(
        f"There were {n} in the {thing} and the little one said: roll over!\nSo they all rolled over and one fell out."
        for n in range(12, 0, -1)
    )


def _growing_song(rng: random.Random) -> str:
    gifts = [f"{number} {rng.choice(_THINGS)}s" for number in ("two", "three", "four", "five", "six", "seven", "eight")]
    return "\n".join(
        f"On day {n + 1} my neighbour gave to me {', '.join(reversed(gifts[:n]))}{' and' if n else ''} one lamp post."
        for n in range(len(gifts) + 1)
    )


def _refrain(rng: random.Random) -> str:
    refrain = f"Row on, row on, the {rng.choice(_THINGS)} is far,\nrow on, row on, beneath the star.\n"
    lines = (f"We {rng.choice(_VERBS)} the {rng.choice(_THINGS)} and leave it there,\n" for _ in range(16))
    return "\n".join(next(lines) + next(lines) + refrain for _ in range(8))


def _chant(rng: random.Random) -> str:
    name = rng.choice(_NAMES)
    return f"Go {name} go! Go {name} go!\n" * rng.randrange(4, 9) + f"Who is the best? {name} is the best!\n" * 4


def _laughter(rng: random.Random) -> str:
    return "Oh that is good. " + "ha" * rng.randrange(5, 40) + "! " + "ha " * rng.randrange(5, 40) + "I can't stop."


def _counting(rng: random.Random) -> str:
    return ", ".join(str(n) for n in range(rng.randrange(50), rng.randrange(150, 300)))


def _calendar(rng: random.Random) -> str:
    return "\n".join(
        f"{month}: " + " ".join(f"{day:2}" for day in range(1, 31))
        for month in rng.sample(["Jan", "Feb", "Mar", "Apr", "Jun"], 4)
    )


def _dialogue(rng: random.Random) -> str:
    one, two = rng.sample(_NAMES, 2)
    return "\n".join(
        f"{one}: Did you {rng.choice(_VERBS)} the {rng.choice(_THINGS)}?\n{two}: Yes, I did." for _ in range(20)
    )


def _plan(rng: random.Random) -> str:
    return "\n".join(
        f"Day {n}: " + ("Rest." if n % 3 == 0 else f"{rng.choice(_VERBS).title()} for {rng.randrange(10, 60)} minutes.")
        for n in range(1, 31)
    )


def _pages(rng: random.Random) -> str:
    return "\n".join(f"{rng.choice(_THINGS).title()} {'.' * rng.randrange(20, 60)} {n}" for n in range(3, 60, 2))


_KINDS: dict[str, Callable[[random.Random], str]] = {
    "numbered list": _numbered_list, "log": _log, "access log": _access_log, "progress": _progress, "table": _table,
    "csv": _csv, "multiplication": _multiplication, "truth table": _truth_table, "accessors": _accessors,
    "errors in go": _errors_in_go, "switch": _switch, "html": _html, "sql": _sql, "json": _json, "matrix": _matrix,
    "countdown song": _countdown_song, "growing song": _growing_song, "refrain": _refrain, "chant": _chant,
    "laughter": _laughter, "counting": _counting, "calendar": _calendar, "dialogue": _dialogue, "plan": _plan,
    "pages": _pages,
}  # fmt: skip
