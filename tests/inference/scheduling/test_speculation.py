"""When proposals are made, for whom, and how many."""

from itertools import pairwise

import pytest

from bot.inference.engine import Request, SamplingParams
from bot.inference.scheduling.block_manager import CacheScope
from bot.inference.scheduling.sequence import Sequence
from bot.inference.scheduling.speculation import MOST_ROWS, Speculation, StepTimes

TEXT = tuple(range(100, 140))
QUOTES = (*TEXT, 7, *TEXT[:12])
INVENTS = tuple(range(200, 250))


def sequence(*token_ids: int, penalty: float = 1.0, num_new: int = 50) -> Sequence:
    request = Request(token_ids, SamplingParams(max_new_tokens=num_new, repetition_penalty=penalty))
    return Sequence(0, request, len(token_ids) + num_new, 0.0, CacheScope())


def test_who_quotes_gets_what_follows_and_who_invents_gets_nothing():
    quoting, inventing = sequence(*QUOTES), sequence(*INVENTS)

    proposals = Speculation(8).propose([inventing, quoting])

    assert proposals == {quoting: TEXT[12:15]}


def test_alone_a_row_is_as_long_as_its_proposals_are_likely():
    likely, unlikely = sequence(*QUOTES), sequence(*TEXT, 7, *TEXT[:2])
    speculation = Speculation(8)

    assert speculation.propose([likely]) == {likely: TEXT[12:19]}
    assert len(speculation.propose([unlikely])[unlikely]) < 7


def test_a_pending_token_is_guessed_and_what_follows_it_proposed():
    one = sequence(*QUOTES)
    one.num_pending = 1

    assert Speculation(8).propose([one]) == {one: TEXT[13:20]}


def test_nothing_is_proposed_beyond_the_longest_answer():
    assert len(Speculation(8).propose([one := sequence(*QUOTES, num_new=3)])[one]) == 2
    assert Speculation(8).propose([sequence(*QUOTES, num_new=1)]) == {}


def test_nothing_is_proposed_under_a_repetition_penalty():
    assert Speculation(8).propose([sequence(*QUOTES, penalty=1.1)]) == {}


@pytest.mark.parametrize(("num_rows", "some"), [(1, True), (MOST_ROWS, True), (MOST_ROWS + 1, False), (64, False)])
def test_nothing_is_proposed_while_many_answers_run(num_rows, some):
    assert bool(Speculation(64).propose([sequence(*QUOTES) for _ in range(num_rows)])) == some


def test_no_step_has_more_tokens_than_a_runner_takes():
    proposals = Speculation(6).propose([sequence(*QUOTES) for _ in range(3)])

    assert 3 + sum(map(len, proposals.values())) <= 6


def test_nothing_is_proposed_where_it_was_found_to_take_too_long():
    slow, quick = Speculation(8), Speculation(8)
    for speculation, seconds in ((slow, 12.0), (quick, 1.3)):
        speculation.times.note(1, 1, 1.0)
        for num_tokens in (4, 8):
            for _ in range(50):
                speculation.times.note(1, num_tokens, seconds)

    assert slow.propose([sequence(*QUOTES)]) == {}
    assert quick.propose([sequence(*QUOTES)]) != {}


def test_what_was_found_too_slow_is_tried_again_ever_more_seldom():
    speculation = Speculation(8)
    speculation.times.note(1, 1, 1.0)
    for num_tokens in (4, 8):
        for _ in range(50):
            speculation.times.note(1, num_tokens, 12.0)

    tries = [number for number in range(1, 3000) if speculation.propose([sequence(*QUOTES)])]

    assert tries[0] <= 32
    pauses = [later - earlier for earlier, later in pairwise(tries)]
    assert pauses == sorted(pauses)
    assert len(tries) < 10


def test_proposals_that_never_come_true_end():
    token_ids = [*TEXT]
    one = sequence(*token_ids)
    speculation = Speculation(8)
    num_proposed = []
    for number in range(0, 300, 3):
        one.token_ids += [TEXT[number % 30], TEXT[number % 30 + 1], 1000 + number]
        num_proposed.append(sum(map(len, speculation.propose([one]).values())))
        one.token_ids += [*TEXT[number % 30 : number % 30 + 3], 2000 + number]
        one.max_tokens = len(one.token_ids) + 50

    assert sum(num_proposed[50:]) == 0


def test_one_slow_step_does_not_count_for_much():
    times = StepTimes()
    for _ in range(20):
        times.note(1, 1, 1.0)
        times.note(1, 4, 1.2)

    times.note(1, 4, 100.0)

    assert times.cost(1, 4) < 1.5


def test_before_anything_is_measured_a_longer_step_is_taken_to_cost_more():
    times = StepTimes()

    assert 1 < times.cost(1, 4) < times.cost(1, 8) < 2
