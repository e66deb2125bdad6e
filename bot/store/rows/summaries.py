"""Summaries of what has left a conversation's window: a piece for a few turns, with the ids of those.

A piece is as good as its turns. It is deleted with the first of them that is deleted or changed, and counts for nothing
while one of them is hidden: so a reset takes it along, and one that is undone brings it back.

Where the process died while it wrote a piece, alone in the engine, its turns are doubtful: each is tried once more, by
itself. What that kills as well is set aside with an empty piece, until somebody edits it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, bindparam, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.conversation.messages import ConversationKey
from bot.store.files.database import Database
from bot.store.rows.conversations import IS_CONVERSATION, ensure_conversation, key_params
from bot.store.rows.transcripts import SaidTurn, Transcripts, answered, asked
from bot.store.tables import conversations, messages, summaries, summarised_turns

MOST_PIECES = 100
"""Of one conversation, the newest: more are in no prompt."""
MOST_TURNS = 400
"""So far before the window, turns are looked for of which there is no piece yet."""
_DOUBTFUL = -1
"""Instead of the number of its turns: a piece of a single turn, which is still to be written."""
_NAME = "summary "


@dataclass(frozen=True, slots=True)
class Piece:
    """What a summary has of some turns, a line for each fact; it may be none."""

    id: int
    first_turn_id: int
    last_turn_id: int
    lines: tuple[str, ...]


class Summaries:
    """The pieces of all conversations."""

    def __init__(self, database: Database, transcripts: Transcripts) -> None:
        self._database = database
        self._transcripts = transcripts

    async def pieces(self, key: ConversationKey, before: int) -> list[Piece]:
        """What is summarised of the turns whose ids are below `before`, oldest first."""
        return [piece for piece in await self._pieces(key) if piece.last_turn_id < before]

    async def these(self, key: ConversationKey, piece_ids: Collection[int]) -> list[Piece]:
        """Those of some pieces that are still there, oldest first."""
        return [piece for piece in await self._pieces(key) if piece.id in piece_ids]

    async def _pieces(self, key: ConversationKey) -> list[Piece]:
        rows = await self._database.read(lambda connection: _all(connection, _PIECES, key_params(key)))
        return [
            Piece(row.id, row.first, row.last, tuple(row.content.splitlines()))
            for row in reversed(rows)
            if row.num_shown == row.num_turns
        ]

    async def unsummarised(self, key: ConversationKey, before: int, at_once: int) -> list[SaidTurn]:
        """The newest turns below an id of which there is no piece, in a row; oldest first, so many at most."""
        params = key_params(key) | {"before_turn_id": before}
        row: list[int] = []
        for turn_id, num_turns in await self._database.read(lambda connection: _all(connection, _COVERED, params)):
            if num_turns is None and len(row) < at_once:
                row.append(turn_id)
            elif row:
                break
            elif num_turns == _DOUBTFUL:
                row.append(turn_id)
                break
        return await self._transcripts.turns(key, row)

    async def note_deaths(self, names: Sequence[str]) -> None:
        """Commit that a process died while the engine ran these; see `engine_name`."""
        if len(names) != 1 or not names[0].startswith(_NAME):  # in company, others are tried first
            return
        turn_ids = [int(turn_id) for turn_id in names[0].removeprefix(_NAME).split(",")]
        now = self._database.clock()

        async def work(connection: AsyncConnection) -> None:
            for turn_id, conversation_id, num_turns in await _all(connection, _TRIED, {"turn_ids": turn_ids}):
                await connection.execute(_FORGET, {"turn_ids": [turn_id]})
                num_summed_up = 1 if num_turns == _DOUBTFUL else _DOUBTFUL
                await _add(connection, conversation_id, [turn_id], (), num_summed_up, now)

        await self._database.write(work, is_alone=True)

    async def save(self, key: ConversationKey, epoch: int, turns: Sequence[SaidTurn], lines: Sequence[str]) -> bool:
        """Keep the piece of some turns; False, and no effect, if one of them has changed or gone since it was read."""
        now, ids = self._database.clock(), [turn.id for turn in turns]
        read = [(turn.id, turn.question, turn.answer) for turn in turns]

        async def work(connection: AsyncConnection) -> bool:
            row = await ensure_conversation(connection, key)
            found = await _all(connection, _SAID, {"its_conversation_id": row.id, "turn_ids": ids})
            if row.epoch != epoch or [tuple(each) for each in found] != read:
                return False
            await connection.execute(_FORGET, {"turn_ids": ids})
            await _add(connection, row.id, ids, lines, len(ids), now)
            return True

        return await self._database.write(work)


def engine_name(turns: Sequence[SaidTurn]) -> str:
    """What the engine calls a piece that it writes; `Summaries.note_deaths` reads it."""
    return _NAME + ",".join(str(turn.id) for turn in turns)


async def forget_summaries_of(connection: AsyncConnection, turn_ids: Sequence[int]) -> None:
    """Delete the pieces in which one of these turns is, because it changed."""
    await connection.execute(_FORGET, {"turn_ids": turn_ids})


_shown = messages.alias("shown")
_PIECES = (
    select(
        summaries.c.id, summaries.c.content, summaries.c.num_turns, func.count(_shown.c.id).label("num_shown"),
        func.min(summarised_turns.c.turn_id).label("first"), func.max(summarised_turns.c.turn_id).label("last"),
    )
    .join(conversations, conversations.c.id == summaries.c.conversation_id)
    .join(summarised_turns, summarised_turns.c.summary_id == summaries.c.id)
    .outerjoin(_shown, and_(_shown.c.id == summarised_turns.c.turn_id, _shown.c.hidden_at.is_(None)))
    .where(IS_CONVERSATION)
    .group_by(summaries.c.id, summaries.c.content, summaries.c.num_turns)
    .order_by(func.max(summarised_turns.c.turn_id).desc())
    .limit(MOST_PIECES)
)  # fmt: skip
_COVERED = (
    select(asked.c.id, summaries.c.num_turns)
    .join(conversations, conversations.c.id == asked.c.conversation_id)
    .outerjoin(summarised_turns, summarised_turns.c.turn_id == asked.c.id)
    .outerjoin(summaries, summaries.c.id == summarised_turns.c.summary_id)
    .where(
        IS_CONVERSATION, asked.c.role == "user", asked.c.hidden_at.is_(None),
        asked.c.id < bindparam("before_turn_id"),
    )
    .order_by(asked.c.id.desc())
    .limit(MOST_TURNS)
)  # fmt: skip
_SAID = (
    select(asked.c.id, asked.c.content, answered.c.content)
    .join(answered, answered.c.turn_id == asked.c.id)
    .where(
        asked.c.conversation_id == bindparam("its_conversation_id"), asked.c.hidden_at.is_(None),
        asked.c.id.in_(bindparam("turn_ids", expanding=True)),
    )
    .order_by(asked.c.id)
)  # fmt: skip
_FORGET = delete(summaries).where(
    summaries.c.id.in_(
        select(summarised_turns.c.summary_id).where(
            summarised_turns.c.turn_id.in_(bindparam("turn_ids", expanding=True))
        )
    )
)
_TRIED = (
    select(asked.c.id, asked.c.conversation_id, summaries.c.num_turns)
    .outerjoin(summarised_turns, summarised_turns.c.turn_id == asked.c.id)
    .outerjoin(summaries, summaries.c.id == summarised_turns.c.summary_id)
    .where(asked.c.role == "user", asked.c.id.in_(bindparam("turn_ids", expanding=True)))
)
_ADD = summaries.insert().returning(summaries.c.id)


async def _add(
    connection: AsyncConnection,
    conversation_id: int,
    turn_ids: Sequence[int],
    lines: Sequence[str],
    num_turns: int,
    now: datetime,
) -> None:
    values = {
        "conversation_id": conversation_id,
        "content": "\n".join(lines),
        "num_turns": num_turns,
        "created_at": now,
    }
    summary_id = (await connection.execute(_ADD, values)).scalar_one()
    links = [{"turn_id": turn_id, "summary_id": summary_id} for turn_id in turn_ids]
    await connection.execute(summarised_turns.insert(), links)


async def _all(connection: AsyncConnection, query: Any, params: Mapping[str, Any]) -> list[Any]:
    return [*await connection.execute(query, params)]
