"""An answer that goes round in a loop is found out soon, and an honest one never is."""

import pytest

from bot.conversation.loops import LoopGuard
from tests.conversation.repetition import CHARACTERS_PER_TOKEN, honest_texts, real_loops

STEP = 5


def caught(text: str, step: int = STEP, per_token: float = CHARACTERS_PER_TOKEN) -> tuple[int, int] | None:
    """What is kept of a text, and how much of it was read until that was known; None where it is no loop."""
    guard = LoopGuard()
    num_tokens = 0
    for at in range(0, len(text), step):
        piece = text[at : at + step]
        before, num_tokens = num_tokens, round((at + len(piece)) / per_token)
        if (kept := guard.feed(piece, num_tokens - before)) is not None:
            return kept, at + len(piece)
    return None


def test_forty_real_loops_are_caught_within_two_hundred_tokens():
    loops = real_loops()

    took = []
    for loop in loops:
        per_token = len(loop.text) / loop.num_tokens
        end = caught(loop.text, per_token=per_token)
        took.append(None if end is None else (end[1] - loop.begins_at) / per_token)

    assert len(loops) == 40
    assert [num_tokens for num_tokens in took if num_tokens is None or num_tokens > 200] == []


def test_none_of_two_hundred_honest_texts_is_caught():
    texts = honest_texts()

    assert len(texts) == 200
    assert [(kind, text[:60]) for kind, text in texts if caught(text)] == []


@pytest.mark.parametrize(
    ("beginning", "period", "kept"),
    [
        ("Well, ", "la ", "Well, la"),
        ("", "I am happy to help.\n", "I am happy to help."),
        ("So: ", "haha", "So: haha"),
        ("", "=", "==="),
        ("", "私はとても嬉しいです。", "私はとても嬉しいです。"),
    ],
    ids=["words", "lines", "one word without end", "one sign without end", "no blanks"],
)
@pytest.mark.parametrize("step", [1, 7, 100])
def test_one_period_is_kept(beginning: str, period: str, kept: str, step: int):
    text = beginning + period * 900

    end = caught(text, step)

    assert end is not None
    assert text[: end[0]].strip().startswith(kept)
    assert end[0] <= len(beginning) + 2 * max(len(period), 12)


@pytest.mark.parametrize(
    "item",
    [
        "{n}. Take a walk.\n",
        "{n}) Take a walk. ",
        "- {n}: Take a walk.\n",
        "Step {n}: walk.\n",
        "**{n}.** Walk.\n",
    ],
)
def test_numbers_that_count_on_are_no_news(item: str):
    text = "".join(item.format(n=n) for n in range(1, 120))

    end = caught(text)

    assert end is not None
    assert text[: end[0]].lower().count("walk") <= 2


def test_what_is_asked_for_often_is_let_pass_up_to_a_length():
    assert caught("hello " * 60) is None
    assert caught("0, " * 120) is None


@pytest.mark.parametrize("sign", ["*", "#", "/", "* "])
def test_a_figure_made_of_signs_is_no_loop(sign: str):
    assert caught("\n".join(" " * (24 - row) + sign * row for row in range(1, 25))) is None


@pytest.mark.parametrize("item", ["{n}\n", "{n}.\n", "{n}. ", "{n}. ____\n"])
def test_who_asks_for_all_numbers_to_a_hundred_gets_them(item: str):
    assert caught("".join(item.format(n=n) for n in range(1, 101)), per_token=1) is None
    assert caught("".join(item.format(n=n) for n in range(1, 2000)), per_token=1) is not None
