"""An answer that goes round in a loop is found out soon, and an honest one never is."""

import pytest

from bot.conversation.loops import LoopGuard, times_asked
from tests.conversation.repetition import CHARACTERS_PER_TOKEN, honest_texts, real_loops

STEP = 5


def caught(
    text: str, step: int = STEP, per_token: float = CHARACTERS_PER_TOKEN, num_asked: int = 1
) -> tuple[int, int] | None:
    """What is kept of a text, and how much of it was read until that was known; None where it is no loop."""
    guard = LoopGuard(num_asked)
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


REFRAIN = (
    "Row, row, row your boat,\nGently down the stream.\nMerrily, merrily, merrily, merrily,\nLife is but a dream.\n\n"
)


@pytest.mark.parametrize("unit", [REFRAIN, "I will not talk in class.\n", "{n}. I will not talk in class.\n"])
def test_who_asks_for_it_so_many_times_gets_it_so_many_times(unit: str):
    text = "Here you go:\n" + "".join(unit.format(n=n) for n in range(1, 25))
    endless = "Here you go:\n" + "".join(unit.format(n=n) for n in range(1, 90))

    end = caught(endless, num_asked=24)

    assert caught(text) is not None
    assert caught(text, num_asked=24) is None
    assert end is not None
    assert endless[: end[0]].strip() == text.strip()


def test_not_more_is_let_pass_than_an_answer_may_well_be_long():
    assert caught(REFRAIN * 90, num_asked=80) is not None
    assert caught("la " * 5000, num_asked=999) is not None


@pytest.mark.parametrize(
    ("question", "times"),
    [
        ("Write 'I will not talk' 20 times.", 20), ("schreib das bitte 50 Mal", 50), ("30mal, bitte", 30),
        ("escríbelo 12 veces", 12), ("repita 15 vezes", 15), ("「はい」と30回書いて", 30), ("print it 10x", 10),
        ("What is 7 + 5?", 1), ("at 20:15 Times Square", 1), ("list 100 animals", 1), ("3.5 times", 1), ("", 1),
    ],
)  # fmt: skip
def test_how_often_is_read_from_the_question(question: str, times: int):
    assert times_asked(question) == times
