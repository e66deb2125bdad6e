"""From a question to its answer: the prompt that fits, the request to the engine, and what people get to see of it."""

import asyncio
import secrets
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from datetime import date

from bot.chat.overheard import Overheard
from bot.chat.pin_desk import section_of
from bot.chat.recipe import Recipe
from bot.chat.recollection import Recollection
from bot.chat.summary import Summariser
from bot.conversation.channel_settings import ChannelSettings
from bot.conversation.chat_format import TurnEncoder
from bot.conversation.loops import LoopGuard, times_asked
from bot.conversation.messages import Question
from bot.conversation.output import OutputFilter
from bot.conversation.sections import Section
from bot.conversation.speakers import NamedTurns, Speakers, name_turns
from bot.conversation.window import TokenBudget, Window, WindowUse, fit_window_off_loop, measure_window
from bot.errors import PromptTooLong, RequestFailed, UserError
from bot.inference.engine import Counters, Delta, Engine, FairnessKey, FinishReason, Request, Sampling, SamplingParams
from bot.observer import AnswerRecord, Observer
from bot.store.rows.history import Conversation, History
from bot.store.rows.questions import AnswerKind, Attempt, engine_name
from bot.store.rows.turns import Answer
from bot.words import Phrase, phrase

TRIM_NOTICE = phrase("trim_notice")
TRIM_NOTICE_RECALL = phrase("trim_notice_recall")
FELL_SILENT = phrase("fell_silent")
CUT_SHORT = phrase("cut_short")
NOTHING_SAID = phrase("nothing_said")
STOPPED = phrase("stopped_as_asked")
WENT_ROUND = phrase("went_round")
TOO_LONG_TO_CONTINUE = phrase("too_long_to_continue")
AGAIN_TEMPERATURE = 0.8
"""Another answer to the same words is drawn with this where otherwise it would be the same again."""
_CHARACTERS_PER_TOKEN = 4
_CONTINUABLE = frozenset({FinishReason.LENGTH, FinishReason.SILENCE, FinishReason.STOPPED})


def can_continue(finish_reason: str | None) -> bool:
    """Whether an answer that ended so was broken off at a limit or on request, and can be gone on with."""
    return finish_reason in _CONTINUABLE


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingChoice(Sampling):
    """How answers are drawn; how long they may get is the token budget's. `seed` None draws one for every question."""

    seed: int | None = None

    def within(self, settings: ChannelSettings) -> "SamplingChoice":
        """How answers are drawn in a channel: what was chosen there goes before this."""
        chosen = {name: getattr(settings, name) for name in ("temperature", "top_p", "top_k")}
        return replace(self, **{name: value for name, value in chosen.items() if value is not None})

    def params(self, seed: int, max_new_tokens: int) -> SamplingParams:
        """The engine's params for one answer."""
        return SamplingParams(**{**asdict(self), "seed": seed, "max_new_tokens": max_new_tokens})


@dataclass(eq=False, slots=True)
class PendingAnswer:
    """An answer as it grows: what it is made from, and what came of it so far.

    What is shown is safe to show and has no blanks around it; all of it joined is `text`.
    """

    question: Question
    """As it stood when the answer was begun."""
    conversation: Conversation
    speakers: Speakers
    window: Window
    request: Request
    model_hash: str
    output: OutputFilter
    loops: LoopGuard
    recipe: Recipe
    started_at: float
    trim_notice: Phrase | None
    """What is to be said of the conversation's oldest part, which left the window for the first time."""
    text: str = ""
    reason: FinishReason = FinishReason.STOP
    has_begun: bool = False
    """Whether the model said anything yet."""
    beginning: str = ""
    """What was answered earlier, where this goes on with it; it stands at the beginning of `text`."""
    _counters: Counters = field(default_factory=Counters)
    is_loop: bool = False
    """It went round in a loop; all but one round of it was taken out of `text`."""
    _token_ids: list[int] = field(default_factory=list)
    _held_back: str = ""

    @property
    def is_cut(self) -> bool:
        """The rest of what the model says is not to be shown; nothing more is taken."""
        return self.output.is_cut or self.is_loop

    @property
    def says_nothing(self) -> bool:
        """Nothing came of it that could be kept, so an older answer stays as it is."""
        if self.beginning:  # that the model has nothing to add is an answer, too
            return not self._token_ids and self.reason is not FinishReason.STOP
        return not self.text

    def open(self) -> str:
        """The beginning that it goes on with, for as much as can be shown of it before what follows is known.

        Raises:
            UserError: the beginning would not be shown as it is any more.
        """
        shown = self._show(self.output.feed(self.beginning)) if self.beginning else ""
        self.loops.feed(shown, len(shown) // _CHARACTERS_PER_TOKEN)
        if self.is_cut:
            raise UserError(TOO_LONG_TO_CONTINUE)
        return shown

    def feed(self, delta: Delta) -> str:
        """Take what the engine said; returns what can be shown of it now."""
        self.has_begun = True
        self._token_ids += delta.token_ids
        self._counters = delta.counters or self._counters
        shown = self._show(self.output.feed(delta.text))
        kept = self.loops.feed(shown, len(delta.token_ids))
        if kept is not None:
            self.is_loop, self.text, self.reason = True, self.text[:kept].rstrip(), FinishReason.LOOP
        elif self.is_cut:
            self.reason = FinishReason.FORGED_SPEAKER
        else:
            self.reason = delta.finish_reason or self.reason
        return shown

    def fall_silent(self) -> None:
        """Nothing more is taken, because nothing came for too long."""
        self.reason = FinishReason.SILENCE

    def stop(self) -> None:
        """Nothing more is taken, because somebody asked for that."""
        self.reason = FinishReason.STOPPED

    def finish(self) -> str:
        """The last piece."""
        if self.is_loop:
            return ""
        shown = self._show(self.output.finish())
        if self.is_cut:
            self.reason = FinishReason.FORGED_SPEAKER
        return shown

    def notices(self) -> list[str]:
        """What is to be said of the way in which it ended."""
        words = {FinishReason.SILENCE: FELL_SILENT, FinishReason.STOPPED: STOPPED, FinishReason.LOOP: WENT_ROUND}
        notices: list[str] = [words[self.reason]] if self.reason in words else []
        if self.is_cut and self.output.is_doubtful and self.text:  # the line at which it was cut may be meant well
            notices.append(CUT_SHORT)
        return notices

    def stored(self) -> Answer:
        """It as the history keeps it.

        Raises:
            RequestFailed: the model said nothing.
        """
        if self.says_nothing:
            # After a silence it isn't the question's words that are to blame.
            raise RequestFailed() if self.reason is FinishReason.SILENCE else RequestFailed(NOTHING_SAID)
        return Answer(
            text=self.text,
            sampling=asdict(self.request.sampling),
            seed=self.request.sampling.seed,
            model_hash=self.model_hash,
            finish_reason=self.reason,
            persona=self.conversation.settings.persona.name,
            prompt_turn_ids=self.window.turn_ids,
            num_prompt_tokens=len(self.window.prompt_token_ids),
            num_new_tokens=self._total_new_tokens,
            persona_text=self.conversation.settings.persona.prompt,
            recipe=self.recipe.as_kept(),
            token_ids=self._token_ids,
        )

    def record(self, reason: FinishReason) -> AnswerRecord:
        """The record of it for an observer, now that it has ended."""
        key = self.question.conversation
        return AnswerRecord(
            platform=key.platform,
            channel_id=key.channel_id,
            message_id=self.question.message_id,
            num_prompt_tokens=len(self.request.prompt_token_ids),
            num_cached_tokens=self._counters.num_cached_tokens,
            num_new_tokens=self._total_new_tokens,
            first_token_seconds=self._counters.first_token_seconds,
            total_seconds=time.monotonic() - self.started_at,
            finish_reason=reason,
            guild_id=key.guild_id,
            was_trimmed=self.window.was_trimmed,
        )

    @property
    def num_new_tokens(self) -> int:
        """Tokens that were generated so far."""
        return len(self._token_ids)

    @property
    def first_token_seconds(self) -> float:
        """From the request to its first token; 0 until that is there."""
        return self._counters.first_token_seconds

    @property
    def num_cached_tokens(self) -> int:
        """Tokens of the prompt that were in the cache; 0 until the first word is there."""
        return self._counters.num_cached_tokens

    @property
    def _total_new_tokens(self) -> int:
        # Of an answer that was left early it is what came of it: the engine doesn't say.
        return max(self.num_new_tokens, self._counters.num_new_tokens)

    def _show(self, text: str) -> str:
        text = self._held_back + text if self.text else text.lstrip()
        shown = text.rstrip()
        self._held_back = text[len(shown) :]
        self.text += shown
        return shown


class AnswerWriter:
    """Begins answers, for any number of conversations at a time; see `Chat` for the arguments."""

    def __init__(
        self,
        history: History,
        engine: Engine,
        encoder: TurnEncoder,
        budget: TokenBudget,
        sampling: SamplingChoice,
        own_name: str,
        today: Callable[[], date],
        overheard: Overheard,
        observer: Observer,
        summaries: Summariser,
        setup: str = "",
    ) -> None:
        self._history = history
        self._setup = setup
        self._observer = observer
        self._engine = engine
        self._encoder = encoder
        self._budget = budget
        self.sampling = sampling
        """How answers are drawn from the next one on."""
        self._own_name = own_name
        self._today = today
        self._overheard = overheard
        self._summaries = summaries
        self.recollection = Recollection(history.transcripts, encoder)
        """What is found of conversations beyond their windows."""

    def new_seed(self, generation: int) -> int:
        """The seed for a question that has none yet; another one for each answer to it."""
        return secrets.randbits(32) if self.sampling.seed is None else self.sampling.seed + generation

    async def begin(
        self,
        attempt: Attempt,
        conversation: Conversation,
        max_queued_seconds: float | None,
        started_at: float,
    ) -> PendingAnswer:
        """Fit the prompt into the window, and make the request that waits `max_queued_seconds` in the engine's queue.

        Raises:
            PromptTooLong: the question alone doesn't fit.
            UserError: the answer that it goes on with has become too long.
        """
        question = attempt.question
        beginning = attempt.previous or "" if attempt.kind is AnswerKind.CONTINUED else ""
        speakers = Speakers(conversation.speakers, self._own_name)
        settings = conversation.settings
        budget = self._budget.with_longest_answer(settings.longest_answer)
        day = self._today()
        try:
            named, sections, window = await self._fit(question, conversation, speakers, budget, beginning, day)
            if window.was_trimmed and settings.recalls:
                # What has just left the window is looked up too: where it was, there is room for notes.
                conversation = _without_left(conversation, window)
                named, sections, fitted = await self._fit(question, conversation, speakers, budget, beginning, day)
                first = fitted.first_kept_turn_id or window.first_kept_turn_id
                window = replace(fitted, was_trimmed=True, first_kept_turn_id=first)
        except PromptTooLong as error:
            if beginning:
                raise UserError(TOO_LONG_TO_CONTINUE) from error
            raise
        if settings.summarises and (window.was_trimmed or conversation.first_kept_turn_id is not None):
            self._summaries.note_behind(question.conversation)
        sampling = self.sampling.within(settings).params(attempt.seed, budget.max_new_tokens)
        if attempt.kind is AnswerKind.AGAIN and sampling.temperature == 0:
            sampling = replace(sampling, temperature=AGAIN_TEMPERATURE)
        labels = named.labels.union(*(section.people for section in sections)) if named else frozenset[str]()
        return PendingAnswer(
            question=question,
            conversation=conversation,
            speakers=speakers,
            window=window,
            request=self._request(attempt, window, sampling, max_queued_seconds),
            model_hash=self._engine.model_hash,
            output=OutputFilter(self._encoder.format.tags, labels, self._own_name, question=question.content),
            loops=LoopGuard(times_asked(question.content)),
            recipe=Recipe.of(
                window.prompt_token_ids,
                budget,
                conversation,
                sections,
                day,
                beginning=beginning if attempt.kind is AnswerKind.CONTINUED else None,
                setup=self._setup,
            ),
            started_at=started_at,
            trim_notice=await self._trim_notice(conversation, window) if window.was_trimmed else None,
            beginning=beginning,
        )

    async def measure(
        self, conversation: Conversation, person_id: int, person_name: str
    ) -> tuple[WindowUse, TokenBudget]:
        """What the next prompt would be made of if this person asked, and the budget that holds there."""
        is_direct = conversation.key.guild_id is None
        speakers = Speakers(conversation.speakers, self._own_name)
        named = None if is_direct else name_turns(conversation.turns, speakers, person_id, person_name)
        budget = self._budget.with_longest_answer(conversation.settings.longest_answer)
        sections = self._standing(conversation, speakers, (person_id, person_name), self._today())
        if (summary := await self._summary(conversation, budget)) is not None:
            sections.append(summary)
        use = await asyncio.to_thread(
            measure_window,
            self._encoder,
            budget,
            sections,
            named.turns if named else conversation.turns,
            author_name=named.asker if named else None,
            own_name=self._own_name,
        )
        return use, budget

    async def _fit(
        self,
        question: Question,
        conversation: Conversation,
        speakers: Speakers,
        budget: TokenBudget,
        beginning: str,
        day: date,
    ) -> tuple[NamedTurns | None, list[Section], Window]:
        named = None if question.is_direct else _named(question, conversation, speakers)
        sections = await self._sections(question, conversation, speakers, budget, day)
        window = await fit_window_off_loop(
            self._encoder,
            budget,
            sections,
            named.turns if named else conversation.turns,
            question.content,
            author_name=named.asker if named else None,
            own_name=self._own_name,
            beginning=beginning,
        )
        return named, sections, window

    def _standing(
        self, conversation: Conversation, speakers: Speakers, asker: tuple[int, str], day: date
    ) -> list[Section]:
        """What stands in every prompt of a conversation, until somebody changes it."""
        pins = section_of(conversation.pins, conversation, speakers, asker)
        return [*conversation.settings.sections(day), *([pins] if pins is not None else [])]

    async def _sections(
        self, question: Question, conversation: Conversation, speakers: Speakers, budget: TokenBudget, day: date
    ) -> list[Section]:
        settings, key, notes = conversation.settings, question.conversation, None
        summary = await self._summary(conversation, budget)
        if settings.recalls and conversation.first_kept_turn_id is not None:
            began_at = time.monotonic()
            notes = await self.recollection.section(conversation, question, speakers, budget.num_prompt_tokens)
            self._observer.on_recall(time.monotonic() - began_at)
        heard = self._overheard.section(self._encoder, key, question.message_id, settings.reads_others, speakers)
        standing = self._standing(conversation, speakers, (question.author_id, question.author_name), day)
        return [*standing, *(section for section in (summary, notes, heard) if section is not None)]

    async def _summary(self, conversation: Conversation, budget: TokenBudget) -> Section | None:
        return await self._summaries.section(conversation, budget) if conversation.settings.summarises else None

    async def _trim_notice(self, conversation: Conversation, window: Window) -> Phrase | None:
        key, epoch = conversation.key, conversation.epoch
        if window.first_kept_turn_id is not None:
            await self._history.move_first_kept(key, epoch, window.first_kept_turn_id)
        if conversation.is_trim_announced or not await self._history.mark_trim_announced(key, epoch):
            return None
        return TRIM_NOTICE_RECALL if conversation.settings.recalls else TRIM_NOTICE

    def _request(
        self, attempt: Attempt, window: Window, sampling: SamplingParams, max_queued_seconds: float | None
    ) -> Request:
        question, key = attempt.question, attempt.question.conversation
        guild = f"guild {key.guild_id}" if key.guild_id is not None else f"person {question.author_id}"
        return Request(
            prompt_token_ids=window.prompt_token_ids,
            sampling=sampling,
            cache_owner=key.cache_owner,
            num_shared_prefix_tokens=window.num_shared_prefix_tokens,
            fairness=FairnessKey(guild, str(key.channel_id), str(question.author_id)),
            max_queued_seconds=max_queued_seconds,
            name=engine_name(question),
            is_continued=attempt.kind is AnswerKind.CONTINUED,
        )


def _named(question: Question, conversation: Conversation, speakers: Speakers) -> NamedTurns:
    return name_turns(conversation.turns, speakers, question.author_id, question.author_name)


def _without_left(conversation: Conversation, window: Window) -> Conversation:
    """A conversation that begins where its window does now."""
    first = window.first_kept_turn_id
    turns = tuple(turn for turn in conversation.turns if turn.id in window.turn_ids)
    return replace(conversation, first_kept_turn_id=first, turns=turns)
