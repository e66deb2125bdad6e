"""What was executed before is executed without SQLAlchemy, and what comes of it is the same."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from sqlalchemy import Engine, bindparam, event, select
from sqlalchemy.exc import IntegrityError, StatementError

from bot.store.files.prepared import Rows
from bot.store.tables import conversations, hints, inserts, messages

NUM_TIMES = 4
AT = datetime(2026, 1, 1, 13, tzinfo=timezone(timedelta(hours=1)))
HINT = {"platform": "discord", "author_id": 1, "day": date(2026, 1, 1)}


def channel(number):
    return {"platform": "discord", "channel_id": number}


def question(conversation, content="Well\x00?", created_at=AT):
    return {
        "conversation_id": conversation, "role": "user", "content": content, "created_at": created_at,
        "author_id": 1, "author_name": "Alice", "is_direct": True, "message_id": conversation,
    }  # fmt: skip


def answer(conversation, turn_id):
    return {
        "conversation_id": conversation, "role": "assistant", "content": "Yes.", "created_at": AT, "turn_id": turn_id,
        "sampling": {"seed": [1, None]}, "model_hash": "echo", "finish_reason": "stop",
    }  # fmt: skip


@pytest.fixture
def statements():
    """Statements that nothing has executed yet, by name."""
    its_id = bindparam("its_id")
    columns = messages.c
    return {
        "add": conversations.insert().returning(conversations.c.id),
        "say": messages.insert(),
        "turn": select(columns.id).where(columns.conversation_id == its_id, columns.role == "user"),
        "read": select(columns.created_at, columns.is_direct, columns.sampling, columns.content)
        .where(columns.conversation_id == its_id)
        .order_by(columns.id),
        "hint": inserts(hints, lambda statement: statement.on_conflict_do_nothing())["sqlite"],
    }


async def test_values_go_in_and_come_out_the_same_as_sqlalchemys(database, statements) -> None:
    async def work(connection):
        told, are_prepared = [], []
        for number in range(NUM_TIMES):
            added = await connection.execute(statements["add"], channel(number))
            conversation = added.scalar_one()
            said = await connection.execute(statements["say"], question(conversation))
            turn_id = await connection.scalar(statements["turn"], {"its_id": conversation})
            await connection.execute(statements["say"], answer(conversation, turn_id))
            rows = (await connection.execute(statements["read"], {"its_id": conversation})).all()
            told.append([(row.created_at, row.is_direct, row.sampling, row.content) for row in rows])
            hinted = (await connection.execute(statements["hint"], HINT)).rowcount
            told[-1].append((said.rowcount, hinted == (number == 0)))
            are_prepared.append((isinstance(added, Rows), isinstance(said, Rows)))
        return told, are_prepared

    told, are_prepared = await database.write(work)

    at = AT.astimezone(UTC)
    expected = [(at, True, None, "Well\ufffd?"), (at, None, {"seed": [1, None]}, "Yes."), (1, True)]
    assert told == [expected] * NUM_TIMES
    assert are_prepared == [(False, False), (False, False), (True, True), (True, True)]


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"role": "nobody"}, IntegrityError),
        ({"conversation_id": 10**6}, IntegrityError),
        ({"created_at": AT.replace(tzinfo=None)}, StatementError),
    ],
    ids=["a check", "a reference", "a moment without a zone"],
)
async def test_what_is_refused_is_refused_as_by_sqlalchemy(database, statements, values, error) -> None:
    async def work(connection):
        for number in range(NUM_TIMES):
            conversation = await connection.scalar(statements["add"], channel(number))
            await connection.execute(statements["say"], question(conversation))
        with pytest.raises(error):
            await connection.execute(statements["say"], question(conversation) | {"message_id": 7} | values)
        return await connection.scalar(statements["add"], channel(NUM_TIMES))

    assert await database.write(work)


async def test_what_does_not_fit_is_left_to_sqlalchemy(database, statements) -> None:
    both = select(messages.c.id).where(messages.c.id.in_(bindparam("ids", expanding=True)))

    async def work(connection):
        results = [await connection.execute(both, {"ids": [1, 2]}) for _ in range(NUM_TIMES)]
        several = [channel(NUM_TIMES + number) for number in range(2)]
        results += [await connection.execute(conversations.insert(), several)]
        return [isinstance(result, Rows) for result in results]

    assert not any(await database.write(work))


async def test_who_listens_hears_every_statement(database, statements) -> None:
    heard = []
    event.listen(database.engine.sync_engine, "before_cursor_execute", lambda *arguments: heard.append(arguments[2]))

    async def work(connection):
        for number in range(NUM_TIMES):
            await connection.execute(statements["add"], channel(number))

    await database.write(work)

    assert len(heard) == NUM_TIMES


async def test_who_listened_once_to_every_engine_changes_nothing_later(database, statements) -> None:
    event.listen(Engine, "before_cursor_execute", ignore)
    event.remove(Engine, "before_cursor_execute", ignore)

    async def work(connection):
        results = [await connection.execute(statements["add"], channel(number)) for number in range(NUM_TIMES)]
        return [isinstance(result, Rows) for result in results]

    assert await database.write(work) == [False, False, True, True]


def ignore(*_arguments: object) -> None:
    """Hears a statement."""
