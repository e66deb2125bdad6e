"""Statements for a question that gets another answer: only the last turn of a conversation does.

The question is open again, with another generation, and its turn keeps the old answer until `save_turn` replaces that.
So a process that dies in between leaves one answer in the history, and the next one goes on with the new generation.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.conversation.messages import ConversationKey, Question
from bot.store.rows.conversations import ensure_conversation, find_conversation
from bot.store.rows.questions import (
    OPEN_QUESTIONS,
    OPEN_STATES,
    AnswerKind,
    OpenQuestion,
    is_row,
    read_open_question,
    read_parts,
)
from bot.store.tables import inbox, messages, parts


@dataclass(frozen=True, slots=True)
class LastTurn:
    """The newest turn of a conversation: its question, and how its answer ended."""

    message_id: int
    """The question's."""
    author_id: int
    """Who asked."""
    asked_at: datetime
    generation: int
    """Which answer to the question it is."""
    finish_reason: str
    """As in `inference.engine.FinishReason`."""
    is_open: bool
    """Whether its answer is still being delivered, or replaced."""


async def find_last_turn(connection: AsyncConnection, key: ConversationKey) -> LastTurn | None:
    """The newest turn in the history of a conversation; None where there is none, or where it has no inbox row."""
    conversation = await find_conversation(connection, key)
    row = None if conversation is None else (await connection.execute(_last_turn(conversation.id))).one_or_none()
    if row is None:
        return None
    is_open = row.state in OPEN_STATES
    return LastTurn(row.message_id, row.author_id, row.created_at, row.generation, row.finish_reason, is_open)


async def begin_generation(
    connection: AsyncConnection,
    key: ConversationKey,
    message_id: int,
    kind: AnswerKind,
    *,
    generation: int | None = None,
) -> OpenQuestion | None:
    """Open an answered question for another answer; None unless it is the conversation's last turn."""
    conversation = await ensure_conversation(connection, key)
    turn = (await connection.execute(_last_turn(conversation.id))).one_or_none()
    if turn is None or turn.message_id != message_id or turn.state != "answered":
        return None
    if generation is not None and turn.generation != generation:
        return None
    is_it = inbox.c.id == turn.inbox_id
    await connection.execute(
        update(inbox)
        .where(is_it)
        .values(
            state="waiting", answer_kind=kind.value, generation=inbox.c.generation + 1, epoch=conversation.epoch,
            attempts=0, deaths=0, lone_deaths=0, seed=None, content=turn.content, author_name=turn.author_name,
        )
    )  # fmt: skip
    row = (await connection.execute(OPEN_QUESTIONS.where(is_it))).one()
    return read_open_question(row, await read_parts(connection, parts.c.inbox_id == turn.inbox_id))


async def edit_answered(
    connection: AsyncConnection,
    key: ConversationKey,
    message_id: int,
    content: str,
    answered_again_since: datetime | None,
) -> OpenQuestion | bool:
    """Follow the edit of an answered question: the question comes back if it is answered again.

    Otherwise returns whether the history changed.
    """
    conversation = await ensure_conversation(connection, key)
    is_changed = and_(
        messages.c.conversation_id == conversation.id,
        messages.c.message_id == message_id,
        messages.c.role == "user",
        messages.c.hidden_at.is_(None),
        messages.c.content != content,
    )
    edited = update(messages).where(is_changed).values(content=content).returning(messages.c.created_at)
    asked_at = await connection.scalar(edited)
    if asked_at is None:
        return False
    if answered_again_since is None or asked_at < answered_again_since:
        return True
    return await begin_generation(connection, key, message_id, AnswerKind.EDITED) or True


async def reopen(
    connection: AsyncConnection, key: ConversationKey, question: Question, since: datetime
) -> OpenQuestion | None:
    """Open a question that got no answer, to be asked in these words; None where it isn't one, or is from before."""
    conversation = await ensure_conversation(connection, key)
    is_unanswered = and_(
        is_row(question), inbox.c.state.in_(("failed", "refused", "expired")), inbox.c.turn_id.is_(None),
        inbox.c.asked_with.is_(None), inbox.c.created_at >= since,
    )  # fmt: skip
    opened = (
        update(inbox)
        .where(is_unanswered)
        .values(
            state="waiting", generation=inbox.c.generation + 1, epoch=conversation.epoch, attempts=0, deaths=0,
            lone_deaths=0, seed=None, content=question.content, author_name=question.author_name,
        )
    )  # fmt: skip
    if not (await connection.execute(opened)).rowcount:
        return None
    row = (await connection.execute(OPEN_QUESTIONS.where(is_row(question)))).one()
    return read_open_question(row, await read_parts(connection, parts.c.inbox_id == row.id))


async def edit_open(connection: AsyncConnection, question: Question, content: str) -> bool:
    """Follow the edit of a question that is open; False if nothing changed, or its answer is complete already."""
    has_answer = (
        select(messages.c.id)
        .where(messages.c.turn_id == inbox.c.turn_id, messages.c.generation == inbox.c.generation)
        .exists()
    )
    is_changed = and_(
        is_row(question), inbox.c.state.in_(OPEN_STATES), inbox.c.content != content, ~has_answer
    )  # fmt: skip
    kind = case((inbox.c.answer_kind == AnswerKind.FIRST.value, AnswerKind.FIRST.value), else_=AnswerKind.EDITED.value)
    edited = update(inbox).where(is_changed).values(content=content, seed=None, answer_kind=kind)
    row = (await connection.execute(edited.returning(inbox.c.turn_id))).one_or_none()
    if row is None:
        return False
    if row.turn_id is not None:  # of an answer that is being replaced
        await connection.execute(update(messages).where(messages.c.id == row.turn_id).values(content=content))
    return True


def _last_turn(conversation_id: int) -> Select[Any]:
    asked, answered = messages.alias("asked"), messages.alias("answered")
    return (
        select(
            asked.c.message_id, asked.c.author_id, asked.c.author_name, asked.c.content, inbox.c.created_at,
            inbox.c.id.label("inbox_id"), inbox.c.state, inbox.c.generation, answered.c.finish_reason,
        )
        .join(answered, answered.c.turn_id == asked.c.id)
        .join(inbox, inbox.c.turn_id == asked.c.id)
        .where(asked.c.id == _newest(conversation_id))
    )  # fmt: skip


def _newest(conversation_id: int) -> ColumnElement[int]:
    asked = messages.alias("newest")
    return (
        select(asked.c.id)
        .where(asked.c.conversation_id == conversation_id, asked.c.role == "user", asked.c.hidden_at.is_(None))
        .order_by(asked.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
