"""From a question to its stored answer: the history, the prompt that fits, the engine, and what people get to see."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import asdict, dataclass, replace

from bot.chat.events import Finished, Notice, ReplyEvent, TextDelta
from bot.chat.outage import Outage
from bot.chat.stopping import Stop
from bot.conversation.chat_format import TurnEncoder
from bot.conversation.messages import Question
from bot.conversation.output import OutputFilter
from bot.conversation.persona import Persona
from bot.conversation.speakers import NamedTurns, Speakers, name_turns
from bot.conversation.window import TokenBudget, Window, fit_window_off_loop
from bot.errors import RequestFailed
from bot.inference.engine import Counters, Delta, Engine, FairnessKey, FinishReason, Request, SamplingParams
from bot.store.rows.history import Conversation, History
from bot.store.rows.questions import engine_name
from bot.store.rows.turns import Answer

log = logging.getLogger(__name__)

TRIM_NOTICE = "This conversation is longer than I can read at once, so from here on I forget its oldest part."
FELL_SILENT = "I stopped here, because my next word took too long."
CUT_SHORT = "I stopped here, because the next line would have been somebody else's."
NOTHING_SAID = "I found nothing to say to that. Please ask in other words."


_DEFAULTS = SamplingParams()


@dataclass(frozen=True, slots=True)
class SamplingChoice:
    """How answers are drawn; how long they may get is the token budget's. `seed` None draws one for every question."""

    temperature: float = _DEFAULTS.temperature
    top_p: float = _DEFAULTS.top_p
    top_k: int = _DEFAULTS.top_k
    repetition_penalty: float = _DEFAULTS.repetition_penalty
    seed: int | None = None

    def params(self, seed: int, max_new_tokens: int) -> SamplingParams:
        """The engine's params for one answer."""
        return SamplingParams(max_new_tokens, self.temperature, self.top_p, self.top_k, self.repetition_penalty, seed)


class AnswerText:
    """An answer as it grows: safe to show, without blanks around it. The pieces joined are `text`."""

    def __init__(self, output: OutputFilter) -> None:
        self.text = ""
        self.reason = FinishReason.STOP
        self._counters = Counters()
        self._num_new_tokens = 0
        self._output = output
        self._held_back = ""

    @property
    def is_cut(self) -> bool:
        """The rest of what the model says is not to be shown; nothing more is taken."""
        return self._output.is_cut

    @property
    def is_doubtful(self) -> bool:
        """The line at which the answer was cut may have been meant well."""
        return self._output.is_doubtful

    @property
    def counters(self) -> Counters:
        """What the engine counted. Of an answer that was left early it is what came of it: the engine doesn't say."""
        return replace(self._counters, num_new_tokens=max(self._num_new_tokens, self._counters.num_new_tokens))

    def feed(self, delta: Delta) -> str:
        """Take what the engine said; returns what can be shown of it now."""
        self._num_new_tokens += len(delta.token_ids)
        self._counters = delta.counters or self._counters
        shown = self._show(self._output.feed(delta.text))
        if self.is_cut:
            self.reason = FinishReason.FORGED_SPEAKER
        else:
            self.reason = delta.finish_reason or self.reason
        return shown

    def fall_silent(self) -> None:
        """Nothing more is taken, because nothing came for too long."""
        self.reason = FinishReason.SILENCE

    def finish(self) -> str:
        """The last piece."""
        shown = self._show(self._output.finish())
        if self.is_cut:
            self.reason = FinishReason.FORGED_SPEAKER
        return shown

    def _show(self, text: str) -> str:
        text = self._held_back + text if self.text else text.lstrip()
        shown = text.rstrip()
        self._held_back = text[len(shown) :]
        self.text += shown
        return shown


class AnswerWriter:
    """Writes one answer at a time for any number of conversations; see `Chat` for the arguments."""

    def __init__(
        self,
        history: History,
        engine: Engine,
        encoder: TurnEncoder,
        budget: TokenBudget,
        sampling: SamplingChoice,
        own_name: str,
        silence_seconds: float,
        outage: Outage,
    ) -> None:
        self._outage = outage
        self._history = history
        self._engine = engine
        self._encoder = encoder
        self._budget = budget
        self._sampling = sampling
        self._own_name = own_name
        self._silence_seconds = silence_seconds

    async def write(
        self, question: Question, seed: int, stop: Stop, patience_seconds: float | None = None
    ) -> AsyncGenerator[ReplyEvent, None]:
        """Stream the answer and store it as a whole; the last event is `Finished`.

        In the engine's queue it waits `patience_seconds` at most. It ends with `ABORTED`, and nothing is stored, if
        `stop` is thrown or the conversation is reset meanwhile.

        Raises:
            UserError, EngineError, StoreError: as `Chat.reply` says.
        """
        started_at = time.monotonic()
        conversation = await self._outage.outlast(question, lambda: self._history.load(question.conversation))
        persona = conversation.settings.persona
        speakers = Speakers(conversation.speakers, self._own_name)
        named = None if question.is_direct else _named(question, conversation, speakers)
        window = await self._fit(question, conversation, named)
        if window.was_trimmed and await self._is_first_trim(conversation, window):
            yield Notice(TRIM_NOTICE)
        request = self._request(question, window, seed, patience_seconds)
        labels = named.labels if named else ()
        answer = AnswerText(OutputFilter(self._encoder.format.tags, labels, self._own_name, question=question.content))
        async with aclosing(self._texts(request, answer, stop)) as texts:
            async for text in texts:
                yield TextDelta(text)
        if answer.reason is FinishReason.SILENCE:
            yield Notice(FELL_SILENT)
        if answer.is_cut and answer.is_doubtful and answer.text:
            yield Notice(CUT_SHORT)
        turn_id = None
        if not stop.is_thrown:
            stored = self._stored(persona, window, request, answer)
            turn_id = await self._outage.outlast(
                question,
                lambda: self._history.save_turn(question, stored, epoch=conversation.epoch, speakers=speakers.given),
            )
        is_stored = turn_id is not None
        if not is_stored:
            await self._engine.forget(request.cache_owner)
        reason = answer.reason if is_stored else FinishReason.ABORTED
        _log_answer(question, answer.counters, len(request.prompt_token_ids), time.monotonic() - started_at, reason)
        yield Finished(reason)

    async def _texts(self, request: Request, answer: AnswerText, stop: Stop) -> AsyncGenerator[str, None]:
        # The first token may take its time: the engine's queue and its watchdog have limits of their own.
        patience: float | None = None
        async with aclosing(self._engine.generate(request)) as deltas:
            while not answer.is_cut:
                try:
                    async with asyncio.timeout(patience):
                        delta = await stop.next(deltas)
                except TimeoutError:
                    answer.fall_silent()
                    break
                if delta is None:
                    break
                if text := answer.feed(delta):
                    yield text
                patience = self._silence_seconds
        if not stop.is_thrown and (text := answer.finish()):
            yield text

    async def _fit(self, question: Question, conversation: Conversation, named: NamedTurns | None) -> Window:
        return await fit_window_off_loop(
            self._encoder,
            self._budget,
            conversation.settings.sections,
            named.turns if named else conversation.turns,
            question.content,
            author_name=named.asker if named else None,
            own_name=self._own_name,
        )

    async def _is_first_trim(self, conversation: Conversation, window: Window) -> bool:
        if window.first_kept_turn_id is not None:
            key, epoch = conversation.key, conversation.epoch
            await self._history.move_first_kept(key, epoch, window.first_kept_turn_id)
        return not conversation.trim_told and await self._history.mark_trim_told(conversation.key, conversation.epoch)

    def _request(self, question: Question, window: Window, seed: int, patience_seconds: float | None) -> Request:
        key = question.conversation
        guild = f"guild {key.guild_id}" if key.guild_id is not None else f"person {question.author_id}"
        return Request(
            prompt_token_ids=window.prompt_token_ids,
            sampling=self._sampling.params(seed, self._budget.max_new_tokens),
            cache_owner=key.cache_owner,
            num_shared_prefix_tokens=window.num_shared_prefix_tokens,
            fairness=FairnessKey(guild, str(key.channel_id), str(question.author_id)),
            max_queued_seconds=patience_seconds,
            name=engine_name(question),
        )

    def _stored(self, persona: Persona, window: Window, request: Request, answer: AnswerText) -> Answer:
        if not answer.text:
            # After a silence it isn't the question's words that are to blame.
            raise RequestFailed() if answer.reason is FinishReason.SILENCE else RequestFailed(NOTHING_SAID)
        return Answer(
            text=answer.text,
            sampling=asdict(request.sampling),
            seed=request.sampling.seed,
            model_hash=self._engine.model_hash,
            finish_reason=answer.reason,
            persona=persona.name,
            prompt_turn_ids=window.turn_ids,
            num_prompt_tokens=len(window.prompt_token_ids),
            num_new_tokens=answer.counters.num_new_tokens,
        )


def _named(question: Question, conversation: Conversation, speakers: Speakers) -> NamedTurns:
    return name_turns(conversation.turns, speakers, question.author_id, question.author_name)


def _log_answer(
    question: Question, counters: Counters, num_prompt_tokens: int, seconds: float, reason: FinishReason
) -> None:
    key = question.conversation
    log.info(
        "answered %s:%s question %s: prompt %d tokens, %d cached, %d new, first after %.2f s, %.2f s in all, %s",
        key.platform,
        key.channel_id,
        question.message_id,
        num_prompt_tokens,
        counters.num_cached_tokens,
        counters.num_new_tokens,
        counters.first_token_seconds,
        seconds,
        reason,
    )
