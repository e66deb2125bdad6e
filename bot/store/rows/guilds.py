"""The guilds that the bot is in, and those that it has left: since when, and what is deleted of them in the end."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Table, and_, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.conversation.messages import ConversationKey
from bot.store.files.database import Database
from bot.store.rows.chosen_settings import Scope, forget_settings
from bot.store.rows.conversations import KEY_COLUMNS, key_in
from bot.store.rows.deletion import MAX_DELETED_AT_ONCE, delete_turns
from bot.store.tables import (
    conversations,
    guilds,
    inbox,
    inserts,
    messages,
    persona_changes,
    persona_choices,
    personas,
    turns_taken,
)

_IDS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class GuildDeletion:
    """What was deleted of a guild: its conversations."""

    conversations: tuple[ConversationKey, ...]


class Guilds:
    """The guilds of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def note_present(self, platform: str, guild_ids: Collection[int]) -> set[int]:
        """The bot is in these guilds; returns those in which it was as well, and isn't listed now."""

        async def read(connection: AsyncConnection) -> dict[int, datetime | None]:
            query = select(guilds.c.guild_id, guilds.c.left_at).where(guilds.c.platform == platform)
            return {row.guild_id: row.left_at for row in await connection.execute(query)}

        known = await self._database.read(read)
        changed = [each for each in guild_ids if each not in known or known[each] is not None]
        if changed:
            await self._database.write(lambda connection: _store_present(connection, platform, changed))
        return {guild_id for guild_id, left_at in known.items() if left_at is None}.difference(guild_ids)

    async def note_joined(self, platform: str, guild_id: int) -> None:
        """The bot is in a guild, again or for the first time; nothing is written where that is known."""
        query = select(guilds.c.guild_id).where(_is_guild(platform, guild_id), guilds.c.left_at.is_(None))
        if await self._database.read(lambda connection: connection.scalar(query)) is None:
            await self._database.write(lambda connection: _store_present(connection, platform, [guild_id]))

    async def note_left(self, platform: str, guild_id: int, at: datetime) -> None:
        """The bot isn't in a guild any more; what is known already about that stays."""

        async def work(connection: AsyncConnection) -> None:
            values = {"platform": platform, "guild_id": guild_id, "left_at": at}
            await connection.execute(_NOTE_LEFT[connection.dialect.name], values)

        await self._database.write(work)

    async def left_before(self, platform: str, moment: datetime) -> list[int]:
        """The guilds that were left before a moment, the longest gone first."""
        query = (
            select(guilds.c.guild_id)
            .where(guilds.c.platform == platform, guilds.c.left_at < moment)
            .order_by(guilds.c.left_at)
        )

        async def work(connection: AsyncConnection) -> list[int]:
            return [*await connection.scalars(query)]

        return await self._database.read(work)

    async def delete(self, platform: str, guild_id: int) -> GuildDeletion:
        """Delete for good what a guild that was left holds: what was said, chosen and made there.

        It is done in steps of a thousand turns, and ends without a word if the bot is back meanwhile.
        """
        deletion: GuildDeletion | None = None
        while deletion is None:
            deletion = await self._database.write(
                lambda connection: _delete_some(connection, platform, guild_id), is_alone=True
            )
        await self._database.erase_traces()
        return deletion


_KEY = ["platform", "guild_id"]
_NOTE_PRESENT = inserts(
    guilds, lambda statement: statement.on_conflict_do_update(index_elements=_KEY, set_={"left_at": None})
)
_NOTE_LEFT = inserts(
    guilds,
    lambda statement: statement.on_conflict_do_update(
        index_elements=_KEY, set_={"left_at": statement.excluded.left_at}, where=guilds.c.left_at.is_(None)
    ),
)


def _is_guild(platform: str, guild_id: int) -> ColumnElement[bool]:
    return and_(guilds.c.platform == platform, guilds.c.guild_id == guild_id)


async def _store_present(connection: AsyncConnection, platform: str, guild_ids: Collection[int]) -> None:
    rows = [{"platform": platform, "guild_id": guild_id, "left_at": None} for guild_id in sorted(guild_ids)]
    await connection.execute(_NOTE_PRESENT[connection.dialect.name], rows)


async def _delete_some(connection: AsyncConnection, platform: str, guild_id: int) -> GuildDeletion | None:
    """Delete as much as one transaction may; None where there is more."""
    is_it = _is_guild(platform, guild_id)
    if await connection.scalar(select(guilds.c.left_at).where(is_it)) is None:
        return GuildDeletion(())
    # It locks the row until the end, so that a return waits.
    await connection.execute(update(guilds).where(is_it).values(left_at=guilds.c.left_at))
    # Private questions have a platform apart, see ConversationKey.accounts.
    is_platform = or_(conversations.c.platform == platform, conversations.c.platform.startswith(f"{platform}-"))
    is_there = and_(is_platform, conversations.c.guild_id == guild_id)
    places = select(conversations.c.id).where(is_there)
    some = select(messages.c.id).where(messages.c.role == "user", messages.c.conversation_id.in_(places))
    if await delete_turns(connection, messages.c.id.in_(some.limit(MAX_DELETED_AT_ONCE))) == MAX_DELETED_AT_ONCE:
        return None
    seen = select(inbox.c.id).where(inbox.c.conversation_id.in_(places)).limit(MAX_DELETED_AT_ONCE)
    if (await connection.execute(delete(inbox).where(inbox.c.id.in_(seen)))).rowcount == MAX_DELETED_AT_ONCE:
        return None
    keys = tuple(key_in(row) for row in await connection.execute(select(*KEY_COLUMNS).where(is_there)))
    channel_ids = sorted({key.channel_id for key in keys})
    for start in range(0, len(channel_ids), _IDS_AT_ONCE):
        await forget_settings(connection, platform, Scope.CHANNEL, channel_ids[start : start + _IDS_AT_ONCE])
    await forget_settings(connection, platform, Scope.GUILD, [guild_id])
    for gone in (*_of_guild(platform, guild_id), (conversations, is_there), (guilds, is_it)):
        await connection.execute(delete(gone[0]).where(gone[1]))
    return GuildDeletion(keys)


def _of_guild(platform: str, guild_id: int) -> list[tuple[Table, ColumnElement[bool]]]:
    """What bears the guild's id, by table."""
    made = personas.c
    is_made_there = and_(made.platform == platform, made.scope == "guild", made.scope_id == guild_id)
    tables = (persona_choices, persona_changes, turns_taken)
    return [
        (personas, is_made_there),
        *((table, and_(table.c.platform == platform, table.c.guild_id == guild_id)) for table in tables),
    ]
