"""Several write at once on PostgreSQL: who waits for whom, and what holds however they meet."""

import asyncio
import itertools
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest
from sqlalchemy import TextClause, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.conversation.messages import Question
from bot.conversation.turn_limits import TurnLimits
from bot.errors import DatabaseOvertaken, TurnsSpent
from bot.store.files.database import Database, Work, open_database
from bot.store.rows.conversations import ensure_conversation
from bot.store.rows.history import History
from bot.store.rows.inbox import Inbox
from bot.store.rows.own_words import OwnWords
from bot.store.rows.questions import AnswerKind, InboxState
from bot.store.rows.turns import save_answer, save_question
from bot.store.tables import hints, inbox, messages, persona_texts, turns_taken
from tests.store.postgresql_server import new_database, on_postgresql
from tests.store.said import DIRECT, ELSEWHERE, HERE, MORNING, THREAD, Clock, answer, ask, hold_turn

pytestmark = on_postgresql()


@pytest.fixture
async def writers(postgresql_server: str) -> AsyncIterator[list[Database]]:
    """Three, as of three processes."""
    async with new_database(postgresql_server, f"trinity_writers_{os.getpid()}") as address, AsyncExitStack() as opened:
        url = address.render_as_string(hide_password=False)
        yield [await opened.enter_async_context(open_database(url, clock=Clock())) for _ in range(3)]


class Held:
    """A transaction that has done its work, and commits when it is let."""

    def __init__(self, database: Database, work: Work[object], *, is_alone: bool = False) -> None:
        self._is_there, self._may_end = asyncio.Event(), asyncio.Event()

        async def hold(connection: AsyncConnection) -> None:
            await work(connection)
            self._is_there.set()
            await self._may_end.wait()

        self._task = asyncio.create_task(database.write(hold, is_alone=is_alone))

    async def begun(self) -> "Held":
        await self._is_there.wait()
        return self

    async def end(self) -> None:
        self._may_end.set()
        await self._task


async def wait_for_waiters(database: Database, number: int) -> None:
    """Until so many transactions wait for a lock."""
    waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    async with asyncio.timeout(60):
        while await _ask(database, waiting) != number:  # noqa: ASYNC110 - the server has no event for that
            await asyncio.sleep(0.02)


async def _ask(database: Database, query: TextClause) -> object:
    return await database.read(lambda connection: connection.scalar(query))


async def test_two_channels_do_not_wait_for_each_other_and_two_writers_of_one_do(writers: list[Database]) -> None:
    one, other, third = writers
    for number, key in enumerate((HERE, ELSEWHERE)):
        await hold_turn(one, ask(number, key=key))
    held = await Held(one, lambda connection: ensure_conversation(connection, HERE)).begun()

    await hold_turn(other, ask(10, key=ELSEWHERE))
    steps: list[Callable[[], Awaitable[object]]] = [
        lambda: Inbox(other).receive(ask(11)),
        lambda: History(third).reset(HERE),
        lambda: History(other).delete_message("discord", 0),
        lambda: Inbox(third).begin_attempt(ask(0), seed=1),
    ]
    waiting = [asyncio.create_task(step()) for step in steps]
    await wait_for_waiters(one, len(steps))
    await hold_turn(one, ask(12, key=ELSEWHERE))
    are_done = [task.done() for task in waiting]
    await held.end()
    await asyncio.gather(*waiting)

    assert are_done == [False] * len(steps)
    assert len((await History(one).load(ELSEWHERE)).turns) == 3


async def test_what_concerns_many_conversations_is_alone_and_holds_up_nobody_who_reads(writers: list[Database]) -> None:
    one, other, third = writers
    await hold_turn(one, ask(1))
    held = await Held(one, lambda connection: ensure_conversation(connection, HERE)).begun()
    alone = asyncio.create_task(OwnWords(other).erase("discord", 5))
    await wait_for_waiters(third, 1)
    late = asyncio.create_task(Inbox(third).receive(ask(2, key=ELSEWHERE)))
    await wait_for_waiters(third, 2)

    assert not alone.done()
    assert not late.done()
    assert len((await History(third).load(HERE)).turns) == 1
    await held.end()
    await asyncio.gather(alone, late)
    assert (await History(third).load(HERE)).turns == ()


async def test_a_text_that_another_answer_needs_just_now_is_not_deleted_with_the_last_one_before(
    writers: list[Database],
) -> None:
    one, other, third = writers
    await hold_turn(one, ask(1), persona_text="You are brief.")
    await Inbox(one).receive(ask(2, key=ELSEWHERE))

    async def save_slowly(connection: AsyncConnection) -> None:
        row = await ensure_conversation(connection, ELSEWHERE)
        its = answer(persona_text="You are brief.")
        turn_id = await save_question(connection, row.id, None, ask(2, key=ELSEWHERE), its)
        await save_answer(connection, row.id, turn_id, 0, its, MORNING)

    held = await Held(one, save_slowly).begun()
    deleting = asyncio.create_task(History(other).delete_message("discord", 1))
    await wait_for_waiters(third, 1)
    await held.end()
    await deleting

    assert await third.read(lambda connection: connection.scalar(select(persona_texts.c.prompt))) == "You are brief."


async def note(connection: AsyncConnection, *numbers: int) -> None:
    for number in numbers:
        await connection.execute(hints.update().where(hints.c.author_id == number).values(platform="t"))


async def test_who_is_rolled_back_for_anothers_sake_tries_again(writers: list[Database]) -> None:
    one, other, _ = writers
    both_hold_one, num_tries = asyncio.Barrier(2), 0
    for number in (1, 2):
        values = {"platform": "t", "author_id": number, "day": MORNING.date()}
        await one.write(lambda connection, values=values: connection.execute(hints.insert().values(values)))

    def crossing(first: int, second: int) -> Work[None]:
        async def work(connection: AsyncConnection) -> None:
            nonlocal num_tries
            num_tries += 1
            await note(connection, first)
            if num_tries <= 2:
                await both_hold_one.wait()
            await note(connection, second)

        return work

    await asyncio.gather(one.write(crossing(1, 2)), other.write(crossing(2, 1)))

    assert num_tries == 3


async def test_who_is_rolled_back_again_and_again_gives_up(writers: list[Database]) -> None:
    tries = itertools.count()

    async def work(connection: AsyncConnection) -> None:
        next(tries)
        await connection.execute(text("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40001'; END $$"))

    with pytest.raises(DatabaseOvertaken, match="Another process"):
        await writers[0].write(work)
    assert next(tries) == 4


async def test_turns_of_the_hour_are_counted_over_channels_and_processes(writers: list[Database]) -> None:
    limits, keys = TurnLimits(person=3, guild=5), (HERE, ELSEWHERE, THREAD, DIRECT)
    asked = [
        Inbox(database).receive(ask(number, key=keys[number % 4], author_id=number % 3), limits)
        for number, database in zip(range(30), itertools.cycle(writers))
    ]
    outcomes = await asyncio.gather(*asked, return_exceptions=True)

    assert {type(outcome) for outcome in outcomes} == {bool, TurnsSpent}
    counts = await writers[0].read(_counts)
    assert max(count for is_guild, count in counts if is_guild) == 5
    assert max(count for is_guild, count in counts if not is_guild) == 3


async def _counts(connection: AsyncConnection) -> list[tuple[bool, int]]:
    found = []
    for column in (turns_taken.c.guild_id, turns_taken.c.author_id):
        query = select(func.count()).where(column.is_not(None)).group_by(column)
        found += [(column is turns_taken.c.guild_id, count) for count in await connection.scalars(query)]
    return found


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_meets_leaves_a_history_that_holds_together(writers: list[Database], seed: int) -> None:
    chance, numbers = random.Random(seed), itertools.count(1)
    keys = (HERE, ELSEWHERE, THREAD, DIRECT)

    async def one_step(database: Database) -> None:
        key, history, inbox_ = chance.choice(keys), History(database), Inbox(database)
        match chance.randrange(12):
            case 0:
                await history.reset(key)
            case 1:
                await history.undo_reset(key, MORNING - timedelta(minutes=1))
            case 2:
                await history.delete_message("discord", chance.randrange(1, next(numbers)))
            case 3:
                await OwnWords(database).erase("discord", chance.randrange(3))
            case 4:
                await history.purge_hidden(MORNING)
            case 5:
                last = await inbox_.last_turn(key)
                again = last and await inbox_.begin_generation(key, last.message_id, AnswerKind.AGAIN)
                if again:
                    await answer_it(database, again.question)
            case 6:
                await history.delete_channel(key.platform, key.channel_id)
            case _:
                question = ask(next(numbers), key=key, author_id=chance.randrange(3))
                if await inbox_.receive(question):
                    await answer_it(database, question)

    async def answer_it(database: Database, question: Question) -> None:
        inbox_, history = Inbox(database), History(database)
        attempt = await inbox_.begin_attempt(question, seed=1)
        if attempt is None:
            return
        epoch = (await history.load(question.conversation)).epoch
        made = answer(persona_text=f"You are {chance.randrange(3)}.")
        await history.save_turn(attempt.question, made, epoch=epoch)
        await inbox_.set_state(question, InboxState.ANSWERED)

    async def live(database: Database) -> None:
        for _ in range(12):
            await one_step(database)

    await asyncio.gather(*(live(database) for database in writers * 2))

    assert await writers[0].read(_what_does_not_fit) == []


async def _what_does_not_fit(connection: AsyncConnection) -> list[str]:
    asked, answered = messages.alias("asked"), messages.alias("answered")
    of_it = answered.c.turn_id == asked.c.id
    rules = {
        "a question has no answer": select(asked.c.id)
        .outerjoin(answered, of_it)
        .where(asked.c.role == "user", answered.c.id.is_(None)),
        "an answer is hidden otherwise than its question": select(asked.c.id)
        .join(answered, of_it)
        .where(asked.c.hidden_at.is_distinct_from(answered.c.hidden_at)),
        "an answer lacks its persona's text": select(messages.c.id).where(
            messages.c.persona_hash.is_not(None), messages.c.persona_hash.not_in(select(persona_texts.c.hash))
        ),
        "a persona's text is nobody's": select(persona_texts.c.hash).where(
            persona_texts.c.hash.not_in(select(messages.c.persona_hash).where(messages.c.persona_hash.is_not(None)))
        ),
        "what is done with has words": select(inbox.c.id).where(
            inbox.c.content != "", inbox.c.state.not_in(("received", "waiting", "answering"))
        ),
    }
    return [rule for rule, query in rules.items() if (await connection.execute(query)).first() is not None]
