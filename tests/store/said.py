"""What the store's tests say: questions, answers, and a clock that stands still until it is moved."""

from datetime import UTC, datetime, timedelta
from typing import Any

from bot.conversation.messages import ConversationKey, Question
from bot.store.files.database import Database
from bot.store.rows.history import History
from bot.store.rows.inbox import Inbox
from bot.store.rows.questions import InboxState
from bot.store.rows.turns import Answer

GUILD = 7
HERE = ConversationKey("discord", 100, GUILD)
ELSEWHERE = ConversationKey("discord", 200, GUILD)
THREAD = ConversationKey("discord", 101, GUILD, parent_channel_id=100)
DIRECT = ConversationKey("discord", 300)
MORNING = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = MORNING

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> None:
        self.now += timedelta(**by)


def ask(message_id: int, content: str = "What is up?", key: ConversationKey = HERE, **fields: Any) -> Question:
    defaults: dict[str, Any] = {"author_id": 5, "author_name": "Ada", "created_at": MORNING}
    return Question(key, message_id, content=content, **(defaults | fields))


def answer(text: str = "Not much.", **fields: Any) -> Answer:
    defaults: dict[str, Any] = {
        "sampling": {"temperature": 0.0}, "seed": 1, "model_hash": "abc", "finish_reason": "stop",
    }  # fmt: skip
    return Answer(text, **(defaults | fields))


async def hold_turn(database: Database, question: Question, text: str = "Not much.", **fields: Any) -> int | None:
    """Ask and answer, all the way to the inbox's last state."""
    inbox, history = Inbox(database), History(database)
    await inbox.receive(question)
    await inbox.begin_attempt(question, seed=1)
    epoch = (await history.load(question.conversation)).epoch
    turn_id = await history.save_turn(question, answer(text, **fields), epoch=epoch)
    await inbox.set_state(question, InboxState.ANSWERED)
    return turn_id


async def said(database: Database, key: ConversationKey = HERE) -> list[tuple[str, str]]:
    return [(turn.question, turn.answer) for turn in (await History(database).load(key)).turns]
