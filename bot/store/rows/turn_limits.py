"""How many turns a person, or a guild, may take in an hour; counted in the transaction that takes one.

A turn that was never tried is given back: the model wasn't ready, for instance. One that was deleted or stopped isn't.

Whose words are erased has still had their turns, or erasing would be a way round the limit. So a number takes the place
of theirs, made with a key that only this process knows: until the hour is over it counts for them, and after the
process it can be brought back to nobody.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

from sqlalchemy import Integer, Select, and_, bindparam, delete, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.conversation.messages import Question
from bot.conversation.turn_limits import TurnLimits
from bot.errors import TurnsSpent
from bot.store.rows.locks import Name, lock_name
from bot.store.rows.questions import IS_OPEN, IS_ROW, row_params
from bot.store.tables import inbox, inserts, turns_taken

_KEY = secrets.token_bytes(32)
HOUR = timedelta(hours=1)
_WIDEST_STEP = timedelta(minutes=5)
"""What was taken so much later than now was taken before the clock was set back, and counts no more."""


@dataclass(frozen=True, slots=True)
class TakenTurn:
    """What asks for a turn: a message or an interaction, of whom, and in which guild if in any."""

    platform: str
    """Where the person has an account: however they ask there, their turns are the same."""
    act_id: int
    author_id: int
    guild_id: int | None


async def take_turn(connection: AsyncConnection, turn: TakenTurn, limits: TurnLimits, now: datetime) -> None:
    """Take a turn, unless the same act took one before.

    Raises:
        TurnsSpent: the person's turns, or the guild's, are used up; nothing was taken.
    """
    await lock_name(connection, Name.PERSON, f"{turn.platform} {turn.author_id}")
    if turn.guild_id is not None and limits.guild is not None:
        await lock_name(connection, Name.GUILD, f"{turn.platform} {turn.guild_id}")
    for forget in _FORGET[connection.dialect.name]:
        await connection.execute(forget, {"until": now - HOUR, "after": now + _WIDEST_STEP})
    values = {
        "platform": turn.platform, "act_id": turn.act_id, "author_id": turn.author_id, "guild_id": turn.guild_id,
        "taken_at": now,
    }  # fmt: skip
    if not (await connection.execute(_TAKE[connection.dialect.name], values)).rowcount:
        return
    persons = {"author_id": turn.author_id, "author_number": _number_for(turn.author_id)}
    await _refuse_excess(connection, _PERSONS, {"platform": turn.platform} | persons, limits.person, of_guild=False)
    if turn.guild_id is not None:
        guilds = {"platform": turn.platform, "guild_id": turn.guild_id}
        await _refuse_excess(connection, _GUILDS, guilds, limits.guild, of_guild=True)


async def give_back_untried(connection: AsyncConnection, turn: TakenTurn, question: Question) -> None:
    """Give the turn of an open question back if no answer was tried for."""
    params = row_params(question) | {"turns_platform": turn.platform, "turns_act_id": turn.act_id}
    await connection.execute(_GIVE_BACK_UNTRIED, params)


async def forget_whose(connection: AsyncConnection, platform: str, person_id: int) -> None:
    """Take a person's number off the turns that they have had."""
    is_theirs = and_(turns_taken.c.platform == platform, turns_taken.c.author_id == person_id)
    await connection.execute(update(turns_taken).where(is_theirs).values(author_id=_number_for(person_id)))


def _number_for(person_id: int) -> int:
    """Stands for a person in this process alone; below zero, where no person's number is."""
    digest = blake2b(str(person_id).encode(), key=_KEY, digest_size=8).digest()
    return -1 - (int.from_bytes(digest) >> 1)


async def _refuse_excess(
    connection: AsyncConnection, query: Select[Any], params: dict[str, Any], limit: int | None, *, of_guild: bool
) -> None:
    """Refuse the newest turn, which is counted already, if there are more than `limit`."""
    if limit is None:
        return
    # Of the turns before this one, that whose end makes room for it.
    blocking = await connection.scalar(query, params | {"limit": limit})
    if blocking is not None:
        raise TurnsSpent(limit, blocking + HOUR, of_guild=of_guild)


_COLUMNS = turns_taken.c
_COUNT_NO_MORE = (_COLUMNS.taken_at <= bindparam("until"), _COLUMNS.taken_at > bindparam("after"))
_ROW = tuple_(_COLUMNS.platform, _COLUMNS.act_id)
_FORGET = {
    "sqlite": [delete(turns_taken).where(is_over) for is_over in _COUNT_NO_MORE],
    # What another one forgets just now need not be waited for.
    "postgresql": [
        delete(turns_taken).where(
            _ROW.in_(select(_COLUMNS.platform, _COLUMNS.act_id).where(is_over).with_for_update(skip_locked=True))
        )
        for is_over in _COUNT_NO_MORE
    ],
}
_TAKE = inserts(turns_taken, lambda statement: statement.on_conflict_do_nothing())
_NEWEST: Any = (
    select(_COLUMNS.taken_at)
    .where(_COLUMNS.platform == bindparam("platform"))
    .order_by(_COLUMNS.taken_at.desc())
    .offset(bindparam("limit", type_=Integer))
    .limit(1)
)
_PERSONS = _NEWEST.where(_COLUMNS.author_id.in_([bindparam("author_id"), bindparam("author_number")]))
_GUILDS = _NEWEST.where(_COLUMNS.guild_id == bindparam("guild_id"))
_IS_UNTRIED = select(inbox.c.id).where(IS_ROW, IS_OPEN, inbox.c.attempts == 0).exists()
_GIVE_BACK_UNTRIED = delete(turns_taken).where(
    _COLUMNS.platform == bindparam("turns_platform"), _COLUMNS.act_id == bindparam("turns_act_id"), _IS_UNTRIED
)
