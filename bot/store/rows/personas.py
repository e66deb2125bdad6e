"""Personas that people made, which one each channel chose, and who changed what.

A guild shares its personas among its channels; a direct message or the terminal has its own. A choice is stored as a
name: of one of these, or else of a built-in persona.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ColumnElement, Select, Text, and_, bindparam, cast, delete, literal, null, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.conversation.channel_settings import ChannelSettings
from bot.conversation.messages import ConversationKey
from bot.conversation.persona import DEFAULT, Persona, find_built_in, is_called, normal_name
from bot.store.files.database import Database
from bot.store.rows.chosen_settings import CHOICES, choice_params, layers_of
from bot.store.tables import inserts, persona_changes, persona_choices, personas

_PERSONA = "persona"
NOBODY = 0
"""The author in the record of what is nobody's business any more."""


@dataclass(frozen=True, slots=True)
class OwnPersona:
    """A persona that belongs to a guild, a direct message or a terminal, and who changed it last."""

    name: str
    prompt: str
    changed_by: int
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class PersonaChange:
    """One line of the record: who did what, when and in which channel. `action` is set, delete, use or clear."""

    changed_at: datetime
    channel_id: int
    author_id: int
    author_name: str
    action: str
    name: str | None
    prompt: str | None


class Personas:
    """The personas of all guilds and direct messages. Names are compared as `normal_name` folds them."""

    def __init__(self, database: Database, default: Persona = DEFAULT) -> None:
        self.default = default
        """The persona of a channel that has chosen none."""
        self._database = database

    async def list_own(self, key: ConversationKey) -> list[OwnPersona]:
        """The personas made here, by name."""
        return await self._database.read(lambda connection: _read_own(connection, _in_scope(key)))

    async def find_own(self, key: ConversationKey, name: str) -> OwnPersona | None:
        """The persona of that name made here."""
        is_named = and_(_in_scope(key), personas.c.name_key == normal_name(name))
        found = await self._database.read(lambda connection: _read_own(connection, is_named))
        return found[0] if found else None

    async def settings(self, key: ConversationKey) -> ChannelSettings:
        """What was chosen for the channel, or for the channel that a thread belongs to."""
        default, parent_id = self.default, key.parent_channel_id
        return await self._database.read(lambda connection: load_settings(connection, key, parent_id, default))

    async def save(self, key: ConversationKey, name: str, prompt: str, *, author_id: int, author_name: str) -> None:
        """Make a persona here, or replace the one of that name."""
        now = self._database.clock()

        async def work(connection: AsyncConnection) -> None:
            await _save(connection, key, now, author_id, author_name, name, prompt)

        await self._database.write(work, is_alone=True)

    async def delete(
        self,
        key: ConversationKey,
        name: str,
        *,
        author_id: int,  # noqa: ARG002 - as with the other changes, though the record shall not keep who it was
        author_name: str,  # noqa: ARG002
    ) -> bool:
        """Delete a persona made here; channels that chose it have no choice afterwards. False if there is none.

        With it go its prompts and the names of those who wrote or chose it: only that and when it was deleted stays.
        """
        now = self._database.clock()

        async def work(connection: AsyncConnection) -> bool:
            is_named = personas.c.name_key == normal_name(name)
            result = await connection.execute(delete(personas).where(_in_scope(key), is_named))
            if not result.rowcount:
                return False
            await connection.execute(
                delete(persona_choices).where(_shares_scope(key), persona_choices.c.name_key == normal_name(name))
            )
            await _forget_changes(connection, key, name)
            await _record(connection, key, now, NOBODY, "", "delete", name)
            return True

        return await self._database.write(work, is_alone=True)

    async def choose(self, key: ConversationKey, name: str, *, author_id: int, author_name: str) -> None:
        """Make a persona, own or built in, the channel's."""
        now = self._database.clock()

        async def work(connection: AsyncConnection) -> None:
            await _choose(connection, key, now, author_id, author_name, name)

        await self._database.write(work, is_alone=True)

    async def clear_choice(self, key: ConversationKey, *, author_id: int, author_name: str) -> bool:
        """Forget what the channel chose; a thread then follows its channel again. False if it had chosen nothing."""
        now = self._database.clock()

        async def work(connection: AsyncConnection) -> bool:
            result = await connection.execute(delete(persona_choices).where(_is_channel(key.platform, key.channel_id)))
            if result.rowcount:
                await _record(connection, key, now, author_id, author_name, "clear")
            return bool(result.rowcount)

        return await self._database.write(work, is_alone=True)

    async def used_in(self, key: ConversationKey, name: str) -> set[int]:
        """The channels that chose the persona of that name."""
        is_named = and_(_shares_scope(key), persona_choices.c.name_key == normal_name(name))
        query = select(persona_choices.c.channel_id).where(is_named)

        async def work(connection: AsyncConnection) -> set[int]:
            return {*await connection.scalars(query)}

        return await self._database.read(work)

    async def last_change(self, key: ConversationKey) -> PersonaChange | None:
        """What `undo` would take back; None where nothing is on record."""

        async def work(connection: AsyncConnection) -> PersonaChange | None:
            row = (await connection.execute(_last_change(key))).one_or_none()
            return None if row is None else PersonaChange(*row[1:])

        return await self._database.read(work)

    async def undo(self, key: ConversationKey, *, author_id: int, author_name: str) -> PersonaChange | None:
        """Take back the newest change of a persona here or of the channel's choice, as another change.

        Returns what was taken back; None where nothing is on record that could be, or not what was before.
        """
        now = self._database.clock()

        async def work(connection: AsyncConnection) -> PersonaChange | None:
            columns = persona_changes.c
            row = (await connection.execute(_last_change(key))).one_or_none()
            if row is None or row.action == "delete":
                return None
            if row.action == "set":
                same = and_(columns.action == "set", columns.name.in_(await _names_written(connection, key, row.name)))
            else:
                same = and_(columns.action.in_(("use", "clear")), columns.channel_id == key.channel_id)
            earlier = _changes_query().where(_is_change_in(key), same, columns.id < row.id).limit(1)
            before = (await connection.execute(earlier)).one_or_none()
            if row.action == "set":
                if before is None or before.prompt is None:
                    return None
                await _save(connection, key, now, author_id, author_name, before.name, before.prompt)
            elif before is None or before.action == "clear":
                await connection.execute(delete(persona_choices).where(_is_channel(key.platform, key.channel_id)))
                await _record(connection, key, now, author_id, author_name, "clear")
            else:
                await _choose(connection, key, now, author_id, author_name, before.name)
            return PersonaChange(*row[1:])

        return await self._database.write(work, is_alone=True)

    async def changes(self, key: ConversationKey, limit: int = 50) -> list[PersonaChange]:
        """The newest changes made in the guild or the direct message, newest first."""
        query = _changes_query().where(_is_change_in(key)).limit(limit)

        async def work(connection: AsyncConnection) -> list[PersonaChange]:
            return [PersonaChange(*row[1:]) for row in await connection.execute(query)]

        return await self._database.read(work)


async def load_settings(
    connection: AsyncConnection, key: ConversationKey, stored_parent_id: int | None, default: Persona = DEFAULT
) -> ChannelSettings:
    """What was chosen for a channel, or else for the channel that it is a thread of, or else for the guild.

    In the place of a persona that is gone stands the default, and so it does for one that is called like it.
    """
    key = replace(key, platform=key.accounts)  # what was chosen for a channel holds for private answers there too
    parent_id = key.parent_channel_id or stored_parent_id
    scope, scope_id = _scope(key)
    params = choice_params(key, parent_id) | {"persona_scope": scope, "persona_scope_id": scope_id}
    rows = (await connection.execute(_SETTINGS, params)).all()
    layers = layers_of((row[:4] for row in rows if row.scope != _PERSONA), key, parent_id)
    chosen = {row.scope_id: (row.name, row.prompt) for row in rows if row.scope == _PERSONA}
    choice = chosen.get(key.channel_id) or chosen.get(parent_id or 0)
    if choice is None:
        return ChannelSettings.merged(default, layers)
    name, prompt = choice
    is_own = prompt is not None and not is_called(default, name)
    persona = Persona(name, prompt) if is_own else find_built_in(name) or default
    return ChannelSettings.merged(persona, layers)


_CHOSEN = persona_choices.c
# The personas chosen for a channel, and for the one that it is a thread of, in the columns of other choices.
_CHOSEN_PERSONAS = (
    select(literal(_PERSONA), _CHOSEN.channel_id, _CHOSEN.name, cast(null(), JSON), personas.c.prompt)
    .outerjoin(
        personas,
        and_(
            personas.c.platform == bindparam("its_platform"),
            personas.c.scope == bindparam("persona_scope"),
            personas.c.scope_id == bindparam("persona_scope_id"),
            personas.c.name_key == _CHOSEN.name_key,
        ),
    )
    .where(
        _CHOSEN.platform == bindparam("its_platform"),
        _CHOSEN.channel_id.in_([bindparam("its_channel_id"), bindparam("its_parent_id")]),
    )
)
_SETTINGS = CHOICES.add_columns(cast(null(), Text).label("prompt")).union_all(_CHOSEN_PERSONAS)


async def _read_own(connection: AsyncConnection, condition: ColumnElement[bool]) -> list[OwnPersona]:
    columns = (personas.c.name, personas.c.prompt, personas.c.changed_by, personas.c.changed_at)
    query = select(*columns).where(condition).order_by(personas.c.name_key)
    return [OwnPersona(*row) for row in await connection.execute(query)]


def _scope(key: ConversationKey) -> tuple[str, int]:
    return ("channel", key.channel_id) if key.guild_id is None else ("guild", key.guild_id)


def _in_scope(key: ConversationKey) -> ColumnElement[bool]:
    scope, scope_id = _scope(key)
    return and_(personas.c.platform == key.platform, personas.c.scope == scope, personas.c.scope_id == scope_id)


def _is_channel(platform: str, channel_id: int | None) -> ColumnElement[bool]:
    return and_(persona_choices.c.platform == platform, persona_choices.c.channel_id == channel_id)


def _shares_scope(key: ConversationKey) -> ColumnElement[bool]:
    if key.guild_id is None:
        return _is_channel(key.platform, key.channel_id)
    return and_(persona_choices.c.platform == key.platform, persona_choices.c.guild_id == key.guild_id)


async def _forget_changes(connection: AsyncConnection, key: ConversationKey, name: str) -> None:
    """Delete the record of a persona, under each name that was written for it."""
    written = await _names_written(connection, key, name)
    await connection.execute(delete(persona_changes).where(_is_change_in(key), persona_changes.c.name.in_(written)))


async def _names_written(connection: AsyncConnection, key: ConversationKey, name: str) -> list[str]:
    """Every way in which the record writes a persona's name."""
    named = await connection.scalars(select(persona_changes.c.name).where(_is_change_in(key)).distinct())
    return [written for written in named if written is not None and normal_name(written) == normal_name(name)]


def _is_change_in(key: ConversationKey) -> ColumnElement[bool]:
    columns = persona_changes.c
    in_scope = columns.channel_id == key.channel_id if key.guild_id is None else columns.guild_id == key.guild_id
    return and_(columns.platform == key.platform, in_scope)


def _last_change(key: ConversationKey) -> Select[Any]:
    """The newest change of a persona here, or of the channel's own choice."""
    columns = persona_changes.c
    concerns = or_(columns.action.in_(("set", "delete")), columns.channel_id == key.channel_id)
    return _changes_query().where(_is_change_in(key), concerns).limit(1)


def _changes_query() -> Select[Any]:
    """Changes, the newest first: their ids, then the columns of `PersonaChange`."""
    columns = persona_changes.c
    return select(
        columns.id, columns.changed_at, columns.channel_id, columns.author_id, columns.author_name,
        columns.action, columns.name, columns.prompt,
    ).order_by(columns.id.desc())  # fmt: skip


def _saved(statement: Any) -> Any:
    changed = {column: statement.excluded[column] for column in ("name", "prompt", "changed_by", "changed_at")}
    unique = ["platform", "scope", "scope_id", "name_key"]
    return statement.on_conflict_do_update(index_elements=unique, set_=changed)


def _chosen(statement: Any) -> Any:
    chosen = {column: statement.excluded[column] for column in ("guild_id", "name", "name_key")}
    return statement.on_conflict_do_update(index_elements=["platform", "channel_id"], set_=chosen)


_SAVE = inserts(personas, _saved)
_CHOOSE = inserts(persona_choices, _chosen)


async def _save(
    connection: AsyncConnection, key: ConversationKey, now: datetime,
    author_id: int, author_name: str, name: str, prompt: str,
) -> None:  # fmt: skip
    scope, scope_id = _scope(key)
    values = {
        "platform": key.platform, "scope": scope, "scope_id": scope_id, "name_key": normal_name(name),
        "name": name, "prompt": prompt, "changed_by": author_id, "changed_at": now,
    }  # fmt: skip
    await connection.execute(_SAVE[connection.dialect.name], values)
    await _record(connection, key, now, author_id, author_name, "set", name, prompt)


async def _choose(
    connection: AsyncConnection, key: ConversationKey, now: datetime, author_id: int, author_name: str, name: str
) -> None:
    values = {
        "platform": key.platform, "channel_id": key.channel_id, "guild_id": key.guild_id,
        "name": name, "name_key": normal_name(name),
    }  # fmt: skip
    await connection.execute(_CHOOSE[connection.dialect.name], values)
    await _record(connection, key, now, author_id, author_name, "use", name)


async def _record(
    connection: AsyncConnection, key: ConversationKey, now: datetime,
    author_id: int, author_name: str, action: str, name: str | None = None, prompt: str | None = None,
) -> None:  # fmt: skip
    await connection.execute(
        persona_changes.insert().values(
            platform=key.platform, channel_id=key.channel_id, guild_id=key.guild_id, changed_at=now,
            author_id=author_id, author_name=author_name, action=action, name=name, prompt=prompt,
        )
    )  # fmt: skip
