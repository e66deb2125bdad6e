"""Tries at an answer, counted so that a question that ends the process is found out, and its neighbours not blamed.

A try is committed before it is made, and taken back if it ends in order. One that was under way when a process died
may have been the reason; the next process makes such tries one after the other, so that a second death has one cause.
"""

import asyncio
import secrets
from collections.abc import AsyncGenerator
from contextlib import aclosing, nullcontext

from bot.chat.answer import AnswerWriter
from bot.chat.conversation import Question
from bot.chat.events import Finished, ReplyEvent, TextDelta
from bot.chat.stopping import Stop
from bot.errors import EngineFailed, RequestFailed
from bot.inference.engine import FinishReason
from bot.store.inbox import Inbox
from bot.store.questions import Attempt, OpenQuestion

MAX_ATTEMPTS = 2
"""A question that ended the process this often is set aside."""

SET_ASIDE = "Something went wrong each time I tried to answer this, so I have set it aside. Please ask in other words."


class Attempts:
    """Makes the tries; `seed` None draws one for each question."""

    def __init__(self, inbox: Inbox, writer: AnswerWriter, seed: int | None) -> None:
        self._inbox = inbox
        self._writer = writer
        self._seed = seed
        self._suspects = asyncio.Lock()

    async def events(
        self, question: Question, left: OpenQuestion | None, stop: Stop, patience_seconds: float | None = None
    ) -> AsyncGenerator[ReplyEvent, None]:
        """Stream the answer of a question whose turn it is; `left` is what an earlier process left of it.

        `patience_seconds` is how long it may wait in the engine's queue.

        Raises:
            UserError, EngineError, StoreError: as `Chat.reply` says.
        """
        turn_of_suspects = self._suspects if left and left.attempts else nullcontext()
        async with turn_of_suspects, aclosing(self._answer(question, left, stop, patience_seconds)) as events:
            async for event in events:
                yield event

    async def _answer(
        self, question: Question, left: OpenQuestion | None, stop: Stop, patience_seconds: float | None
    ) -> AsyncGenerator[ReplyEvent, None]:
        if left and left.answer is not None and not left.is_stale:
            yield TextDelta(left.answer)
            yield Finished(FinishReason.STOP)
            return
        attempt = None if stop.is_thrown or (left and left.is_stale) else await self._begin(question)
        if attempt is None:
            yield Finished(FinishReason.ABORTED)
            return
        try:
            writing = self._writer.write(attempt.question, attempt.seed, stop, patience_seconds)
            async with aclosing(writing) as events:
                async for event in events:
                    yield event
        except EngineFailed:
            raise
        except BaseException:
            # It ended in order: this try doesn't make it a question that ends the process.
            await self._inbox.release(question)
            raise

    async def _begin(self, question: Question) -> Attempt | None:
        seed = self._seed if self._seed is not None else secrets.randbits(32)
        attempt = await self._inbox.begin_attempt(question, seed=seed)
        if attempt is not None and attempt.attempts > MAX_ATTEMPTS:
            raise RequestFailed(SET_ASIDE)
        return attempt
