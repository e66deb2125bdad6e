"""Turns within an hour: counted once each, for a person and for a guild, whatever the clock does."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select

from bot.conversation.turn_limits import TurnLimits
from bot.errors import TurnsSpent
from bot.store.files.database import Database, open_database
from bot.store.rows.inbox import Inbox
from bot.store.rows.own_words import OwnWords
from bot.store.rows.questions import InboxState
from bot.store.rows.turn_limits import TakenTurn
from bot.store.tables import turns_taken
from tests.store.said import DIRECT, ELSEWHERE, GUILD, MORNING, ask

TWO = TurnLimits(person=2)
HOUR = timedelta(hours=1)


async def spend(inbox: Inbox, *ids: int, limits: TurnLimits = TWO, **fields: object) -> None:
    for message_id in ids:
        assert await inbox.receive(ask(message_id, **fields), limits)


async def test_a_person_has_so_many_turns_wherever_they_ask_and_is_told_when_there_is_another(database, clock):
    inbox = Inbox(database)
    await spend(inbox, 1)
    clock.move(minutes=20)
    await spend(inbox, 2, key=DIRECT)
    clock.move(minutes=20)

    with pytest.raises(TurnsSpent) as refused:
        await inbox.receive(ask(3, key=ELSEWHERE), TWO)

    assert refused.value.until == MORNING + HOUR
    assert f"<t:{int((MORNING + HOUR).timestamp())}:R>" in str(refused.value)
    assert await inbox.state("discord", 3) is None
    clock.move(minutes=20)
    await spend(inbox, 4)
    await spend(inbox, 5, author_id=6)


async def test_a_guild_has_its_own_and_direct_messages_are_in_none(database):
    inbox, limits = Inbox(database), TurnLimits(guild=2)
    await spend(inbox, 1, limits=limits, author_id=1)
    await spend(inbox, 2, limits=limits, author_id=2, key=ELSEWHERE)
    await spend(inbox, 3, 4, 5, limits=limits, author_id=3, key=DIRECT)

    with pytest.raises(TurnsSpent, match="This server"):
        await inbox.receive(ask(6, author_id=4), limits)


async def test_a_restart_gives_nobody_more(url, clock):
    async with open_database(url, clock=clock) as database:
        await spend(Inbox(database), 1, 2)

    async with open_database(url, clock=clock) as database:
        with pytest.raises(TurnsSpent):
            await Inbox(database).receive(ask(3), TWO)


async def test_whose_words_are_erased_has_had_their_turns_and_is_not_named_any_more(database):
    inbox = Inbox(database)
    await spend(inbox, 1, 2)
    await spend(inbox, 3, author_id=6)

    await OwnWords(database).erase("discord", 5)

    taken = await database.read(lambda connection: connection.scalars(select(turns_taken.c.author_id)))
    assert [author_id for author_id in taken if author_id > 0] == [6]
    with pytest.raises(TurnsSpent):
        await inbox.receive(ask(4), TWO)
    await spend(inbox, 5, author_id=6)


async def test_the_same_question_is_counted_once_and_an_answer_again_is_another_turn(database):
    inbox = Inbox(database)
    await spend(inbox, 1)
    assert not await inbox.receive(ask(1), TWO)
    again = TakenTurn("discord", 900, 5, GUILD)
    await inbox.take_turn(again, TWO)
    await inbox.take_turn(again, TWO)

    with pytest.raises(TurnsSpent):
        await inbox.take_turn(TakenTurn("discord", 901, 5, GUILD), TWO)


@pytest.mark.parametrize("state", [InboxState.FAILED, InboxState.REFUSED, InboxState.EXPIRED])
async def test_what_was_not_even_tried_is_given_back_and_what_was_is_not(database, state):
    inbox = Inbox(database)
    await spend(inbox, 1, 2)
    await inbox.begin_attempt(ask(1), seed=1)

    await inbox.set_state(ask(1), state)
    await inbox.set_state(ask(2), state)

    await spend(inbox, 3)
    with pytest.raises(TurnsSpent):
        await inbox.receive(ask(4), TWO)


@pytest.mark.parametrize("state", [InboxState.WITHDRAWN, InboxState.ANSWERED])
async def test_what_is_deleted_or_answered_counts(database, state):
    inbox = Inbox(database)
    await spend(inbox, 1, 2)

    await inbox.set_state(ask(2), state)

    with pytest.raises(TurnsSpent):
        await inbox.receive(ask(3), TWO)


async def test_a_clock_that_is_set_back_locks_nobody_out(database, clock):
    inbox = Inbox(database)
    clock.move(days=365)
    await spend(inbox, 1, 2)

    clock.move(days=-365)

    await spend(inbox, 3, 4)
    with pytest.raises(TurnsSpent):
        await inbox.receive(ask(5), TWO)


async def test_where_nobody_counts_turns_any_more_none_are_kept(database):
    inbox = Inbox(database)
    await spend(inbox, 1, 2)

    await inbox.forget_turns("terminal")
    with pytest.raises(TurnsSpent):
        await inbox.receive(ask(3), TWO)
    await inbox.forget_turns("discord")

    await spend(inbox, 3, 4)


async def test_many_at_once_take_no_more_than_there_are(database: Database):
    inbox = Inbox(database)

    taken = await asyncio.gather(*(inbox.receive(ask(number), TWO) for number in range(20)), return_exceptions=True)

    assert taken.count(True) == 2
    assert sum(isinstance(each, TurnsSpent) for each in taken) == 18
