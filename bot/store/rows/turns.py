"""How a turn lies in the messages table: two rows, the answer referring to its question."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, case, delete, literal_column, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.conversation.messages import Question, Role, Turn
from bot.conversation.speakers import Speaker
from bot.store.rows.conversations import ConversationRow
from bot.store.rows.persona_texts import forget_persona_texts, hash_of, keep_persona_text
from bot.store.rows.questions import IS_ROW, OPEN_STATES, row_params
from bot.store.rows.summaries import forget_summaries_of
from bot.store.tables import inbox, inserts, messages, speakers

_BYTES_PER_TOKEN = 3


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
    persona_text: str | None = None
    """What the persona said, on no particular day."""
    recipe: Mapping[str, Any] | None = None
    """What else its prompt was made of; see `bot/chat/recipe.py`."""
    token_ids: Sequence[int] = ()
    """What was generated, as far as it was taken."""


async def load_turns(
    connection: AsyncConnection, row: ConversationRow, without_question: int | None
) -> tuple[Turn, ...]:
    """The turns that the next prompt is made of, oldest first."""
    params = {"its_conversation_id": row.id, "from_turn_id": row.first_kept_turn_id or 0}
    query = _TURNS
    if without_question is not None:
        query, params["without_message_id"] = _TURNS_BUT_ONE, without_question
    return tuple(
        Turn(turn_id, question, answer, None if is_direct else author_name, author_id)
        for turn_id, question, answer, author_name, author_id, is_direct in await connection.execute(query, params)
    )


@dataclass(frozen=True, slots=True)
class Wanted:
    """An answer that a question wants: which one, and the turn that it is to replace, if any."""

    generation: int
    turn_id: int | None


async def find_wanted(connection: AsyncConnection, conversation: ConversationRow, question: Question) -> Wanted | None:
    """Which answer to the question this is; None if it wants none any more, or was opened before the last reset.

    The terminal may do without an inbox.
    """
    params = row_params(question) | {"its_conversation_id": conversation.id, "current_epoch": conversation.epoch}
    generation, state, turn_id = (await connection.execute(_WANTED, params)).one()
    if state is None:
        return Wanted(0, turn_id)
    return Wanted(generation, turn_id) if state in OPEN_STATES else None


async def save_question(
    connection: AsyncConnection, conversation_id: int, turn_id: int | None, question: Question, answer: Answer
) -> int:
    """Store a question and return its turn's id; if it is there already, as `turn_id`, its older answer goes."""
    if turn_id is not None:
        params = {"its_conversation_id": conversation_id, "its_turn_id": turn_id}
        older = {*(await connection.scalars(_DELETE_ANSWER, params)).all()}
        # Nearly always the persona is the same: nobody else who answers as it has to wait.
        await forget_persona_texts(connection, older - {answer.persona_text and hash_of(answer.persona_text)})
        await forget_summaries_of(connection, [turn_id])
        return turn_id
    values = {
        "conversation_id": conversation_id,
        "role": Role.USER,
        "content": question.content,
        "created_at": question.created_at,
        "author_id": question.author_id,
        "author_name": question.author_name,
        "is_direct": question.is_direct,
        "message_id": question.message_id,
    }
    return int((await connection.execute(_ADD_QUESTION, values)).scalar_one())


async def save_answer(
    connection: AsyncConnection, conversation_id: int, turn_id: int, generation: int, answer: Answer, now: datetime
) -> None:
    """Store an answer beside its question."""
    persona_hash = None if answer.persona_text is None else await keep_persona_text(connection, answer.persona_text)
    values = {
        "conversation_id": conversation_id,
        "role": Role.ASSISTANT,
        "turn_id": turn_id,
        "content": answer.text,
        "created_at": now,
        "generation": generation,
        "sampling": dict(answer.sampling),
        "seed": answer.seed,
        "model_hash": answer.model_hash,
        "persona": answer.persona,
        "prompt_turn_ids": list(answer.prompt_turn_ids),
        "num_prompt_tokens": answer.num_prompt_tokens,
        "num_new_tokens": answer.num_new_tokens,
        "finish_reason": answer.finish_reason,
        "recipe": None if answer.recipe is None else dict(answer.recipe),
        "persona_hash": persona_hash,
        "token_ids": packed(answer.token_ids) or None,
    }
    await connection.execute(_ADD_ANSWER, values)


async def save_speakers(connection: AsyncConnection, conversation_id: int, given: Iterable[Speaker]) -> None:
    """Keep labels that were given; one that is kept already stays."""
    for speaker in given:
        values = {
            "conversation_id": conversation_id,
            "author_id": speaker.author_id,
            "name_key": speaker.name_key,
            "label": speaker.label,
            "label_key": speaker.label_key,
        }
        await connection.execute(_ADD_SPEAKER[connection.dialect.name], values)


def packed(token_ids: Iterable[int]) -> bytes:
    """Token ids as the table has them; none of them where one is no such number, as from an odd server."""
    token_ids = tuple(token_ids)
    if token_ids and not 0 <= min(token_ids) <= max(token_ids) < 256**_BYTES_PER_TOKEN:
        return b""
    return b"".join(token_id.to_bytes(_BYTES_PER_TOKEN, "little") for token_id in token_ids)


def unpacked(content: bytes) -> tuple[int, ...]:
    """Token ids out of the table."""
    starts = range(0, len(content), _BYTES_PER_TOKEN)
    return tuple(int.from_bytes(content[start : start + _BYTES_PER_TOKEN], "little") for start in starts)


_asked, _answered = messages.alias("asked"), messages.alias("answered")
_TURNS = (
    select(
        _asked.c.id, _asked.c.content, _answered.c.content,
        _asked.c.author_name, _asked.c.author_id, _asked.c.is_direct,
    )
    .join(_answered, _answered.c.turn_id == _asked.c.id)
    .where(
        _asked.c.conversation_id == bindparam("its_conversation_id"),
        _asked.c.hidden_at.is_(None),
        _asked.c.id >= bindparam("from_turn_id"),
    )
    .order_by(_asked.c.id)
)  # fmt: skip
_TURNS_BUT_ONE = _TURNS.where(_asked.c.message_id != bindparam("without_message_id"))
_SAME_TURN = select(messages.c.id).where(
    messages.c.conversation_id == bindparam("its_conversation_id"),
    messages.c.message_id == bindparam("its_message_id"),
    # Written out as in the index on questions (tables.py), which is used for these words only.
    messages.c.role == literal_column("'user'"),
    messages.c.hidden_at.is_(None),
)
_WANTED = select(
    select(inbox.c.generation).where(IS_ROW).scalar_subquery(),
    # What was erased is of no epoch, and so before every one.
    select(case((inbox.c.epoch < bindparam("current_epoch"), "withdrawn"), else_=inbox.c.state))
    .where(IS_ROW)
    .scalar_subquery(),
    _SAME_TURN.scalar_subquery(),
)
_DELETE_ANSWER = (
    delete(messages)
    .where(
        messages.c.conversation_id == bindparam("its_conversation_id"), messages.c.turn_id == bindparam("its_turn_id")
    )
    .returning(messages.c.persona_hash)
)
_ADD_QUESTION = messages.insert().returning(messages.c.id)
_ADD_ANSWER = messages.insert()
_ADD_SPEAKER = inserts(speakers, lambda statement: statement.on_conflict_do_nothing())
