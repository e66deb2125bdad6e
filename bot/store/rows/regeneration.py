"""Statements for a question that gets another answer: only the last turn of a conversation does.

The question is open again, with another generation, and its turn keeps the old answer until `save_turn` replaces that.
So a process that dies in between leaves one answer in the history, and the next one goes on with the new generation.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, bindparam, case, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.conversation.messages import ConversationKey, Question
from bot.conversation.sanitize import has_visible_text
from bot.store.rows.conversations import ensure_conversation, find_conversation
from bot.store.rows.locks import lock_conversation_of
from bot.store.rows.questions import (
    IS_OPEN,
    IS_ROW,
    OPEN_QUESTION,
    OPEN_QUESTIONS,
    OPEN_STATES,
    AnswerKind,
    OpenQuestion,
    read_open_question,
    read_parts,
    row_params,
)
from bot.store.rows.summaries import forget_summaries_of
from bot.store.tables import inbox, messages


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
    has_words: bool = True
    """Whether its question says anything: an edit may have taken the words back."""


async def find_last_turn(connection: AsyncConnection, key: ConversationKey) -> LastTurn | None:
    """The newest turn in the history of a conversation; None where there is none, or where it has no inbox row."""
    conversation = await find_conversation(connection, key)
    row = None if conversation is None else await _read_last_turn(connection, conversation.id)
    if row is None:
        return None
    is_open = row.state in OPEN_STATES
    has_words = has_visible_text(row.content)
    return LastTurn(
        row.message_id, row.author_id, row.created_at, row.generation, row.finish_reason, is_open, has_words
    )  # fmt: skip


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
    turn = await _read_last_turn(connection, conversation.id)
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
    return read_open_question(row, await read_parts(connection, turn.inbox_id))


async def edit_answered(
    connection: AsyncConnection,
    key: ConversationKey,
    message_id: int,
    content: str,
    answered_again_since: datetime | None,
    now: datetime,
) -> OpenQuestion | bool:
    """Follow the edit of an answered question: the question comes back if it is answered again.

    Otherwise returns whether the history changed.
    """
    conversation = await ensure_conversation(connection, key)
    params = {"its_conversation_id": conversation.id, "its_message_id": message_id, "new_content": content}
    params["edited_at"] = now
    edited = (await connection.execute(_EDIT_ANSWERED, params)).one_or_none()
    if edited is None:
        return False
    await forget_summaries_of(connection, [edited.id])
    if answered_again_since is None or edited.created_at < answered_again_since:
        return True
    return await begin_generation(connection, key, message_id, AnswerKind.EDITED) or True


async def reopen(
    connection: AsyncConnection, key: ConversationKey, question: Question, since: datetime
) -> OpenQuestion | None:
    """Open a question that got no answer, to be asked in these words; None where it isn't one, or is from before."""
    conversation = await ensure_conversation(connection, key)
    is_unanswered = and_(
        IS_ROW, inbox.c.state.in_(("failed", "refused", "expired")), inbox.c.turn_id.is_(None),
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
    params = row_params(question)
    if not (await connection.execute(opened, params)).rowcount:
        return None
    row = (await connection.execute(OPEN_QUESTION, params)).one()
    return read_open_question(row, await read_parts(connection, row.id))


async def edit_open(connection: AsyncConnection, question: Question, content: str, now: datetime) -> bool:
    """Follow the edit of a question that is open; False if nothing changed, or its answer is complete already."""
    await lock_conversation_of(connection, question.conversation.platform, question.message_id)
    row = (await connection.execute(_EDIT_OPEN, row_params(question) | {"new_content": content})).one_or_none()
    if row is None:
        return False
    if row.turn_id is not None:  # of an answer that is being replaced
        edited = update(messages).where(messages.c.id == row.turn_id).values(content=content, edited_at=now)
        await connection.execute(edited)
        await forget_summaries_of(connection, [row.turn_id])
    return True


async def _read_last_turn(connection: AsyncConnection, conversation_id: int) -> Row[*tuple[Any, ...]] | None:
    return (await connection.execute(_LAST_TURN, {"its_conversation_id": conversation_id})).one_or_none()


_newest, _asked, _answered = messages.alias("newest"), messages.alias("asked"), messages.alias("answered")
_NEWEST = (
    select(_newest.c.id)
    .where(
        _newest.c.conversation_id == bindparam("its_conversation_id"),
        _newest.c.role == "user",
        _newest.c.hidden_at.is_(None),
    )
    .order_by(_newest.c.id.desc())
    .limit(1)
    .scalar_subquery()
)
_LAST_TURN = (
    select(
        _asked.c.message_id, _asked.c.author_id, _asked.c.author_name, _asked.c.content, inbox.c.created_at,
        inbox.c.id.label("inbox_id"), inbox.c.state, inbox.c.generation, _answered.c.finish_reason,
    )
    .join(_answered, _answered.c.turn_id == _asked.c.id)
    .join(inbox, inbox.c.turn_id == _asked.c.id)
    .where(_asked.c.id == _NEWEST)
)  # fmt: skip
_EDIT_ANSWERED = (
    update(messages)
    .where(
        messages.c.conversation_id == bindparam("its_conversation_id"),
        messages.c.message_id == bindparam("its_message_id"),
        messages.c.role == "user",
        # Also what a reset hides: it may come back.
        messages.c.content != bindparam("new_content"),
    )
    .values(content=bindparam("new_content"), edited_at=bindparam("edited_at"))
    .returning(messages.c.id, messages.c.created_at)
)
_HAS_ANSWER = (
    select(messages.c.id)
    .where(messages.c.turn_id == inbox.c.turn_id, messages.c.generation == inbox.c.generation)
    .exists()
)
_KIND = case((inbox.c.answer_kind == AnswerKind.FIRST.value, AnswerKind.FIRST.value), else_=AnswerKind.EDITED.value)
_EDIT_OPEN = (
    update(inbox)
    .where(IS_ROW, IS_OPEN, inbox.c.content != bindparam("new_content"), ~_HAS_ANSWER)
    .values(content=bindparam("new_content"), seed=None, answer_kind=_KIND)
    .returning(inbox.c.turn_id)
)
