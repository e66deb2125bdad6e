"""Long pasted texts without sense: word salad, repetitions, digits, code, logs, other scripts. The answer is the honest one."""

import random
import string

from bot.demo_model.training import lexicon_things as things
from bot.demo_model.training import values

_ALL_WORDS = [*things.THINGS, *things.ADJECTIVES, *things.VALUE_WORDS, *things.FOODS, *things.INTRANSITIVES]
_SMALL_WORDS = [
    "the",
    "a",
    "of",
    "to",
    "in",
    "on",
    "with",
    "for",
    "and",
    "or",
    "but",
    "is",
    "was",
    "not",
    "my",
    "your",
    "it",
    "that",
    "this",
    "I",
    "you",
    "we",
    "they",
    "if",
    "so",
    "at",
    "by",
    "from",
    "as",
]
_LOG_WORDS = (
    "INFO",
    "WARN",
    "ERROR",
    "DEBUG",
    "started",
    "failed",
    "retry",
    "timeout",
    "connected",
    "request",
    "worker",
    "exit code",
)
_CODE_LINES = (
    "def {w}({v}):", "    return {v} + {n}", "for {v} in range({n}):", "    print({v})", "if {v} > {n}:", "let {v} = {n};", "const {w} = () => {{ return {n}; }}",
    "import {w}", "SELECT {v} FROM {w} WHERE id = {n};", "<div class=\"{w}\">{v}</div>", "}}", "{w}.{v}({n}, \"{v}\")", "int {v} = {n};", "# {w} {v}", "{{\"{w}\": {n}, \"{v}\": \"{w}\"}}",
    "  File \"{w}.py\", line {n}, in {v}", "{w}: {n}", "while True:", "else:", "$ {w} --{v}={n}",
)  # fmt: skip
_REQUESTS = (
    "",
    "",
    "",
    "",
    "what does this mean? ",
    "fix this: ",
    "summarise: ",
    "tl;dr? ",
    "here is my log:\n",
    "explain this to me:\n",
    "is this ok?\n",
)


def _word(rng: random.Random) -> str:
    roll = rng.random()
    return rng.choice(_SMALL_WORDS) if roll < 0.35 else rng.choice(_ALL_WORDS) if roll < 0.85 else values.made_word(rng)


def _salad(rng: random.Random, tokens: int) -> str:
    words = [_word(rng) for _ in range(max(8, tokens * 2 // 3))]
    if rng.random() < 0.5:
        for at in range(0, len(words), rng.randint(5, 14)):
            words[at] = words[at].capitalize() + rng.choice(("", ",", ".", "?"))
    return " ".join(words)


def _repeated(rng: random.Random, tokens: int) -> str:
    roll = rng.random()
    if roll < 0.4:
        return rng.choice(string.ascii_letters + "!?.😂") * min(tokens, rng.randint(20, 400))
    unit = rng.choice(
        (
            rng.choice(["ha", "la", "lol", "no", "a", "ab", "abc", "test", "wow", "spam"]),
            _word(rng),
            f"{_word(rng)} {_word(rng)} {_word(rng)}.",
        )
    )
    return rng.choice((" ", " ", "", "\n")).join([unit] * max(6, tokens // (len(unit) // 2 + 2)))


def _digits(rng: random.Random, tokens: int) -> str:
    if rng.random() < 0.4:
        return "".join(rng.choice(string.digits) for _ in range(min(tokens, 600)))
    return rng.choice((" ", ", ", "\n")).join(
        str(rng.randint(0, 10 ** rng.randint(1, 6))) for _ in range(max(6, tokens // 5))
    )


def _letters(rng: random.Random, tokens: int) -> str:
    letters = rng.choice(
        (
            string.ascii_lowercase,
            string.ascii_letters + string.digits + "+/",
            string.printable[:94],
            "asdfghjkl",
            "qwertyuiop ",
        )
    )
    return "".join(rng.choice(letters) for _ in range(max(30, min(tokens, 900))))


def _code(rng: random.Random, tokens: int) -> str:
    lines = []
    for _ in range(max(3, tokens // 14)):
        line = rng.choice(_CODE_LINES)
        lines.append(
            line.format(
                w=rng.choice(_ALL_WORDS).replace(" ", "_"),
                v=rng.choice("abcnxyijk") + rng.choice(("", "", str(rng.randint(0, 9)))),
                n=rng.randint(0, 999),
            )
        )
    text = "\n".join(lines)
    return f"```{rng.choice(('', 'python', 'js'))}\n{text}\n```" if rng.random() < 0.3 else text


def _log(rng: random.Random, tokens: int) -> str:
    hour = rng.randint(0, 23)
    lines = [
        f"{rng.choice(('', '2024-05-11 '))}{hour:02}:{rng.randint(0, 59):02}:{rng.randint(0, 59):02} {rng.choice(_LOG_WORDS)} {_word(rng)}[{rng.randint(1, 9999)}] {_word(rng)} {rng.choice(_LOG_WORDS)}"
        for _ in range(max(3, tokens // 28))
    ]
    return "\n".join(lines)


def _foreign(rng: random.Random, tokens: int) -> str:
    """Words of another script, two or three tokens a letter."""
    letters = rng.choice(values.SCRIPTS)
    words = ["".join(rng.choice(letters) for _ in range(rng.randint(2, 7))) for _ in range(max(5, tokens // 12))]
    return rng.choice((" ", " ", "")).join(words)


def _lines(rng: random.Random, tokens: int) -> str:
    """A poem, a list, a table: short lines."""
    mark = rng.choice(("- ", "", "* ", "> ", "| ", "1. "))
    return "\n".join(mark + " ".join(_word(rng) for _ in range(rng.randint(2, 9))) for _ in range(max(3, tokens // 11)))


def _mixed(rng: random.Random, tokens: int) -> str:
    parts = [rng.choice(MAKERS[:-1])(rng, tokens // 4) for _ in range(3)]
    return rng.choice((" ", "\n", "\n\n")).join(parts)


MAKERS = (_salad, _salad, _salad, _repeated, _digits, _letters, _code, _log, _foreign, _lines, _mixed)


def draw_nonsense(rng: random.Random, most_tokens: int) -> str:
    """A text of about 20 to `most_tokens` tokens, mostly the longer."""
    tokens = (
        rng.randint(min(60, most_tokens), most_tokens) if rng.random() < 0.8 else rng.randint(15, min(100, most_tokens))
    )
    text = rng.choice(MAKERS)(rng, tokens)
    return (rng.choice(_REQUESTS) + text).strip() or "..."
