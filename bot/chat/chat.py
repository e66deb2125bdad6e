"""The use cases: answer a question, reset a conversation, choose a persona. Every front end goes through here.

A question with its answer is an `Exchange`: `open` makes one of a new question, `resume` of those that an earlier
process left open, `again`, `continue_answer` and `edit` of one that is answered. What happens to a conversation
meanwhile (it is reset, a message is deleted, its channel is lost) stops the exchanges that it concerns.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TypeVar

from bot.chat.about import About
from bot.chat.answer import AnswerWriter, SamplingChoice
from bot.chat.company import Company
from bot.chat.departures import Departures
from bot.chat.events import Anew, Finished, Notice, ReplyEvent, TextDelta
from bot.chat.exchange import Exchange
from bot.chat.exchange_context import ExchangeContext
from bot.chat.interruption import StopReason
from bot.chat.memory_desk import MemoryDesk
from bot.chat.outage import Outage
from bot.chat.overheard import Overheard
from bot.chat.persona_desk import PersonaDesk
from bot.chat.pin_desk import PinDesk
from bot.chat.preview import Previews
from bot.chat.privacy_desk import PrivacyDesk
from bot.chat.queue import QuestionQueue
from bot.chat.reading_order import Preparation
from bot.chat.refused_questions import RefusedQuestions
from bot.chat.regeneration import Edit, Regeneration
from bot.chat.registry import ExchangeRegistry
from bot.chat.settings_desk import SettingsDesk
from bot.chat.summary import Summariser
from bot.chat.tally import Tally
from bot.chat.time_limits import TimeLimits
from bot.conversation.chat_format import TurnEncoder
from bot.conversation.messages import ConversationKey, Question
from bot.conversation.persona import Persona
from bot.conversation.sanitize import DEFAULT_OWN_NAME
from bot.conversation.shard import WHOLE, Shard
from bot.conversation.text_files import Cut, TextFile, question_tokens, with_files
from bot.conversation.turn_limits import NO_LIMITS, TurnLimits
from bot.conversation.window import TokenBudget
from bot.errors import EngineError, UserError
from bot.inference.engine import Engine
from bot.observer import LogObserver, Observer, Observers
from bot.store.rows.chosen_settings import ChosenSettings, Scope
from bot.store.rows.deletion import DeletedMessage
from bot.store.rows.history import History, Reset
from bot.store.rows.inbox import Inbox
from bot.store.rows.personas import PersonaChange, Personas
from bot.store.rows.questions import InboxState, KnownChannel, Part
from bot.store.rows.regeneration import LastTurn
from bot.store.rows.turn_limits import TakenTurn
from bot.words import phrase

__all__ = [
    "Anew", "Chat", "Edit", "Exchange", "Finished", "InboxState", "LastTurn", "Notice", "Part",
    "PersonaChange", "Preparation", "ReplyEvent", "SamplingChoice", "Scope", "StopReason", "TextDelta",
]  # fmt: skip

log = logging.getLogger(__name__)

T = TypeVar("T")

HIDDEN_SECONDS = 60.0
"""How long after a reset its messages are deleted for good."""
TOO_LATE_TO_UNDO = phrase("too_late_to_undo")


class Chat:
    """Conversations with the engine behind them and the database below.

    Args:
        engine: writes the answers.
        encoder: turns text into token ids, and remembers what turns cost.
        budget: what a prompt may cost.
        sampling: how answers are drawn.
        queue: where questions wait.
        own_name: nobody else speaks under this name in a prompt.
        time_limits: how long things may take.
        turn_limits: how many turns people and guilds have in an hour.
        departures: what becomes of guilds that the bot has left.
        observer: hears of each answer; by default it is a line in the log.
        about: what the bot says of itself.
        setup: which model answers, and how it is set up; kept with each answer for whoever makes it again.
        clock: the present moment, with time zone.
    """

    def __init__(
        self,
        history: History,
        inbox: Inbox,
        personas: Personas,
        chosen: ChosenSettings,
        engine: Engine,
        encoder: TurnEncoder,
        budget: TokenBudget,
        *,
        sampling: SamplingChoice | None = None,
        queue: QuestionQueue | None = None,
        own_name: str = DEFAULT_OWN_NAME,
        time_limits: TimeLimits | None = None,
        turn_limits: TurnLimits = NO_LIMITS,
        departures: Departures | None = None,
        observer: Observer | None = None,
        about: About | None = None,
        setup: str = "",
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        sampling = sampling or SamplingChoice()
        self.pins = PinDesk(history, engine, encoder, budget, own_name)
        """Keeps facts in mind, shows and forgets them."""
        self.personas = PersonaDesk(personas, self.pins, engine, encoder, budget)
        """Shows, chooses and changes who the bot is in a channel."""
        self.settings = SettingsDesk(chosen, sampling, budget)
        """Shows and changes what people chose for a channel or its server."""
        self.queue = queue or QuestionQueue()
        self.exchanges = ExchangeRegistry[Exchange]()
        """All that is being asked and answered just now."""
        self.about = about or About()
        """What the bot says of itself."""
        self.tally = Tally()
        """How many answers were given, and how fast."""
        self.departures = departures
        """Where it is noted which guilds the bot is in; None where nothing is deleted for having been left."""
        self.overheard = Overheard()
        """What others said lately where that is to be read along."""
        self._history = history
        self._inbox = inbox
        self._engine = engine
        self._encoder = encoder
        self._budget = budget
        self._clock = clock
        limits = time_limits or TimeLimits()
        reported_to = Observers(observer or LogObserver(), self.tally)
        self.summaries = Summariser(history, engine, encoder, budget, own_name, self.exchanges.is_empty.wait)
        """Sums up what has left windows, while nobody asks; `run` it in the background."""
        self.exchanges.on_added = self.summaries.make_way
        writer = AnswerWriter(
            history, engine, encoder, budget, sampling, own_name, self._today, self.overheard, reported_to,
            self.summaries, setup,
        )  # fmt: skip
        self.memory = MemoryDesk(history, writer)
        """Shows what is remembered of a conversation."""
        self._previews = Previews(writer, engine, self.queue, limits.waiting_seconds)
        self.privacy = PrivacyDesk(history.own_words, history.pins, engine, self._withdraw_all)
        """Shows and erases what one person said."""
        self._context = ExchangeContext(
            inbox=inbox,
            history=history,
            engine=engine,
            writer=writer,
            queue=self.queue,
            company=Company(),
            outage=Outage(limits.outage_seconds),
            refused=RefusedQuestions(inbox),
            observer=reported_to,
            waiting_seconds=limits.waiting_seconds,
            silence_seconds=limits.silence_seconds,
            turn_limits=turn_limits,
        )
        self._regeneration = Regeneration(self._context, self.exchanges)

    @property
    def engine_failure(self) -> EngineError | None:
        """Why the engine is lost, so that nothing is answered until the process is replaced; None while it isn't."""
        return self._engine.failure

    async def check_store(self) -> None:
        """Find out whether a question could be committed just now.

        Raises:
            StoreError: it couldn't.
        """
        await self._inbox.check_writable()

    @property
    def is_engine_asleep(self) -> bool:
        """Nobody has asked for long, and the model's memory is given back; the next question wakes the engine."""
        return self._engine.is_asleep

    async def wait_engine_failed(self) -> None:
        """Return once the engine is lost."""
        await self._engine.wait_failed()

    async def adopt(self, sampling: SamplingChoice, turn_limits: TurnLimits, persona: Persona, platform: str) -> None:
        """Go by what the operator has changed, from the next question on; `platform` is the front end's name.

        Raises:
            PersonaTooLong: the persona leaves too little room; nothing has changed.
        """
        if persona.is_operators:
            self.personas.checked(persona.prompt)
        self._context.writer.sampling, self._context.turn_limits = sampling, turn_limits
        self.settings.adopt(sampling)
        self._history.default_persona = persona
        self.personas.adopt_default(persona)
        if not turn_limits:
            await self._inbox.forget_turns(platform)

    def open(self, question: Question, prepare: Preparation | None = None) -> Exchange:
        """An exchange for a question, known from now on: enter it to receive the question, or `close` it.

        With `prepare` what belongs to it is read first; it has its slot in the queue meanwhile.
        """
        return Exchange(question, self._context, self.exchanges, prepare=prepare)

    async def with_files(self, words: str, files: Sequence[TextFile]) -> tuple[str, list[Cut]]:
        """A question's words with text files below them, cut to what there is room for; and what was cut."""
        if not files:
            return words, []
        return await asyncio.to_thread(with_files, self._encoder, question_tokens(self._budget), words, files)

    async def take_turn(self, key: ConversationKey, person_id: int, act_id: int) -> None:
        """Count another answer that somebody asks for without a new question: again, or its continuation.

        `act_id` is the interaction's or the message's: the same one is counted once.

        Raises:
            TurnsSpent: they have had their turns of the hour, or their guild has.
        """
        await self._inbox.take_turn(TakenTurn(key.accounts, act_id, person_id, key.guild_id), self._context.turn_limits)

    async def preview(self, question: Question, prompt: str) -> str:
        """Answer one question as a persona of that prompt would, without its channel's conversation; nothing is stored.

        It is counted as a turn.

        Raises:
            PersonaTooLong: the prompt costs too much.
            UserError, EngineError, StoreError: as for any question.
        """
        key = question.conversation
        persona = Persona("preview", self.personas.checked(prompt))
        await self.take_turn(key, question.author_id, question.message_id)
        return await self._previews.answer(question, replace(self.settings.now(key), persona=persona))

    async def resume(self, platform: str, shard: Shard = WHOLE) -> list[Exchange]:
        """What an earlier process left open in a shard, oldest first, each with its slot in the queue again.

        `close` each.
        """
        return [
            Exchange(left.question, self._context, self.exchanges, left)
            for left in await self._inbox.unfinished(shard)
            if left.question.conversation.platform == platform
            and self.exchanges.asked_by(platform, left.question.message_id) is None
        ]

    async def forget_ended(self, platform: str) -> None:
        """Leave no trace of the questions of a platform that are done with."""
        await self._inbox.forget_ended(platform)

    def under_way(self, key: ConversationKey) -> list[Exchange]:
        """What is asked and answered in a channel: the exchange that has its turn first, then those that wait.

        `stop(StopReason.ASKED, keep=True)` stops one; whoever calls that has seen to it that the person may.
        """
        return self.exchanges.in_channel(key.platform, key.channel_id)

    async def last_turn(self, key: ConversationKey) -> LastTurn | None:
        """The turn that `again` and `continue_answer` are about; None where nothing is remembered."""
        return await self._inbox.last_turn(key)

    async def last_turn_asked_by(self, key: ConversationKey, message_id: int) -> LastTurn | None:
        """The last turn of the conversation in which a message was asked; None where it isn't that message's.

        Neither is it where the message wasn't asked in that channel.
        """
        here = await self._inbox.conversation_of(key.platform, message_id)
        if here is None or here.channel_id != key.channel_id:
            return None
        last = await self._inbox.last_turn(here)
        return last if last is not None and last.message_id == message_id else None

    async def again(
        self, key: ConversationKey, message_id: int, person_id: int, *, generation: int | None = None
    ) -> Exchange:
        """Answer the last turn's question again, for `Answers.begin`: it replaces the answer in its messages.

        It has another seed, and a temperature where answers are otherwise greedy. `key` says in which channel,
        `message_id` is the question's; with `generation`, only that answer to it is meant. `person_id` is who wants it;
        `take_turn` counts that against what they may ask in an hour.

        Raises:
            UserError: it isn't the last turn that is remembered, or something is being answered there.
            StoreError: nothing was begun.
        """
        return await self._regeneration.again(key, message_id, person_id, generation)

    async def continue_answer(
        self, key: ConversationKey, message_id: int, person_id: int, *, generation: int | None = None
    ) -> Exchange:
        """Go on with the last turn's answer, which ended at a limit or was stopped; arguments as for `again`.

        What is added becomes a part of that answer, and is shown behind it.

        Raises:
            UserError: as for `again`; or the answer is complete.
            StoreError: nothing was begun.
        """
        return await self._regeneration.continue_answer(key, message_id, person_id, generation)

    async def reset(self, key: ConversationKey) -> Reset:
        """Forget a conversation and its pins: hide them at once, stop its answer, withdraw what waits.

        The messages are deleted for good a minute later, by `delete_hidden`; until then `undo_reset` brings them back.
        """
        reset = await self._history.reset(key)
        for message_id in (*reset.answering, *reset.waiting):
            self._stop(key.platform, message_id, StopReason.RESET, keep=True)
        self.overheard.forget_channel(key)
        await self._forget(key)
        return reset

    async def undo_reset(self, key: ConversationKey, at: datetime | None = None) -> int:
        """Bring back what the last reset of a conversation hid, or that of the moment `at`, within a minute of it.

        Returns the number of turns and pins.
        Turns stand before what was said since. What waited, or was being answered, at the reset does not come back.

        Raises:
            UserError: there is nothing that can be brought back any more.
        """
        num_restored = await self._history.undo_reset(key, self._clock() - timedelta(seconds=HIDDEN_SECONDS), at)
        if not num_restored:
            raise UserError(TOO_LATE_TO_UNDO)
        await self._forget(key)
        return num_restored

    async def withdraw(self, platform: str, message_id: int) -> None:
        """Follow the deletion of a message: a question, or a part of an answer, takes the whole turn with it.

        A question that is open, but under way in no task of this process, is left to the one that resumes it: what is
        shown of its answer has to go first.
        """
        is_under_way = self.exchanges.asked_by(platform, message_id) is not None
        deletion = await self._history.delete_message(platform, message_id, leaves_shown=not is_under_way)
        if deletion.kind is DeletedMessage.NOTHING:
            return
        if deletion.question_message_id is not None:
            reason = StopReason.QUESTION_DELETED if deletion.is_asked else StopReason.ANSWER_DELETED
            self._stop(platform, deletion.question_message_id, reason)
        if deletion.conversation is not None:
            await self._forget(deletion.conversation)

    async def known_among(self, platform: str, message_ids: Collection[int]) -> set[int]:
        """Those messages that `withdraw` would follow the deletion of; one read for all."""
        return await self._history.known_among(platform, message_ids)

    async def delete_channel(self, platform: str, channel_id: int) -> None:
        """Follow the deletion of a channel or thread: everything said in it, and in its threads, goes for good."""
        for exchange in self.exchanges:
            key = exchange.question.conversation
            if key.platform == platform and channel_id in {key.channel_id, key.parent_channel_id}:
                exchange.stop(StopReason.CHANNEL_LOST)
        deletion = await self._history.delete_channel(platform, channel_id)
        self.settings.forget_channels(platform, {key.channel_id for key in deletion.conversations})
        for message_id in deletion.withdrawn:
            self._stop(platform, message_id, StopReason.CHANNEL_LOST)
        for key in deletion.conversations:
            await self._forget(key)

    async def delete_left_guilds(self) -> None:
        """Delete what was said in guilds that the bot left too long ago; `Departures` says which."""
        gone = await self.departures.run_if_due() if self.departures else []
        if gone:
            await self.settings.reload()
        for key in gone:
            await self._forget(key)

    async def outlast(self, step: Callable[[], Awaitable[T]], on_wait: Callable[[], None] = lambda: None) -> T:
        """Do a step that belongs to no question; while the database is away, it waits in line with the questions.

        So it is done before whatever is asked after `on_wait` was called.

        Raises:
            DatabaseBusy: the database was away for too long.
        """
        return await self._context.outage.outlast(step, on_wait)

    async def edit(self, question: Question, *, edited_at: datetime | None, is_live: bool = True) -> Edit:
        """Follow the edit of a question, which is handed in as it reads now. One that changes no words does nothing.

        A question that waits is answered with its new words; one that is being answered is begun anew. If it is
        answered, its words in the history change, and the engine forgets the conversation's blocks. The last turn's
        question is then answered again, if it was asked less than a quarter of an hour before `edited_at`: its exchange
        is for `Answers.begin`; where its author has no turn left, `refusal` says so. `edited_at` is None where nothing
        can be said. `is_live` says that the edit is told as it happens, and not found later.

        Raises:
            StoreError: nothing was changed.
        """
        return await self._regeneration.edit(question, edited_at, is_live=is_live)

    def leave_guild(self, platform: str, guild_id: int) -> None:
        """Stop the answers in a guild that the bot isn't in any more; what was said there stays."""
        for exchange in self.exchanges:
            key = exchange.question.conversation
            if key.platform == platform and key.guild_id == guild_id:
                exchange.stop(StopReason.CHANNEL_LOST)

    async def known_channels(self, platform: str, shard: Shard = WHOLE) -> list[KnownChannel]:
        """Channels of a shard in which something was asked, and the newest question in each.

        The most recently used come first.
        """
        return await self._inbox.known_channels(platform, shard=shard)

    async def reread(self) -> None:
        """Go by what the database says now: another process may have written to it since it was read."""
        await self.settings.reload()
        self._context.writer.recollection.forget_all()

    async def note_channel(self, question: Question) -> None:
        """Have a channel known from before a question on, which is left to the next process."""
        await self._inbox.note_channel(question.conversation, question.message_id - 1)

    async def known_messages(self, platform: str, channel_id: int, oldest: int, newest: int | None) -> set[int]:
        """Messages between two ids that the history or an open question rests on: what was asked, and the answers."""
        return await self._history.message_ids(platform, channel_id, oldest, newest)

    async def messages_of(self, platform: str, message_id: int) -> list[int]:
        """The messages of the question that one belongs to, in their order; none where it was never received."""
        return await self._inbox.messages_of(platform, message_id)

    async def should_hint(self, platform: str, kind: str, person_id: int) -> bool:
        """Whether a person may be given a hint now: one a day, of whatever kind."""
        may_hint = await self._inbox.claim_hint(platform, person_id, self._clock().date())
        log.debug("hint %s to %s: %s", kind, person_id, may_hint)
        return may_hint

    async def note_answered(self, question: Question) -> None:
        """Remember that a question was answered that isn't known here: its answer is there, so the inbox is older."""
        if await self._inbox.note_answered(question):
            log.info("question %s was answered before, and is left as it is", question.message_id)

    async def delete_hidden(self, *, everything: bool = False) -> int:
        """Delete for good what was reset more than a minute ago, or `everything` that was reset."""
        older_than = None if everything else self._clock() - timedelta(seconds=HIDDEN_SECONDS)
        return await self._history.purge_hidden(older_than)

    def _today(self) -> date:
        """The day where this machine is, by its TZ."""
        return self._clock().astimezone().date()

    def _withdraw_all(self, platform: str, person_id: int, message_ids: Iterable[int]) -> None:
        """Stop what is being answered to a person whose words are erased, and forget what was read along of them."""
        self.overheard.forget_person(platform, person_id)
        self._context.writer.recollection.forget_all()
        self.summaries.make_way()
        for exchange in self.exchanges:
            question = exchange.question
            if question.conversation.platform == platform and question.author_id == person_id:
                exchange.stop(StopReason.QUESTION_DELETED)
        for message_id in message_ids:
            self._stop(platform, message_id, StopReason.QUESTION_DELETED)

    async def _forget(self, key: ConversationKey) -> None:
        """Let go of what is in memory of a conversation's words, beside its history."""
        self._context.writer.recollection.forget(key)
        self.summaries.make_way()
        await self._engine.forget(key.cache_owner)

    def _stop(self, platform: str, message_id: int, reason: StopReason, *, keep: bool = False) -> None:
        if exchange := self.exchanges.asked_by(platform, message_id):
            exchange.stop(reason, keep=keep)
