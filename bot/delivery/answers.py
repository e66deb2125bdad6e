"""The questions that are being answered: each has a task, which ends in an answer, in words, or in a later restart.

`_answer` is the one place on the message path where an error is caught; outcomes.py decides what it means. What isn't
finished when the process ends is taken up by the next one.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from datetime import datetime, timedelta

from bot.chat.chat import Chat
from bot.chat.events import Finished, Notice, TextDelta
from bot.conversation.messages import Question
from bot.delivery.endings import Endings
from bot.delivery.limits import NoticeLimiter
from bot.delivery.outcomes import (
    ANSWERED,
    ANSWERED_BEFORE,
    AWAY,
    CHANNEL_LOST,
    EXPIRED,
    MEMORY_AWAY,
    REPLY_DELETED,
    RESET,
    SEEN_BEFORE,
    WITHDRAWN,
    Outcome,
    outcome_of,
)
from bot.delivery.parts import Posts, Purpose, nonce
from bot.delivery.reply import Reply
from bot.delivery.running import Running
from bot.delivery.sender import Sender
from bot.delivery.transport import Draft, Posted
from bot.delivery.typing import TypingIndicator
from bot.errors import DiscordError, EngineFailed
from bot.inference.engine import FinishReason
from bot.store.rows.questions import OpenQuestion

log = logging.getLogger(__name__)

OLDEST_ANSWERED = timedelta(minutes=10)
"""An older question that is found after a restart gets a notice in place of an answer."""
STOPPED_BY_RESET = "I stopped here, because this conversation was reset."
MAX_UNSETTLED = 1000
"""Questions in hand, those included that are being refused; no more is read from Discord until there are fewer."""
_ROOM_PATIENCE_SECONDS = 1.0


class Answers:
    """Starts, stops and drains the tasks that answer questions.

    `engine_failed` gets the error when the engine is lost, so that the process can be replaced. `clock` tells the
    present moment as Discord has it.
    """

    def __init__(self, chat: Chat, sender: Sender, tasks: asyncio.TaskGroup, clock: Callable[[], datetime]) -> None:
        self.engine_failed: asyncio.Future[EngineFailed] = asyncio.get_running_loop().create_future()
        self.wait_until_known: Callable[[int], Awaitable[None]] = _at_once
        """Waits until it is known what was deleted in a channel while nobody listened."""
        self._chat = chat
        self._sender = sender
        self._tasks = tasks
        self._clock = clock
        self._typing = TypingIndicator(sender, tasks)
        self._running: dict[int, Running] = {}
        self._shown: dict[int, Running] = {}  # the message ids of what is shown of an answer -> the answer
        self._has_room = asyncio.Event()
        self._has_room.set()
        self.is_draining = False
        self._endings = Endings(chat)
        self._away = NoticeLimiter(*AWAY)
        chat.outage.when_away = self._note_away

    async def room(self) -> None:
        """Wait a moment if there are too many questions in hand."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_ROOM_PATIENCE_SECONDS):
                await self._has_room.wait()

    def begin(self, question: Question, *, note: str = "", is_begun: bool = False) -> None:
        """Answer a question, if it wasn't received before; `note` is shown as a small line above the answer.

        `is_begun` says that an unfinished answer is in the channel already, to be gone on with.

        The questions of a channel are received, and get their turns, in the order of these calls.
        """
        if question.message_id not in self._running and not self.is_draining:
            running = self._enter(question, is_taken_up=False)
            running.is_begun = is_begun
            if note:
                running.reply.note(note)
            running.task = self._tasks.create_task(self._answer(running))

    def take_up(self, opened: OpenQuestion) -> None:
        """Go on with a question that an earlier process left unfinished; one that is in hand already is left alone."""
        if opened.question.message_id in self._running:
            return
        running = self._enter(opened.question, is_taken_up=True)
        is_too_old = self._clock() - opened.question.created_at > OLDEST_ANSWERED
        # An answer that is complete and only has to be delivered is in the history: it is shown, however old.
        running.is_expired = is_too_old and opened.answer is None
        running.has_stored_answer = opened.answer is not None
        running.task = self._tasks.create_task(self._answer(running))

    def message_deleted(self, message_id: int) -> bool:
        """Stop the answer to a deleted question, and an answer of which a part was deleted.

        True for a question that is withdrawn here, as soon as nothing of its answer is shown any more.
        """
        if (answer := self._shown.get(message_id)) is not None:
            answer.stop(REPLY_DELETED)
        asked = self._running.get(message_id)
        return asked is not None and asked.stop(WITHDRAWN)

    def is_in_hand(self, message_id: int) -> bool:
        """Whether a message is a question in hand, or a part of what is shown of its answer."""
        return message_id in self._running or message_id in self._shown

    def channels(self) -> set[int]:
        """Where questions are in hand."""
        return {running.channel_id for running in self._running.values()}

    def channel_lost(self, is_lost: Callable[[Question], bool]) -> None:
        """Stop the answers in channels that are gone."""
        for running in self._running.values():
            if is_lost(running.question):
                running.stop(CHANNEL_LOST)

    async def drain(self, seconds: float) -> None:
        """Let the answers that were begun finish, for some time; leave all others to the next process."""
        self.is_draining = True
        give_up_at = asyncio.get_running_loop().time() + seconds
        seen: set[int] = set()
        for running in self._running.values():
            if running.channel_id in seen and running.task is not None:
                running.task.cancel()
            seen.add(running.channel_id)
        while any(running.has_begun for running in self._running.values()):
            remaining = give_up_at - asyncio.get_running_loop().time()
            if remaining <= 0:
                break
            await asyncio.wait(self._running_tasks(), timeout=remaining, return_when=asyncio.FIRST_COMPLETED)
        for task in self._running_tasks():
            task.cancel()

    def _running_tasks(self) -> set[asyncio.Task[None]]:
        return {running.task for running in self._running.values() if running.task is not None}

    def _note_away(self, question: Question) -> None:
        """The database is away, and a question waits for it: that is said once in a while in its channel."""
        if (running := self._running.get(question.message_id)) is None:
            return
        running.was_held = True
        if self._away.allows(question.author_id, running.channel_id):
            self._tasks.create_task(self._say_away(question))

    async def _say_away(self, question: Question) -> None:
        draft = Draft(
            channel_id=question.conversation.channel_id,
            guild_id=question.conversation.guild_id,
            content=MEMORY_AWAY,
            nonce=nonce(question.message_id, Purpose.AWAY, 0, 0),
            after=question.message_id,
            reply_to=None,  # it is no answer, and must not be taken for one after a restart
        )
        try:
            await self._sender.create(draft, _forget)
        except DiscordError as error:
            log.info("channel %s isn't told that the database is away: %s", draft.channel_id, error)

    def _enter(self, question: Question, *, is_taken_up: bool) -> Running:
        posts = Posts(self._chat, self._sender, question)
        running = Running(question, Reply(posts, self._sender), is_taken_up, is_committed=is_taken_up)
        posts.on_first = running.end_typing
        posts.on_shown = lambda message_id: self._shown.update({message_id: running})
        posts.on_gone = lambda message_id: self._shown.pop(message_id, None)
        self._running[question.message_id] = running
        self._note_room()
        return running

    def _leave(self, running: Running) -> None:
        running.stop_typing()
        for message_id in running.reply.posts.message_ids():
            self._shown.pop(message_id, None)
        self._running.pop(running.question.message_id, None)
        self._note_room()

    def _note_room(self) -> None:
        if len(self._running) < MAX_UNSETTLED:
            self._has_room.set()
        else:
            self._has_room.clear()

    async def _answer(self, running: Running) -> None:
        try:
            async with asyncio.timeout(0 if running.stopped else None) as running.scope:
                outcome = await self._receive_and_stream(running)
            outcome = running.stopped or outcome
        except Exception as error:
            outcome = (running.stopped or outcome_of(error)).logged(running.question, error)
            if isinstance(error, EngineFailed) and not self.engine_failed.done():
                self.engine_failed.set_result(error)
        except BaseException:
            self._leave(running)
            raise
        finally:
            running.scope = None
        await self._close(running, outcome)

    async def _receive_and_stream(self, running: Running) -> Outcome:
        if running.is_taken_up:
            await self.wait_until_known(running.channel_id)
            if not await self._sender.exists(running.channel_id, running.question.message_id):
                return WITHDRAWN  # deleted while nobody listened
            await running.reply.posts.take_up()
            if running.reply.posts.is_finished and not running.has_stored_answer:
                return ANSWERED_BEFORE  # the database is older than the channel: a backup, for instance
        else:
            # Nothing is awaited before: so the questions of a channel are received in the order of `begin`.
            running.is_committed = await self._chat.receive(running.question)
            if not running.is_committed:
                return SEEN_BEFORE
            if running.is_begun:
                await running.reply.posts.take_up()
        if running.is_expired:
            return EXPIRED
        running.stop_typing = self._typing.start(running.channel_id)
        return await self._stream(running)

    async def _stream(self, running: Running) -> Outcome:
        outcome = ANSWERED
        async with aclosing(self._chat.reply(running.question)) as events, running.reply.growing():
            async for event in events:
                if not running.has_begun:
                    running.has_begun = True
                match event:
                    case TextDelta(text):
                        running.reply.write(text)
                    case Notice(text):
                        running.reply.note(text)
                    case Finished(FinishReason.ABORTED):
                        running.reply.note(STOPPED_BY_RESET)
                        outcome = RESET
            await running.reply.finish()
        return outcome

    async def _close(self, running: Running, outcome: Outcome) -> None:
        try:
            await self._endings.close(running, outcome)
        finally:
            self._leave(running)


async def _forget(_: Posted) -> None:
    """What is said of an outage isn't recorded: the database is away."""


async def _at_once(_channel_id: int) -> None:
    """Nothing has to be waited for."""
