"""What the deletion of one message on the platform means: a question, a part of an answer, or nothing to us."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, and_, delete, or_, select, union
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store.rows.deletion import OPEN_STATES, delete_turns, withdraw
from bot.store.tables import conversations, inbox, messages, parts

ANSWER = "answer"
"""The purpose of those parts that make up an answer; all others are notices."""


class DeletedMessage(StrEnum):
    """What a deleted message was."""

    NOTHING = "nothing"
    """Unknown, a notice of ours, or a part that we deleted ourselves."""
    OPEN_QUESTION = "open question"
    """A question without a complete answer, or a part of that answer: withdrawn."""
    TURN = "turn"
    """A question with its answer, or a part of that: both are out of the history."""


@dataclass(frozen=True, slots=True)
class MessageDeletion:
    """What was deleted, where, to which question it belonged, and which parts of the answer still exist."""

    kind: DeletedMessage
    channel_id: int | None = None
    question_message_id: int | None = None
    part_message_ids: tuple[int, ...] = ()


_NOTHING = MessageDeletion(DeletedMessage.NOTHING)
_INBOX = (inbox.c.id, inbox.c.state, inbox.c.turn_id, inbox.c.message_id, conversations.c.channel_id)


async def delete_message(connection: AsyncConnection, platform: str, message_id: int) -> MessageDeletion:
    """Follow a message's deletion: delete the turn or withdraw the question that it belongs to."""
    of_platform = select(*_INBOX).join(conversations).where(inbox.c.platform == platform)
    row = (await connection.execute(of_platform.where(inbox.c.message_id == message_id))).one_or_none()
    if row is None:
        part = await _take_part(connection, platform, message_id)
        if part is None:
            return await _delete_old_turn(connection, platform, message_id)
        if part.is_surplus or part.purpose != ANSWER:
            return _NOTHING
        row = (await connection.execute(of_platform.where(inbox.c.id == part.inbox_id))).one()
    return await _delete_question(connection, row)


async def _take_part(connection: AsyncConnection, platform: str, message_id: int) -> Row[int, str, bool] | None:
    """Delete the part's row and return what it said."""
    of_platform = select(inbox.c.id).where(inbox.c.id == parts.c.inbox_id, inbox.c.platform == platform)
    statement = delete(parts).where(parts.c.message_id == message_id, of_platform.exists())
    returned = statement.returning(parts.c.inbox_id, parts.c.purpose, parts.c.is_surplus)
    return (await connection.execute(returned)).first()


async def _delete_question(connection: AsyncConnection, row: Row[Any, Any, Any, Any, Any]) -> MessageDeletion:
    if row.turn_id is not None:
        await delete_turns(connection, messages.c.id == row.turn_id)
    withdrawn = await withdraw(connection, and_(inbox.c.id == row.id, inbox.c.state.in_(OPEN_STATES)))
    if row.turn_id is None and not withdrawn:
        return _NOTHING
    part_ids = await connection.scalars(
        select(parts.c.message_id)
        .where(parts.c.inbox_id == row.id, parts.c.purpose == ANSWER)
        .order_by(parts.c.part_index)
    )
    kind = DeletedMessage.OPEN_QUESTION if row.turn_id is None else DeletedMessage.TURN
    return MessageDeletion(kind, row.channel_id, row.message_id, tuple(part_ids))


async def _delete_old_turn(connection: AsyncConnection, platform: str, message_id: int) -> MessageDeletion:
    """Delete a turn whose inbox row is gone, or never was: the terminal's."""
    query = (
        select(messages.c.id, conversations.c.channel_id)
        .join(conversations, conversations.c.id == messages.c.conversation_id)
        .where(conversations.c.platform == platform, messages.c.message_id == message_id)
    )
    row = (await connection.execute(query)).first()
    if row is None:
        return _NOTHING
    await delete_turns(connection, messages.c.id == row.id)
    return MessageDeletion(DeletedMessage.TURN, row.channel_id, message_id)


async def find_known(connection: AsyncConnection, platform: str, message_ids: Collection[int]) -> set[int]:
    """Which of these messages are known at all: questions, parts of answers, users' messages in the history."""
    queries = (
        select(inbox.c.message_id).where(inbox.c.platform == platform, inbox.c.message_id.in_(message_ids)),
        select(parts.c.message_id).join(inbox).where(
            inbox.c.platform == platform, parts.c.message_id.in_(message_ids)
        ),
        select(messages.c.message_id).join(conversations).where(
            conversations.c.platform == platform, messages.c.message_id.in_(message_ids)
        ),
    )  # fmt: skip
    return set(await connection.scalars(union(*queries)))


async def find_messages(
    connection: AsyncConnection, platform: str, channel_id: int, oldest: int, newest: int | None
) -> set[int]:
    """Ids between two of what `delete_message` would follow in a channel."""
    is_here = and_(conversations.c.platform == platform, conversations.c.channel_id == channel_id)
    is_open, is_visible = inbox.c.state.in_(OPEN_STATES), messages.c.hidden_at.is_(None)
    has_turn = inbox.c.turn_id.in_(select(messages.c.id).where(is_visible))
    is_answer = and_(parts.c.purpose == ANSWER, parts.c.is_surplus.is_(False), or_(is_open, has_turn))
    queries = (
        (messages.c.message_id, messages.join(conversations), is_visible),
        (inbox.c.message_id, inbox.join(conversations), is_open),
        (parts.c.message_id, parts.join(inbox).join(conversations), is_answer),
    )
    found: set[int] = set()
    for column, source, condition in queries:
        in_range = column >= oldest if newest is None else column.between(oldest, newest)
        found.update(await connection.scalars(select(column).select_from(source).where(is_here, condition, in_range)))
    return found
