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

from sqlalchemy import ColumnElement, and_, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.conversation.turn_limits import TurnLimits
from bot.errors import TurnsSpent
from bot.store.tables import inbox, insert, turns_taken

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
    columns = turns_taken.c
    await connection.execute(delete(turns_taken).where(columns.taken_at <= now - HOUR))
    await connection.execute(delete(turns_taken).where(columns.taken_at > now + _WIDEST_STEP))
    statement = insert(connection, turns_taken).values(
        platform=turn.platform, act_id=turn.act_id, author_id=turn.author_id, guild_id=turn.guild_id, taken_at=now
    )
    if not (await connection.execute(statement.on_conflict_do_nothing())).rowcount:
        return
    theirs = (turn.author_id, _number_for(turn.author_id))
    is_persons = and_(columns.platform == turn.platform, columns.author_id.in_(theirs))
    is_guilds = and_(columns.platform == turn.platform, columns.guild_id == turn.guild_id)
    await _refuse_excess(connection, is_persons, limits.person, of_guild=False)
    if turn.guild_id is not None:
        await _refuse_excess(connection, is_guilds, limits.guild, of_guild=True)


async def give_back_untried(connection: AsyncConnection, turn: TakenTurn, is_question: ColumnElement[bool]) -> None:
    """Give the turn of a question back if no answer was tried for."""
    is_its = and_(turns_taken.c.platform == turn.platform, turns_taken.c.act_id == turn.act_id)
    is_untried = select(inbox.c.id).where(is_question, inbox.c.attempts == 0).exists()
    await connection.execute(delete(turns_taken).where(is_its, is_untried))


async def forget_whose(connection: AsyncConnection, platform: str, person_id: int) -> None:
    """Take a person's number off the turns that they have had."""
    is_theirs = and_(turns_taken.c.platform == platform, turns_taken.c.author_id == person_id)
    await connection.execute(update(turns_taken).where(is_theirs).values(author_id=_number_for(person_id)))


def _number_for(person_id: int) -> int:
    """Stands for a person in this process alone; below zero, where no person's number is."""
    digest = blake2b(str(person_id).encode(), key=_KEY, digest_size=8).digest()
    return -1 - (int.from_bytes(digest) >> 1)


async def _refuse_excess(
    connection: AsyncConnection, condition: ColumnElement[bool], limit: int | None, *, of_guild: bool
) -> None:
    """Refuse the newest turn, which is counted already, if there are more than `limit`."""
    if limit is None:
        return
    taken_at: Any = turns_taken.c.taken_at
    # Of the turns before this one, that whose end makes room for it.
    query = select(taken_at).where(condition).order_by(taken_at.desc()).offset(limit).limit(1)
    blocking = await connection.scalar(query)
    if blocking is not None:
        raise TurnsSpent(limit, blocking + HOUR, of_guild=of_guild)
