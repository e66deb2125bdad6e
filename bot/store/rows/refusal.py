"""Many refused questions in one transaction: each gets its row, so that none is taken for a new one later."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.conversation.messages import ConversationKey, Question
from bot.store.rows.conversations import ensure_conversation
from bot.store.rows.questions import InboxState, question_values
from bot.store.tables import conversations, inbox


async def refuse(connection: AsyncConnection, questions: Sequence[Question], now: datetime) -> set[tuple[str, int]]:
    """Store refused questions, without their text; returns platform and message id of those that were new."""
    asked = {(question.conversation.platform, question.message_id): question for question in questions}
    ids = inbox.c.platform, inbox.c.message_id
    known = await connection.execute(select(*ids).where(tuple_(*ids).in_(list(asked))))
    new = asked.keys() - {(platform, message_id) for platform, message_id in known}
    of_conversation: dict[ConversationKey, list[Question]] = {}
    for name in sorted(new):
        of_conversation.setdefault(asked[name].conversation, []).append(asked[name])
    for key, refused in of_conversation.items():
        await _store(connection, key, refused, now)
    return set(new)


async def _store(connection: AsyncConnection, key: ConversationKey, refused: list[Question], now: datetime) -> None:
    row = await ensure_conversation(connection, key)
    fixed = {"conversation_id": row.id, "epoch": row.epoch, "received_at": now, "state": InboxState.REFUSED.value}
    emptied = {"content": "", "author_name": ""}
    await connection.execute(inbox.insert(), [question_values(question) | emptied | fixed for question in refused])
    newest = func.coalesce(conversations.c.last_message_id, 0)
    await connection.execute(
        update(conversations)
        .where(conversations.c.id == row.id, newest < refused[-1].message_id)
        .values(last_message_id=refused[-1].message_id)
    )
