from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.chat.queue import SLOTS_PER_PERSON, QuestionQueue, Slot, Wait
from bot.errors import EngineOverloaded


def serve_all(queue: QuestionQueue, slots: list[Slot]) -> list[int]:
    """Serve every slot in the order in which it is called; return their indexes."""
    order, open_tickets = [], dict(enumerate(slots))
    while open_tickets:
        running = [index for index, slot in open_tickets.items() if slot.ready.is_set()]
        assert len(running) == 1, "exactly one answer at a time"
        order.append(running[0])
        queue.leave(open_tickets.pop(running[0]))
    return order


def test_questions_of_one_channel_are_served_in_the_order_asked():
    queue = QuestionQueue()

    slots = [queue.join("general", person) for person in ("alice", "bob", "alice", "carol")]

    assert serve_all(queue, slots) == [0, 1, 2, 3]


def test_one_person_alone_is_served_in_order_however_many_they_ask():
    queue = QuestionQueue()

    slots = [queue.join("general", "alice") for _ in range(6)]

    assert serve_all(queue, slots) == [0, 1, 2, 3, 4, 5]


def test_someone_who_floods_delays_the_others_by_two_answers_at_most():
    queue = QuestionQueue()
    flood = [queue.join("general", "flooder") for _ in range(8)]
    bob = queue.join("general", "bob")

    order = serve_all(queue, [*flood, bob])

    assert order.index(len(flood)) == SLOTS_PER_PERSON
    assert [index for index in order if index < len(flood)] == list(range(len(flood)))


def test_channels_do_not_wait_for_each_other():
    queue = QuestionQueue()

    first = queue.join("general", "alice")
    second = queue.join("random", "alice")

    assert first.ready.is_set()
    assert second.ready.is_set()


def test_too_many_questions_of_one_person_are_refused():
    queue = QuestionQueue(max_waiting_per_person=3)
    for _ in range(4):
        queue.join("general", "alice")

    with pytest.raises(EngineOverloaded, match="3 questions waiting"):
        queue.join("general", "alice")

    assert queue.join("general", "bob") is not None
    assert queue.join("general", "alice", is_limited=False) is not None


def test_one_guild_leaves_places_for_the_others() -> None:
    queue = QuestionQueue(max_waiting=8)
    for number in range(100):
        with suppress(EngineOverloaded):
            queue.join(f"channel {number % 4}", f"person {number}", guild="loud")
    queue.join("busy", "somebody", guild="quiet")
    num_waiting = queue.num_waiting

    queue.join("busy", "somebody else", guild="quiet")
    queue.join("busy", "in private")

    assert num_waiting == 6
    with pytest.raises(EngineOverloaded):
        queue.join("busy", "one too many", guild="quiet")


def test_what_a_restart_brings_of_one_guild_takes_no_place_from_the_others() -> None:
    queue = QuestionQueue()
    accepted_before = [
        queue.join(f"channel {number % 4}", f"person {number}", guild="loud", is_limited=False) for number in range(132)
    ]
    with pytest.raises(EngineOverloaded):
        queue.join("channel 0", "one more", guild="loud")

    for number in range(33):
        queue.join("elsewhere", f"person {number}", guild="quiet")

    assert queue.num_waiting == 128 + 32
    with pytest.raises(EngineOverloaded):
        queue.join("elsewhere", "one too many", guild="quiet")
    for slot in accepted_before[:40]:
        queue.leave(slot)
    queue.join("channel 0", "one more", guild="loud")


def test_a_person_has_as_many_places_after_a_restart_as_before() -> None:
    queue = QuestionQueue(max_waiting_per_person=3)
    for _ in range(4):
        queue.join("general", "alice", guild="guild", is_limited=False)

    with pytest.raises(EngineOverloaded, match="3 questions waiting"):
        queue.join("general", "alice", guild="guild")


def test_the_whole_queue_is_bounded():
    queue = QuestionQueue(max_waiting=10)
    for person in range(11):
        queue.join("general", person)

    with pytest.raises(EngineOverloaded):
        queue.join("random", "late")

    assert queue.num_waiting == 10


def test_a_slot_that_is_given_back_while_it_waits_holds_nobody_up():
    queue = QuestionQueue()
    first = queue.join("general", "alice")
    second = queue.join("general", "bob")
    third = queue.join("general", "carol")

    queue.leave(second)
    queue.leave(first)

    assert third.ready.is_set()


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3)), max_size=40),
    st.randoms(use_true_random=False),
)
def test_nothing_is_left_behind_whatever_the_order_of_leaving(joins, random):
    queue = QuestionQueue(max_waiting_per_person=40)
    slots = [queue.join(channel, person) for channel, person in joins]

    random.shuffle(slots)
    for slot in slots:
        queue.leave(slot)
        queue.leave(slot)

    assert queue.num_waiting == 0
    assert queue.num_running == 0
    assert not queue._channels


def test_a_wait_is_reckoned_from_how_long_answers_took() -> None:
    now = 0.0
    queue = QuestionQueue(clock=lambda: now)
    first, second, third = (queue.join("channel", person) for person in ("Alice", "Bob", "Carol"))
    assert queue.wait_of(third) == Wait(num_ahead=2, num_behind=0, seconds=None, waited_seconds=0.0)

    now = 4.0
    queue.note_begun(first)
    now = 20.0
    queue.leave(first)
    now = 25.0

    assert queue.wait_of(first) is None
    assert queue.wait_of(second) == Wait(num_ahead=0, num_behind=1, seconds=0.0, waited_seconds=25.0)
    # 15 of 20 seconds are left of Bob's answer, and then it takes 4 to the first words.
    assert queue.wait_of(third) == Wait(num_ahead=1, num_behind=0, seconds=19.0, waited_seconds=25.0)
    queue.note_begun(second)
    assert queue.wait_of(second) is None


def test_what_other_channels_asked_before_is_ahead_until_it_begins() -> None:
    now = 0.0
    queue = QuestionQueue(clock=lambda: now)
    first = queue.join("one channel", "Alice")
    now = 1.0
    second = queue.join("another", "Bob")

    assert queue.wait_of(second).num_ahead == 1
    queue.note_begun(first)
    assert queue.wait_of(second).num_ahead == 0
    queue.leave(second)
    assert queue.wait_of(second) is None
