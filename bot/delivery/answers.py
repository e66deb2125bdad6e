"""The questions that are being answered: each has a task, which ends in an answer, in words, or in a later restart.

`_answer` is the one place on the message path where an error is caught; outcomes.py decides what it means. What isn't
finished when the process ends is resumed by the next one.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable
from contextlib import aclosing, suppress
from datetime import datetime, timedelta

from bot.chat.chat import Anew, Chat, Exchange, Finished, Notice, StopReason, TextDelta
from bot.conversation.messages import Question
from bot.conversation.shard import WHOLE, Shard
from bot.delivery.last_buttons import LastButtons
from bot.delivery.limits import NoticeLimiter
from bot.delivery.outcomes import (
    ANSWERED,
    ANSWERED_BEFORE,
    AWAY,
    EXPIRED,
    MEMORY_AWAY,
    NO_LONGER_ADMITTED,
    RESET,
    SEEN_BEFORE,
    STOPPED,
    STOPPED_BY_RESET,
    STOPPED_UNSAID,
    WITHDRAWN,
    Outcome,
    Outcomes,
    outcome_of,
    outcome_of_stop,
)
from bot.delivery.parts import Purpose
from bot.delivery.reply import Reply
from bot.delivery.sender import Sender
from bot.delivery.transport import Draft, DraftKey, Posted
from bot.delivery.typing import TypingIndicator
from bot.delivery.waiting import waiting_pace
from bot.errors import DiscordError
from bot.inference.engine import FinishReason

log = logging.getLogger(__name__)

OLDEST_ANSWERED = timedelta(minutes=10)
"""An older question that is found after a restart gets a notice in place of an answer."""
LONG_ANSWER = timedelta(seconds=30)
"""Where that is chosen, who asked is mentioned once when an answer took longer."""
_ROOM_LIMIT_SECONDS = 1.0


class Answers:
    """Starts and drains the tasks that answer questions.

    Args:
        chat: whose questions they are.
        sender: the way out.
        tasks: where they run.
        clock: tells the present moment as the platform has it.
        shard: what of the chat's questions is drained here: others of a sharded bot belong to other connections.
    """

    def __init__(
        self,
        chat: Chat,
        sender: Sender,
        tasks: asyncio.TaskGroup,
        clock: Callable[[], datetime],
        shard: Shard = WHOLE,
    ) -> None:
        self.wait_until_known: Callable[[int], Awaitable[None]] = _at_once
        """Waits until it is known what was deleted in a channel while nobody listened."""
        self.may_still_ask: Callable[[Question], Awaitable[bool]] = _everybody
        """Whether the operator still lets in who asked a question before a restart."""
        self.is_draining = False
        self._chat = chat
        self._sender = sender
        self._tasks = tasks
        self._clock = clock
        self._shard = shard
        self._typing = TypingIndicator(sender, tasks)
        self._outcomes = Outcomes(chat)
        self._away = NoticeLimiter(*AWAY)
        self._saying_away: dict[asyncio.Task[None], None] = {}
        self._waiting_pace = waiting_pace()
        self._last_buttons = LastButtons(sender, tasks)

    async def room(self) -> None:
        """Wait a moment if too many questions are under way."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_ROOM_LIMIT_SECONDS):
                await self._chat.exchanges.has_room.wait()

    def begin(self, exchange: Exchange, *, note: str = "", is_begun: bool = False) -> None:
        """Answer a question, new or resumed, unless it is being answered; `note` is shown as a small line above it.

        `is_begun` says that an unfinished answer is in the channel, to be gone on with, although the question is new.

        The questions of a channel are received, and get their turns, in the order of these calls.
        """
        if exchange.is_repeated or self.is_draining:
            exchange.close()
            return
        reply = Reply(exchange, self._sender, note, self._waiting_pace)
        is_too_old = self._clock() - exchange.question.created_at > OLDEST_ANSWERED
        # An answer that is complete and only has to be delivered is in the history: it is shown, however old.
        # Where it is to be replaced, that may have been asked for a moment ago, and half of it be in the channel.
        is_done = exchange.has_stored_answer or exchange.previous is not None
        is_expired = exchange.resumed is not None and is_too_old and not is_done
        exchange.on_held = lambda: self._note_held(exchange)
        exchange.task = self._tasks.create_task(self._answer(reply, is_begun=is_begun, is_expired=is_expired))
        # Also where the task is cancelled before it began.
        exchange.task.add_done_callback(lambda _: self._leave(reply))

    async def drain(self, seconds: float) -> None:
        """Let the answers that were begun finish, for some time; leave all others to the next process."""
        self.is_draining = True
        give_up_at = asyncio.get_running_loop().time() + seconds
        seen: set[Hashable] = set()
        for exchange in self._own_exchanges():
            conversation = exchange.question.conversation.identity
            if conversation in seen and exchange.task is not None:
                exchange.task.cancel()
            seen.add(conversation)
        while any(exchange.has_begun for exchange in self._own_exchanges()):
            remaining = give_up_at - asyncio.get_running_loop().time()
            if remaining <= 0:
                break
            await asyncio.wait(self._running_tasks(), timeout=remaining, return_when=asyncio.FIRST_COMPLETED)
        for task in (*self._running_tasks(), *self._saying_away):
            task.cancel()

    def _running_tasks(self) -> set[asyncio.Task[None]]:
        return {exchange.task for exchange in self._own_exchanges() if exchange.task is not None}

    def _own_exchanges(self) -> list[Exchange]:
        return [each for each in self._chat.exchanges if self._shard.has(each.question.conversation.guild_id)]

    def _leave(self, reply: Reply) -> None:
        reply.parts.on_first()  # the typing indicator ends in any case
        reply.exchange.close()

    async def _answer(self, reply: Reply, *, is_begun: bool, is_expired: bool) -> None:
        exchange = reply.exchange
        try:
            async with exchange.until_stopped():
                began_at = self._clock()
                outcome = await self._stream(reply, is_begun=is_begun, is_expired=is_expired)
                if outcome is ANSWERED:
                    await self._say_done(reply, began_at)
            outcome = outcome_of_stop(exchange) or outcome
        except Exception as error:
            if (task := asyncio.current_task()) and task.cancelling():  # what fails while it ends is no outcome
                raise asyncio.CancelledError from error
            outcome = (outcome_of_stop(exchange) or outcome_of(error)).logged(exchange, error)
            if exchange.previous is not None:
                outcome = outcome.keeping_previous()
        await self._outcomes.close(reply, outcome)
        self._last_buttons.note(reply)

    async def _stream(self, reply: Reply, *, is_begun: bool, is_expired: bool) -> Outcome:
        if reply.exchange.is_prepared:
            reply.parts.on_first = self._typing.start(reply.exchange.channel_id)
        # Nothing is awaited before: so the questions of a channel are received in the order of `begin`.
        if not await reply.exchange.receive(begins=not is_begun):
            return SEEN_BEFORE
        for note in reply.exchange.notes:
            reply.note(note)
        if reply.exchange.resumed is not None and (ended := await self._look(reply)) is not None:
            return ended
        if is_expired:
            return EXPIRED
        if is_begun or reply.exchange.generation:
            await reply.parts.resume()
        outcome = ANSWERED
        if not reply.exchange.is_prepared:
            reply.parts.on_first = self._typing.start(reply.exchange.channel_id)
        async with aclosing(reply.exchange.events()) as events, reply.growing():
            async for event in events:
                match event:
                    case TextDelta(text):
                        reply.write(text)
                    case Notice(text):
                        reply.note(text)
                    case Anew(text):
                        reply.begin_anew(text)
                    case Finished(FinishReason.ABORTED):
                        outcome = _note_stop(reply)
            await reply.finish()
        return outcome

    async def _say_done(self, reply: Reply, began_at: datetime) -> None:
        """Mention who asked where the answer took long, and where that is chosen."""
        exchange = reply.exchange
        asked_at = began_at if exchange.generation else exchange.question.created_at
        is_long = self._clock() - asked_at > LONG_ANSWER
        if is_long and self._chat.settings.now(exchange.question.conversation).done_ping:
            await reply.say_done()

    async def _look(self, reply: Reply) -> Outcome | None:
        """Find what is there of a resumed answer; returns its outcome where there is nothing more to do."""
        exchange = reply.exchange
        if exchange.resumed is not None and exchange.resumed.is_erased:
            return WITHDRAWN
        if not await self.may_still_ask(exchange.question):
            if exchange.previous is None:
                return NO_LONGER_ADMITTED
            exchange.stop(StopReason.ASKED, keep=True)  # the older answer stands there again
        await self.wait_until_known(exchange.channel_id)
        if not await self._sender.exists(exchange.channel_id, exchange.message_id):
            return WITHDRAWN  # deleted while nobody listened
        await reply.parts.resume()
        # Where an answer is replaced, it may be the older one that is finished.
        if reply.parts.is_finished and not exchange.has_stored_answer and exchange.previous is None:
            return ANSWERED_BEFORE  # the database is older than the channel: a backup, for instance
        return None

    def _note_held(self, exchange: Exchange) -> None:
        """The database is away, and a question waits for it: that is said once in a while in its channel."""
        if self._away.allows(exchange.question.author_id, exchange.channel_id):
            saying = self._tasks.create_task(self._say_away(exchange.question))
            self._saying_away[saying] = None
            saying.add_done_callback(self._saying_away.pop)

    async def _say_away(self, question: Question) -> None:
        draft = Draft(
            channel_id=question.conversation.channel_id,
            guild_id=question.conversation.guild_id,
            content=MEMORY_AWAY,
            key=DraftKey(question.message_id, Purpose.AWAY),
            after=question.message_id,
            reply_to=None,  # it is no answer, and must not be taken for one after a restart
        )
        try:
            await self._sender.create(draft, _forget)
        except DiscordError as error:
            log.info("channel %s isn't told that the database is away: %s", draft.channel_id, error)


def _note_stop(reply: Reply) -> Outcome:
    """Say why there is no answer, or no more of it; where it was to replace one, that stands there again."""
    previous = reply.exchange.previous
    if reply.exchange.stopped is not StopReason.ASKED:
        if previous is not None and not reply.has_text:
            reply.restore(previous, STOPPED_BY_RESET)
        else:
            reply.note(STOPPED_BY_RESET)
        return RESET
    if previous is None:
        reply.note(STOPPED_UNSAID)
        return STOPPED
    reply.restore(previous)
    return ANSWERED


async def _forget(_: Posted) -> None:
    """What is said of an outage isn't recorded: the database is away."""


async def _everybody(_: Question) -> bool:
    """Nobody is kept out."""
    return True


async def _at_once(_channel_id: int) -> None:
    """Nothing has to be waited for."""
