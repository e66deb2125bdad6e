"""An answer with all that it was made of, as far as that is still there, for whoever makes it again."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.conversation.channel_settings import ChannelSettings
from bot.conversation.messages import Question, Turn
from bot.conversation.pins import Pin
from bot.conversation.speakers import Speaker
from bot.store.files.database import Database
from bot.store.rows.conversations import KEY_COLUMNS, ConversationRow, key_in
from bot.store.rows.own_words import LONG_AGO
from bot.store.rows.personas import NOBODY, load_settings
from bot.store.rows.pins import load_speakers_and_pins
from bot.store.rows.questions import OPEN_STATES
from bot.store.rows.turns import load_turns, unpacked
from bot.store.tables import conversations, inbox, messages, parts, persona_texts

_IDS_AT_ONCE = 200


class Missing(StrEnum):
    """Why there is no answer."""

    UNKNOWN = "unknown"
    """No message of that id is known."""
    OPEN = "open"
    """It isn't answered yet."""
    UNANSWERED = "unanswered"
    """It was never answered."""
    RESET = "reset"
    """Its conversation was reset since."""
    ERASED = "erased"
    """Who asked had it erased."""
    DELETED = "deleted"
    """It was deleted, or became too old."""


@dataclass(frozen=True, slots=True)
class MadeAnswer:
    """An answer, its question and what is on record of how it was made."""

    question: Question
    turn_id: int
    edited_at: datetime | None
    """When the question's words were last changed after an answer to them."""
    text: str
    answered_at: datetime
    generation: int
    finish_reason: str
    token_ids: tuple[int, ...]
    sampling: Mapping[str, Any]
    model_hash: str
    prompt_turn_ids: tuple[int, ...]
    num_prompt_tokens: int
    recipe: Mapping[str, Any] | None
    """None where it was answered by a Trinity that kept none."""
    persona_name: str
    persona_text: str | None
    settings: ChannelSettings
    """What is chosen in its channel now."""
    speakers: tuple[Speaker, ...]
    pins: tuple[Pin, ...]
    """What is kept in mind in its conversation now."""
    conversation_id: int


@dataclass(frozen=True, slots=True)
class Changes:
    """What became of earlier turns since an answer was given."""

    gone: tuple[int, ...]
    edited: tuple[int, ...]


class MadeAnswers:
    """The answers of all conversations. Everything in it only reads."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, platform: str, message_id: int) -> MadeAnswer | Missing:
        """The answer that a message belongs to: one that shows it, or one that asked for it."""
        return await self._database.read(lambda connection: _find(connection, platform, message_id))

    async def turns(self, made: MadeAnswer, first_turn_id: int) -> tuple[Turn, ...]:
        """The turns of an answer's conversation from one on, up to its own."""
        row = ConversationRow(made.conversation_id, 0, first_turn_id, False, None)
        found = await self._database.read(lambda connection: load_turns(connection, row, None))
        return tuple(turn for turn in found if turn.id < made.turn_id)

    async def changes(self, made: MadeAnswer, turn_ids: Collection[int]) -> Changes:
        """What became of some turns since an answer was given."""
        ordered = sorted(turn_ids)
        columns = messages.c
        query = select(columns.id, columns.edited_at).where(
            columns.conversation_id == made.conversation_id, columns.hidden_at.is_(None)
        )

        async def work(connection: AsyncConnection) -> list[Row[Any]]:
            rows: list[Row[Any]] = []
            for start in range(0, len(ordered), _IDS_AT_ONCE):
                rows += await connection.execute(query.where(columns.id.in_(ordered[start : start + _IDS_AT_ONCE])))
            return rows

        rows = await self._database.read(work)
        return Changes(
            gone=tuple(sorted({*ordered}.difference(row.id for row in rows))),
            edited=tuple(row.id for row in rows if row.edited_at is not None and row.edited_at > made.answered_at),
        )


async def _find(connection: AsyncConnection, platform: str, message_id: int) -> MadeAnswer | Missing:
    seen = await _find_question(connection, platform, message_id)
    if seen is None:
        return Missing.UNKNOWN
    if seen.turn_id is None:
        return _why_none(seen)
    asked, answered = messages.alias("asked"), messages.alias("answered")
    query = (
        select(
            asked.c.id, asked.c.message_id, asked.c.author_id, asked.c.author_name, asked.c.content, asked.c.created_at,
            asked.c.is_direct, asked.c.edited_at, asked.c.hidden_at, asked.c.conversation_id,
            answered.c.content.label("answer"), answered.c.created_at.label("answered_at"), answered.c.generation,
            answered.c.finish_reason, answered.c.token_ids, answered.c.sampling, answered.c.model_hash,
            answered.c.prompt_turn_ids, answered.c.num_prompt_tokens, answered.c.recipe, answered.c.persona,
            persona_texts.c.prompt,
        )
        .join(answered, answered.c.turn_id == asked.c.id)
        .outerjoin(persona_texts, persona_texts.c.hash == answered.c.persona_hash)
        .where(asked.c.id == seen.turn_id)
    )  # fmt: skip
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        return Missing.OPEN
    if row.hidden_at is not None:
        return Missing.ERASED if row.hidden_at <= LONG_AGO else Missing.RESET
    key = key_in(seen)
    speakers, pins = await load_speakers_and_pins(connection, row.conversation_id)
    return MadeAnswer(
        question=Question(
            key, row.message_id, row.author_id, row.author_name, row.content, row.created_at, is_direct=row.is_direct
        ),
        turn_id=row.id,
        edited_at=row.edited_at,
        text=row.answer,
        answered_at=row.answered_at,
        generation=row.generation or 0,
        finish_reason=row.finish_reason,
        token_ids=unpacked(row.token_ids or b""),
        sampling=row.sampling,
        model_hash=row.model_hash,
        prompt_turn_ids=tuple(row.prompt_turn_ids or ()),
        num_prompt_tokens=row.num_prompt_tokens or 0,
        recipe=row.recipe,
        persona_name=row.persona or "",
        persona_text=row.prompt,
        settings=await load_settings(connection, key, key.parent_channel_id),
        speakers=speakers,
        pins=pins,
        conversation_id=row.conversation_id,
    )


async def _find_question(connection: AsyncConnection, platform: str, message_id: int) -> Row[Any] | None:
    """The inbox's row of the question that a message shows the answer to, or is itself, or goes on with."""
    columns = (inbox.c.message_id, inbox.c.asked_with, inbox.c.turn_id, inbox.c.state, inbox.c.author_id, inbox.c.epoch)
    query: Select[Any] = (
        select(*columns, conversations.c.epoch.label("current_epoch"), *KEY_COLUMNS)
        .join(conversations, conversations.c.id == inbox.c.conversation_id)
        .where(inbox.c.platform == platform)
    )
    shown = query.join(parts, parts.c.inbox_id == inbox.c.id).where(parts.c.message_id == message_id)
    row: Row[Any] | None = (await connection.execute(shown)).first()
    if row is not None:
        return row
    row = (await connection.execute(query.where(inbox.c.message_id == message_id))).one_or_none()
    if row is None or row.asked_with is None:
        return row
    return (await connection.execute(query.where(inbox.c.message_id == row.asked_with))).one_or_none() or row


def _why_none(seen: Row[Any]) -> Missing:
    if seen.author_id == NOBODY:
        return Missing.ERASED
    if seen.epoch < seen.current_epoch:
        return Missing.RESET
    if seen.state in OPEN_STATES:
        return Missing.OPEN
    return Missing.UNANSWERED if seen.state in ("failed", "refused", "expired") else Missing.DELETED
