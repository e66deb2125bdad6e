"""How a turn lies in the messages table: two rows, the answer referring to its question."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.conversation.messages import Question, Role, Turn
from bot.conversation.speakers import Speaker
from bot.store.rows.conversations import ConversationRow
from bot.store.rows.questions import OPEN_STATES, is_row
from bot.store.tables import inbox, insert, messages, speakers


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer, and what it was generated from and with.

    `sampling` holds the sampling params by name; `prompt_turn_ids` the turns that were in the prompt.
    """

    text: str
    sampling: Mapping[str, Any]
    seed: int | None
    model_hash: str
    finish_reason: str
    persona: str | None = None
    prompt_turn_ids: Sequence[int] = ()
    num_prompt_tokens: int | None = None
    num_new_tokens: int | None = None


async def load_turns(
    connection: AsyncConnection, row: ConversationRow, without_question: int | None
) -> tuple[Turn, ...]:
    """The turns that the next prompt is made of, oldest first."""
    asked, answered = messages.alias("asked"), messages.alias("answered")
    query = (
        select(
            asked.c.id, asked.c.content, answered.c.content, asked.c.author_name, asked.c.author_id, asked.c.is_direct
        )
        .join(answered, answered.c.turn_id == asked.c.id)
        .where(
            asked.c.conversation_id == row.id, asked.c.hidden_at.is_(None), asked.c.id >= (row.first_kept_turn_id or 0)
        )
        .order_by(asked.c.id)
    )
    if without_question is not None:
        query = query.where(asked.c.message_id != without_question)
    return tuple(
        Turn(turn_id, question, answer, None if is_direct else author_name, author_id)
        for turn_id, question, answer, author_name, author_id, is_direct in await connection.execute(query)
    )


async def find_open_generation(connection: AsyncConnection, question: Question) -> int | None:
    """Which answer to the question this is; None if it wants none any more. The terminal may do without an inbox."""
    query = select(inbox.c.generation, inbox.c.state).where(is_row(question))
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        return 0
    return row.generation if row.state in OPEN_STATES else None


async def save_question(connection: AsyncConnection, conversation_id: int, question: Question) -> int:
    """Store a question and return its turn's id; if it is there already, with its older answer, that goes."""
    is_same = and_(
        messages.c.conversation_id == conversation_id,
        messages.c.message_id == question.message_id,
        messages.c.role == Role.USER,
        messages.c.hidden_at.is_(None),
    )
    turn_id = await connection.scalar(select(messages.c.id).where(is_same))
    if turn_id is not None:
        await connection.execute(
            delete(messages).where(messages.c.conversation_id == conversation_id, messages.c.turn_id == turn_id)
        )
        return int(turn_id)
    statement = messages.insert().values(
        conversation_id=conversation_id,
        role=Role.USER,
        content=question.content,
        created_at=question.created_at,
        author_id=question.author_id,
        author_name=question.author_name,
        is_direct=question.is_direct,
        message_id=question.message_id,
    )
    return int((await connection.execute(statement.returning(messages.c.id))).scalar_one())


async def save_answer(
    connection: AsyncConnection, conversation_id: int, turn_id: int, generation: int, answer: Answer, now: datetime
) -> None:
    """Store an answer beside its question."""
    await connection.execute(
        messages.insert().values(
            conversation_id=conversation_id,
            role=Role.ASSISTANT,
            turn_id=turn_id,
            content=answer.text,
            created_at=now,
            generation=generation,
            sampling=dict(answer.sampling),
            seed=answer.seed,
            model_hash=answer.model_hash,
            persona=answer.persona,
            prompt_turn_ids=list(answer.prompt_turn_ids),
            num_prompt_tokens=answer.num_prompt_tokens,
            num_new_tokens=answer.num_new_tokens,
            finish_reason=answer.finish_reason,
        )
    )


async def load_speakers(connection: AsyncConnection, conversation_id: int) -> tuple[Speaker, ...]:
    """The labels of a conversation."""
    columns = speakers.c
    query = select(columns.author_id, columns.name_key, columns.label, columns.label_key)
    rows = await connection.execute(query.where(columns.conversation_id == conversation_id))
    return tuple(Speaker(*row) for row in rows)


async def save_speakers(connection: AsyncConnection, conversation_id: int, given: Iterable[Speaker]) -> None:
    """Keep labels that were given; one that is kept already stays."""
    for speaker in given:
        statement = insert(connection, speakers).values(
            conversation_id=conversation_id,
            author_id=speaker.author_id,
            name_key=speaker.name_key,
            label=speaker.label,
            label_key=speaker.label_key,
        )
        await connection.execute(statement.on_conflict_do_nothing())
