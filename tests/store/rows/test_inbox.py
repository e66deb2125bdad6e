from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import select

from bot.conversation.turn_limits import NO_LIMITS
from bot.store.files.database import Database, open_database
from bot.store.rows.history import History
from bot.store.rows.inbox import Inbox
from bot.store.rows.questions import AnswerKind, InboxState, Part
from bot.store.tables import conversations
from bot.store.tables import inbox as inbox_table
from tests.store.said import DIRECT, ELSEWHERE, HERE, MORNING, THREAD, answer, ask, hold_turn


@pytest.fixture
def inbox(database: Database) -> Inbox:
    return Inbox(database)


@pytest.fixture
def history(database: Database) -> History:
    return History(database)


async def test_a_question_that_comes_twice_is_received_once_also_after_a_restart(inbox, url):
    received = [await inbox.receive(ask(1)), await inbox.receive(ask(1, "edited"))]

    async with open_database(url) as reopened:
        received.append(await Inbox(reopened).receive(ask(1)))

    assert received == [True, False, False]


async def test_the_same_id_on_another_platform_is_another_question(inbox):
    terminal = replace(HERE, platform="terminal")

    assert [await inbox.receive(ask(1)), await inbox.receive(ask(1, key=terminal))] == [True, True]


async def test_of_a_platforms_questions_that_are_done_with_no_trace_stays(inbox, database):
    private, privately_open = replace(HERE, platform="private"), replace(ELSEWHERE, platform="private")
    for question in (ask(1, key=private), ask(2, key=privately_open), ask(3)):
        await inbox.receive(question)
    for question in (ask(1, key=private), ask(3)):
        await inbox.set_state(question, InboxState.EXPIRED)

    await inbox.forget_ended("private")

    async def left(connection):
        rows = (
            (inbox_table.c.platform, inbox_table.c.message_id),
            (conversations.c.platform, conversations.c.channel_id),
        )
        return [{tuple(row) for row in await connection.execute(select(*columns))} for columns in rows]

    questions, places = await database.read(left)
    assert questions == {("private", 2), (HERE.platform, 3)}
    assert places == {("private", ELSEWHERE.channel_id), (HERE.platform, HERE.channel_id)}


async def test_unfinished_questions_come_back_oldest_first_and_whole(inbox):
    questions = [ask(9, "first", THREAD), ask(3, "second", DIRECT, is_direct=True, author_name="Bob")]
    for question in questions:
        await inbox.receive(question)

    unfinished = await inbox.unfinished()

    assert [open_question.question for open_question in unfinished] == questions
    assert {open_question.state for open_question in unfinished} == {InboxState.RECEIVED}
    assert unfinished[0].seed is None


async def test_every_attempt_is_counted_before_it_is_made_and_keeps_its_seed(inbox, url):
    await inbox.receive(ask(1))

    attempts = [await inbox.begin_attempt(ask(1), seed=11), await inbox.begin_attempt(ask(1), seed=22)]

    assert [(attempt.attempts, attempt.seed) for attempt in attempts] == [(1, 11), (2, 11)]
    async with open_database(url) as reopened:
        (unfinished,) = await Inbox(reopened).unfinished()
    assert (unfinished.attempts, unfinished.seed, unfinished.state) == (2, 11, InboxState.ANSWERING)


async def test_a_question_that_is_answered_at_once_is_received_and_begun_in_one_commit(database, inbox, history):
    async def begin(question):
        return await inbox.receive_and_begin(question, NO_LIMITS, seed=11, load=history.loading(question.conversation))

    await hold_turn(database, ask(1))

    attempt, conversation = await begin(ask(2, "and now?"))
    again = await begin(ask(2, "and now?"))
    second = await inbox.begin_attempt(ask(2), seed=22)

    assert (attempt.question, attempt.attempts, attempt.generation, attempt.seed) == (ask(2, "and now?"), 1, 0, 11)
    assert conversation == await history.load(HERE)
    assert len(conversation.turns) == 1
    assert again is None
    assert (second.question, second.attempts, second.seed) == (attempt.question, 2, 11)


@pytest.mark.parametrize("state", [state for state in InboxState if not state.is_open])
async def test_a_question_that_is_done_with_stays_so_and_loses_its_text(database, inbox, state):
    await inbox.receive(ask(1, "secret"))

    assert await inbox.set_state(ask(1), state)

    assert not await inbox.set_state(ask(1), InboxState.WAITING)
    assert await inbox.begin_attempt(ask(1), seed=1) is None
    assert await inbox.unfinished() == []
    row = (await database.read(lambda connection: connection.execute(select(inbox_table)))).one()
    assert (row.state, row.content, row.author_name) == (state.value, "", "")


async def test_an_edit_counts_until_the_answer_is_complete_and_each_wording_has_its_seed(inbox, history):
    await inbox.receive(ask(1, "first wording"))

    same = await inbox.edit_question(ask(1), "first wording")
    early = await inbox.edit_question(ask(1), "second wording")
    first = await inbox.begin_attempt(ask(1), seed=1)
    later = await inbox.edit_question(ask(1), "third wording")
    second = await inbox.begin_attempt(ask(1), seed=2)
    await history.save_turn(second.question, answer(), epoch=0)
    late = await inbox.edit_question(ask(1), "fourth wording")

    assert (same, early, later, late) == (False, True, True, False)
    assert (first.question.content, first.seed) == ("second wording", 1)
    assert (second.question.content, second.seed) == ("third wording", 2)


async def test_parts_are_kept_replaced_and_removed(inbox):
    await inbox.receive(ask(1))
    for part in (Part("answer", 0, 500), Part("answer", 1, 501), Part("notice", 0, 600), Part("answer", 1, 502)):
        await inbox.record_part(ask(1), part)

    before = await inbox.parts(ask(1))
    await inbox.remove_part(ask(1), "answer", 1)

    assert before == (Part("answer", 0, 500), Part("answer", 1, 502), Part("notice", 0, 600))
    assert (await inbox.unfinished())[0].parts == (Part("answer", 0, 500), Part("notice", 0, 600))


async def test_a_complete_answer_is_delivered_after_a_restart_not_generated_anew(inbox, history, url):
    await inbox.receive(ask(1))
    await inbox.begin_attempt(ask(1), seed=1)
    await inbox.record_part(ask(1), Part("answer", 0, 500))
    turn_id = await history.save_turn(ask(1), answer("All of it"), epoch=0)

    async with open_database(url) as reopened:
        (unfinished,) = await Inbox(reopened).unfinished()

    assert (unfinished.answer, unfinished.turn_id) == ("All of it", turn_id)
    assert unfinished.parts == (Part("answer", 0, 500),)


async def test_an_answer_that_was_asked_for_anew_is_not_taken_for_the_old_one(inbox, database):
    await hold_turn(database, ask(1, "Tell me a story"), "Once")

    opened = await inbox.begin_generation(HERE, 1, AnswerKind.AGAIN)

    (unfinished,) = await inbox.unfinished()
    assert unfinished == opened
    assert (unfinished.answer, unfinished.previous) == (None, "Once")
    assert (unfinished.kind, unfinished.generation, unfinished.attempts) == (AnswerKind.AGAIN, 1, 0)
    assert unfinished.question.content == "Tell me a story"
    assert (await inbox.begin_attempt(ask(1), seed=99)).seed == 99


async def test_only_the_last_turn_of_its_own_conversation_is_answered_anew(inbox, history, database):
    await inbox.receive(ask(1))
    for message_id, key in ((2, HERE), (3, HERE), (4, ELSEWHERE)):
        await hold_turn(database, ask(message_id, key=key))

    assert [await begins(inbox, message_id) for message_id in (1, 2, 4, 5)] == [False] * 4
    assert await inbox.begin_generation(HERE, 3, AnswerKind.AGAIN, generation=1) is None
    assert await begins(inbox, 3)
    assert not await begins(inbox, 3), "it is being answered already"

    await history.reset(HERE)
    assert not await begins(inbox, 3)


async def begins(inbox, message_id):
    return await inbox.begin_generation(HERE, message_id, AnswerKind.AGAIN) is not None


@pytest.mark.parametrize(
    ("since", "is_answered_again"), [(None, False), (MORNING, True), (MORNING + timedelta(hours=1), False)]
)
async def test_an_edit_of_an_answered_question_changes_what_is_remembered(
    inbox, history, database, since, is_answered_again
):
    await hold_turn(database, ask(1, "Tell me a story"), "Once")

    same = await inbox.edit_answered(HERE, 1, "Tell me a story", answered_again_since=since)
    edited = await inbox.edit_answered(HERE, 1, "Tell me a joke", answered_again_since=since)

    assert same is False
    assert (edited is True) is not is_answered_again
    assert [(turn.question, turn.answer) for turn in (await history.load(HERE)).turns] == [("Tell me a joke", "Once")]
    assert len(await inbox.unfinished()) == is_answered_again


async def test_an_answer_that_a_reset_overtook_is_stale_and_has_nothing_to_deliver(inbox, history):
    await inbox.receive(ask(1))
    await inbox.begin_attempt(ask(1), seed=1)
    await inbox.record_part(ask(1), Part("answer", 0, 500))
    await history.save_turn(ask(1), answer(), epoch=0)
    await history.reset(HERE)

    (unfinished,) = await inbox.unfinished()

    assert (unfinished.is_stale, unfinished.answer, unfinished.turn_id) == (True, None, None)
    assert unfinished.parts == (Part("answer", 0, 500),)


async def test_the_newest_question_of_every_channel_is_known(inbox, history):
    for message_id, key in ((10, HERE), (30, ELSEWHERE), (20, THREAD), (5, HERE)):
        await inbox.receive(ask(message_id, key=key))
    await history.reset(HERE)

    known = [(channel.key, channel.last_message_id) for channel in await inbox.known_channels("discord")]

    assert known == [(ELSEWHERE, 30), (THREAD, 20), (HERE, 10)]
    assert len(await inbox.known_channels("discord", limit=2)) == 2
    assert await inbox.last_message_id("discord", HERE.channel_id) == 10
    assert await inbox.last_message_id("terminal", HERE.channel_id) is None


async def test_states_are_counted(inbox):
    for number in range(3):
        await inbox.receive(ask(number))
    await inbox.set_state(ask(0), InboxState.REFUSED)

    counts = await inbox.count_by_state()

    assert {state: number for state, number in counts.items() if number} == {
        InboxState.RECEIVED: 2,
        InboxState.REFUSED: 1,
    }
    assert set(counts) == set(InboxState)


async def test_a_person_gets_one_hint_a_day(inbox):
    today, tomorrow = date(2026, 11, 22), date(2026, 11, 23)

    claimed = [
        await inbox.claim_hint("discord", 5, today),
        await inbox.claim_hint("discord", 5, today),
        await inbox.claim_hint("discord", 6, today),
        await inbox.claim_hint("discord", 5, tomorrow),
    ]

    assert claimed == [True, False, True, True]


async def test_a_restart_never_sees_a_question_of_which_nothing_is_known(inbox):
    assert await inbox.state("discord", 1) is None
    assert await inbox.parts(ask(1)) == ()


async def test_an_attempt_that_ended_in_order_is_not_counted(inbox):
    await inbox.receive(ask(1))
    await inbox.release(ask(1))
    await inbox.begin_attempt(ask(1), seed=1)

    await inbox.release(ask(1))

    assert (await inbox.begin_attempt(ask(1), seed=1)).attempts == 1
