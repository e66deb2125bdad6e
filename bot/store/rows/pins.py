"""What people asked the bot to keep in mind, by conversation: a row for each fact, hidden and deleted like messages."""

from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Integer, and_, bindparam, cast, delete, func, null, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.conversation.messages import ConversationKey
from bot.conversation.pins import Pin
from bot.conversation.speakers import Speaker
from bot.store.files.database import Database
from bot.store.rows.conversations import IS_CONVERSATION, KEY_COLUMNS, ensure_conversation, key_in, key_params
from bot.store.rows.deletion import forget_unknown
from bot.store.tables import UtcDateTime, conversations, pins, speakers


class Pins:
    """The pins of all conversations."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, key: ConversationKey) -> tuple[Pin, ...]:
        """The pins of a conversation, oldest first."""

        async def work(connection: AsyncConnection) -> tuple[Pin, ...]:
            return tuple(Pin(*row) for row in await connection.execute(_OF_KEY, key_params(key)))

        return await self._database.read(work)

    async def add(
        self,
        key: ConversationKey,
        author_id: int,
        author_name: str,
        content: str,
        check: Callable[[Sequence[Pin]], None],
    ) -> tuple[Pin, ...]:
        """Add a pin, and return all of the conversation. `check` is shown these before, and refuses by raising.

        Others that are added at the same time have to wait, so that all of them together are what was checked.
        """
        now = self._database.clock()

        async def work(connection: AsyncConnection) -> tuple[Pin, ...]:
            row = await ensure_conversation(connection, key)
            here = {"its_conversation_id": row.id}
            pin = Pin((await connection.scalar(_LAST_NUMBER, here) or 0) + 1, author_id, author_name, content, now)
            kept = (*(Pin(*each) for each in await connection.execute(_HERE, here)), pin)
            check(kept)
            values = {
                "conversation_id": row.id,
                "number": pin.number,
                "author_id": author_id,
                "author_name": author_name,
                "content": content,
                "created_at": now,
            }
            await connection.execute(_ADD, values)
            return kept

        return await self._database.write(work)

    async def forget(self, key: ConversationKey, number: int, check: Callable[[Pin], None]) -> Pin | None:
        """Delete a pin for good; None if there is none of that number. `check` is shown it, and refuses by raising."""

        async def work(connection: AsyncConnection) -> Pin | None:
            row = await ensure_conversation(connection, key)
            it = {"its_conversation_id": row.id, "its_number": number}
            found = (await connection.execute(_ONE, it)).one_or_none()
            if found is None:
                return None
            check(Pin(*found))
            await connection.execute(_DELETE_ONE, it)
            await forget_unknown(connection, [row.id])
            return Pin(*found)

        forgotten = await self._database.write(work)
        if forgotten is not None:
            await self._database.erase_traces()
        return forgotten

    async def by(self, platform: str, person_id: int) -> list[tuple[ConversationKey, Pin]]:
        """A person's pins in all conversations, oldest first; also those that a reset has hidden."""
        params = {"its_platform": platform, "its_author_id": person_id}

        async def work(connection: AsyncConnection) -> list[tuple[ConversationKey, Pin]]:
            rows = await connection.execute(_BY, params)
            return [(key_in(row), Pin(*row[: len(_COLUMNS)])) for row in rows]

        return await self._database.read(work)


async def load_speakers_and_pins(
    connection: AsyncConnection, conversation_id: int
) -> tuple[tuple[Speaker, ...], tuple[Pin, ...]]:
    """The labels of a conversation, and its pins, oldest first: in one statement, as it runs for each question."""
    rows = (await connection.execute(_SPEAKERS_AND_PINS, {"its_conversation_id": conversation_id})).all()
    labels = tuple(Speaker(*row[:4]) for row in rows if row.number is None)
    found = [Pin(row.number, row[0], row[1], row[2], row.created_at) for row in rows if row.number is not None]
    return labels, tuple(sorted(found, key=lambda pin: pin.number))


async def hide_pins(connection: AsyncConnection, conversation_id: int, now: datetime) -> int:
    """Take a conversation's pins out of every later prompt; returns their number."""
    return (await connection.execute(_HIDE, {"its_conversation_id": conversation_id, "now": now})).rowcount


async def delete_pins(connection: AsyncConnection, condition: ColumnElement[bool]) -> int:
    """Delete pins for good; returns their number."""
    return (await connection.execute(delete(pins).where(condition))).rowcount


_COLUMNS = (pins.c.number, pins.c.author_id, pins.c.author_name, pins.c.content, pins.c.created_at)
_IS_HERE = pins.c.conversation_id == bindparam("its_conversation_id")
_IS_SHOWN_HERE = and_(_IS_HERE, pins.c.hidden_at.is_(None))
_IS_IT = and_(_IS_SHOWN_HERE, pins.c.number == bindparam("its_number"))
_HERE = select(*_COLUMNS).where(_IS_SHOWN_HERE).order_by(pins.c.number)
_OF_KEY = (
    select(*_COLUMNS)
    .join(conversations, conversations.c.id == pins.c.conversation_id)
    .where(IS_CONVERSATION, pins.c.hidden_at.is_(None))
    .order_by(pins.c.number)
)
_BY = (
    select(*_COLUMNS, *KEY_COLUMNS)
    .join(conversations, conversations.c.id == pins.c.conversation_id)
    .where(conversations.c.platform == bindparam("its_platform"), pins.c.author_id == bindparam("its_author_id"))
    .order_by(pins.c.id)
)
# Of the hidden ones as well: a reset that is undone brings them back under their numbers.
_LAST_NUMBER = select(func.max(pins.c.number)).where(_IS_HERE)
_ADD = pins.insert()
_ONE = select(*_COLUMNS).where(_IS_IT)
_DELETE_ONE = delete(pins).where(_IS_IT)
_HIDE = update(pins).where(_IS_SHOWN_HERE).values(hidden_at=bindparam("now"))
# In the columns of speakers; who has no number is none of the pins.
_SPEAKERS_AND_PINS = (
    select(
        speakers.c.author_id, speakers.c.name_key, speakers.c.label, speakers.c.label_key,
        cast(null(), Integer).label("number"), cast(null(), UtcDateTime).label("created_at"),
    )
    .where(speakers.c.conversation_id == bindparam("its_conversation_id"))
    .union_all(
        select(
            pins.c.author_id, pins.c.author_name, pins.c.content, null(), pins.c.number, pins.c.created_at
        ).where(_IS_SHOWN_HERE)
    )
)  # fmt: skip
