"""The row of a conversation: found by its platform, channel and person, made when it is first needed."""

from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, and_, bindparam, case, func, literal_column, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.conversation.messages import ConversationKey
from bot.conversation.shard import WHOLE, Shard
from bot.store.tables import conversations, inserts


class ConversationRow(NamedTuple):
    """What the other tables need to know of a conversation."""

    id: int
    epoch: int
    first_kept_turn_id: int | None
    is_trim_announced: bool
    parent_channel_id: int | None


_COLUMNS = (
    conversations.c.id,
    conversations.c.epoch,
    conversations.c.first_kept_turn_id,
    conversations.c.is_trim_announced,
    conversations.c.parent_channel_id,
)


KEY_COLUMNS = (
    conversations.c.platform,
    conversations.c.channel_id,
    conversations.c.guild_id,
    conversations.c.parent_channel_id,
    conversations.c.person_id,
)
"""What `key_in` reads."""
SHARED = 0
"""The person of a conversation that a channel's people share."""


def key_in(row: Row[*tuple[Any, ...]]) -> ConversationKey:
    """The key of a conversation, from a row that has the `KEY_COLUMNS`."""
    return ConversationKey(
        row.platform,
        row.channel_id,
        row.guild_id,
        row.parent_channel_id,
        None if row.person_id == SHARED else row.person_id,
    )


def in_shard(shard: Shard) -> ColumnElement[bool]:
    """The condition that a conversation belongs to a shard, as `Shard.has` says it."""
    if shard == WHOLE:
        return true()
    # Written out: PostgreSQL shifts by an INTEGER alone, and a parameter would be a BIGINT.
    return func.coalesce(conversations.c.guild_id, 0).bitwise_rshift(literal_column("22")) % shard.count == shard.id


IS_CONVERSATION = and_(
    conversations.c.platform == bindparam("its_platform"),
    conversations.c.channel_id == bindparam("its_channel_id"),
    conversations.c.person_id == bindparam("its_person_id"),
)
"""The condition that picks one conversation's row, by the parameters that `key_params` gives."""


def key_params(key: ConversationKey) -> dict[str, Any]:
    """What `IS_CONVERSATION` asks for."""
    return {"its_platform": key.platform, "its_channel_id": key.channel_id, "its_person_id": key.person_id or SHARED}


def in_channel(platform: str, channel_id: int) -> ColumnElement[bool]:
    """The condition that picks a channel's conversations: the shared one, and each person's own."""
    return and_(conversations.c.platform == platform, conversations.c.channel_id == channel_id)


async def find_conversation(connection: AsyncConnection, key: ConversationKey) -> ConversationRow | None:
    """The conversation's row, if anything was ever said or done there."""
    row = (await connection.execute(_FIND, key_params(key))).one_or_none()
    return None if row is None else ConversationRow(*row)


async def ensure_conversation(
    connection: AsyncConnection, key: ConversationKey, *, asked: int | None = None
) -> ConversationRow:
    """The conversation's row, locked until the transaction ends, and made if it is missing.

    `asked` is a question's message id. The newest is kept: ids grow with time, and events may arrive out of order.
    """
    values = {
        "platform": key.platform,
        "channel_id": key.channel_id,
        "person_id": key.person_id or SHARED,
        "guild_id": key.guild_id,
        "parent_channel_id": key.parent_channel_id,
        "last_message_id": asked,
    }
    return ConversationRow(*(await connection.execute(_ENSURE[connection.dialect.name], values)).one())


def _merged(statement: Any) -> Any:
    new, newest = statement.excluded, conversations.c.last_message_id
    # An update even if nothing changes: it is what locks the row in PostgreSQL.
    return statement.on_conflict_do_update(
        index_elements=[conversations.c.platform, conversations.c.channel_id, conversations.c.person_id],
        set_={
            "guild_id": func.coalesce(new.guild_id, conversations.c.guild_id),
            "parent_channel_id": func.coalesce(new.parent_channel_id, conversations.c.parent_channel_id),
            "last_message_id": case(
                (func.coalesce(newest, 0) < func.coalesce(new.last_message_id, 0), new.last_message_id), else_=newest
            ),
        },
    ).returning(*_COLUMNS)


_FIND = select(*_COLUMNS).where(IS_CONVERSATION)
_ENSURE = inserts(conversations, _merged)
