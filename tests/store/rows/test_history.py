from datetime import timedelta

import pytest
from sqlalchemy import delete, event, insert, select

from bot.conversation.messages import ConversationKey
from bot.errors import StoreError
from bot.observer import Observer, TransactionRecord
from bot.store.files.database import Database, open_database
from bot.store.rows.deletion import MAX_DELETED_AT_ONCE
from bot.store.rows.history import Conversation, History
from bot.store.rows.inbox import Inbox
from bot.store.rows.personas import Personas
from bot.store.rows.questions import AnswerKind, InboxState
from bot.store.tables import inbox, messages
from tests.store.said import DIRECT, ELSEWHERE, HERE, MORNING, THREAD, Clock, answer, ask, hold_turn, said


@pytest.fixture
def history(database: Database) -> History:
    return History(database)


async def count(database: Database, table) -> int:
    return len((await database.read(lambda connection: connection.execute(select(table)))).all())


async def test_a_channel_where_nothing_was_said_is_empty(history):
    assert await history.load(HERE) == Conversation(HERE)


async def test_turns_come_back_in_order_with_their_speakers(database, history):
    first = await hold_turn(database, ask(1, "I'm Ada", author_name="Ada"), "Hello Ada")
    second = await hold_turn(database, ask(2, "I'm Bob", author_name="Bob"), "Hello Bob")

    turns = (await history.load(HERE)).turns

    assert [(turn.id, turn.author_name, turn.question, turn.answer) for turn in turns] == [
        (first, "Ada", "I'm Ada", "Hello Ada"),
        (second, "Bob", "I'm Bob", "Hello Bob"),
    ]
    assert first < second


async def test_a_direct_conversation_names_nobody(database, history):
    await hold_turn(database, ask(1, key=DIRECT, is_direct=True))

    assert [turn.author_name for turn in (await history.load(DIRECT)).turns] == [None]


async def test_channels_and_platforms_hear_nothing_of_each_other(database):
    terminal = ConversationKey("terminal", HERE.channel_id)
    await hold_turn(database, ask(1, "here"))
    await hold_turn(database, ask(2, "elsewhere", ELSEWHERE))
    await hold_turn(database, ask(3, "in the thread", THREAD))
    await hold_turn(database, ask(1, "at the terminal", terminal))

    heard = {
        key: [question for question, _ in await said(database, key)] for key in (HERE, ELSEWHERE, THREAD, terminal)
    }

    assert heard == {HERE: ["here"], ELSEWHERE: ["elsewhere"], THREAD: ["in the thread"], terminal: ["at the terminal"]}


async def test_history_survives_a_restart(url):
    async with open_database(url) as database:
        await hold_turn(database, ask(1, "My colour is teal"), "Teal!")

    async with open_database(url) as database:
        assert await said(database) == [("My colour is teal", "Teal!")]


async def test_an_answer_keeps_what_it_was_made_with(database, history):
    await hold_turn(
        database, ask(1), sampling={"temperature": 0.7, "top_p": 0.9}, seed=2**62, model_hash="sha", persona="Trinity",
        prompt_turn_ids=[3, 4], num_prompt_tokens=50, num_new_tokens=9, finish_reason="length",
    )  # fmt: skip

    query = select(messages).where(messages.c.role == "assistant")
    row = (await database.read(lambda connection: connection.execute(query))).one()

    assert (row.sampling, row.seed, row.model_hash) == ({"temperature": 0.7, "top_p": 0.9}, 2**62, "sha")
    assert (row.prompt_turn_ids, row.finish_reason, row.persona) == ([3, 4], "length", "Trinity")
    assert (row.num_prompt_tokens, row.num_new_tokens, row.created_at) == (50, 9, MORNING)


async def test_the_terminal_needs_no_inbox(database, history):
    turn_id = await history.save_turn(ask(1), answer(), epoch=0)

    assert [turn.id for turn in (await history.load(HERE)).turns] == [turn_id]


async def test_turns_before_the_first_kept_one_are_left_out_also_after_a_restart(database, history, url):
    ids = [await hold_turn(database, ask(number, str(number))) for number in (1, 2, 3)]

    moved = await history.move_first_kept(HERE, 0, ids[1])

    async with open_database(url) as reopened:
        conversation = await History(reopened).load(HERE)
    assert moved
    assert conversation.first_kept_turn_id == ids[1]
    assert [turn.question for turn in conversation.turns] == ["2", "3"]


async def test_the_first_kept_turn_moves_forward_only_and_may_leave_none(database, history):
    ids = [await hold_turn(database, ask(number)) for number in (1, 2)]

    assert await history.move_first_kept(HERE, 0, ids[1] + 1)
    assert not await history.move_first_kept(HERE, 0, ids[0])
    assert (await history.load(HERE)).turns == ()

    newest = await hold_turn(database, ask(3))
    assert [turn.id for turn in (await history.load(HERE)).turns] == [newest]


async def test_the_first_trim_is_told_once_per_reset(database, history):
    await hold_turn(database, ask(1))

    marked = [await history.mark_trim_announced(HERE, 0), await history.mark_trim_announced(HERE, 0)]
    is_announced = (await history.load(HERE)).is_trim_announced
    await history.reset(HERE)

    assert (marked, is_announced) == ([True, False], True)
    assert not (await history.load(HERE)).is_trim_announced
    assert await history.mark_trim_announced(HERE, 1)


async def test_a_reset_hides_everything_at_once_and_nothing_elsewhere(database, history):
    await hold_turn(database, ask(1))
    await hold_turn(database, ask(2))
    await hold_turn(database, ask(3, key=ELSEWHERE))
    await history.move_first_kept(HERE, 0, 2)

    reset = await history.reset(HERE)

    assert reset.num_turns == 2
    assert await history.load(HERE) == Conversation(HERE, epoch=1)
    assert len(await said(database, ELSEWHERE)) == 1


async def test_a_reset_empties_what_waits_and_tells_what_is_being_answered(database, history):
    questions = [ask(number) for number in (1, 2, 3)]
    for question in questions:
        await Inbox(database).receive(question)
    await Inbox(database).begin_attempt(questions[0], seed=1)
    await Inbox(database).set_state(questions[1], InboxState.WAITING)
    await Inbox(database).receive(ask(4, key=ELSEWHERE))

    reset = await history.reset(HERE)

    assert (reset.waiting, reset.answering) == ((2, 3), (1,))
    left = {each.question.message_id: each for each in await Inbox(database).unfinished()}
    assert [(left[number].question.content, left[number].is_stale) for number in (2, 3)] == [("", True)] * 2
    assert await Inbox(database).begin_attempt(questions[2], seed=1) is None
    assert await Inbox(database).state("discord", 4) is InboxState.RECEIVED


async def test_an_answer_of_before_the_reset_is_not_stored(database, history):
    question = ask(1)
    await Inbox(database).receive(question)
    await Inbox(database).begin_attempt(question, seed=1)
    await history.reset(HERE)

    turn_id = await history.save_turn(question, answer(), epoch=0)

    assert turn_id is None
    assert await said(database) == []
    assert await Inbox(database).state("discord", 1) is InboxState.WITHDRAWN
    assert not await history.move_first_kept(HERE, 0, 1)


@pytest.mark.parametrize("is_again", [False, True], ids=["first answer", "answered again"])
async def test_what_was_asked_before_a_reset_is_not_answered_behind_it(database, history, is_again):
    question = ask(1)
    if is_again:
        await hold_turn(database, question)
        await Inbox(database).begin_generation(HERE, 1, AnswerKind.AGAIN)
    else:
        await Inbox(database).receive(question)
    attempt = await Inbox(database).begin_attempt(question, seed=1)
    await history.reset(HERE)

    conversation = await history.load(HERE)  # where the reset came between the attempt and what it reads
    turn_id = await history.save_turn(attempt.question, answer(), epoch=conversation.epoch)

    assert turn_id is None
    assert await said(database) == []
    assert await Inbox(database).state("discord", 1) is InboxState.WITHDRAWN


async def test_an_answer_to_a_withdrawn_question_is_not_stored(database, history):
    question = ask(1)
    await Inbox(database).receive(question)
    await Inbox(database).begin_attempt(question, seed=1)
    await history.delete_message("discord", 1)

    assert await history.save_turn(question, answer(), epoch=0) is None
    assert await said(database) == []


async def test_what_was_reset_is_deleted_for_good_when_its_minute_is_over(database, history, clock):
    await hold_turn(database, ask(1))
    await history.reset(HERE)
    clock.move(seconds=30)
    await hold_turn(database, ask(2, key=ELSEWHERE))
    await history.reset(ELSEWHERE)

    early = await history.purge_hidden(MORNING)
    late = await history.purge_hidden(MORNING.replace(minute=1))

    assert (early, late) == (1, 1)
    assert await count(database, messages) == 0


async def test_a_clock_that_is_set_back_keeps_nothing_hidden_alive(database, history, clock):
    await hold_turn(database, ask(1))
    await history.reset(HERE)
    clock.move(days=-1)

    assert await history.purge_hidden(clock.now) == 1


async def test_hidden_turns_of_an_earlier_process_are_deleted_with_the_others(url):
    async with open_database(url) as database:
        await hold_turn(database, ask(1))
        await History(database).reset(HERE)

    async with open_database(url) as database:
        assert await History(database).purge_hidden() == 1
        assert await count(database, messages) == 0


async def test_deleted_text_is_nowhere_in_the_files(database, history, file):
    canary = "the canary is called Gertrude"
    await hold_turn(database, ask(1, canary), canary)
    waiting, answering = ask(2, canary), ask(3, canary)
    for question in (waiting, answering):
        await Inbox(database).receive(question)
    await Inbox(database).begin_attempt(answering, seed=1)
    files = [file, file.with_name(file.name + "-wal")]
    assert any(canary.encode() in path.read_bytes() for path in files)

    await history.reset(HERE)
    await history.purge_hidden()

    assert not any(canary.encode() in path.read_bytes() for path in files if path.exists())


async def test_a_deleted_question_takes_its_turn_with_it(database, history):
    await hold_turn(database, ask(1, "secret"))
    await hold_turn(database, ask(2, "harmless"))

    await history.delete_message("discord", 1)

    assert [question for question, _ in await said(database)] == ["harmless"]
    assert await count(database, messages) == 2


async def test_a_channels_deletion_takes_its_threads_along(database, history):
    for number, key in enumerate((HERE, THREAD, ELSEWHERE)):
        await hold_turn(database, ask(number, key=key))
    await Inbox(database).receive(ask(9, key=THREAD))

    deletion = await history.delete_channel("discord", HERE.channel_id)

    assert (deletion.num_turns, {key.channel_id for key in deletion.conversations}, deletion.withdrawn) == (
        2,
        {100, 101},
        (9,),
    )
    assert [await said(database, key) for key in (HERE, THREAD)] == [[], []]
    assert len(await said(database, ELSEWHERE)) == 1
    assert [channel.key for channel in await Inbox(database).known_channels("discord")] == [ELSEWHERE]


async def test_an_answer_does_not_bring_a_deleted_channel_back(database, history):
    question = ask(1)
    await Inbox(database).receive(question)
    await history.delete_channel("discord", HERE.channel_id)

    assert await history.save_turn(question, answer(), epoch=0) is None


async def test_retention_deletes_old_turns_and_what_the_inbox_knew_of_them(database, history, clock: Clock):
    await hold_turn(database, ask(1, "old"))
    clock.move(days=30)
    await hold_turn(database, ask(2, "new", created_at=clock.now))

    num_turns = await history.delete_older_than(MORNING.replace(day=23))

    assert num_turns == 1
    assert [question for question, _ in await said(database)] == ["new"]
    assert await count(database, inbox) == 1


class Writes(Observer):
    num_writes = 0

    def on_transaction(self, record: TransactionRecord) -> None:
        self.num_writes += record.is_write


async def test_retention_keeps_others_from_writing_for_a_thousand_questions_at_a_time(database, url: str, clock: Clock):
    await hold_turn(database, ask(1))
    seen = {
        "conversation_id": 1, "platform": "discord", "state": "answered", "epoch": 0, "author_id": 5, "author_name": "",
        "content": "", "is_direct": False, "created_at": clock.now, "received_at": clock.now,
    }  # fmt: skip
    rows = [{**seen, "message_id": 10 + number} for number in range(2 * MAX_DELETED_AT_ONCE + 1)]
    await database.write(lambda connection: connection.execute(insert(inbox), rows))
    clock.move(days=30)
    writes = Writes()

    async with open_database(url, clock=clock, observer=writes) as watched:
        before = writes.num_writes
        assert await History(watched).delete_older_than(clock.now) == 1

    assert await count(database, inbox) == 0
    assert writes.num_writes - before >= 3


async def test_retention_deletes_the_record_of_personas(database, history, clock: Clock):
    personas = Personas(database)
    await personas.save(HERE, "Pirate", "Arr.", author_id=5, author_name="Ada")
    clock.move(days=2)
    await personas.save(HERE, "Poet", "Roses.", author_id=5, author_name="Ada")

    await history.delete_older_than(MORNING.replace(day=23))

    assert [change.name for change in await personas.changes(HERE)] == ["Poet"]
    assert [persona.name for persona in await personas.list_own(HERE)] == ["Pirate", "Poet"]


async def test_a_deleted_channels_record_of_personas_goes_with_it(database, history):
    personas = Personas(database)
    await personas.choose(HERE, "Pirate", author_id=5, author_name="Ada")
    await personas.choose(ELSEWHERE, "Pirate", author_id=5, author_name="Ada")

    await history.delete_channel("discord", HERE.channel_id)

    assert [change.channel_id for change in await personas.changes(ELSEWHERE)] == [ELSEWHERE.channel_id]


async def test_an_answer_replaces_the_older_one_to_the_same_question(database, history):
    question = ask(1, "Tell me a story")
    turn_id = await hold_turn(database, question, "Once upon a time")
    assert await Inbox(database).begin_generation(HERE, 1, AnswerKind.AGAIN)

    replaced = await history.save_turn(question, answer("A dark night"), epoch=0)

    assert replaced == turn_id
    assert await said(database) == [("Tell me a story", "A dark night")]
    assert (await history.load(HERE, without_question=1)).turns == ()


async def test_what_a_reset_hid_comes_back_before_what_was_said_since(database, history, clock):
    await hold_turn(database, ask(1, "long ago"))
    await history.reset(HERE)
    clock.move(seconds=90)
    for message_id, content in ((2, "one"), (3, "two")):
        await hold_turn(database, ask(message_id, content))
    await hold_turn(database, ask(4, "elsewhere", ELSEWHERE))
    await history.reset(HERE)
    await history.reset(ELSEWHERE)
    await hold_turn(database, ask(5, "three"))
    await history.move_first_kept(HERE, 2, 5)
    minute_ago = clock() - timedelta(seconds=60)

    restored = [await history.undo_reset(HERE, minute_ago) for _ in range(2)]

    assert restored == [2, 0]
    assert [question for question, _ in await said(database)] == ["one", "two", "three"]
    assert await said(database, ELSEWHERE) == []


async def test_what_was_hidden_too_long_ago_or_is_purged_does_not_come_back(database, history, clock):
    await hold_turn(database, ask(1))
    await history.reset(HERE)
    since = clock()
    clock.move(seconds=60)

    assert await history.undo_reset(HERE, since) == 0
    await history.purge_hidden(since)
    assert await history.undo_reset(HERE, since - timedelta(hours=1)) == 0


@pytest.mark.parametrize(
    "values",
    [
        {"role": "assistant", "turn_id": None},
        {"role": "assistant", "turn_id": 999},
        {"role": "assistant", "turn_id": 1, "conversation_id": 2},
        {"role": "assistant", "turn_id": 1, "sampling": None},
        {"role": "system", "turn_id": None},
        {"role": "user", "turn_id": 1, "author_id": 5, "message_id": 6},
        {"role": "user", "turn_id": None, "author_id": None, "message_id": 6},
    ],
)
async def test_the_schema_refuses_an_answer_without_its_question(database, values):
    await hold_turn(database, ask(1))
    await hold_turn(database, ask(2, key=ELSEWHERE))
    await database.write(lambda connection: connection.execute(delete(messages).where(messages.c.turn_id == 1)))
    answer_row = {
        "conversation_id": 1,
        "content": "?",
        "created_at": MORNING,
        "sampling": {},
        "model_hash": "",
        "finish_reason": "",
    }

    with pytest.raises(StoreError):
        await database.write(lambda connection: connection.execute(insert(messages).values(**answer_row | values)))


async def test_no_answer_outlives_its_question(database):
    await hold_turn(database, ask(1))

    await database.write(lambda connection: connection.execute(delete(messages).where(messages.c.role == "user")))

    assert await count(database, messages) == 0


@pytest.mark.parametrize(
    "text", ["a\x00b", "lone \ud83d surrogate", "'); DROP TABLE messages; --", "Ω 😀 \r\n\t", "%s {} :x ?"]
)
async def test_any_text_comes_back_as_it_was_or_repaired(database, text):
    await hold_turn(database, ask(1, text, author_name=text), text)

    repaired = text.replace("\x00", "\ufffd").replace("\ud83d", "\ufffd")
    assert await said(database) == [(repaired, repaired)]


async def test_ids_of_deleted_turns_are_not_used_again(database, history):
    first = await hold_turn(database, ask(1))
    await history.delete_message("discord", 1)

    assert await hold_turn(database, ask(2)) > first


@pytest.mark.sqlite_only  # the statements are the same
async def test_every_statement_about_messages_names_the_conversation(database, history):
    statements: list[str] = []
    engine = database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))

    await hold_turn(database, ask(1))
    await history.load(HERE)
    await history.reset(HERE)

    about_messages = [text for text in statements if "FROM messages" in text or "UPDATE messages" in text]
    assert len(about_messages) >= 3
    assert [text for text in about_messages if "conversation_id = ?" not in text] == []
