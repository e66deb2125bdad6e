"""Whose turn it is."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from bot.inference.engine import FairnessKey, Request
from bot.inference.scheduling.block_manager import CacheScope
from bot.inference.scheduling.fair_queue import FairQueue
from bot.inference.scheduling.sequence import Sequence


def sequence(guild: str = "", channel: str = "", person: str = "") -> Sequence:
    request = Request((1,), fairness=FairnessKey(guild, channel, person))
    return Sequence(0, request, max_tokens=2, submitted_at=0.0, scope=CacheScope())


def serve_all(queue: FairQueue) -> list[str]:
    order = []
    while one := queue.peek():
        queue.serve(one)
        order.append("/".join(one.request.fairness))
    return order


def queue_of(*keys: str) -> FairQueue:
    queue = FairQueue()
    for key in keys:
        queue.push(sequence(*key.split("/")))
    return queue


def test_one_persons_requests_keep_their_order() -> None:
    queue = FairQueue()
    first, second = sequence("g", "c", "p"), sequence("g", "c", "p")
    queue.push(first)
    queue.push(second)

    queue.serve(first)

    assert queue.peek() is second


def test_guilds_take_turns() -> None:
    queue = queue_of("a/1/x", "a/1/x", "a/2/y", "b/1/x", "b/1/x", "c/1/x")

    assert [key[0] for key in serve_all(queue)] == ["a", "b", "c", "a", "b", "a"]


def test_channels_of_a_guild_take_turns() -> None:
    queue = queue_of("a/1/x", "a/1/x", "a/1/x", "a/2/x", "a/3/x")

    assert serve_all(queue) == ["a/1/x", "a/2/x", "a/3/x", "a/1/x", "a/1/x"]


def test_people_of_a_channel_take_turns() -> None:
    queue = queue_of("a/1/x", "a/1/x", "a/1/x", "a/1/y", "a/1/z")

    assert serve_all(queue) == ["a/1/x", "a/1/y", "a/1/z", "a/1/x", "a/1/x"]


def test_newcomer_waits_for_nobody_who_was_served() -> None:
    queue = queue_of(*["a/1/x"] * 100)
    for _ in range(2):
        queue.serve(queue.peek())  # type: ignore[arg-type]
    assert queue.peek() is not None

    queue.push(sequence("b", "1", "y"))

    assert serve_all(queue)[0] == "b/1/y"


def test_removed_sequence_has_no_turn() -> None:
    queue = FairQueue()
    leaving, staying = sequence("a"), sequence("a")
    queue.push(leaving)
    queue.push(staying)

    queue.remove(leaving)

    assert queue.peek() is staying
    assert list(queue) == [staying]


names = st.sampled_from("abc")


@given(st.lists(st.tuples(names, names, names), min_size=1, max_size=40))
def test_nobody_is_served_twice_while_an_equal_waits(keys: list[tuple[str, str, str]]) -> None:
    queue = queue_of(*("/".join(key) for key in keys))

    order = [tuple(key.split("/")) for key in serve_all(queue)]

    assert Counter(order) == Counter(keys)
    for width in (1, 2, 3):
        for index, key in enumerate(order):
            waiting = {other[:width] for other in order[index:] if other[: width - 1] == key[: width - 1]}
            since = {other[:width] for other in order[_last(order, key[:width], index) + 1 : index]}
            is_first = _last(order, key[:width], index) < 0
            assert is_first or waiting - {key[:width]} <= since


def _last(order: list[tuple[str, ...]], key: tuple[str, ...], before: int) -> int:
    return max((index for index in range(before) if order[index][: len(key)] == key), default=-1)
