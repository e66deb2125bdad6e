"""The questions between `Chat.receive` and `Chat.finish`: whose turn it is, and how to stop an answer from outside."""

import asyncio

from bot.chat.queue import QuestionQueue, Slot
from bot.chat.stopping import Stop
from bot.conversation.messages import Question
from bot.errors import WaitedTooLong
from bot.store.rows.questions import OpenQuestion

QuestionId = tuple[str, int]


class QuestionsInHand:
    """Places in the channels' lines by question; a question waits `waiting_seconds` for its turn at most."""

    def __init__(self, queue: QuestionQueue, waiting_seconds: float) -> None:
        self._queue = queue
        self._waiting_seconds = waiting_seconds
        self._slots: dict[QuestionId, Slot] = {}
        self._stops: dict[QuestionId, Stop] = {}
        self._left_over: dict[QuestionId, OpenQuestion] = {}

    def join(self, question: Question) -> Slot:
        """Take a place in the channel's line; `keep` it or give it back with `give_back`.

        Raises:
            EngineOverloaded: too many questions wait.
        """
        return self._queue.join(_line(question), question.author_id, guild=question.conversation.guild_id)

    def keep(self, question: Question, slot: Slot) -> None:
        """The place is this question's until `leave`."""
        self._slots[_id(question)] = slot

    def holds(self, question: Question) -> bool:
        """Whether a question has a place."""
        return _id(question) in self._slots

    def give_back(self, slot: Slot) -> None:
        """The place is not needed."""
        self._queue.leave(slot)

    def take_up(self, left: OpenQuestion) -> None:
        """Give a place to a question that an earlier process received."""
        self._left_over[_id(left.question)] = left
        self._slot(left.question)

    def left_over(self, question: Question) -> OpenQuestion | None:
        """What an earlier process left of a question, if it did."""
        return self._left_over.get(_id(question))

    def stop_of(self, question: Question) -> Stop:
        """The switch that stops its answer."""
        return self._stops.setdefault(_id(question), Stop())

    def stop(self, platform: str, message_id: int) -> None:
        """Stop the answer to a question, if it is being answered."""
        if stop := self._stops.get((platform, message_id)):
            stop.throw()

    async def turn(self, question: Question) -> float | None:
        """Wait for the question's turn; returns the seconds that it may still wait in the engine's queue.

        What an earlier process accepted may take its time: then None.

        Raises:
            WaitedTooLong: its turn didn't come in time.
        """
        slot = self._slot(question)
        if _id(question) in self._left_over:
            await slot.ready.wait()
            return None
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + self._waiting_seconds
        try:
            async with asyncio.timeout_at(give_up_at):
                await slot.ready.wait()
        except TimeoutError:
            raise WaitedTooLong from None
        return max(0.0, give_up_at - loop.time())

    def leave(self, question: Question) -> None:
        """Let the next one go. Twice does no harm."""
        slot = self._slots.pop(_id(question), None)
        if slot is not None:
            self._queue.leave(slot)
        self._stops.pop(_id(question), None)
        self._left_over.pop(_id(question), None)

    def _slot(self, question: Question) -> Slot:
        """The place that was kept, or a new one for a question that an earlier process received."""
        slot = self._slots.get(_id(question))
        if slot is None:
            guild = question.conversation.guild_id
            slot = self._queue.join(_line(question), question.author_id, guild=guild, is_limited=False)
            self._slots[_id(question)] = slot
        return slot


def _id(question: Question) -> QuestionId:
    return question.conversation.platform, question.message_id


def _line(question: Question) -> QuestionId:
    return question.conversation.platform, question.conversation.channel_id
