"""A channel in which each person has a conversation of their own, beside the one that all of them share."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from bot.store.files.database import Database
from bot.store.files.migrate import prepare_file
from bot.store.files.schema import migrations_folder, run_migrations
from bot.store.rows.deletion import DeletedMessage
from bot.store.rows.history import History
from bot.store.rows.inbox import Inbox
from bot.store.rows.questions import InboxState
from tests.store.said import HERE, THREAD, ask, hold_turn, said

ADAS, BOBS = replace(HERE, person_id=5), replace(HERE, person_id=6)
IN_THREAD = replace(THREAD, person_id=5)


@pytest.fixture
async def history(database: Database) -> History:
    """Somebody asked in each of four conversations."""
    for number, key in enumerate((HERE, ADAS, BOBS, IN_THREAD), 1):
        await hold_turn(database, ask(number, f"question {number}", key))
    return History(database)


async def test_conversations_of_one_channel_do_not_know_each_other(database, history):
    remembered = [[question for question, _ in await said(database, key)] for key in (HERE, ADAS, BOBS, IN_THREAD)]

    assert remembered == [["question 1"], ["question 2"], ["question 3"], ["question 4"]]
    assert len({key.cache_owner for key in (HERE, ADAS, BOBS, IN_THREAD)}) == 4


async def test_a_reset_is_of_one_conversation(database, history):
    await Inbox(database).receive(ask(9, key=BOBS))

    reset = await history.reset(ADAS)

    assert (reset.num_turns, reset.waiting) == (1, ())
    assert [len(await said(database, key)) for key in (HERE, ADAS, BOBS)] == [1, 0, 1]


async def test_what_is_kept_in_the_prompt_is_of_one_conversation(history):
    loaded = await history.load(ADAS)
    await history.move_first_kept(ADAS, loaded.epoch, loaded.turns[0].id + 1)

    assert [len((await history.load(key)).turns) for key in (HERE, ADAS, BOBS)] == [1, 0, 1]


async def test_a_question_is_resumed_in_its_own_conversation(database, history):
    inbox = Inbox(database)
    await inbox.receive(ask(9, key=ADAS))

    attempt = await inbox.begin_attempt(ask(9, key=ADAS), seed=1)
    (left,) = await inbox.unfinished()

    assert attempt.question.conversation == left.question.conversation == ADAS


async def test_the_channel_is_known_once_with_its_newest_question(database, history):
    inbox = Inbox(database)

    known = [(channel.key, channel.last_message_id) for channel in await inbox.known_channels("discord")]

    assert known == [(THREAD, 4), (HERE, 3)]
    assert await inbox.last_message_id("discord", HERE.channel_id) == 3


async def test_a_deleted_message_says_whose_conversation_it_was_in(history):
    deletion = await history.delete_message("discord", 2)

    assert (deletion.kind, deletion.conversation) == (DeletedMessage.TURN, ADAS)
    assert await history.message_ids("discord", HERE.channel_id, 0) == {1, 3}


async def test_a_deleted_channel_takes_every_conversation_along(database, history):
    await Inbox(database).receive(ask(9, key=BOBS))

    deletion = await history.delete_channel("discord", HERE.channel_id)

    assert (deletion.num_turns, deletion.withdrawn) == (4, (9,))
    assert set(deletion.conversations) == {HERE, ADAS, BOBS, IN_THREAD}
    assert [await said(database, key) for key in (HERE, ADAS, BOBS, IN_THREAD)] == [[], [], [], []]
    assert await Inbox(database).known_channels("discord") == []


async def test_what_is_too_old_goes_from_every_conversation(database, history, clock):
    clock.move(days=2)

    assert await history.delete_older_than(clock()) == 4


async def test_a_message_is_a_question_once_even_where_the_sessions_changed_meanwhile(database, history):
    inbox = Inbox(database)

    is_new = await inbox.receive(ask(2, "question 2", HERE))

    assert not is_new
    assert await inbox.state("discord", 2) is InboxState.ANSWERED


def test_what_was_said_before_there_were_sessions_is_what_the_channel_shares(file: Path):
    prepare_file(file, version="0007")
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("INSERT INTO conversations (id, platform, channel_id, epoch) VALUES (4, 'discord', 100, 2)")
        connection.execute(
            "INSERT INTO messages (id, conversation_id, role, content, created_at, author_id, message_id)"
            " VALUES (7, 4, 'user', 'hello', '2026-11-22 09:00:00', 5, 1)"
        )
        connection.commit()

    prepare_file(file)

    with closing(sqlite3.connect(file)) as connection:
        rows = connection.execute("SELECT id, channel_id, person_id, epoch FROM conversations").fetchall()
        assert rows == [(4, 100, 0, 2)]
        assert connection.execute("SELECT conversation_id FROM messages").fetchall() == [(4,)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


def test_an_older_version_gets_what_is_shared_and_nothing_of_anybodys_own(file: Path):
    prepare_file(file)
    with closing(sqlite3.connect(file)) as connection:
        for conversation_id, person_id in ((1, 0), (2, 5)):
            connection.execute(
                "INSERT INTO conversations (id, platform, channel_id, person_id) VALUES (?, 'discord', 100, ?)",
                (conversation_id, person_id),
            )
            connection.execute(
                "INSERT INTO messages (id, conversation_id, role, content, created_at, author_id, message_id)"
                " VALUES (:id, :id, 'user', 'hello', '2026-11-22 09:00:00', 5, :id)",
                {"id": conversation_id},
            )
        connection.commit()
    engine = create_engine(f"sqlite:///{file}")

    with engine.begin() as connection:
        run_migrations(connection, migrations_folder(), "0007")
    engine.dispose()

    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT id FROM conversations").fetchall() == [(1,)]
        assert connection.execute("SELECT id FROM messages").fetchall() == [(1,)]
