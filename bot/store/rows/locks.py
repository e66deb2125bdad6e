"""What a writing transaction locks where several write at once, as they do on PostgreSQL; SQLite has one writer anyway.

A transaction about one conversation locks its row before it reads or writes anything of it: by `ensure_conversation`,
or by what is here. So two of one conversation wait for each other, and those of two conversations don't. One that
changes a single row need not, for it holds nothing while it waits. What concerns many conversations has the database
for itself (`Database.write(..., is_alone=True)`).

No two wait for each other in a circle, since all lock in one order: rows of conversations, by `in_order`; who takes a
turn of the hour, and then their guild; the text of a persona.
"""

from collections.abc import Iterable
from enum import IntEnum
from typing import Any

from sqlalchemy import Integer, Select, bindparam, func, literal, select, union
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.conversation.messages import ConversationKey
from bot.store.rows.questions import IS_ROW
from bot.store.tables import conversations, inbox, messages, parts


class Name(IntEnum):
    """What is locked by a name, since it has no row, or none before; any numbers that no other program takes."""

    PERSON = 1416784241
    GUILD = 1416784242
    PERSONA_TEXT = 1416784243


def in_order(keys: Iterable[ConversationKey]) -> list[ConversationKey]:
    """The order in which a transaction locks several conversations."""
    return sorted(keys, key=lambda key: (key.channel_id, key.person_id or 0, key.platform))


async def lock_conversation_of(connection: AsyncConnection, platform: str, message_id: int) -> None:
    """Lock the conversation of a question until the transaction ends."""
    if _is_needed(connection):
        await connection.execute(_OF_QUESTION, {"its_platform": platform, "its_message_id": message_id})


async def lock_conversations_of_message(connection: AsyncConnection, platform: str, message_id: int) -> None:
    """Lock the conversation that a message belongs to, as a question or as a part of an answer."""
    if _is_needed(connection):
        await connection.execute(_OF_MESSAGE, {"its_platform": platform, "its_message_id": message_id})


async def lock_name(connection: AsyncConnection, kind: Name, name: str) -> None:
    """Lock something by its name until the transaction ends."""
    if _is_needed(connection):
        await connection.execute(_NAMED, {"kind": int(kind), "name": name})


def shared_lock_of(kind: Name, name: Any) -> Any:
    """A condition, always true, that locks a name together with others who only use what it stands for."""
    return func.pg_advisory_xact_lock_shared(literal(int(kind), Integer), func.hashtext(name)).is_not(None)


def _is_needed(connection: AsyncConnection) -> bool:
    return connection.dialect.name != "sqlite"


def _locked(query: "Select[Any]") -> "Select[Any]":
    # KEY SHARE of whatever refers to the row is no reason to wait.
    return query.with_for_update(of=conversations, key_share=True)


_OF_QUESTION = _locked(
    select(conversations.c.id).join(inbox, inbox.c.conversation_id == conversations.c.id).where(IS_ROW)
)
_ITS_PLATFORM: Any = bindparam("its_platform")
_ITS_ID: Any = bindparam("its_message_id")
_OF_MESSAGE = _locked(
    select(conversations.c.id)
    .where(
        conversations.c.platform == _ITS_PLATFORM,
        conversations.c.id.in_(
            union(
                select(inbox.c.conversation_id).where(IS_ROW),
                select(inbox.c.conversation_id)
                .join(parts, parts.c.inbox_id == inbox.c.id)
                .where(parts.c.message_id == _ITS_ID, inbox.c.platform == _ITS_PLATFORM),
                select(messages.c.conversation_id).where(messages.c.message_id == _ITS_ID),
            )
        ),
    )
    .order_by(conversations.c.channel_id, conversations.c.person_id)
)
_NAMED = select(func.pg_advisory_xact_lock(bindparam("kind", type_=Integer), func.hashtext(bindparam("name"))))
