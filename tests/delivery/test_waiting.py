import pytest

from bot.chat.queue import Wait
from bot.delivery.waiting import sentence_of


@pytest.mark.parametrize(
    ("wait", "words"),
    [
        (Wait(0, 1, 5.0, 12.0), "Your answer comes next."),
        (Wait(1, 0, None, 12.0), "One answer comes before yours."),
        (Wait(3, 0, 31.0, 0.0), "3 answers come before yours, which begins in about 40 seconds."),
        (Wait(2, 0, 0.5, 20.0), "2 answers come before yours, which begins in about 10 seconds."),
        (Wait(1, 0, 85.0, 0.0), "One answer comes before yours, which begins in about 2 minutes."),
        (Wait(9, 0, 260.0, 0.0), "9 answers come before yours, which begins in about 5 minutes."),
    ],
)
def test_a_wait_in_words(wait, words):
    assert sentence_of(wait) == words
