"""Which label each account has in a conversation: read with its turns, committed with the answer that needed it."""

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.conversation.speakers import Speaker
from bot.store.files.database import insert
from bot.store.tables import speakers


async def load_speakers(connection: AsyncConnection, conversation_id: int) -> tuple[Speaker, ...]:
    """The labels of a conversation."""
    columns = speakers.c
    query = select(columns.author_id, columns.name_key, columns.label, columns.label_key)
    rows = await connection.execute(query.where(columns.conversation_id == conversation_id))
    return tuple(Speaker(*row) for row in rows)


async def save_speakers(connection: AsyncConnection, conversation_id: int, given: Iterable[Speaker]) -> None:
    """Keep labels that were given; one that is kept already stays."""
    for speaker in given:
        statement = insert(connection, speakers).values(
            conversation_id=conversation_id,
            author_id=speaker.author_id,
            name_key=speaker.name_key,
            label=speaker.label,
            label_key=speaker.label_key,
        )
        await connection.execute(statement.on_conflict_do_nothing())
