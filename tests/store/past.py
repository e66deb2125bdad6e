"""What was said before, put into a database by the thousand: as `hold_turn` leaves it, in one transaction."""

from datetime import datetime, timedelta

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.conversation.messages import ConversationKey
from bot.store.files.database import Database
from bot.store.rows.conversations import ensure_conversation
from bot.store.tables import inbox, messages, parts

QUESTION, ANSWER = "question " + "x" * 120, "answer " + "y" * 700


async def fill(
    database: Database, keys: list[ConversationKey], first: int, num_turns: int, begin: datetime, end: datetime
) -> None:
    """So many answered questions, evenly spread over the time and the conversations of one platform.

    Their message ids count from `first`.
    """

    async def work(connection: AsyncConnection) -> None:
        rows = [(await ensure_conversation(connection, key)).id for key in keys]
        next_id = (await connection.exec_driver_sql("SELECT coalesce(max(id), 0) + 1 FROM messages")).scalar_one()
        next_inbox = (await connection.exec_driver_sql("SELECT coalesce(max(id), 0) + 1 FROM inbox")).scalar_one()
        asked, answered, seen, shown = [], [], [], []
        for number in range(num_turns):
            at = begin + (end - begin) * number / num_turns
            place, message_id = rows[number % len(rows)], first + number
            turn_id = next_id + 2 * number
            whole = {"conversation_id": place, "created_at": at}
            asked.append(
                whole | {"id": turn_id, "role": "user", "content": QUESTION, "author_id": 5, "author_name": "Ada"}
                | {"is_direct": False, "message_id": message_id}
            )  # fmt: skip
            answered.append(
                whole | {"id": turn_id + 1, "role": "assistant", "content": ANSWER, "turn_id": turn_id, "generation": 0}
                | {"sampling": {"temperature": 0.0}, "seed": 1, "model_hash": "abc", "finish_reason": "stop"}
                | {"prompt_turn_ids": list(range(turn_id - 40, turn_id, 2)), "num_prompt_tokens": 900}
            )  # fmt: skip
            seen.append(
                {"id": next_inbox + number, "conversation_id": place, "platform": keys[0].platform, "state": "answered"}
                | {"message_id": message_id, "epoch": 0, "attempts": 1, "seed": 1, "author_id": 5, "author_name": ""}
                | {"content": "", "is_direct": False, "created_at": at, "received_at": at, "turn_id": turn_id}
            )  # fmt: skip
            shown.append(
                {"inbox_id": next_inbox + number, "purpose": "answer", "part_index": 0, "is_surplus": False}
                | {"message_id": message_id + 10**12}
            )  # fmt: skip
        for table, values in ((messages, asked), (messages, answered), (inbox, seen), (parts, shown)):
            await connection.execute(insert(table), values)

    await database.write(work)


def hours(begin: datetime, number: int) -> list[tuple[datetime, datetime]]:
    """So many hours, one after the other."""
    return [(begin + timedelta(hours=hour), begin + timedelta(hours=hour + 1)) for hour in range(number)]
