"""The use cases: answer a question, reset a conversation, choose a persona. Every front end goes through here.

One question's way: `receive` commits it to the inbox and takes its place in the channel's line; `reply` waits for its
turn, builds the prompt and streams the answer; `finish` records what became of it and lets the next one go. An answer
is stored as a whole or not at all, and only while its conversation has not been reset.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from bot.chat.answer import AnswerWriter, SamplingChoice
from bot.chat.attempts import Attempts
from bot.chat.events import Finished, Notice, ReplyEvent, TextDelta
from bot.chat.in_hand import QuestionsInHand
from bot.chat.outage import Outage
from bot.chat.persona_desk import PersonaDesk
from bot.chat.queue import QuestionQueue
from bot.chat.refused_questions import RefusedQuestions
from bot.chat.time_limits import TimeLimits
from bot.conversation.chat_format import TurnEncoder
from bot.conversation.messages import ConversationKey, Question
from bot.conversation.sanitize import DEFAULT_OWN_NAME, repair
from bot.conversation.window import TokenBudget
from bot.errors import DatabaseBusy, EngineOverloaded
from bot.inference.engine import Engine
from bot.store.rows.history import History
from bot.store.rows.inbox import Inbox
from bot.store.rows.message_deletion import DeletedMessage
from bot.store.rows.personas import Personas
from bot.store.rows.questions import InboxState, KnownChannel, OpenQuestion, Part

__all__ = ["Chat", "Finished", "InboxState", "Notice", "Part", "ReplyEvent", "SamplingChoice", "TextDelta"]

log = logging.getLogger(__name__)

T = TypeVar("T")

HIDDEN_SECONDS = 60.0
"""How long after a reset its messages are deleted for good."""


class Chat:
    """Conversations with the engine behind them and the database below.

    Args:
        engine: writes the answers.
        encoder: turns text into token ids, and remembers what turns cost.
        budget: what a prompt may cost.
        sampling: how answers are drawn.
        own_name: nobody else speaks under this name in a prompt.
        time_limits: how long things may take.
        clock: the present moment, with time zone.
    """

    def __init__(
        self,
        history: History,
        inbox: Inbox,
        personas: Personas,
        engine: Engine,
        encoder: TurnEncoder,
        budget: TokenBudget,
        *,
        sampling: SamplingChoice | None = None,
        queue: QuestionQueue | None = None,
        own_name: str = DEFAULT_OWN_NAME,
        time_limits: TimeLimits | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.personas = PersonaDesk(personas, engine, encoder, budget)
        """Shows, chooses and changes who Trinity is in a channel."""
        self.queue = queue or QuestionQueue()
        self._history = history
        self._inbox = inbox
        self._engine = engine
        time_limits = time_limits or TimeLimits()
        self.outage = Outage(time_limits.outage_seconds)
        """Where questions wait while the database is away."""
        sampling = sampling or SamplingChoice()
        writer = AnswerWriter(
            history,
            engine,
            encoder,
            budget,
            sampling,
            own_name,
            time_limits.silence_seconds,
            self.outage,
        )
        self._attempts = Attempts(inbox, writer, sampling.seed, self.outage)
        self._refused = RefusedQuestions(inbox)
        self._clock = clock
        self._in_hand = QuestionsInHand(self.queue, time_limits.waiting_seconds)

    async def receive(self, question: Question) -> bool:
        """Commit a question and give it its place in the channel's line; False if it was received before.

        After True, call `reply` and then `finish`, or `finish` alone.

        Raises:
            EngineOverloaded: too many questions wait; this one was committed as refused.
            StoreError: nothing was committed, after a wait for the database where it was away.
        """
        try:
            # Before anything is awaited: the line has the order in which the questions came.
            slot = self._in_hand.join(question)
        except EngineOverloaded:
            if await self._commit_once(question, self._refused.commit, InboxState.REFUSED):
                raise
            return False
        is_accepted = False
        try:
            is_accepted = await self._commit_once(question, self._inbox.receive, InboxState.RECEIVED)
        finally:
            if not is_accepted:
                self._in_hand.give_back(slot)
        if is_accepted:
            self._in_hand.keep(question, slot)
        return is_accepted

    async def _commit_once(
        self, question: Question, commit: Callable[[Question], Awaitable[bool]], state: InboxState
    ) -> bool:
        """Commit a question, also after an outage; False if it was there before.

        A commit that met with silence may have succeeded: what is found then is this question's own.
        """
        is_unsure = False

        async def step() -> bool:
            nonlocal is_unsure
            try:
                if await commit(question):
                    return True
                known = await self._inbox.state(question.conversation.platform, question.message_id)
            except DatabaseBusy:
                is_unsure = True
                raise
            return is_unsure and known is state

        return await self.outage.outlast(question, step)

    async def _outlast(self, question: Question, step: Callable[[], Awaitable[T]]) -> T:
        # A question that was never committed has nothing to wait for: what is said of it isn't recorded.
        return await (self.outage.outlast(question, step) if self._in_hand.holds(question) else step())

    async def reply(self, question: Question) -> AsyncGenerator[ReplyEvent, None]:
        """Wait for the question's turn, then stream its answer; the last event is `Finished`.

        The turn is held until `finish`, or until this generator is left early.

        Raises:
            UserError: its text is for the person who asked.
            EngineError: the engine is starting, shutting down or lost; the question stays open.
            StoreError: the database failed; the question stays open.
        """
        stop = self._in_hand.stop_of(question)
        try:
            patience_seconds = await self._in_hand.turn(question)
            left = self._in_hand.left_over(question)
            async with aclosing(self._attempts.events(question, left, stop, patience_seconds)) as events:
                async for event in events:
                    yield event
        except (asyncio.CancelledError, GeneratorExit):
            self._in_hand.leave(question)  # nobody may be left to call `finish`
            raise

    async def finish(
        self, question: Question, state: InboxState, reason: str = "", *, keeps_answer: bool = True
    ) -> None:
        """Record what became of a question, after the last of its answer was shown, and let the next one go.

        `reason` is for the log, where the state alone doesn't say it. Without `keeps_answer` an answer that was stored
        leaves the history with its question: nobody saw it whole.

        Raises:
            StoreError: it could not be recorded; the turn is given back all the same.
        """
        if reason:
            log.info("question %s is %s: %s", question.message_id, state, reason)
        try:
            await self._inbox.set_state(question, state)
            if not keeps_answer:
                await self._history.delete_message(question.conversation.platform, question.message_id)
        finally:
            self._in_hand.leave(question)

    async def reset(self, key: ConversationKey) -> int:
        """Forget a conversation: hide it at once, stop its answer, withdraw what waits; returns the number of turns.

        The messages are deleted for good a minute later, by `delete_hidden`.
        """
        reset = await self._history.reset(key)
        for message_id in (*reset.answering, *reset.withdrawn):
            self._in_hand.stop(key.platform, message_id)
        await self._engine.forget(key.cache_owner)
        return reset.num_turns

    async def withdraw(self, platform: str, message_id: int) -> tuple[int, ...]:
        """Follow the deletion of a message: a question, or a part of an answer, takes the whole turn with it.

        Returns the message ids of those parts of its answer that are left.
        """
        deletion = await self._history.delete_message(platform, message_id)
        if deletion.kind is DeletedMessage.NOTHING:
            return ()
        if deletion.question_message_id is not None:
            self._in_hand.stop(platform, deletion.question_message_id)
        if deletion.channel_id is not None:
            await self._engine.forget(ConversationKey(platform, deletion.channel_id).cache_owner)
        return deletion.part_message_ids

    async def known_among(self, platform: str, message_ids: Collection[int]) -> set[int]:
        """Those messages that `withdraw` would follow the deletion of; one read for all."""
        return await self._history.known_among(platform, message_ids)

    async def delete_channel(self, platform: str, channel_id: int) -> None:
        """Follow the deletion of a channel or thread: everything said in it goes for good."""
        deletion = await self._history.delete_channel(platform, channel_id)
        for message_id in deletion.withdrawn:
            self._in_hand.stop(platform, message_id)
        for deleted_id in deletion.channel_ids:
            await self._engine.forget(ConversationKey(platform, deleted_id).cache_owner)

    async def edit(self, platform: str, message_id: int, text: str) -> bool:
        """Take over an edited question; False, and no effect, once its answer was begun."""
        return await self._inbox.edit_question(platform, message_id, repair(text))

    async def unfinished(self, platform: str) -> list[OpenQuestion]:
        """What an earlier process left open, oldest first. Call `reply` and `finish` for each."""
        left_over = [left for left in await self._inbox.unfinished() if left.question.conversation.platform == platform]
        for left in left_over:
            self._in_hand.take_up(left)
        return left_over

    async def known_channels(self, platform: str) -> list[KnownChannel]:
        """Channels in which something was asked, and the newest question in each; the most recently used first."""
        return await self._inbox.known_channels(platform)

    async def known_messages(self, platform: str, channel_id: int, oldest: int, newest: int | None) -> set[int]:
        """Messages between two ids that the history or an open question rests on: what was asked, and the answers."""
        return await self._history.message_ids(platform, channel_id, oldest, newest)

    async def should_hint(self, platform: str, kind: str, person_id: int) -> bool:
        """Whether a person may be given a hint now: one a day, of whatever kind."""
        may_hint = await self._inbox.claim_hint(platform, person_id, self._clock().date())
        log.debug("hint %s to %s: %s", kind, person_id, may_hint)
        return may_hint

    async def note_answered(self, question: Question) -> None:
        """Remember that a question was answered that isn't known here: its answer is there, so the inbox is older."""
        if await self._inbox.note_answered(question):
            log.info("question %s was answered before, and is left as it is", question.message_id)

    async def record_part(
        self, question: Question, purpose: str, part: int, message_id: int, *, is_marked: bool = False
    ) -> None:
        """Commit the id of a message that shows a part of the answer, or a notice about it.

        `is_marked` says that it bears the mark of an answer that grows.
        """
        shown = Part(purpose, part, message_id, is_marked=is_marked)
        await self._outlast(question, lambda: self._inbox.record_part(question, shown))

    async def mark_surplus(self, question: Question, purpose: str, part: int) -> None:
        """Commit that a part, and those behind it, will be deleted by us: that is then not taken for a person's act."""
        await self._outlast(question, lambda: self._inbox.mark_surplus(question, purpose, part))

    async def remove_part(self, question: Question, purpose: str, part: int) -> None:
        """Forget a part that no longer exists."""
        await self._outlast(question, lambda: self._inbox.remove_part(question, purpose, part))

    async def parts(self, question: Question) -> tuple[Part, ...]:
        """The messages that were created for a question so far."""
        return await self._inbox.parts(question)

    async def generation(self, question: Question) -> int:
        """Which answer to the question this is: it grows with a regeneration, not with a retry."""
        left = self._in_hand.left_over(question)
        return left.generation if left else 0

    async def delete_hidden(self, *, everything: bool = False) -> int:
        """Delete for good what was reset more than a minute ago, or `everything` that was reset."""
        older_than = None if everything else self._clock() - timedelta(seconds=HIDDEN_SECONDS)
        return await self._history.purge_hidden(older_than)
