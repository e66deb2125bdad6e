"""What one person said and did, over all conversations: counted, read and erased.

Erasing hides everything first, in few short steps, and marks it as hidden long ago: from then on it is in no prompt, a
reset that is undone doesn't bring it back, and whoever deletes what was hidden deletes it too, should this process end
before it is done.
"""

from collections.abc import AsyncIterator, Callable, Collection, Coroutine
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, and_, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.conversation.messages import ConversationKey
from bot.store.files.database import Database
from bot.store.rows.conversations import KEY_COLUMNS, ensure_conversation, key_in
from bot.store.rows.deletion import MAX_DELETED_AT_ONCE, delete_turns, empty
from bot.store.rows.personas import NOBODY
from bot.store.rows.pins import delete_pins
from bot.store.rows.questions import ERASED, IS_OPEN
from bot.store.rows.transcripts import TURNS_AT_ONCE, SaidTurn, asked, said_turns
from bot.store.rows.turn_limits import forget_whose
from bot.store.tables import (
    channel_settings,
    conversations,
    hints,
    inbox,
    messages,
    parts,
    persona_changes,
    personas,
    pins,
    speakers,
)

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_FOUND = 100
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class OwnPlace:
    """A conversation in which a person asked something, and how often."""

    key: ConversationKey
    row_id: int
    num_turns: int


@dataclass(frozen=True, slots=True)
class OwnTraces:
    """What is kept of a person beside the turns, as counts."""

    num_open_questions: int
    num_pins: int
    num_personas: int
    num_changes: int
    num_settings: int


class OwnWords:
    """What people said and did, by person."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def places(self, platform: str, person_id: int) -> list[OwnPlace]:
        """Where a person asked something that is still kept."""
        query = (
            select(conversations.c.id, *KEY_COLUMNS, func.count().label("num_turns"))
            .join(messages, messages.c.conversation_id == conversations.c.id)
            .where(conversations.c.platform == platform, _said_by(person_id))
            .group_by(conversations.c.id)
            .order_by(conversations.c.id)
        )

        async def work(connection: AsyncConnection) -> list[OwnPlace]:
            return [OwnPlace(key_in(row), row.id, row.num_turns) for row in await connection.execute(query)]

        return await self._database.read(work)

    async def traces(self, platform: str, person_id: int) -> OwnTraces:
        """What else is kept of a person."""
        conditions = (
            (inbox, and_(_asked_by(platform, person_id), IS_OPEN)),
            (pins, _pinned_by(platform, person_id)),
            (personas, and_(personas.c.platform == platform, personas.c.changed_by == person_id)),
            (persona_changes, _changed_by(platform, person_id)),
            (
                channel_settings,
                and_(channel_settings.c.platform == platform, channel_settings.c.changed_by == person_id),
            ),
        )

        async def work(connection: AsyncConnection) -> OwnTraces:
            counts = [
                int(await connection.scalar(select(func.count()).select_from(table).where(condition)) or 0)
                for table, condition in conditions
            ]
            return OwnTraces(*counts)

        return await self._database.read(work)

    async def turns(self, place: OwnPlace, person_id: int) -> AsyncIterator[SaidTurn]:
        """A person's turns in a conversation, the newest first, in steps."""
        async for turn in self._turns(place, asked.c.author_id == person_id):
            yield turn

    async def others_turns(self, place: OwnPlace, person_id: int, after: int) -> AsyncIterator[SaidTurn]:
        """The turns of others in a conversation whose ids are above `after`, the newest first, in steps."""
        async for turn in self._turns(place, and_(asked.c.author_id != person_id, asked.c.id > after)):
            yield turn

    async def answer_message(self, turn_id: int) -> int | None:
        """The first message that shows a turn's answer, as far as it is known."""
        query = (
            select(parts.c.message_id)
            .join(inbox, inbox.c.id == parts.c.inbox_id)
            .where(inbox.c.turn_id == turn_id, parts.c.purpose == "answer")
            .order_by(parts.c.part_index)
            .limit(1)
        )
        return await self._database.read(lambda connection: connection.scalar(query))

    async def names(self, platform: str, person_id: int) -> set[str]:
        """Under which names a person asked what is still kept."""
        query = select(messages.c.author_name).where(_own(platform, person_id)).distinct()
        return set(await self._database.read(partial(_column, query=query)))

    async def questions_of_others(
        self, platform: str, person_id: int, guild_ids: Collection[int], texts: Collection[str]
    ) -> list[tuple[ConversationKey, int]]:
        """Questions of others, in some guilds, in which one of these texts stands: where, and the message's id.

        The newest hundred of them.
        """
        if not (guild_ids and texts):
            return []
        is_others = and_(messages.c.role == "user", messages.c.author_id != person_id, messages.c.hidden_at.is_(None))
        query = (
            select(*KEY_COLUMNS, messages.c.message_id)
            .join(messages, messages.c.conversation_id == conversations.c.id)
            .where(
                conversations.c.platform == platform, conversations.c.guild_id.in_(guild_ids), is_others,
                or_(*(messages.c.content.contains(text, autoescape=True) for text in texts)),
            )
            .order_by(messages.c.id.desc())
            .limit(_MOST_FOUND)
        )  # fmt: skip
        return [(key_in(row), row.message_id) for row in await self._database.read(partial(_all, query=query))]

    async def erase(self, platform: str, person_id: int) -> tuple[int, ...]:
        """Erase what a person said and did for good; returns the ids of their open questions, which get no answer."""

        async def step(work: Callable[[AsyncConnection, str, int], Coroutine[Any, Any, T]]) -> T:
            return await self._database.write(lambda connection: work(connection, platform, person_id), is_alone=True)

        while await step(_hide_some):
            pass
        emptied = await step(_forget_traces)
        while await step(_delete_some):
            pass
        await step(_leave_own_conversations)
        await self._database.erase_traces()
        return emptied

    async def _turns(self, place: OwnPlace, condition: ColumnElement[bool]) -> AsyncIterator[SaidTurn]:
        before: int | None = None
        while True:
            query = said_turns().where(asked.c.conversation_id == place.row_id, condition).limit(TURNS_AT_ONCE)
            if before is not None:
                query = query.where(asked.c.id < before)
            rows = await self._database.read(partial(_all, query=query))
            for row in rows:
                yield SaidTurn(*row)
            if len(rows) < TURNS_AT_ONCE:
                return
            before = rows[-1].id


def _said_by(person_id: int) -> ColumnElement[bool]:
    return and_(messages.c.role == "user", messages.c.author_id == person_id)


def _asked_by(platform: str, person_id: int) -> ColumnElement[bool]:
    return and_(inbox.c.platform == platform, inbox.c.author_id == person_id)


def _changed_by(platform: str, person_id: int) -> ColumnElement[bool]:
    return and_(persona_changes.c.platform == platform, persona_changes.c.author_id == person_id)


def _pinned_by(platform: str, person_id: int) -> ColumnElement[bool]:
    places = select(conversations.c.id).where(conversations.c.platform == platform)
    return and_(pins.c.author_id == person_id, pins.c.conversation_id.in_(places))


def _own(platform: str, person_id: int) -> ColumnElement[bool]:
    places = select(conversations.c.id).where(conversations.c.platform == platform)
    return and_(_said_by(person_id), messages.c.conversation_id.in_(places))


async def _hide_some(connection: AsyncConnection, platform: str, person_id: int) -> bool:
    """Take all pins and a thousand turns out of every prompt; whether there may be more turns."""
    await delete_pins(connection, _pinned_by(platform, person_id))
    is_shown = or_(messages.c.hidden_at.is_(None), messages.c.hidden_at > LONG_AGO)
    query = select(messages.c.id).where(_own(platform, person_id), is_shown).limit(MAX_DELETED_AT_ONCE)
    ids = [*await connection.scalars(query)]
    for column in (messages.c.id, messages.c.turn_id):
        await connection.execute(update(messages).where(column.in_(ids)).values(hidden_at=LONG_AGO))
    return len(ids) == MAX_DELETED_AT_ONCE


async def _delete_some(connection: AsyncConnection, platform: str, person_id: int) -> bool:
    query = select(messages.c.id).where(_own(platform, person_id)).limit(MAX_DELETED_AT_ONCE)
    ids = [*await connection.scalars(query)]
    return await delete_turns(connection, messages.c.id.in_(ids)) == MAX_DELETED_AT_ONCE if ids else False


async def _forget_traces(connection: AsyncConnection, platform: str, person_id: int) -> tuple[int, ...]:
    """Take the words out of open questions, and the person off everything else that bears their number or name.

    Personas of a direct message go; those of a server stay, as the server's.
    """
    open_ids = await empty(connection, _asked_by(platform, person_id), epoch=ERASED)
    # That they were seen stays, so that no question is answered twice; not who asked.
    emptied = {"author_id": NOBODY, "author_name": "", "content": ""}
    await connection.execute(update(inbox).where(_asked_by(platform, person_id)).values(emptied))
    is_direct = and_(personas.c.scope == "channel", personas.c.changed_by == person_id)
    await connection.execute(delete(personas).where(personas.c.platform == platform, is_direct))
    for table in (personas, channel_settings):
        is_theirs = and_(table.c.platform == platform, table.c.changed_by == person_id)
        await connection.execute(update(table).where(is_theirs).values(changed_by=NOBODY))
    changes: dict[str, Any] = {"author_id": NOBODY, "author_name": ""}
    is_private = and_(_changed_by(platform, person_id), persona_changes.c.guild_id.is_(None))
    await connection.execute(delete(persona_changes).where(is_private))
    await connection.execute(update(persona_changes).where(_changed_by(platform, person_id)).values(changes))
    await forget_whose(connection, platform, person_id)
    await connection.execute(delete(hints).where(hints.c.platform == platform, hints.c.author_id == person_id))
    places = select(conversations.c.id).where(conversations.c.platform == platform)
    is_label = and_(speakers.c.author_id == person_id, speakers.c.conversation_id.in_(places))
    await connection.execute(delete(speakers).where(is_label))
    return open_ids


async def _leave_own_conversations(connection: AsyncConnection, platform: str, person_id: int) -> None:
    """Forget in which channels a person had a conversation of their own, where nothing of it is left.

    Which of its questions were seen is kept with the channel's shared conversation.
    """
    is_used = or_(
        select(messages.c.id).where(messages.c.conversation_id == conversations.c.id).exists(),
        select(inbox.c.id)
        .where(inbox.c.conversation_id == conversations.c.id, IS_OPEN, inbox.c.epoch != ERASED)
        .exists(),
    )
    is_own = and_(conversations.c.platform == platform, conversations.c.person_id == person_id)
    columns = (conversations.c.id, conversations.c.last_message_id, *KEY_COLUMNS)
    for row in [*await connection.execute(select(*columns).where(is_own, ~is_used))]:
        shared = await ensure_conversation(connection, replace(key_in(row), person_id=None), asked=row.last_message_id)
        await connection.execute(
            update(inbox).where(inbox.c.conversation_id == row.id).values(conversation_id=shared.id)
        )
        await connection.execute(delete(conversations).where(conversations.c.id == row.id))


async def _column(connection: AsyncConnection, query: Any) -> list[Any]:
    return [*await connection.scalars(query)]


async def _all(connection: AsyncConnection, query: Any) -> list[Any]:
    return [*await connection.execute(query)]
