"""Inbox rows of what comes in beside one question: the messages in which it goes on, and questions that are refused."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.conversation.messages import ConversationKey, Question
from bot.store.rows.conversations import ConversationRow, ensure_conversation
from bot.store.rows.locks import in_order
from bot.store.rows.questions import InboxState, question_values
from bot.store.tables import conversations, inbox, inserts

IDS = ["platform", "message_id"]
"""By which a question is known."""
RECEIVE = inserts(inbox, lambda statement: statement.on_conflict_do_nothing(index_elements=IDS))
"""Stores a question that isn't there yet."""


async def store_more(connection: AsyncConnection, question: Question, fixed: dict[str, Any]) -> None:
    """Store that the messages in which a question goes on were seen, and whose they are."""
    if question.more_ids:
        seen = {"content": "", "author_name": "", "state": "answered", "asked_with": question.message_id}
        rows = [question_values(question) | fixed | seen | {"message_id": each} for each in question.more_ids]
        await connection.execute(RECEIVE[connection.dialect.name], rows)


async def store_refused(
    connection: AsyncConnection, questions: Sequence[Question], now: datetime
) -> set[tuple[str, int]]:
    """Store refused questions, without their text; returns platform and message id of those that were new."""
    asked = {(question.conversation.platform, question.message_id): question for question in questions}
    ids = inbox.c.platform, inbox.c.message_id
    keys = in_order({question.conversation for question in questions})
    rows = {key: await ensure_conversation(connection, key) for key in keys}
    known = await connection.execute(select(*ids).where(tuple_(*ids).in_(list(asked))))
    new = asked.keys() - {(platform, message_id) for platform, message_id in known}
    of_conversation: dict[ConversationKey, list[Question]] = {}
    for name in sorted(new):
        of_conversation.setdefault(asked[name].conversation, []).append(asked[name])
    for key, refused in of_conversation.items():
        await _store_refused_in(connection, rows[key], refused, now)
    return set(new)


async def _store_refused_in(
    connection: AsyncConnection, row: ConversationRow, refused: list[Question], now: datetime
) -> None:
    fixed = {"conversation_id": row.id, "epoch": row.epoch, "received_at": now, "state": InboxState.REFUSED.value}
    emptied = {"content": "", "author_name": ""}
    await connection.execute(inbox.insert(), [question_values(question) | emptied | fixed for question in refused])
    for question in refused:
        await store_more(connection, question, fixed)
    newest = func.coalesce(conversations.c.last_message_id, 0)
    await connection.execute(
        update(conversations)
        .where(conversations.c.id == row.id, newest < refused[-1].message_id)
        .values(last_message_id=refused[-1].message_id)
    )
