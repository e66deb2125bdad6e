"""What is remembered of a conversation, read for people: with who said it and when."""

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.conversation.messages import ConversationKey
from bot.store.files.database import Database
from bot.store.rows.conversations import is_conversation
from bot.store.tables import conversations, messages

TURNS_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class SaidTurn:
    """A question with its answer, as people remember it. `message_id` is the question's."""

    id: int
    message_id: int
    asked_at: datetime
    author_id: int
    author_name: str
    question: str
    answered_at: datetime
    answer: str
    persona: str | None


class Transcripts:
    """The turns of conversations, for whoever wants to see them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def turn(self, key: ConversationKey, turn_id: int) -> SaidTurn | None:
        """One turn of a conversation, if it is still remembered."""
        async for turn in self.newest_first(key, before=turn_id + 1):
            return turn if turn.id == turn_id else None
        return None

    async def newest_first(self, key: ConversationKey, *, before: int | None = None) -> AsyncIterator[SaidTurn]:
        """A conversation's turns, of which the ids are below `before`; read in steps: to leave early costs little."""
        while True:
            rows = await self._read(key, before)
            for row in rows:
                yield SaidTurn(*row)
            if len(rows) < TURNS_AT_ONCE:
                return
            before = rows[-1].id

    async def answered_before(self, key: ConversationKey, turn_id: int, num_turns: int) -> list[tuple[int, int]]:
        """The ids of a conversation's turns and of their answers, oldest first: the last so many before a turn.

        Both stay as they are while the turn says the same; an answer that is given anew has a new id.
        """
        query = (
            select(asked.c.id, answered.c.id)
            .join(answered, answered.c.turn_id == asked.c.id)
            .join(conversations, conversations.c.id == asked.c.conversation_id)
            .where(is_conversation(key), asked.c.hidden_at.is_(None), asked.c.id < turn_id)
            .order_by(asked.c.id.desc())
            .limit(num_turns)
        )
        rows = await self._database.read(lambda connection: _all(connection, query))
        return [(row[0], row[1]) for row in reversed(rows)]

    async def turns(self, key: ConversationKey, turn_ids: Collection[int]) -> list[SaidTurn]:
        """Those of some turns that are still remembered, oldest first."""
        query = said_turns().where(is_conversation(key), asked.c.hidden_at.is_(None))
        ordered = sorted(turn_ids)
        steps = [ordered[start : start + TURNS_AT_ONCE] for start in range(0, len(ordered), TURNS_AT_ONCE)]

        async def work(connection: AsyncConnection) -> list[SaidTurn]:
            read = [await _all(connection, query.where(asked.c.id.in_(step))) for step in steps]
            return [SaidTurn(*row) for rows in read for row in reversed(rows)]

        return await self._database.read(work) if steps else []

    async def _read(self, key: ConversationKey, before: int | None) -> list[Any]:
        query = said_turns().where(is_conversation(key), asked.c.hidden_at.is_(None)).limit(TURNS_AT_ONCE)
        if before is not None:
            query = query.where(asked.c.id < before)
        return await self._database.read(lambda connection: _all(connection, query))


asked, answered = messages.alias("asked"), messages.alias("answered")


def said_turns() -> Select[Any]:
    """All turns, the newest first, in the columns of `SaidTurn`."""
    return (
        select(
            asked.c.id, asked.c.message_id, asked.c.created_at, asked.c.author_id, asked.c.author_name,
            asked.c.content, answered.c.created_at, answered.c.content, answered.c.persona,
        )
        .join(answered, answered.c.turn_id == asked.c.id)
        .join(conversations, conversations.c.id == asked.c.conversation_id)
        .order_by(asked.c.id.desc())
    )  # fmt: skip


async def _all(connection: Any, query: Select[Any]) -> list[Any]:
    return [*await connection.execute(query)]
