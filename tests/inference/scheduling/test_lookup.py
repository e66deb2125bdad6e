"""What is expected next, where the newest tokens stood before."""

import random
import time

from hypothesis import given
from hypothesis import strategies as st

from bot.inference.scheduling.lookup import Lookup


def expected(token_ids: list[int], num_tokens: int = 4) -> tuple[int, ...]:
    return Lookup(token_ids).expect(num_tokens)[0]


def test_nothing_is_expected_of_tokens_that_never_stood_before():
    assert expected([]) == ()
    assert expected([1]) == ()
    assert expected([1, 2, 3, 4, 5]) == ()
    assert expected([1, 2, 3, 4, 1]) == ()


def test_what_followed_the_newest_tokens_before_is_expected_again():
    assert expected([1, 2, 3, 4, 5, 6, 1, 2]) == (3, 4, 5, 6)


def test_the_place_that_agrees_longest_counts():
    assert expected([5, 1, 2, 3, 7, 1, 2, 8, 9, 5, 1, 2], 2) == (3, 7)


def test_of_places_that_agree_alike_the_latest_counts():
    assert expected([1, 2, 3, 9, 1, 2, 4, 9, 8, 1, 2], 2) == (4, 9)


def test_what_repeats_itself_is_expected_to_go_on():
    assert expected([1, 2, 3, 1, 2, 3, 1, 2], 7) == (3, 1, 2, 3, 1, 2, 3)


def test_tokens_that_came_since_are_seen():
    token_ids = [1, 2, 3, 4, 5, 6, 7]
    lookup = Lookup(token_ids)
    lookup.expect(3)

    token_ids += [2, 3]

    assert lookup.expect(3)[0] == (4, 5, 6)


def test_a_mistake_ends_the_agreement_and_another_place_is_found():
    token_ids = [1, 2, 3, 4, 5, 6, 7, 8, 20, 21, 1, 2, 3]
    lookup = Lookup(token_ids)
    lookup.expect(1)

    token_ids.append(9)
    at_the_mistake = lookup.expect(2)[0]
    token_ids += [6, 7]

    assert at_the_mistake == ()
    assert lookup.expect(1)[0] == (8,)


def test_chances_fall_with_each_token_and_grow_with_the_agreement():
    text = list(range(100, 130))

    short = Lookup([*text, 7, *text[4:6]]).expect(4)[1]
    long = Lookup([*text, 7, *text[4:16]]).expect(4)[1]

    assert list(short) == sorted(short, reverse=True)
    assert all(one < other for one, other in zip(short, long, strict=True))


def test_chances_follow_what_came_true():
    rng = random.Random(0)
    text = [rng.randrange(1000) for _ in range(400)]
    quoting, inventing = list(text), list(text)
    quoted, invented = Lookup(quoting), Lookup(inventing)
    for number in range(0, 300, 3):
        quoting += text[number : number + 3]
        inventing += [*text[number : number + 2], 2000 + number]
        quoted.expect(1)
        invented.expect(1)
    quoting += [5000, *text[:2]]
    inventing += [5000, *text[:2]]

    assert invented.expect(1)[1][0] < 0.1
    assert quoted.expect(1)[1][0] > invented.expect(1)[1][0]


@given(st.lists(st.integers(0, 3), max_size=60), st.integers(1, 9), st.integers(1, 7))
def test_what_is_expected_stood_behind_the_newest_tokens(token_ids, num_tokens, at_a_time):
    grown: list[int] = []
    lookup = Lookup(grown)
    for start in range(0, len(token_ids), at_a_time):
        grown += token_ids[start : start + at_a_time]
        found, chances = lookup.expect(num_tokens)
        assert len(found) == len(chances) in (0, num_tokens)
        assert all(0 <= chance <= 1 for chance in chances)
        after = {grown[i + 2] for i in range(len(grown) - 2) if grown[i : i + 2] == grown[-2:]}
        assert bool(found) == bool(after)
        assert not found or found[0] in after


def test_a_long_text_of_one_token_takes_no_longer_than_any_other():
    begun = time.process_time()
    Lookup([7] * 20_000).expect(8)
    token_ids = [7, 7]
    lookup = Lookup(token_ids)
    for _ in range(2000):
        token_ids.append(7)
        lookup.expect(8)

    assert time.process_time() - begun < 5  # 0.1 s where every token costs the same
