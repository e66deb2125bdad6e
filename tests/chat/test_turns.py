import asyncio
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.chat.turns import PLACES_PER_PERSON, Ticket, Turns
from bot.errors import EngineOverloaded


def serve_all(turns: Turns, tickets: list[Ticket]) -> list[int]:
    """Serve every ticket in the order in which it is called; return their indexes."""
    order, open_tickets = [], dict(enumerate(tickets))
    while open_tickets:
        running = [index for index, ticket in open_tickets.items() if ticket.ready.is_set()]
        assert len(running) == 1, "exactly one answer at a time"
        order.append(running[0])
        turns.leave(open_tickets.pop(running[0]))
    return order


def test_questions_of_one_channel_are_served_in_the_order_asked():
    turns = Turns()

    tickets = [turns.join("general", person) for person in ("alice", "bob", "alice", "carol")]

    assert serve_all(turns, tickets) == [0, 1, 2, 3]


def test_one_person_alone_is_served_in_order_however_many_they_ask():
    turns = Turns()

    tickets = [turns.join("general", "alice") for _ in range(6)]

    assert serve_all(turns, tickets) == [0, 1, 2, 3, 4, 5]


def test_someone_who_floods_delays_the_others_by_two_answers_at_most():
    turns = Turns()
    flood = [turns.join("general", "flooder") for _ in range(8)]
    bob = turns.join("general", "bob")

    order = serve_all(turns, [*flood, bob])

    assert order.index(len(flood)) == PLACES_PER_PERSON
    assert [index for index in order if index < len(flood)] == list(range(len(flood)))


def test_channels_do_not_wait_for_each_other():
    turns = Turns()

    first = turns.join("general", "alice")
    second = turns.join("random", "alice")

    assert first.ready.is_set()
    assert second.ready.is_set()


def test_too_many_questions_of_one_person_are_refused():
    turns = Turns(max_waiting_per_person=3)
    for _ in range(4):
        turns.join("general", "alice")

    with pytest.raises(EngineOverloaded, match="3 questions waiting"):
        turns.join("general", "alice")

    assert turns.join("general", "bob") is not None
    assert turns.join("general", "alice", is_limited=False) is not None


def test_one_guild_leaves_places_for_the_others() -> None:
    turns = Turns(max_waiting=8)
    for number in range(100):
        with suppress(EngineOverloaded):
            turns.join(f"channel {number % 4}", f"person {number}", guild="loud")
    turns.join("busy", "somebody", guild="quiet")
    num_waiting = turns.num_waiting

    turns.join("busy", "somebody else", guild="quiet")
    turns.join("busy", "in private")

    assert num_waiting == 6
    with pytest.raises(EngineOverloaded):
        turns.join("busy", "one too many", guild="quiet")


def test_what_a_restart_brings_of_one_guild_takes_no_place_from_the_others() -> None:
    turns = Turns()
    accepted_before = [
        turns.join(f"channel {number % 4}", f"person {number}", guild="loud", is_limited=False) for number in range(132)
    ]
    with pytest.raises(EngineOverloaded):
        turns.join("channel 0", "one more", guild="loud")

    for number in range(33):
        turns.join("elsewhere", f"person {number}", guild="quiet")

    assert turns.num_waiting == 128 + 32
    with pytest.raises(EngineOverloaded):
        turns.join("elsewhere", "one too many", guild="quiet")
    for ticket in accepted_before[:40]:
        turns.leave(ticket)
    turns.join("channel 0", "one more", guild="loud")


def test_a_person_has_as_many_places_after_a_restart_as_before() -> None:
    turns = Turns(max_waiting_per_person=3)
    for _ in range(4):
        turns.join("general", "alice", guild="guild", is_limited=False)

    with pytest.raises(EngineOverloaded, match="3 questions waiting"):
        turns.join("general", "alice", guild="guild")


def test_the_whole_line_is_bounded():
    turns = Turns(max_waiting=10)
    for person in range(11):
        turns.join("general", person)

    with pytest.raises(EngineOverloaded):
        turns.join("random", "late")

    assert turns.num_waiting == 10


async def test_a_cancelled_wait_gives_its_place_back():
    turns = Turns()
    first = turns.join("general", "alice")
    second = turns.join("general", "bob")
    third = turns.join("general", "carol")

    async def wait_for(ticket: Ticket) -> None:
        async with turns.turn(ticket):
            pass

    waiting = asyncio.create_task(wait_for(second))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    turns.leave(first)

    assert third.ready.is_set()


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3)), max_size=40),
    st.randoms(use_true_random=False),
)
def test_nothing_is_left_behind_whatever_the_order_of_leaving(joins, random):
    turns = Turns()
    tickets = [turns.join(channel, person) for channel, person in joins]

    random.shuffle(tickets)
    for ticket in tickets:
        turns.leave(ticket)
        turns.leave(ticket)

    assert turns.num_waiting == 0
    assert turns.num_running == 0
    assert not turns._lines
