"""Tries at an answer: a question that ends the process is found out, and its neighbours aren't blamed.

A try is committed before it is made, with its seed. What the engine really ran when a process died is known from a file
(store/running_file.py), and only what ran alone can be blamed: twice, and it is set aside. What ran in company is tried
again, one such question after the other; what was there at a second death has the engine to itself.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

from bot.chat.answer import AnswerWriter
from bot.chat.company import Company
from bot.chat.events import Finished, ReplyEvent, TextDelta
from bot.chat.outage import Outage
from bot.chat.stopping import Stop
from bot.conversation.messages import Question
from bot.errors import EngineFailed, RequestFailed
from bot.inference.engine import FinishReason
from bot.store.rows.inbox import Inbox
from bot.store.rows.questions import Attempt, OpenQuestion

MAX_LONE_DEATHS = 2
"""A question that was alone in the engine when the process died, this often, is set aside."""

SET_ASIDE = (
    "I was cut off and had to start anew each time I tried to answer this, so I have set it aside. "
    "If you still want to know, please ask again."
)


class Attempts:
    """Makes the tries; `seed` None draws one for each question."""

    def __init__(self, inbox: Inbox, writer: AnswerWriter, seed: int | None, outage: Outage) -> None:
        self._inbox = inbox
        self._writer = writer
        self._seed = seed
        self._outage = outage
        self._suspects = asyncio.Lock()
        self._company = Company()

    async def events(
        self, question: Question, left: OpenQuestion | None, stop: Stop, patience_seconds: float | None = None
    ) -> AsyncGenerator[ReplyEvent, None]:
        """Stream the answer of a question whose turn it is; `left` is what an earlier process left of it.

        `patience_seconds` is how long it may wait in the engine's queue.

        Raises:
            UserError, EngineError, StoreError: as `Chat.reply` says.
        """
        asked_at = time.monotonic()
        async with self._place(left, patience_seconds):
            if patience_seconds is not None:
                patience_seconds = max(0.0, patience_seconds - (time.monotonic() - asked_at))
            async with aclosing(self._answer(question, left, stop, patience_seconds)) as events:
                async for event in events:
                    yield event

    @asynccontextmanager
    async def _place(self, left: OpenQuestion | None, patience_seconds: float | None) -> AsyncIterator[None]:
        """A place in the engine: with others, but for suspects one by one, and at last alone."""
        num_deaths = left.deaths if left and left.answer is None else 0
        if num_deaths == 0:
            async with self._company.shared(patience_seconds):
                yield
        elif num_deaths == 1:
            async with self._suspects, self._company.shared():
                yield
        else:
            async with self._suspects, self._company.alone():
                yield

    async def _answer(
        self, question: Question, left: OpenQuestion | None, stop: Stop, patience_seconds: float | None
    ) -> AsyncGenerator[ReplyEvent, None]:
        if left and left.answer is not None and not left.is_stale:
            yield TextDelta(left.answer)
            yield Finished(FinishReason.STOP)
            return
        if left and left.lone_deaths >= MAX_LONE_DEATHS and not left.is_stale and not stop.is_thrown:
            raise RequestFailed(SET_ASIDE)
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
            # It ended in order: this try isn't counted.
            await self._inbox.release(question)
            raise

    async def _begin(self, question: Question) -> Attempt | None:
        seed = self._seed if self._seed is not None else secrets.randbits(32)
        return await self._outage.outlast(question, lambda: self._inbox.begin_attempt(question, seed=seed))
