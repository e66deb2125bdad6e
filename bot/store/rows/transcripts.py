"""What is remembered of a conversation, read for people: with who said it and when."""

from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Integer, Select, and_, bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.conversation.messages import ConversationKey
from bot.store.files.database import Database
from bot.store.rows.conversations import IS_CONVERSATION, key_params
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

    async def answered_before(
        self, key: ConversationKey, turn_id: int, num_turns: int, *, since: int = 0
    ) -> list[tuple[int, int]]:
        """The ids of a conversation's turns and of their answers, oldest first: the last so many before a turn.

        Both stay as they are while the turn says the same; an answer that is given anew has a new id. With `since`,
        those from that turn on.
        """
        params = key_params(key) | {"before_turn_id": turn_id, "num_turns": num_turns, "from_turn_id": since}
        rows = await self._database.read(lambda connection: _all(connection, _ANSWERED_BEFORE, params))
        return [(row[0], row[1]) for row in reversed(rows)]

    async def turns(self, key: ConversationKey, turn_ids: Collection[int]) -> list[SaidTurn]:
        """Those of some turns that are still remembered, oldest first."""
        ordered = sorted(turn_ids)
        steps = [ordered[start : start + TURNS_AT_ONCE] for start in range(0, len(ordered), TURNS_AT_ONCE)]

        async def work(connection: AsyncConnection) -> list[SaidTurn]:
            read = [await _all(connection, _THESE_TURNS, key_params(key) | {"turn_ids": step}) for step in steps]
            return [SaidTurn(*row) for rows in read for row in reversed(rows)]

        return await self._database.read(work) if steps else []

    async def _read(self, key: ConversationKey, before: int | None) -> list[Any]:
        query, params = _NEWEST_TURNS, key_params(key)
        if before is not None:
            query, params["before_turn_id"] = _NEWEST_TURNS_BEFORE, before
        return await self._database.read(lambda connection: _all(connection, query, params))


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


_IS_REMEMBERED = and_(IS_CONVERSATION, asked.c.hidden_at.is_(None))
_IS_BEFORE = asked.c.id < bindparam("before_turn_id")
_ANSWERED_BEFORE = (
    select(asked.c.id, answered.c.id)
    .join(answered, answered.c.turn_id == asked.c.id)
    .join(conversations, conversations.c.id == asked.c.conversation_id)
    .where(_IS_REMEMBERED, _IS_BEFORE, asked.c.id >= bindparam("from_turn_id"))
    .order_by(asked.c.id.desc())
    .limit(bindparam("num_turns", type_=Integer))
)
_THESE_TURNS = said_turns().where(_IS_REMEMBERED, asked.c.id.in_(bindparam("turn_ids", expanding=True)))
_NEWEST_TURNS = said_turns().where(_IS_REMEMBERED).limit(TURNS_AT_ONCE)
_NEWEST_TURNS_BEFORE = _NEWEST_TURNS.where(_IS_BEFORE)


async def _all(connection: Any, query: Select[Any], params: Mapping[str, Any]) -> list[Any]:
    return [*await connection.execute(query, params)]
