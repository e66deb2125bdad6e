from dataclasses import replace

import pytest

from bot.store.files.backup import backup
from bot.store.files.database import Database
from bot.store.rows.deletion import DeletedMessage, MessageDeletion
from bot.store.rows.history import History
from bot.store.rows.inbox import Inbox
from bot.store.rows.questions import InboxState, Part
from tests.store.said import ELSEWHERE, HERE, answer, ask, hold_turn, said

NOTHING = MessageDeletion(DeletedMessage.NOTHING)


@pytest.fixture
def history(database: Database) -> History:
    return History(database)


@pytest.fixture
def inbox(database: Database) -> Inbox:
    return Inbox(database)


async def test_a_message_nobody_knows_is_nothing(history):
    assert await history.delete_message("discord", 1) == NOTHING


@pytest.mark.parametrize("state", [InboxState.RECEIVED, InboxState.WAITING, InboxState.ANSWERING])
async def test_an_unanswered_question_is_withdrawn(history, inbox, state):
    await inbox.receive(ask(1))
    await inbox.set_state(ask(1), state)
    await inbox.record_part(ask(1), Part("answer", 0, 500))

    deletion = await history.delete_message("discord", 1)

    assert deletion == MessageDeletion(DeletedMessage.OPEN_QUESTION, HERE, 1, is_asked=True)
    assert await inbox.state("discord", 1) is InboxState.WITHDRAWN


async def test_an_open_question_of_which_something_is_shown_can_be_left_to_whoever_resumes_it(history, inbox):
    for number in (1, 2):
        await inbox.receive(ask(number))
    await inbox.record_part(ask(1), Part("answer", 0, 500))

    assert await history.delete_message("discord", 1, leaves_shown=True) == NOTHING
    deletion = await history.delete_message("discord", 2, leaves_shown=True)

    assert deletion.kind is DeletedMessage.OPEN_QUESTION
    assert await inbox.state("discord", 1) is InboxState.RECEIVED
    assert await inbox.recorded_among("discord", [499, 500]) == {500}


async def test_of_an_open_question_whose_answer_was_deleted_the_rest_is_left_to_whoever_resumes_it(history, inbox):
    await inbox.receive(ask(1))
    for part in (Part("answer", 0, 500), Part("answer", 1, 501)):
        await inbox.record_part(ask(1), part)

    deletion = await history.delete_message("discord", 501, leaves_shown=True)

    (left,) = await inbox.unfinished()
    assert deletion == MessageDeletion(DeletedMessage.OPEN_QUESTION, HERE, 1)
    assert (left.is_erased, left.question.content, [part.message_id for part in left.parts]) == (True, "", [500])


async def test_an_answered_question_goes_with_its_turn_and_names_what_is_left_of_the_answer(database, history, inbox):
    await hold_turn(database, ask(1))
    for part in (Part("answer", 0, 500), Part("answer", 1, 501), Part("notice", 0, 600)):
        await inbox.record_part(ask(1), part)

    deletion = await history.delete_message("discord", 1)

    assert deletion == MessageDeletion(DeletedMessage.TURN, HERE, 1, is_asked=True)
    assert await said(database) == []
    assert await history.delete_message("discord", 1) == NOTHING


async def test_what_was_deleted_is_in_no_file_in_either_role_and_later_answers_stay(
    database, history, file, url, tmp_path
):
    await hold_turn(database, ask(1, "My cat is called Mochi-asked."), "Mochi-answered is a lovely name.")
    await hold_turn(database, ask(2, "What is my cat called?"), "Mochi-repeated, you said.")

    await history.delete_message("discord", 1)
    await backup(url, tmp_path / "copy.db")

    assert await said(database) == [("What is my cat called?", "Mochi-repeated, you said.")]
    texts = {path.name: path.read_bytes() for path in (*file.parent.iterdir(), tmp_path / "copy.db") if path.is_file()}
    assert {name for name, text in texts.items() if b"Mochi-asked" in text or b"Mochi-answered" in text} == set()
    assert b"Mochi-repeated" in texts["copy.db"]
    await history.delete_message("discord", 2)
    assert await said(database) == []


async def test_a_question_that_is_deleted_before_its_answer_is_in_no_file(history, inbox, file):
    await inbox.receive(ask(1, "My cat is called Mochi-asked."))

    await history.delete_message("discord", 1)

    assert [path.name for path in file.parent.iterdir() if path.is_file() and b"Mochi" in path.read_bytes()] == []


async def test_any_part_of_an_answer_takes_the_turn_with_it(database, history, inbox):
    await hold_turn(database, ask(1))
    await inbox.record_part(ask(1), Part("answer", 0, 500))
    await inbox.record_part(ask(1), Part("answer", 1, 501))

    deletion = await history.delete_message("discord", 501)

    assert deletion == MessageDeletion(DeletedMessage.TURN, HERE, 1)
    assert await said(database) == []


async def test_any_message_in_which_a_question_goes_on_takes_the_turn_with_it(database, history, inbox):
    await hold_turn(database, replace(ask(1), more_ids=(2, 3)))
    await hold_turn(database, ask(4))

    held = await history.message_ids("discord", HERE.channel_id, 1, None)
    belonging = [await inbox.messages_of("discord", number) for number in (1, 3, 4, 5)]
    deletion = await history.delete_message("discord", 3)

    assert held >= {1, 2, 3, 4}
    assert belonging == [[1, 2, 3], [1, 2, 3], [4], []]
    assert deletion == MessageDeletion(DeletedMessage.TURN, HERE, 1, is_asked=True)
    assert [await inbox.receive(ask(number)) for number in (2, 3)] == [False, False]
    assert len(await said(database)) == 1


async def test_a_part_that_is_deleted_while_the_bot_writes_withdraws_the_question(history, inbox):
    await inbox.receive(ask(1))
    await inbox.begin_attempt(ask(1), seed=1)
    await inbox.record_part(ask(1), Part("answer", 0, 500))

    deletion = await history.delete_message("discord", 500)

    assert deletion == MessageDeletion(DeletedMessage.OPEN_QUESTION, HERE, 1)
    assert await inbox.unfinished() == []


async def test_a_turn_that_is_still_being_delivered_is_deleted_and_withdrawn(database, history, inbox):
    await inbox.receive(ask(1))
    await inbox.begin_attempt(ask(1), seed=1)
    await history.save_turn(ask(1), answer(), epoch=0)

    deletion = await history.delete_message("discord", 1)

    assert deletion.kind is DeletedMessage.TURN
    assert await inbox.state("discord", 1) is InboxState.WITHDRAWN
    assert await said(database) == []


async def test_deleting_our_own_surplus_parts_and_notices_deletes_no_turn(database, history, inbox):
    await hold_turn(database, ask(1))
    for part in (Part("answer", 0, 500), Part("answer", 1, 501), Part("notice", 0, 600)):
        await inbox.record_part(ask(1), part)

    surplus = await inbox.mark_surplus(ask(1), "answer", 1)
    deletions = [await history.delete_message("discord", number) for number in (501, 600)]

    assert surplus == (Part("answer", 1, 501, is_surplus=True),)
    assert deletions == [NOTHING, NOTHING]
    assert await inbox.parts(ask(1)) == (Part("answer", 0, 500),)
    assert len(await said(database)) == 1


async def test_a_turn_without_an_inbox_row_can_be_deleted_too(database, history):
    await history.save_turn(ask(1), answer(), epoch=0)

    deletion = await history.delete_message("discord", 1)

    assert deletion == MessageDeletion(DeletedMessage.TURN, HERE, 1, is_asked=True)
    assert await said(database) == []


async def test_the_same_id_on_another_platform_is_left_alone(database, history):
    await hold_turn(database, ask(1))

    assert await history.delete_message("terminal", 1) == NOTHING
    assert len(await said(database)) == 1


async def test_messages_that_a_deletion_would_change_are_found_between_two_ids(database):
    for number in (10, 20, 30):
        await hold_turn(database, ask(number))
        await Inbox(database).record_part(ask(number), Part("answer", 0, number + 1))
    await hold_turn(database, ask(40, key=ELSEWHERE))
    await Inbox(database).receive(ask(50))
    await Inbox(database).record_part(ask(50), Part("notice", 0, 51))
    await Inbox(database).record_part(ask(30), Part("answer", 1, 32))
    await Inbox(database).mark_surplus(ask(30), "answer", 1)
    await Inbox(database).receive(ask(60))
    await Inbox(database).set_state(ask(60), InboxState.REFUSED)

    async def found(oldest: int, newest: int | None = None) -> set[int]:
        return await History(database).message_ids("discord", HERE.channel_id, oldest, newest)

    assert await found(0) == {10, 11, 20, 21, 30, 31, 50}
    assert await found(11, 30) == {11, 20, 21, 30}
    await History(database).reset(HERE)
    assert await found(0) == {50}  # which says that it waits


async def test_known_are_questions_turns_and_parts_of_this_platform(database, history, inbox):
    await hold_turn(database, ask(1))
    await inbox.receive(ask(2))
    await inbox.record_part(ask(2), Part("answer", 0, 500))

    assert await history.known_among("discord", [1, 2, 3, 500, 501]) == {1, 2, 500}
    assert await history.known_among("terminal", [1, 2, 500]) == set()
    assert await history.known_among("discord", range(2000, 2100)) == set()
