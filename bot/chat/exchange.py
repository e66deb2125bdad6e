"""One question with its answer is one `Exchange`, from its commit to the last edit of what shows it.

It knows its slot in the queue, what an earlier process left of it, the messages that show it and what stopped it. An
answer is stored when it has ended, as far as it came, and only while its conversation has not been reset. Where it
replaces an older one (`regeneration`), that stays valid until then.

A stop that keeps what was said (`StopReason.ASKED`) is such an end. An edit of the question meanwhile is none: what was
said becomes void (`Anew`), and the answer begins again, to the new words.

A try at an answer is committed before it is made, with its seed. So a question that ends the process is found out, and
its neighbours aren't blamed: what the engine really ran when a process died is known from a file
(store/files/running_file.py), and only what ran alone can be blamed. Twice, and it is set aside.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from enum import Enum, auto
from functools import partial
from typing import Self, TypeVar

from bot.chat.answer import TRIM_NOTICE, AnswerWriter, PendingAnswer, can_continue
from bot.chat.company import Company
from bot.chat.events import Anew, Finished, Notice, ReplyEvent, TextDelta
from bot.chat.outage import Outage
from bot.chat.queue import QuestionQueue, Slot, Wait
from bot.chat.refused_questions import RefusedQuestions
from bot.chat.registry import ExchangeRegistry
from bot.conversation.messages import Question
from bot.conversation.turn_limits import TurnLimits
from bot.errors import EngineFailed, EngineOverloaded, RequestFailed, StoreError, TurnsSpent, WaitedTooLong
from bot.inference.engine import Delta, Engine, FinishReason
from bot.observer import Observer
from bot.store.files.database import was_committed
from bot.store.rows.history import Conversation, History
from bot.store.rows.inbox import Inbox
from bot.store.rows.questions import AnswerKind, Attempt, InboxState, OpenQuestion, Part
from bot.store.rows.turns import Answer
from bot.words import phrase

T = TypeVar("T")

Preparation = Callable[[Question], Awaitable[tuple[Question, Sequence[str]]]]
"""Reads what belongs to a question, a file for instance, before it is committed: all of the question, and notes."""

_RELEASE_SECONDS = 2.0
_RECENT_SECONDS = 1.0
MAX_LONE_DEATHS = 2
"""A question that was alone in the engine when the process died, this often, is set aside."""
SET_ASIDE = phrase("set_aside")


class StopReason(Enum):
    """Why an answer was stopped from outside."""

    RESET = auto()
    """The conversation was reset."""
    QUESTION_DELETED = auto()
    ANSWER_DELETED = auto()
    """A message that shows a part of the answer was deleted."""
    CHANNEL_LOST = auto()
    """The channel is gone, or closed to the bot."""
    ASKED = auto()
    """Somebody wants no more of it. With `keep`, what was said so far is shown and stored."""


@dataclass(frozen=True, slots=True)
class ExchangeContext:
    """What all exchanges of a chat share."""

    inbox: Inbox
    history: History
    engine: Engine
    writer: AnswerWriter
    queue: QuestionQueue
    company: Company
    outage: Outage
    refused: RefusedQuestions
    observer: Observer
    waiting_seconds: float
    silence_seconds: float
    turn_limits: TurnLimits


@dataclass(frozen=True, slots=True)
class _Begun:
    """A try that was counted when the question was received, and the conversation as it was then."""

    attempt: Attempt
    conversation: Conversation
    at: float


class Exchange:
    """One question on its way to an answer.

    `async with` receives it and closes it at the end; whoever does both by hand calls `receive` and `close`. Between
    them, `events` streams the answer and `finish` records what became of it.
    """

    _begun_at_once: _Begun | None = None

    def __init__(
        self,
        question: Question,
        context: ExchangeContext,
        registry: "ExchangeRegistry[Exchange]",
        left: OpenQuestion | None = None,
        slot: Slot | None = None,
        prepare: Preparation | None = None,
    ) -> None:
        """`left` is what the inbox has of it already, and `slot` its place in the queue where it has one."""
        self.question = question
        self.resumed = left if slot is None else None
        """What an earlier process left of it; None where it is new."""
        self.kind = left.kind if left else AnswerKind.FIRST
        """What kind of answer is asked for."""
        self.generation = left.generation if left else 0
        """Which answer to the question this is: it grows with a regeneration, not with a retry."""
        self.previous = left.previous if left else None
        """The older answer, for as long as it is valid: until this one is stored."""
        self.finish_reason = FinishReason(left.finish_reason) if left and left.finish_reason else None
        """How the answer in the history has ended: this one, or the older one that it is to replace."""
        self.is_committed = left is not None
        """Whether the inbox has it as open, so that what becomes of it can be recorded."""
        self.parts: dict[tuple[str, int], Part] = {}
        """The messages that are known to show it, by purpose and index."""
        self.stopped: StopReason | None = None
        self.has_begun = False
        """Whether anything of the answer was there to be shown."""
        self.was_held = False
        """Whether it had to wait for a database that was away."""
        self.on_held: Callable[[], None] = lambda: None
        """Called when it begins to wait for the database."""
        self.task: asyncio.Task[None] | None = None
        """What answers it. Cancelled, it leaves the question to the next process."""
        self.notes: Sequence[str] = ()
        """What is to be said above the answer of how the question was read; known once it is received."""
        self.received = asyncio.Event()
        """Set when it is committed, or will not be any more."""
        self._context = context
        self._registry = registry
        self._slot = slot
        self._is_kept = False
        self._is_edited = False
        """Whether the question was edited since the last try began."""
        self._is_stored = self.has_stored_answer
        self._words = asyncio.Lock()
        """Held while the question's words, or the answer to them, are being committed."""
        self._closed = asyncio.Event()
        self._running: asyncio.Timeout | None = None
        self._waiting: asyncio.Timeout | None = None
        self._queued: asyncio.Timeout | None = None
        self.is_repeated = not registry.add(self)
        """Whether the same question is being asked and answered already."""
        self._prepare = prepare
        self._after = registry.note_prepared(self) if left is None and not self.is_repeated else None
        if left is not None:
            self.received.set()
        if self.resumed is not None:
            self._slot = self._join(is_limited=False)

    @property
    def message_id(self) -> int:
        """The question's message."""
        return self.question.message_id

    @property
    def channel_id(self) -> int:
        """Where it was asked."""
        return self.question.conversation.channel_id

    @property
    def asker_id(self) -> int:
        """Who asked."""
        return self.question.author_id

    @property
    def has_turn(self) -> bool:
        """Whether it is its conversation's turn, so that it doesn't wait behind another one's."""
        return self._slot is not None and self._slot.ready.is_set()

    @property
    def wait(self) -> Wait | None:
        """How it stands with it for as long as its answer hasn't begun."""
        return None if self._slot is None else self._context.queue.wait_of(self._slot)

    @property
    def before(self) -> "list[Exchange]":
        """Those of its channel that come before it."""
        here = self._registry.in_channel(self.question.conversation.platform, self.channel_id)
        return here[: here.index(self)] if self in here else here

    @property
    def can_stop(self) -> bool:
        """Whether a stop would still change something: not once its answer is complete, or was stopped."""
        return self.stopped is None and not self._is_stored

    @property
    def can_be_replaced(self) -> bool:
        """Whether an answer to it is in the history, and stays there."""
        return self.finish_reason is not None and self.stopped in (None, StopReason.ASKED)

    @property
    def can_continue(self) -> bool:
        """Whether the answer in the history ended at a limit or a stop."""
        return can_continue(self.finish_reason)

    @property
    def is_prepared(self) -> bool:
        """Whether something has to be read before it is committed, which takes a while."""
        return self._prepare is not None

    @property
    def has_stored_answer(self) -> bool:
        """Whether the answer is in the history already, and only has to be shown."""
        return self.resumed is not None and self.resumed.answer is not None

    async def __aenter__(self) -> Self:
        try:
            await self.receive()
        except BaseException:
            self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    async def receive(self, *, begins: bool = False) -> bool:
        """Take a slot in the channel's queue and commit the question; False if it was received before.

        With `begins`, `events` follows at once: where it needn't wait for its turn, the first try is counted in the
        same commit, and the conversation loaded with it.

        Raises:
            EngineOverloaded: too many questions wait; this one was committed as refused.
            TurnsSpent: too many were asked within the hour; likewise.
            StoreError: nothing was committed, after a wait for the database where it was away.
        """
        if self.is_committed:
            return True
        try:
            # Before anything is awaited: the queue has the order in which the questions came.
            self._slot = self._join()
        except EngineOverloaded:
            if await self._refuse():
                raise
            return False
        try:
            await self._read()
            self.is_committed = await self._context.outage.commit_once(
                self._receiving(begins=begins),
                self._is_in(InboxState.RECEIVED, InboxState.ANSWERING),
                self._note_held,
            )
        except TurnsSpent:
            if await self._refuse():
                raise
        except asyncio.CancelledError as cancelled:  # by a stop, perhaps: then what became of it is to be recorded
            self.is_committed = was_committed(cancelled)
            raise
        finally:
            self._note_received()
            if not self.is_committed:
                self._give_slot_back()
        return self.is_committed

    async def _read(self) -> None:
        """Read what belongs to the question, and wait for those before it in the channel that do so.

        The questions of a channel are committed in their order: after a crash, whatever was said behind the last one
        that was committed is fetched again.
        """
        if self._prepare is not None:
            self.question, notes = await self._prepare(self.question)
            self.notes = (*self.notes, *notes)
        if self._after is not None:
            await self._after.received.wait()

    def _note_received(self) -> None:
        self._registry.forget_prepared(self)
        self._after = None
        self.received.set()

    def _receiving(self, *, begins: bool) -> Callable[[], Awaitable[bool]]:
        """The commit of the question, and of its first try where that needn't wait for anybody."""
        question, context = self.question, self._context
        if not (begins and self.has_turn and context.company.is_open):
            return partial(context.inbox.receive, question, context.turn_limits)
        seed, load = context.writer.new_seed(self.generation), context.history.loading(question.conversation)

        async def receive_and_begin() -> bool:
            begun = await context.inbox.receive_and_begin(question, context.turn_limits, seed=seed, load=load)
            if begun is not None:
                self._begun_at_once = _Begun(*begun, at=asyncio.get_running_loop().time())
            return begun is not None

        return receive_and_begin

    @asynccontextmanager
    async def until_stopped(self) -> AsyncIterator[None]:
        """Let a stop that keeps nothing end the body at once, wherever it waits.

        Raises:
            TimeoutError: it was ended so; `stopped` says why.
        """
        is_over = self.stopped is not None and not self._is_kept
        try:
            async with asyncio.timeout(0 if is_over else None) as self._running:
                yield
        finally:
            self._running = None

    def stop(self, reason: StopReason, *, keep: bool = False) -> bool:
        """Stop the answer. What the model says from now on is neither shown nor stored.

        With `keep`, `events` comes to its end in order, so that what was said so far can be shown with a note; where
        the question still waits for its turn, that is at once. Without it, the body of `until_stopped` ends at once,
        and a stop that keeps comes too late. The first reason counts.

        Returns whether that body is ended for this very reason: False where it hasn't begun or is over.
        """
        if self.stopped is None or (self._is_kept and not keep):
            self.stopped, self._is_kept = reason, keep
        waiting = self._waiting or self._queued
        scope = waiting if self._is_kept else self._running or waiting
        if scope is not None and not scope.expired():
            scope.reschedule(asyncio.get_running_loop().time())
        return self._running is not None and self.stopped is reason and not self._is_kept

    async def events(self) -> AsyncGenerator[ReplyEvent, None]:
        """Wait for the question's turn, then stream its answer and store it; the last event is `Finished`.

        It ends with `ABORTED`, and nothing is stored, if the conversation is reset, or if the exchange is stopped
        before anything was said. After `Anew`, the answer begins again.

        Raises:
            UserError: its text is for the person who asked.
            EngineError: the engine is starting, shutting down or lost; the question stays open.
            StoreError: the database failed; the question stays open.
        """
        async with self._admitted() as max_queued_seconds:
            if self.resumed and self.resumed.answer is not None and not self.resumed.is_stale:
                yield self._begun(TextDelta(self.resumed.answer))
                yield Finished(self.finish_reason or FinishReason.STOP)
                return
            is_over = False
            while not is_over:
                self._is_edited = False
                attempt = await self._begin_attempt()
                if attempt is None:
                    yield self._begun(Finished(FinishReason.ABORTED))
                    return
                async with aclosing(self._try(attempt, max_queued_seconds)) as events:
                    async for event in events:
                        is_over = isinstance(event, Finished)
                        yield self._begun(event)

    async def _try(self, attempt: Attempt, max_queued_seconds: float | None) -> AsyncGenerator[ReplyEvent, None]:
        """One try at the answer; it ends with `Anew` where the question was edited meanwhile."""
        try:
            answer = await self._begin_answer(attempt, max_queued_seconds)
            if answer.tells_trim:
                yield Notice(TRIM_NOTICE)
            if text := answer.open():
                yield TextDelta(text)
            async with aclosing(self._context.engine.generate(answer.request)) as deltas:
                while not answer.is_cut and (delta := await self._next(deltas, answer)) is not None:
                    if text := answer.feed(delta):
                        yield TextDelta(text)
                if answer.is_loop:
                    yield Anew(answer.text)
            if self.stopped in (None, StopReason.ASKED) and (text := answer.finish()):
                yield TextDelta(text)
            if self._is_asked_to_stop and not answer.says_nothing:
                answer.stop()
            reason = None if self._is_void else await self._store(answer)
            if reason is None:
                yield Anew()
                return
            for notice in answer.notices() if reason is not FinishReason.ABORTED else ():
                yield Notice(notice)
            yield Finished(reason)
        except EngineFailed:
            raise
        except BaseException:
            await self._release()
            raise

    async def edit(self, content: str) -> bool:
        """Follow the edit of the question; False once its answer is complete, so that it has to be replaced."""
        async with self._words:
            if self._is_stored:
                return False
            if await self._context.inbox.edit_question(self.question, content):
                self.question = replace(self.question, content=content)
                self._is_edited = True
                if self._waiting is not None and not self._waiting.expired():
                    self._waiting.reschedule(asyncio.get_running_loop().time())
            return True

    async def wait_closed(self) -> None:
        """Wait until all is done with it."""
        await self._closed.wait()

    async def _release(self) -> None:
        """It ended in order: this try isn't counted. A database that is away can't be told, and holds nothing up."""
        with suppress(StoreError, TimeoutError):
            async with asyncio.timeout(_RELEASE_SECONDS):
                await self._context.inbox.release(self.question)

    async def finish(self, state: InboxState, *, keeps_answer: bool = True) -> None:
        """Record what became of the question, after the last of its answer was shown, and let the next one go.

        Without `keeps_answer` an answer that was stored leaves the history with its question: nobody saw it whole.

        Raises:
            StoreError: it could not be recorded; the slot is given back all the same.
        """
        try:
            await self._context.inbox.set_state(self.question, state)
            if not keeps_answer:
                await self._context.history.delete_message(self.question.conversation.platform, self.message_id)
        finally:
            self._give_slot_back()

    def close(self) -> None:
        """Give back whatever it holds: its slot, and its place in the registry. Twice does no harm."""
        self._note_received()
        self._give_slot_back()
        self._registry.remove(self)
        self._closed.set()

    async def load_parts(self) -> tuple[Part, ...]:
        """The messages that were created for it so far, from the inbox."""
        parts = await self._context.inbox.parts(self.question)
        for part in parts:
            self._note_part(part)
        return parts

    async def record_part(self, part: Part) -> None:
        """Commit the id of a message that shows a part of the answer, or a notice about it."""
        self._note_part(part)
        await self._outlast(lambda: self._context.inbox.record_part(self.question, part))

    async def mark_surplus(self, place: tuple[str, int]) -> Part:
        """Commit that a part will be deleted by the bot, so that this isn't taken for a person's act; returns it."""
        await self._outlast(lambda: self._context.inbox.mark_surplus(self.question, *place))
        part = self.parts.pop(place)
        self._registry.remove_part(self, part)
        return part

    async def remove_part(self, place: tuple[str, int]) -> None:
        """Commit that a part no longer exists."""
        await self._outlast(lambda: self._context.inbox.remove_part(self.question, *place))

    async def _refuse(self) -> bool:
        """Commit it as refused; False if it was received before."""
        refuse = partial(self._context.refused.commit, self.question)
        return await self._context.outage.commit_once(refuse, self._is_in(InboxState.REFUSED), self._note_held)

    def _join(self, *, is_limited: bool = True) -> Slot:
        key = self.question.conversation
        return self._context.queue.join(
            key.identity, self.question.author_id, guild=key.guild_id, is_limited=is_limited
        )

    def _is_in(self, *states: InboxState) -> Callable[[], Awaitable[bool]]:
        async def is_in_state() -> bool:
            platform = self.question.conversation.platform
            return await self._context.inbox.state(platform, self.message_id) in states

        return is_in_state

    def _give_slot_back(self) -> None:
        if self._slot is not None:
            self._context.queue.leave(self._slot)
            self._slot = None

    async def _outlast(self, step: Callable[[], Awaitable[T]]) -> T:
        # A question that has no slot has nothing to wait for: what is said of it isn't recorded.
        return await (step() if self._slot is None else self._context.outage.outlast(step, self._note_held))

    def _note_held(self) -> None:
        self.was_held = True
        self.on_held()

    def _note_part(self, part: Part) -> None:
        self.parts[part.purpose, part.index] = part
        self._registry.add_part(self, part)

    @asynccontextmanager
    async def _admitted(self) -> AsyncIterator[float | None]:
        """The question's turn, and leave to use the engine.

        Gives the seconds that it may still wait in the engine's queue; None, as long as it takes, for what an earlier
        process accepted.
        """
        if self._slot is None:
            raise RuntimeError("only a question that was received is answered")
        if self.resumed is not None:
            await self._wait_for_turn(None)
            num_deaths = self.resumed.deaths if self.resumed.answer is None else 0
            async with self._context.company.resumed(num_deaths):
                yield None
            return
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + self._context.waiting_seconds
        await self._wait_for_turn(give_up_at)
        async with self._context.company.shared(max(0.0, give_up_at - loop.time())):
            yield max(0.0, give_up_at - loop.time())

    async def _wait_for_turn(self, give_up_at: float | None) -> None:
        """Wait until the question has its turn, or was stopped."""
        assert self._slot is not None  # noqa: S101 - `_admitted` has looked
        if self.stopped is not None:
            return
        try:
            async with asyncio.timeout_at(give_up_at) as self._queued:
                await self._slot.ready.wait()
        except TimeoutError:
            if self.stopped is None:
                raise WaitedTooLong from None
        finally:
            self._queued = None

    async def _begin_attempt(self) -> Attempt | None:
        """Count a try before it is made; None where no answer is wanted any more."""
        if self.stopped is not None or (self.resumed and self.resumed.is_stale):
            return None
        if self.resumed and self.resumed.lone_deaths >= MAX_LONE_DEATHS:
            raise RequestFailed(SET_ASIDE)
        if (begun := self._begun_at_once) is not None:
            is_recent = asyncio.get_running_loop().time() - begun.at < _RECENT_SECONDS
            if is_recent and begun.attempt.question is self.question:  # it wasn't edited meanwhile
                return begun.attempt
            self._begun_at_once = None
        seed = self._context.writer.new_seed(self.generation)
        attempt = await self._outlast(lambda: self._context.inbox.begin_attempt(self.question, seed=seed))
        self.kind = attempt.kind if attempt else self.kind
        return attempt

    async def _begin_answer(self, attempt: Attempt, max_queued_seconds: float | None) -> PendingAnswer:
        started_at = time.monotonic()
        key, replaced = self.question.conversation, None if self.previous is None else self.message_id
        begun, self._begun_at_once = self._begun_at_once, None
        if begun is not None:
            conversation = begun.conversation
        else:
            conversation = await self._outlast(lambda: self._context.history.load(key, without_question=replaced))
        return await self._context.writer.begin(attempt, conversation, max_queued_seconds, started_at)

    async def _next(self, deltas: AsyncGenerator[Delta, None], answer: PendingAnswer) -> Delta | None:
        """The model's next piece; None at its end, after a long silence, and where nothing more of it is wanted."""
        if self.stopped is not None or self._is_edited:
            return None
        # The first token may take its time: the engine's queue and its watchdog have limits of their own.
        silence_seconds = self._context.silence_seconds if answer.has_begun else None
        try:
            async with asyncio.timeout(silence_seconds) as self._waiting:
                return await anext(deltas, None)
        except TimeoutError:
            if self.stopped is None and not self._is_edited:
                answer.fall_silent()
            return None
        finally:
            self._waiting = None

    async def _store(self, answer: PendingAnswer) -> FinishReason | None:
        """Store the answer; None where its question was edited before that."""
        is_stored = False
        if self.stopped is None or (self._is_asked_to_stop and not answer.says_nothing):
            stored = answer.stored()
            is_stored = await self._outlast(lambda: self._save(answer, stored))
            if not is_stored and self._is_void:
                return None
        if not is_stored:
            await self._context.engine.forget(answer.request.cache_owner)
        reason = answer.reason if is_stored else FinishReason.ABORTED
        self._context.observer.on_answer(answer.record(reason))
        return reason

    async def _save(self, answer: PendingAnswer, stored: Answer) -> bool:
        # Not held while a database is awaited that is away: an edit waits for that in the same line.
        async with self._words:
            if self._is_void:
                return False
            turn_id = await self._context.history.save_turn(
                answer.question, stored, epoch=answer.conversation.epoch, speakers=answer.speakers.given
            )
            self._is_stored = turn_id is not None
            if self._is_stored:
                self.finish_reason, self.previous = answer.reason, None
            return self._is_stored

    @property
    def _is_void(self) -> bool:
        """Whether the try that runs answers a question that reads otherwise by now."""
        return self._is_edited and self.stopped is None

    @property
    def _is_asked_to_stop(self) -> bool:
        return self.stopped is StopReason.ASKED and self._is_kept

    def _begun(self, event: ReplyEvent) -> ReplyEvent:
        self.has_begun = True
        if isinstance(event, TextDelta) and self._slot is not None:
            self._context.queue.note_begun(self._slot)
        return event
