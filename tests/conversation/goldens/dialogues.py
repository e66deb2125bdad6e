"""Fifty dialogues that tokenizers and templates find hard, the same on every machine. Needs Python alone."""

import random

NUM_DIALOGUES = 50

_SYSTEM = (
    "",
    "",
    "You are a helpful assistant.",
    "Answer in German.\n\nNever longer than three sentences.",
    "Du bist Trinity, ein Bot.\n- freundlich\n- knapp\n\n  Eingerückt bleibt eingerückt.",
    "🦜 Rules:\n1. be kind\n\n\n2. 日本語で答えてください。",
)
_PIECES = (
    "Hello there",
    "What's the capital of France?",
    "I'm  sure   it's\tfine.",
    "12 apples, 3456 pears and 7.5e-10 of nothing; $1,299.00!",
    "\n\n\n",
    "\n",
    "  two blanks before, and two behind  ",
    "def f(x):\n    if x > 0:\n        return {'a': [x, -x]}  # ok\n    return None",
    "```python\nfor i in range(10):\n\tprint(f'{i:>4}')\n```",
    '{"key": "value", "list": [1, 2, 3],\n "nested": {"x": null}}',
    "Größe, naïve, Ångström, Żółć, İstanbul",
    "日本語のテキストと、中文文本，한국어 텍스트。",
    "مرحبا بالعالم - שלום עולם",
    "👨‍👩‍👧‍👦 🏳️‍🌈 👍🏽 🇩🇪 ❤️",
    "e\u0301 and \u00e9, \ufb01 and fi, \u2028 a line, \u00a0 a blank",
    "\U0002070e \U0001d54f \u0b95\u0bbf \u0e01\u0e33",
    "https://example.org/a_b?c=%20d#e <b>bold</b> & [link](x) {{ braces }}",
    "a" * 40,
    "-----=====-----",
    "\\n is not a line break, \\u2603 is no snowman, \u2603 is one",
    "They said: \u201cdon't!\u201d \u2013 'twas 100 % so\u2026",
    "1\n2\n3\n\n10\n\n\n100",
    "x\r\ny\r\nz",
    "\u200bzero\u200b width\u200d",
)


def dialogues() -> list[tuple[str, list[str]]]:
    """System message ("" if there is none), and texts: questions and answers in turn, the last one a question.

    From one question alone to forty questions.
    """
    source = random.Random(15)
    found: list[tuple[str, list[str]]] = []
    for index in range(NUM_DIALOGUES):
        num_turns = (1, 2, 3, 5, 8)[index % 5] if index < NUM_DIALOGUES - 5 else (12, 20, 30, 39, 40)[index % 5]
        texts = [_text(source) for _ in range(2 * num_turns - 1)]
        found.append((_SYSTEM[index % len(_SYSTEM)], texts))
    return found


def _text(source: random.Random) -> str:
    while True:
        pieces = [source.choice(_PIECES) for _ in range(source.randint(1, 4))]
        text = source.choice(("", " ", "\n", "\n\n")).join(pieces).strip()
        if text:
            return text
