"""What people chose for channels and guilds, one row for each choice.

An answer reads the choices that concern it together with its conversation. Whether a message is a question at all, and
in whose conversation, has to be known without waiting, in the order in which messages come: for that all choices are
also kept in memory, read at the start and followed from then on. One process writes them.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, bindparam, delete, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.conversation.channel_settings import ChannelSettings, readable_choice
from bot.conversation.messages import ConversationKey
from bot.conversation.persona import DEFAULT
from bot.conversation.setting_kinds import Value
from bot.store.files.database import Database
from bot.store.rows.conversations import ensure_conversation
from bot.store.tables import channel_settings, inserts

Layer = Mapping[str, Value]
"""The choices of one channel or guild, by name."""


class Scope(StrEnum):
    """What a choice is made for."""

    CHANNEL = "channel"
    """A channel, a thread or a direct message."""
    GUILD = "guild"
    """Every channel of a guild that has no choice of its own."""


_Place = tuple[str, Scope, int]


class ChosenSettings:
    """The choices of all channels and guilds."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._in_memory: dict[_Place, dict[str, Value]] = {}

    async def load(self) -> None:
        """Read all choices into memory, before `now` is asked."""
        columns = channel_settings.c
        query = select(columns.platform, columns.scope, columns.scope_id, columns.name, columns.value)
        rows = await self._database.read(lambda connection: _all(connection, query))
        self._in_memory = {}
        for row in rows:
            if (value := readable_choice(row.name, row.value)) is not None:
                place = row.platform, Scope(row.scope), row.scope_id
                self._in_memory.setdefault(place, {})[row.name] = value

    def now(self, key: ConversationKey) -> ChannelSettings:
        """What holds in a channel, without waiting for the database; the persona is left out."""
        return ChannelSettings.merged(DEFAULT, self.layers(key))

    def layers(self, key: ConversationKey) -> list[Layer]:
        """The choices that concern a channel: its own, then those of a thread's channel, then the guild's."""
        return [self._in_memory.get((key.accounts, *place), {}) for place in _places(key, key.parent_channel_id)]

    async def set(self, key: ConversationKey, scope: Scope, name: str, value: Value, by: int) -> None:
        """Make a choice for a channel or its guild.

        The channel is known from then on, so that the choice is found where it, or what it belongs to, is deleted.
        """
        place = _place(key, scope)
        changed = {"value": value, "changed_by": by, "changed_at": self._database.clock()}

        async def work(connection: AsyncConnection) -> None:
            platform, kind, scope_id = place
            if scope is Scope.CHANNEL:
                await ensure_conversation(connection, replace(key, person_id=None))
            values = {"platform": platform, "scope": kind, "scope_id": scope_id, "name": name} | changed
            await connection.execute(_SET[connection.dialect.name], values)

        await self._database.write(work)
        self._in_memory.setdefault(place, {})[name] = value

    async def clear(self, key: ConversationKey, scope: Scope, name: str) -> bool:
        """Take a choice back; False if there was none."""
        place = _place(key, scope)
        is_it = and_(_is_place(key.platform, place[1:]), channel_settings.c.name == name)

        async def work(connection: AsyncConnection) -> bool:
            return bool((await connection.execute(delete(channel_settings).where(is_it))).rowcount)

        is_cleared = await self._database.write(work)
        self._in_memory.get(place, {}).pop(name, None)
        return is_cleared

    def forget_channels(self, platform: str, channel_ids: Iterable[int]) -> None:
        """Forget the choices of channels that are deleted, in memory; `History.delete_channel` deletes the rows."""
        for channel_id in channel_ids:
            self._in_memory.pop((platform, Scope.CHANNEL, channel_id), None)


_COLUMNS = channel_settings.c
CHOICES: "Select[str, int, str, Any]" = select(_COLUMNS.scope, _COLUMNS.scope_id, _COLUMNS.name, _COLUMNS.value).where(
    _COLUMNS.platform == bindparam("its_platform"),
    or_(
        and_(
            _COLUMNS.scope == Scope.CHANNEL.value,
            _COLUMNS.scope_id.in_([bindparam("its_channel_id"), bindparam("its_parent_id")]),
        ),
        and_(_COLUMNS.scope == Scope.GUILD.value, _COLUMNS.scope_id == bindparam("its_guild_id")),
    ),
)
"""The choices that concern a channel, by the parameters of `choice_params`: scope, id, name and value of each."""


def choice_params(key: ConversationKey, parent_id: int | None) -> dict[str, Any]:
    """What `CHOICES` asks for. What isn't there (no parent, no guild) is equal to nothing."""
    return {
        "its_platform": key.platform,
        "its_channel_id": key.channel_id,
        "its_parent_id": parent_id,
        "its_guild_id": key.guild_id,
    }


def layers_of(rows: Iterable[tuple[str, int, str, object]], key: ConversationKey, parent_id: int | None) -> list[Layer]:
    """The rows of `CHOICES`, as `ChosenSettings.layers` has them."""
    found: dict[tuple[str, int], dict[str, Value]] = {place: {} for place in _places(key, parent_id)}
    for scope, scope_id, name, kept in rows:
        if (value := readable_choice(name, kept)) is not None:
            found[scope, scope_id][name] = value
    return [*found.values()]


def _changed(statement: Any) -> Any:
    changed = {name: statement.excluded[name] for name in ("value", "changed_by", "changed_at")}
    return statement.on_conflict_do_update(index_elements=["platform", "scope", "scope_id", "name"], set_=changed)


_SET = inserts(channel_settings, _changed)


async def forget_settings(connection: AsyncConnection, platform: str, scope: Scope, scope_ids: Iterable[int]) -> None:
    """Delete every choice of channels or guilds."""
    columns = channel_settings.c
    is_gone = and_(columns.platform == platform, columns.scope == scope, columns.scope_id.in_(list(scope_ids)))
    await connection.execute(delete(channel_settings).where(is_gone))


def _places(key: ConversationKey, parent_id: int | None) -> Iterator[tuple[Scope, int]]:
    """What may have choices that concern a channel, the one that goes first in front."""
    yield Scope.CHANNEL, key.channel_id
    if parent_id is not None:
        yield Scope.CHANNEL, parent_id
    if key.guild_id is not None:
        yield Scope.GUILD, key.guild_id


def _place(key: ConversationKey, scope: Scope) -> _Place:
    if scope is Scope.CHANNEL:
        return key.platform, scope, key.channel_id
    if key.guild_id is None:
        raise ValueError("a direct message belongs to no guild")
    return key.platform, scope, key.guild_id


def _is_place(platform: str, place: tuple[Scope, int]) -> ColumnElement[bool]:
    columns = channel_settings.c
    return and_(columns.platform == platform, columns.scope == place[0], columns.scope_id == place[1])


async def _all(connection: AsyncConnection, query: Select[Any]) -> list[Row[Any]]:
    return list((await connection.execute(query)).all())
