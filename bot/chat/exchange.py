"""One question with its answer is one `Exchange`, from its commit to the last edit of what shows it.

It knows its slot in the queue, what an earlier process left of it, the messages that show it and what stopped it; the
`ExchangeRegistry` is the only place where exchanges are looked up. An answer is stored as a whole or not at all, and
only while its conversation has not been reset.

A try at an answer is committed before it is made, with its seed. So a question that ends the process is found out, and
its neighbours aren't blamed: what the engine really ran when a process died is known from a file
(store/files/running_file.py), and only what ran alone can be blamed. Twice, and it is set aside.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from typing import Self, TypeVar

from bot.chat.answer import TRIM_NOTICE, AnswerWriter, PendingAnswer
from bot.chat.company import Company
from bot.chat.events import Finished, Notice, ReplyEvent, TextDelta
from bot.chat.outage import Outage
from bot.chat.queue import QuestionQueue, Slot
from bot.chat.refused_questions import RefusedQuestions
from bot.conversation.messages import Question
from bot.errors import EngineFailed, EngineOverloaded, RequestFailed, StoreError, TurnsSpent, WaitedTooLong
from bot.inference.engine import Delta, Engine, FinishReason
from bot.observer import Observer
from bot.store.rows.history import History
from bot.store.rows.inbox import Inbox
from bot.store.rows.questions import Attempt, InboxState, OpenQuestion, Part
from bot.store.rows.turn_limits import TurnLimits
from bot.words import phrase

T = TypeVar("T")

_RELEASE_SECONDS = 2.0
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


class Exchange:
    """One question on its way to an answer.

    `async with` receives it and closes it at the end; whoever does both by hand calls `receive` and `close`. Between
    them, `events` streams the answer and `finish` records what became of it.
    """

    def __init__(
        self,
        question: Question,
        context: ExchangeContext,
        registry: "ExchangeRegistry",
        resumed: OpenQuestion | None = None,
    ) -> None:
        self.question = question
        self.resumed = resumed
        """What an earlier process left of it; None where it is new."""
        self.is_committed = resumed is not None
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
        self._context = context
        self._registry = registry
        self._slot: Slot | None = None
        self._is_kept = False
        self._running: asyncio.Timeout | None = None
        self._waiting: asyncio.Timeout | None = None
        self.is_repeated = not registry.add(self)
        """Whether the same question is being asked and answered already."""
        if resumed is not None:
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
    def generation(self) -> int:
        """Which answer to the question this is: it grows with a regeneration, not with a retry."""
        return self.resumed.generation if self.resumed else 0

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

    async def receive(self) -> bool:
        """Take a slot in the channel's queue and commit the question; False if it was received before.

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
            receive = partial(self._context.inbox.receive, self.question, self._context.turn_limits)
            self.is_committed = await self._context.outage.commit_once(
                receive, self._is_in(InboxState.RECEIVED), self._note_held
            )
        except TurnsSpent:
            if await self._refuse():
                raise
        finally:
            if not self.is_committed:
                self._give_slot_back()
        return self.is_committed

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

        With `keep`, `events` comes to its end in order, so that what was said so far can be shown with a note. Without
        it, the body of `until_stopped` ends at once, and a stop that keeps comes too late. The first reason counts.

        Returns whether that body is ended for this very reason: False where it hasn't begun or is over.
        """
        if self.stopped is None or (self._is_kept and not keep):
            self.stopped, self._is_kept = reason, keep
        scope = self._waiting if self._is_kept else self._running or self._waiting
        if scope is not None and not scope.expired():
            scope.reschedule(asyncio.get_running_loop().time())
        return self._running is not None and self.stopped is reason and not self._is_kept

    async def events(self) -> AsyncGenerator[ReplyEvent, None]:
        """Wait for the question's turn, then stream its answer and store it; the last event is `Finished`.

        It ends with `ABORTED`, and nothing is stored, if the exchange is stopped or the conversation is reset.

        Raises:
            UserError: its text is for the person who asked.
            EngineError: the engine is starting, shutting down or lost; the question stays open.
            StoreError: the database failed; the question stays open.
        """
        async with self._admitted() as max_queued_seconds:
            if self.resumed and self.resumed.answer is not None and not self.resumed.is_stale:
                yield self._begun(TextDelta(self.resumed.answer))
                yield Finished(FinishReason.STOP)
                return
            attempt = await self._begin_attempt()
            if attempt is None:
                yield self._begun(Finished(FinishReason.ABORTED))
                return
            try:
                answer = await self._begin_answer(attempt, max_queued_seconds)
                if answer.tells_trim:
                    yield self._begun(Notice(TRIM_NOTICE))
                async with aclosing(self._context.engine.generate(answer.request)) as deltas:
                    while not answer.is_cut and (delta := await self._next(deltas, answer)) is not None:
                        if text := answer.feed(delta):
                            yield self._begun(TextDelta(text))
                if self.stopped is None and (text := answer.finish()):
                    yield self._begun(TextDelta(text))
                for notice in answer.notices():
                    yield self._begun(Notice(notice))
                yield self._begun(Finished(await self._store(answer)))
            except EngineFailed:
                raise
            except BaseException:
                await self._release()
                raise

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
        self._give_slot_back()
        self._registry.remove(self)

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

    def _is_in(self, state: InboxState) -> Callable[[], Awaitable[bool]]:
        async def is_in_state() -> bool:
            platform = self.question.conversation.platform
            return await self._context.inbox.state(platform, self.message_id) is state

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
            await self._slot.ready.wait()
            num_deaths = self.resumed.deaths if self.resumed.answer is None else 0
            async with self._context.company.resumed(num_deaths):
                yield None
            return
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + self._context.waiting_seconds
        try:
            async with asyncio.timeout_at(give_up_at):
                await self._slot.ready.wait()
        except TimeoutError:
            raise WaitedTooLong from None
        async with self._context.company.shared(max(0.0, give_up_at - loop.time())):
            yield max(0.0, give_up_at - loop.time())

    async def _begin_attempt(self) -> Attempt | None:
        """Count a try before it is made; None where no answer is wanted any more."""
        if self.stopped is not None or (self.resumed and self.resumed.is_stale):
            return None
        if self.resumed and self.resumed.lone_deaths >= MAX_LONE_DEATHS:
            raise RequestFailed(SET_ASIDE)
        seed = self._context.writer.new_seed()
        return await self._outlast(lambda: self._context.inbox.begin_attempt(self.question, seed=seed))

    async def _begin_answer(self, attempt: Attempt, max_queued_seconds: float | None) -> PendingAnswer:
        started_at = time.monotonic()
        conversation = await self._outlast(lambda: self._context.history.load(self.question.conversation))
        return await self._context.writer.begin(
            attempt.question, conversation, attempt.seed, max_queued_seconds, started_at
        )

    async def _next(self, deltas: AsyncGenerator[Delta, None], answer: PendingAnswer) -> Delta | None:
        """The model's next piece; None at its end, after a long silence, and when the exchange is stopped."""
        if self.stopped is not None:
            return None
        # The first token may take its time: the engine's queue and its watchdog have limits of their own.
        silence_seconds = self._context.silence_seconds if answer.has_begun else None
        try:
            async with asyncio.timeout(silence_seconds) as self._waiting:
                return await anext(deltas, None)
        except TimeoutError:
            if self.stopped is None:
                answer.fall_silent()
            return None
        finally:
            self._waiting = None

    async def _store(self, answer: PendingAnswer) -> FinishReason:
        turn_id = None
        if self.stopped is None:
            stored = answer.stored()
            turn_id = await self._outlast(
                lambda: self._context.history.save_turn(
                    answer.question, stored, epoch=answer.conversation.epoch, speakers=answer.speakers.given
                )
            )
        is_stored = turn_id is not None
        if not is_stored:
            await self._context.engine.forget(answer.request.cache_owner)
        reason = answer.reason if is_stored else FinishReason.ABORTED
        self._context.observer.on_answer(answer.record(reason))
        return reason

    def _begun(self, event: ReplyEvent) -> ReplyEvent:
        self.has_begun = True
        return event


class ExchangeRegistry:
    """The exchanges under way, by the message that asks and by the messages that show the answer."""

    def __init__(self) -> None:
        self._by_question: dict[tuple[str, int], Exchange] = {}
        self._by_part: dict[tuple[str, int], Exchange] = {}

    def __len__(self) -> int:
        return len(self._by_question)

    def __iter__(self) -> Iterator[Exchange]:
        """In the order in which they were opened."""
        return iter([*self._by_question.values()])

    def asked_by(self, platform: str, message_id: int) -> Exchange | None:
        """The exchange of a question."""
        return self._by_question.get((platform, message_id))

    def shown_by(self, platform: str, message_id: int) -> Exchange | None:
        """The exchange of which a message shows a part."""
        return self._by_part.get((platform, message_id))

    def add(self, exchange: Exchange) -> bool:
        """Know an exchange; False where another one has the same question and keeps its place."""
        return self._by_question.setdefault(_id(exchange, exchange.message_id), exchange) is exchange

    def remove(self, exchange: Exchange) -> None:
        """Forget an exchange and its parts."""
        if self._by_question.get(_id(exchange, exchange.message_id)) is exchange:
            del self._by_question[_id(exchange, exchange.message_id)]
        for part in exchange.parts.values():
            self.remove_part(exchange, part)

    def add_part(self, exchange: Exchange, part: Part) -> None:
        """Know a part of an exchange that is under way."""
        if self._by_question.get(_id(exchange, exchange.message_id)) is exchange:
            self._by_part[_id(exchange, part.message_id)] = exchange

    def remove_part(self, exchange: Exchange, part: Part) -> None:
        """Forget a part."""
        self._by_part.pop(_id(exchange, part.message_id), None)


def _id(exchange: Exchange, message_id: int) -> tuple[str, int]:
    return exchange.question.conversation.platform, message_id
