"""Which process holds which shard, and whose turn it is to log in, where several processes share a PostgreSQL.

A process that is there says so every second; one that hasn't for eight is taken for dead, and its shards are free.
Times are the server's own. Each step locks the table that it is about, so that two processes never decide at once; it
takes a few milliseconds.
"""

import secrets
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Table, delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.errors import DatabaseUnusable
from bot.store.files.connections import build_engine
from bot.store.files.database import Database
from bot.store.tables import session_starts, shard_processes, shards

T = TypeVar("T")

LEASE_SECONDS = 8.0
_MARGIN_SECONDS = 1.0
"""So much before others take it for dead, a process takes its shards for lost."""
_BUDGET = -1
"""In place of a group of shards: the row of the sessions that may still be begun today."""
_DAY = timedelta(days=1)
_BURST_SHARE, _DAILY_SHARE = 0.2, 0.7
"""Of the sessions that Discord allows in a day: so many at once, and so many more spread over it. It resets the token
of a bot that begins more."""
_NAMED = "named-"
_OPENING_POLL_SECONDS = 0.25
"""A turn that is kept while a connection is made ends sooner."""
_STEP_LIMITS = text(
    # Who is stuck in the middle of a step must not cost the others their shards.
    "SELECT set_config('lock_timeout', '2000', true), set_config('idle_in_transaction_session_timeout', '2000', true)"
)

_LOCKS = {
    shard_processes: text("LOCK TABLE shard_processes IN EXCLUSIVE MODE"),
    session_starts: text("LOCK TABLE session_starts IN EXCLUSIVE MODE"),
}

_OTHERWISE_DIVIDED = (
    "Other processes divide the bot into {others} shards, this one into {count}. Set the same TRINITY_SHARD_COUNT for "
    "all; to change it, stop all of them first."
)


@dataclass(frozen=True, slots=True)
class Division:
    """How the bot is divided; all processes have to see it alike."""

    count: int
    """How many shards there are."""
    wanted: frozenset[int] | None = None
    """The shards that this process is to hold; None leaves it to all of them to divide them evenly."""
    max_concurrency: int = 1
    """How many groups of shards log in without waiting for each other."""
    sessions_per_day: int = 1000


@dataclass(frozen=True, slots=True)
class Held:
    """What a process holds, and how many of these it is to give up for others."""

    held: frozenset[int]
    num_surplus: int


def since_boot() -> float:
    """Seconds that go on while the machine sleeps, where it can tell them."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Shards:
    """One process's shards. Made by `open_shards`."""

    def __init__(
        self,
        database: Database,
        division: Division,
        *,
        lease_seconds: float = LEASE_SECONDS,
        clock: Callable[[], float] = since_boot,
    ) -> None:
        self.count = division.count
        self.process = ("" if division.wanted is None else _NAMED) + secrets.token_hex(8)
        """What this process is called among the others; its beginning tells that it takes certain shards alone."""
        self._database = database
        self._division = division
        self._lease = timedelta(seconds=lease_seconds)
        self._clock = clock
        self._valid_until = float("-inf")

    def are_valid(self) -> bool:
        """Whether nobody else can hold by now what `renew` said was held here."""
        return self._clock() < self._valid_until

    async def renew(self, may_claim: int) -> Held:
        """Hold for a while longer what is held, and up to `may_claim` shards more that nobody holds.

        Raises:
            DatabaseUnusable: other processes divide the bot into another number of shards.
            StoreError: the database can't be asked just now.
        """
        asked_at = self._clock()
        held = await self._write(lambda connection: self._renew(connection, may_claim))
        self._valid_until = asked_at + self._lease.total_seconds() - _MARGIN_SECONDS
        return held

    async def _renew(self, connection: AsyncConnection, may_claim: int) -> Held:
        now = await _begin_step(connection, shard_processes)
        columns = shard_processes.c
        await connection.execute(
            delete(shard_processes).where(columns.expires_at <= now, columns.process != self.process)
        )
        counts = {row.process: row.shard_count for row in await connection.execute(select(shard_processes))}
        counts[self.process] = self.count
        if len({*counts.values()}) > 1:
            others = next(count for count in counts.values() if count != self.count)
            raise DatabaseUnusable(_OTHERWISE_DIVIDED.format(others=others, count=self.count))
        me = insert(shard_processes).values(process=self.process, shard_count=self.count, expires_at=now + self._lease)
        changed = {"expires_at": me.excluded.expires_at}
        await connection.execute(me.on_conflict_do_update(index_elements=["process"], set_=changed))
        holders = {row.shard_id: row.process for row in await connection.execute(select(shards))}
        held = {shard_id for shard_id, process in holders.items() if process == self.process}
        fair_part = self.count
        if self._division.wanted is None:  # those who take certain shards alone leave the rest to the others
            num_left = self.count - sum(process.startswith(_NAMED) for process in holders.values())
            fair_part = -(-num_left // sum(not process.startswith(_NAMED) for process in counts))
        wanted = range(self.count) if self._division.wanted is None else sorted(self._division.wanted)
        free = [shard_id for shard_id in wanted if shard_id not in holders]
        claimed = free[: max(0, min(may_claim, fair_part - len(held)))]
        if claimed:
            rows = [{"shard_id": shard_id, "process": self.process} for shard_id in claimed]
            await connection.execute(insert(shards), rows)
        # Where shards are free, who has too few takes these first; and one at a time, since each login takes its turn.
        num_surplus = 0 if free else min(1, max(0, len(held) - fair_part))
        return Held(frozenset(held.union(claimed)), num_surplus)

    async def release(self, shard_id: int) -> None:
        """Let others have a shard."""
        is_mine = (shards.c.shard_id == shard_id) & (shards.c.process == self.process)
        await self._write(lambda connection: connection.execute(delete(shards).where(is_mine)))

    async def leave(self) -> None:
        """Let others have everything."""
        self._valid_until = float("-inf")
        is_me = shard_processes.c.process == self.process
        await self._write(lambda connection: connection.execute(delete(shard_processes).where(is_me)))

    async def claim(self, shard_id: int, seconds: float, *, is_opening: bool, is_again: bool = False) -> float:
        """Take the turn to log in of a shard's group; `bot.discord.identify_turns` says what for."""
        length = timedelta(seconds=seconds)
        return await self._write(
            lambda connection: self._claim(connection, shard_id, length, is_opening=is_opening, is_again=is_again)
        )

    async def _write(self, work: Callable[[AsyncConnection], Coroutine[Any, Any, T]]) -> T:
        # Who deletes much, alone, must not cost all processes their shards.
        return await self._database.write(work, is_beside=True)

    async def _claim(
        self, connection: AsyncConnection, shard_id: int, length: timedelta, *, is_opening: bool, is_again: bool
    ) -> float:
        now = await _begin_step(connection, session_starts)
        group = shard_id % self._division.max_concurrency
        rows = {row.group_number: row for row in await connection.execute(select(session_starts))}
        turn, budget = rows.get(group), rows.get(_BUDGET)
        is_own = turn is not None and turn.shard_id == shard_id and (turn.is_opening or is_again)
        if turn is not None and turn.free_at > now and not is_own:
            left = float((turn.free_at - now).total_seconds())
            return min(left, _OPENING_POLL_SECONDS) if turn.is_opening else left
        # The moment up to which sessions are spent: each puts it off by its part of the day.
        each = _DAY / (_DAILY_SHARE * self._division.sessions_per_day)
        burst = _BURST_SHARE * self._division.sessions_per_day * each
        spent_until = max(now, budget.free_at) if budget is not None else now
        if spent_until > now + burst:
            return float((spent_until - burst - now).total_seconds())
        await _set_turn(connection, group, shard_id, now + length, is_opening=is_opening)
        if not (is_opening or is_again):
            await _set_turn(connection, _BUDGET, shard_id, spent_until + each, is_opening=False)
        return 0.0


async def _count_of_others(database: Database) -> int | None:
    """Into how many shards other processes divide the bot; None where there are none."""
    query = select(shard_processes.c.shard_count).where(shard_processes.c.expires_at > func.clock_timestamp())
    return await database.read(lambda connection: connection.scalar(query.limit(1)))


async def _begin_step(connection: AsyncConnection, table: Table) -> datetime:
    """Keep all other processes from a table until the transaction's end; returns the server's time."""
    await connection.execute(_STEP_LIMITS)
    await connection.execute(_LOCKS[table])
    now: datetime = (await connection.execute(select(func.clock_timestamp()))).scalar_one()
    return now


async def _set_turn(
    connection: AsyncConnection, group: int, shard_id: int, free_at: datetime, *, is_opening: bool
) -> None:
    row = insert(session_starts).values(group_number=group, shard_id=shard_id, is_opening=is_opening, free_at=free_at)
    changed = {name: row.excluded[name] for name in ("shard_id", "is_opening", "free_at")}
    await connection.execute(row.on_conflict_do_update(index_elements=["group_number"], set_=changed))


@asynccontextmanager
async def open_shards(
    url: str, division: Division, *, lease_seconds: float = LEASE_SECONDS, adopts_count: bool = False
) -> AsyncIterator[Shards]:
    """A process's shards, by connections of their own; the database is migrated already.

    With `adopts_count` the number of shards is the other processes', where there are some.

    Raises:
        DatabaseUnusable: other processes divide the bot into another number of shards.
        StoreError: the database can't be asked.
    """
    database = Database(build_engine(url))
    try:
        others = await _count_of_others(database)
        if others is not None and adopts_count:
            division = replace(division, count=others)
        if others not in (None, division.count):
            raise DatabaseUnusable(_OTHERWISE_DIVIDED.format(others=others, count=division.count))
        yield Shards(database, division, lease_seconds=lease_seconds)
    finally:
        await database.close()
