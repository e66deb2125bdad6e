"""One question to a persona that isn't kept, answered for whoever asks: nothing of it is stored.

It waits for everybody else: in the queue it has the person's own place, in the engine the lowest priority.
"""

import asyncio
import time
from contextlib import aclosing
from dataclasses import replace

from bot.chat.answer import AnswerWriter, PendingAnswer
from bot.chat.queue import QuestionQueue
from bot.conversation.channel_settings import ChannelSettings
from bot.conversation.messages import Question
from bot.errors import WaitedTooLong
from bot.inference.engine import BACKGROUND, Engine
from bot.store.rows.history import Conversation
from bot.store.rows.questions import Attempt

_LONGEST_ANSWER = 256


class Previews:
    """Answers single questions.

    Args:
        writer: begins an answer.
        engine: writes it.
        queue: where whoever asks has a place like everybody, and the queue's limits.
        seconds: how long an answer may take, from the question on.
    """

    def __init__(
        self,
        writer: AnswerWriter,
        engine: Engine,
        queue: QuestionQueue,
        seconds: float,
    ) -> None:
        self._writer = writer
        self._engine = engine
        self._queue = queue
        self._seconds = seconds

    async def answer(self, question: Question, settings: ChannelSettings) -> str:
        """Answer a question under settings that hold nowhere else.

        Raises:
            EngineOverloaded: too many wait.
            WaitedTooLong: it took too long; nothing was said.
            UserError, EngineError: as for any answer.
        """
        # A conversation of the person's own, in this place's name: the engine keeps nothing of it afterwards.
        key = replace(question.conversation, platform="preview", person_id=question.author_id)
        question = replace(question, conversation=key, is_direct=True)
        slot = self._queue.join(key.identity, question.author_id, guild=key.guild_id)
        answer: PendingAnswer | None = None
        try:
            async with asyncio.timeout(self._seconds):
                await slot.ready.wait()
                answer = await self._begin(question, settings)
                request = replace(answer.request, priority=BACKGROUND)
                async with aclosing(self._engine.generate(request)) as deltas:
                    async for delta in deltas:
                        answer.feed(delta)
                        if answer.is_cut:
                            break
        except TimeoutError:
            if answer is None or not answer.text:
                raise WaitedTooLong from None
        finally:
            self._queue.leave(slot)
            await self._engine.forget(key.cache_owner)
        answer.finish()
        return answer.stored().text

    async def _begin(self, question: Question, settings: ChannelSettings) -> PendingAnswer:
        longest = min(settings.longest_answer or _LONGEST_ANSWER, _LONGEST_ANSWER)
        conversation = Conversation(question.conversation, settings=replace(settings, longest_answer=longest))
        attempt = Attempt(question, 1, 0, self._writer.new_seed(0))
        return await self._writer.begin(attempt, conversation, self._seconds, time.monotonic())
