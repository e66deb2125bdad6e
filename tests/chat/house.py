"""A chat on a real database, with an engine that a test controls."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from bot.chat.chat import Chat, Exchange, Finished, InboxState, ReplyEvent, TextDelta
from bot.conversation.chat_format import TurnEncoder
from bot.conversation.messages import ConversationKey, Question
from bot.inference.engine import FinishReason
from bot.store.rows.history import History
from bot.store.rows.inbox import Inbox
from tests.engines import EchoEngine

GENERAL = ConversationKey("discord", 10, guild_id=1)
RANDOM = ConversationKey("discord", 20, guild_id=1)
THREAD = ConversationKey("discord", 11, guild_id=1, parent_channel_id=10)
ASKED_AT = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class House:
    """A chat on a real database, and what is behind it."""

    chat: Chat
    engine: EchoEngine
    inbox: Inbox
    history: History
    encoder: TurnEncoder
    last_id: int = 0

    def asks(self, text: str, key: ConversationKey = GENERAL, author: str = "Alice", **fields: object) -> Question:
        self.last_id += 1
        question = Question(key, self.last_id, hash(author) % 1000, author, text, ASKED_AT)
        return replace(question, **fields)

    async def ask(self, text: str, key: ConversationKey = GENERAL, author: str = "Alice") -> list[ReplyEvent]:
        return await self.serve(self.asks(text, key, author))

    async def serve(self, question: Question) -> list[ReplyEvent]:
        assert await self.receive(question)
        return await collect(self, question)

    async def receive(self, question: Question) -> bool:
        return await self.chat.open(question).receive()

    def exchange(self, question: Question) -> Exchange:
        """The exchange of a question that was received or resumed."""
        exchange = self.chat.exchanges.asked_by(question.conversation.platform, question.message_id)
        assert exchange is not None
        return exchange

    def prompt(self, number: int = -1) -> str:
        return self.encoder.tokenizer.decode(list(self.engine.requests[number].prompt_token_ids))

    async def state(self, question: Question) -> InboxState | None:
        return await self.inbox.state(question.conversation.platform, question.message_id)


def text(events: list[ReplyEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


async def collect(house: House, question: Question) -> list[ReplyEvent]:
    exchange = house.exchange(question)
    try:
        events = [event async for event in exchange.events()]
        is_aborted = events[-1] == Finished(FinishReason.ABORTED)
        await exchange.finish(InboxState.WITHDRAWN if is_aborted else InboxState.ANSWERED)
    except asyncio.CancelledError:
        exchange.close()
        raise
    exchange.close()
    return events


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event of its own
            await asyncio.sleep(0.001)
