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
import math
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import Self

from bot.chat.admission import Admission
from bot.chat.answer import PendingAnswer, can_continue
from bot.chat.events import Anew, Finished, Notice, ReplyEvent, TextDelta
from bot.chat.exchange_context import ExchangeContext
from bot.chat.interruption import Interruption, StopReason
from bot.chat.queue import Slot, Wait
from bot.chat.reading_order import Preparation
from bot.chat.recorded_parts import RecordedParts
from bot.chat.registry import ExchangeRegistry
from bot.conversation.messages import Question
from bot.errors import EngineFailed, EngineOverloaded, RequestFailed, StoreError, TurnsSpent
from bot.inference.engine import Delta, FinishReason
from bot.store.files.cancellation import was_committed
from bot.store.rows.questions import AnswerKind, Attempt, InboxState, OpenQuestion
from bot.store.rows.turns import Answer
from bot.words import phrase

_RELEASE_SECONDS = 2.0
MAX_LONE_DEATHS = 2
"""A question that was alone in the engine when the process died, this often, is set aside."""
SET_ASIDE = phrase("set_aside")


class Exchange:
    """One question on its way to an answer.

    `async with` receives it and closes it at the end; whoever does both by hand calls `receive` and `close`. Between
    them, `events` streams the answer and `finish` records what became of it.
    """

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
        self.has_begun = False
        """Whether anything of the answer was there to be shown."""
        self.was_held = False
        """Whether it had to wait for a database that was away."""
        self.on_held: Callable[[], None] = lambda: None
        """Called when it begins to wait for the database."""
        self.task: asyncio.Task[None] | None = None
        """What answers it. Cancelled, it leaves the question to the next process."""
        self.writing: PendingAnswer | None = None
        """The answer as it grows; None before its prompt is made, and once it is stored."""
        self.notes: Sequence[str] = ()
        """What is to be said above the answer of how the question was read; known once it is received."""
        self._opened_at: float | None = time.monotonic()
        self._context = context
        self._registry = registry
        self._is_stored = self.has_stored_answer
        self._words = asyncio.Lock()
        """Held while the question's words, or the answer to them, are being committed."""
        self._closed = asyncio.Event()
        self.is_repeated = not registry.add(self)
        """Whether the same question is being asked and answered already."""
        self._prepare = prepare
        self._interruption = Interruption()
        self._admission = Admission(question, context, self._interruption, self._note_held, self.resumed, slot)
        self.parts = RecordedParts(
            context.inbox,
            question,
            self._admission.outlast,
            on_known=partial(registry.add_part, self),
            on_surplus=partial(registry.remove_part, self),
        )
        """The messages that are known to show it."""
        if left is None and not self.is_repeated:
            self._admission.await_earlier(is_read=self.is_prepared)

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
        return self._admission.has_turn

    @property
    def wait(self) -> Wait | None:
        """How it stands with it for as long as its answer hasn't begun."""
        return self._admission.wait

    @property
    def is_committed(self) -> bool:
        """Whether the inbox has it as open, so that what becomes of it can be recorded."""
        return self._admission.is_committed

    @property
    def received(self) -> asyncio.Event:
        """Set when it is committed, or will not be any more."""
        return self._admission.received

    @property
    def stopped(self) -> StopReason | None:
        """Why it was stopped; None where it wasn't."""
        return self._interruption.reason

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
        admission = self._admission
        if admission.is_committed:
            return True
        try:
            admission.join()  # before anything is awaited: the queue has the order in which the questions came
            if self._prepare is not None:
                self.question, notes = await self._prepare(self.question)
                self.notes = (*self.notes, *notes)
            await admission.wait_for_earlier()
            commit = admission.commit(self.question, begins=begins)
            admission.is_committed = await self._context.outage.commit_once(*commit)
        except (EngineOverloaded, TurnsSpent):
            if await admission.refuse(self.question):
                self._context.observer.on_question(InboxState.REFUSED)
                raise
        except asyncio.CancelledError as cancelled:  # by a stop, perhaps: then what became of it is to be recorded
            admission.is_committed = was_committed(cancelled)
            raise
        finally:
            admission.end_reception()
        return admission.is_committed

    @asynccontextmanager
    async def until_stopped(self) -> AsyncIterator[None]:
        """Let a stop that keeps nothing end the body at once, wherever it waits.

        Raises:
            TimeoutError: it was ended so; `stopped` says why.
        """
        async with self._interruption.ends_body():
            yield

    def stop(self, reason: StopReason, *, keep: bool = False) -> bool:
        """Stop the answer. What the model says from now on is neither shown nor stored.

        With `keep`, `events` comes to its end in order, so that what was said so far can be shown with a note; where
        the question still waits for its turn, that is at once. Without it, the body of `until_stopped` ends at once,
        and a stop that keeps comes too late. The first reason counts.

        Returns whether that body is ended for this very reason: False where it hasn't begun or is over.
        """
        return self._interruption.stop(reason, keep=keep)

    async def events(self) -> AsyncGenerator[ReplyEvent, None]:
        """Wait for the question's turn, then stream its answer and store it; the last event is `Finished`.

        It ends with `ABORTED`, and nothing is stored, if the conversation is reset, or if the exchange is stopped
        before anything was said. After `Anew`, the answer begins again.

        Raises:
            UserError: its text is for the person who asked.
            EngineError: the engine is starting, shutting down or lost; the question stays open.
            StoreError: the database failed; the question stays open.
        """
        async with self._admission.turn() as max_queued_seconds:
            if self.resumed and self.resumed.answer is not None and not self.resumed.is_stale:
                yield self._begun(TextDelta(self.resumed.answer))
                yield Finished(self.finish_reason or FinishReason.STOP)
                return
            is_over = False
            while not is_over:
                self._interruption.is_edited = False
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
            self.writing = answer = await self._begin_answer(attempt, max_queued_seconds)
            if answer.trim_notice:
                yield Notice(answer.trim_notice)
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
            if self._interruption.is_asked and not answer.says_nothing:
                answer.stop()
            reason = None if self._interruption.voids else await self._store(answer)
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
        finally:
            self._interruption.end_limit()
            self.writing = None

    async def edit(self, content: str) -> bool:
        """Follow the edit of the question; False once its answer is complete, so that it has to be replaced."""
        async with self._words:
            if self._is_stored:
                return False
            if await self._context.inbox.edit_question(self.question, content):
                self.question = replace(self.question, content=content)
                self._interruption.edit()
            return True

    def note_shown(self) -> None:
        """The first words of its answer stand in the channel. What is resumed says nothing about how long that took."""
        if self._opened_at is not None and self.resumed is None:
            self._context.observer.on_first_words(time.monotonic() - self._opened_at)
        self._opened_at = None

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
            self._context.observer.on_question(state)
            if not keeps_answer:
                await self._context.history.delete_message(self.question.conversation.platform, self.message_id)
        finally:
            self._admission.give_slot_back()

    async def forget(self) -> None:
        """Leave no trace of the question, which is done with: neither that it was asked nor by whom.

        Raises:
            StoreError: that it was asked is still known.
        """
        await self._context.inbox.forget(self.question)

    def close(self) -> None:
        """Give back whatever it holds: its slot, and its place in the registry. Twice does no harm."""
        self._admission.close()
        self._registry.remove(self)
        self._closed.set()

    def _note_held(self) -> None:
        self.was_held = True
        self.on_held()

    async def _begin_attempt(self) -> Attempt | None:
        """Count a try before it is made; None where no answer is wanted any more."""
        if self.stopped is not None or (self.resumed and self.resumed.is_stale):
            return None
        if self.resumed and self.resumed.lone_deaths >= MAX_LONE_DEATHS:
            raise RequestFailed(SET_ASIDE)
        if (begun := self._admission.begun) is not None:
            if begun.holds_for(self.question):
                return begun.attempt
            self._admission.begun = None
        seed = self._context.writer.new_seed(self.generation)
        attempt = await self._admission.outlast(lambda: self._context.inbox.begin_attempt(self.question, seed=seed))
        self.kind = attempt.kind if attempt else self.kind
        return attempt

    async def _begin_answer(self, attempt: Attempt, max_queued_seconds: float | None) -> PendingAnswer:
        started_at = time.monotonic()
        key, replaced = self.question.conversation, None if self.previous is None else self.message_id
        begun, self._admission.begun = self._admission.begun, None
        load = partial(self._context.history.load, key, without_question=replaced)
        conversation = await self._admission.outlast(load) if begun is None else begun.conversation
        return await self._context.writer.begin(attempt, conversation, max_queued_seconds, started_at)

    async def _next(self, deltas: AsyncGenerator[Delta, None], answer: PendingAnswer) -> Delta | None:
        """The model's next piece; None at its end, after a long silence, and where nothing more of it is wanted."""
        if self._interruption.is_there:
            return None
        # The first token may take its time: the engine's queue and its watchdog have limits of their own.
        silence_seconds = self._context.silence_seconds if answer.has_begun else math.inf
        try:
            async with asyncio.timeout(None) as self._interruption.piece:
                self._interruption.limit_piece(silence_seconds)
                return await anext(deltas, None)
        except TimeoutError:
            if not self._interruption.is_there:
                answer.fall_silent()
            return None
        finally:
            self._interruption.piece = None

    async def _store(self, answer: PendingAnswer) -> FinishReason | None:
        """Store the answer; None where its question was edited before that."""
        is_stored = False
        if self.stopped is None or (self._interruption.is_asked and not answer.says_nothing):
            stored = answer.stored()
            is_stored = await self._admission.outlast(lambda: self._save(answer, stored))
            if not is_stored and self._interruption.voids:
                return None
        if not is_stored:
            await self._context.engine.forget(answer.request.cache_owner)
        reason = answer.reason if is_stored else FinishReason.ABORTED
        self._context.observer.on_answer(answer.record(reason))
        return reason

    async def _save(self, answer: PendingAnswer, stored: Answer) -> bool:
        # Not held while a database is awaited that is away: an edit waits for that in the same line.
        async with self._words:
            if self._interruption.voids:
                return False
            try:
                turn_id = await self._context.history.save_turn(
                    answer.question, stored, epoch=answer.conversation.epoch, speakers=answer.speakers.given
                )
                self._is_stored = turn_id is not None
            except asyncio.CancelledError as cancelled:  # its messages can't be shown, perhaps
                self._is_stored = was_committed(cancelled)
                raise
            finally:
                if self._is_stored:
                    self.finish_reason, self.previous = answer.reason, None
            return self._is_stored

    def _begun(self, event: ReplyEvent) -> ReplyEvent:
        self.has_begun = True
        if isinstance(event, TextDelta):
            self._admission.note_begun()
        return event
