"""Statements that delete for good: what was reset, what is too old, what a channel held.

Deleting a user's message deletes its answer with it; the inbox keeps only that the question was seen.
"""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, and_, delete, false, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store.tables import conversations, hints, inbox, messages, persona_choices, personas, speakers

OPEN_STATES = ("received", "waiting", "answering")
MAX_DELETED_AT_ONCE = 1000
"""Turns in one transaction, so that a great many don't hold up those who write."""


async def delete_hidden(
    connection: AsyncConnection, hidden_until: datetime | None = None, now: datetime | None = None
) -> int:
    """Delete what a reset hid, up to a moment if one is given; returns the number of turns.

    With `now`, what was hidden later than now goes too: the clock was set back, and it must not wait for that.
    """
    is_due: ColumnElement[bool] = messages.c.hidden_at.is_not(None)
    if hidden_until is not None:
        is_early = false() if now is None else messages.c.hidden_at > now
        is_due = and_(is_due, or_(messages.c.hidden_at <= hidden_until, is_early))
    num_turns = await delete_turns(connection, is_due)
    await _empty_stale_questions(connection)
    return num_turns


async def delete_turns_before(connection: AsyncConnection, moment: datetime) -> int:
    """Delete turns from before a moment, a thousand at most; returns their number.

    With the last of them go the questions that are done with, and the hints, from before that moment.
    """
    is_old = and_(messages.c.role == "user", messages.c.created_at < moment)
    oldest = select(messages.c.id).where(is_old).order_by(messages.c.id).limit(MAX_DELETED_AT_ONCE)
    num_turns = await delete_turns(connection, messages.c.id.in_(oldest))
    if num_turns == MAX_DELETED_AT_ONCE:
        return num_turns
    await connection.execute(
        delete(inbox).where(inbox.c.received_at < moment, inbox.c.state.not_in(OPEN_STATES), inbox.c.turn_id.is_(None))
    )
    await connection.execute(delete(hints).where(hints.c.day < moment.date()))
    return num_turns


async def withdraw(connection: AsyncConnection, condition: ColumnElement[bool]) -> tuple[int, ...]:
    """Withdraw those questions and empty them; returns their message ids, oldest first."""
    statement = update(inbox).where(condition).values(state="withdrawn", content="", author_name="")
    result = await connection.execute(statement.returning(inbox.c.id, inbox.c.message_id))
    return tuple(row.message_id for row in sorted(result.all()))


async def forget_channels(connection: AsyncConnection, platform: str, channel_ids: Collection[int]) -> None:
    """Forget that these channels exist, what persona they chose and the ones a direct message made for itself."""
    await connection.execute(
        update(conversations)
        .where(conversations.c.platform == platform, conversations.c.channel_id.in_(channel_ids))
        .values(last_message_id=None)
    )
    await connection.execute(
        delete(persona_choices).where(
            persona_choices.c.platform == platform, persona_choices.c.channel_id.in_(channel_ids)
        )
    )
    await connection.execute(
        delete(personas).where(
            personas.c.platform == platform, personas.c.scope == "channel", personas.c.scope_id.in_(channel_ids)
        )
    )


async def begin_epoch(connection: AsyncConnection, conversation_ids: Collection[int]) -> None:
    """Reset conversations: answers asked for before this moment are not stored any more, and nobody is known."""
    await connection.execute(delete(speakers).where(speakers.c.conversation_id.in_(conversation_ids)))
    await connection.execute(
        update(conversations)
        .where(conversations.c.id.in_(conversation_ids))
        .values(epoch=conversations.c.epoch + 1, first_kept_turn_id=None, trim_told=False)
    )


async def hide_turns(connection: AsyncConnection, conversation_id: int, now: datetime) -> int:
    """Take a conversation's turns out of every later prompt; returns their number."""
    result = await connection.execute(
        update(messages)
        .where(messages.c.conversation_id == conversation_id, messages.c.hidden_at.is_(None))
        .values(hidden_at=now)
    )
    return result.rowcount // 2  # a turn is two messages


async def delete_turns(connection: AsyncConnection, condition: ColumnElement[bool]) -> int:
    """Delete turns, picked by a condition on their user messages; returns their number.

    Who has no turn left in a conversation loses their label there.
    """
    is_picked = and_(messages.c.role == "user", condition)
    concerned = (await connection.scalars(select(messages.c.conversation_id).where(is_picked).distinct())).all()
    if not concerned:
        return 0
    result = await connection.execute(delete(messages).where(is_picked))
    has_spoken = select(messages.c.id).where(
        messages.c.conversation_id == speakers.c.conversation_id, messages.c.author_id == speakers.c.author_id
    )
    await connection.execute(delete(speakers).where(speakers.c.conversation_id.in_(concerned), ~has_spoken.exists()))
    return result.rowcount


async def _empty_stale_questions(connection: AsyncConnection) -> None:
    newer_epoch = select(conversations.c.id).where(
        conversations.c.id == inbox.c.conversation_id, conversations.c.epoch > inbox.c.epoch
    )
    await connection.execute(
        update(inbox).where(newer_epoch.exists(), inbox.c.content != "").values(content="", author_name="")
    )
