"""A running summary of what has left a conversation's window, written by the model itself in the background.

It is written a few turns at a time, the newest first, whenever nobody is being answered; a question that comes
meanwhile goes first, and what was begun is given up and written again later. Which turns wait for it is seen in the
database, so nothing has to be kept over a restart: the conversation's next question brings it up again. What kills the
process twice is set aside there (`store/rows/summaries.py`).

In the prompt it stands right before the notes, for the same reason as these: what stands before it stays the same.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing

from bot.chat.recollection import labels_of
from bot.conversation.chat_format import TurnEncoder
from bot.conversation.messages import ConversationKey
from bot.conversation.notes import (
    NOTHING,
    SUMMARY_PROMPT,
    THE_BOT,
    THE_USER,
    note,
    summary_question,
    summary_text,
)
from bot.conversation.sections import Place, Section
from bot.conversation.speakers import Speakers
from bot.conversation.window import TokenBudget
from bot.errors import EngineError, UserError
from bot.inference.engine import BACKGROUND, Engine, FairnessKey, FinishReason, Request, SamplingParams
from bot.store.rows.history import Conversation, History
from bot.store.rows.summaries import Piece, engine_name
from bot.store.rows.transcripts import SaidTurn

log = logging.getLogger(__name__)

SUMMED_UP = "summary"
"""The section's name."""
SHARE_OF_PROMPT = 6
"""The summary takes a sixth of the prompt's tokens at most; its oldest lines go first."""
_MAX_TOKENS = 512
TURNS_AT_ONCE = 4
_NOTE_CHARACTERS = 300
_NEW_TOKENS = 192
_MOST_LINES = 12
_LINE_CHARACTERS = 200
_MOST_BEHIND = 1000
"""Conversations that wait for their summary; of more, the one that waits longest is left to its next question."""


class Summariser:
    """Writes summaries and puts them into prompts.

    Args:
        history: where turns and summaries are.
        engine: writes.
        encoder: knows what a line costs.
        budget: what a prompt may cost.
        own_name: the name that nobody else has.
        until_quiet: waits until nobody is being answered.
    """

    def __init__(
        self,
        history: History,
        engine: Engine,
        encoder: TurnEncoder,
        budget: TokenBudget,
        own_name: str,
        until_quiet: Callable[[], Awaitable[object]],
    ) -> None:
        self._history = history
        self._engine = engine
        self._encoder = encoder
        self._budget = budget
        self._own_name = own_name
        self._until_quiet = until_quiet
        self._behind: dict[tuple[str, int, int | None], ConversationKey] = {}
        self._is_behind = asyncio.Event()
        self._writing: asyncio.Timeout | None = None

    @property
    def is_behind(self) -> bool:
        """Whether there may be something that is to be summed up."""
        return bool(self._behind) or self._writing is not None

    async def section(self, conversation: Conversation, budget: TokenBudget) -> Section | None:
        """The summary of what came before the first kept turn; None where there is nothing in it."""
        first = conversation.first_kept_turn_id
        if first is None:
            return None
        pieces = await self._history.summaries.pieces(conversation.key, first)
        return await asyncio.to_thread(summary_section, self._encoder, pieces, conversation, budget.num_prompt_tokens)

    def note_behind(self, key: ConversationKey) -> None:
        """A conversation may have turns that are to be summed up, once there is time for it."""
        self._behind[key.identity] = key
        if len(self._behind) > _MOST_BEHIND:
            del self._behind[next(iter(self._behind))]
        self._is_behind.set()

    def make_way(self) -> None:
        """Give up what is being written: somebody asks, or its words are taken back."""
        if self._writing is not None and not self._writing.expired():
            self._writing.reschedule(asyncio.get_running_loop().time())

    async def run(self) -> None:
        """Write whatever is to be summed up, for as long as the bot runs."""
        while True:
            await self._is_behind.wait()
            await self._until_quiet()
            await self.write_next()

    async def write_next(self) -> bool:
        """Write one piece for the conversation that waits longest; False where it needs none, or it was given up."""
        if not self._behind:
            self._is_behind.clear()
            return False
        key = self._behind.pop(next(iter(self._behind)))
        is_written, is_given_up = False, False
        try:
            async with asyncio.timeout(None) as writing:
                self._writing = writing
                is_written = await self._write_piece(key)
        except TimeoutError:
            if not writing.expired():
                raise
            is_given_up = True
        except (EngineError, UserError) as error:
            log.warning("a summary could not be written: %s", error)
        finally:
            self._writing = None
        if is_written or is_given_up:
            self.note_behind(key)
        elif not self._behind:
            self._is_behind.clear()
        return is_written

    async def _write_piece(self, key: ConversationKey) -> bool:
        conversation = await self._history.load(key)
        first = conversation.first_kept_turn_id
        if first is None or not conversation.settings.summarises or self._engine.is_asleep:
            return False
        turns = await self._history.summaries.unsummarised(key, first, TURNS_AT_ONCE)
        pieces = await self._history.summaries.pieces(key, first)
        if not turns or not self._has_room(pieces, turns[-1].id):
            return False
        turns, prompt = await asyncio.to_thread(self._prompt, conversation, turns)
        lines = await self._write(key, turns, prompt) if prompt else []
        return await self._history.summaries.save(key, conversation.epoch, turns, lines)

    def _has_room(self, pieces: Sequence[Piece], turn_id: int) -> bool:
        """Whether lines of that turn would be in the prompt, beside those of later ones."""
        max_tokens = _most_tokens(self._budget.num_prompt_tokens)
        later = [line for piece in pieces if piece.first_turn_id > turn_id for line in piece.lines]
        return not later or _cost(self._encoder, later) < max_tokens

    def _prompt(self, conversation: Conversation, turns: list[SaidTurn]) -> tuple[list[SaidTurn], tuple[int, ...]]:
        """The turns that fit into one prompt, and that prompt; an empty one where not even one does."""
        is_direct = conversation.key.guild_id is None
        labels = {} if is_direct else labels_of(turns, conversation, Speakers(conversation.speakers, self._own_name))
        system_message = self._clean(SUMMARY_PROMPT)
        for characters in (_NOTE_CHARACTERS, _NOTE_CHARACTERS // 4):
            kept = turns
            while kept:
                notes = [line for turn in kept for line in _notes(turn, labels, characters)]
                ids = tuple(self._encoder.turn(self._clean(summary_question(notes)), system_message=system_message))
                if len(ids) <= self._budget.num_prompt_tokens:
                    return kept, ids
                kept = kept[: len(kept) // 2]
        return turns[:1], ()

    async def _write(self, key: ConversationKey, turns: Sequence[SaidTurn], prompt: tuple[int, ...]) -> list[str]:
        owner = f"summary {key.cache_owner}"
        guild = f"guild {key.guild_id}" if key.guild_id is not None else f"channel {key.channel_id}"
        request = Request(
            prompt_token_ids=prompt,
            sampling=SamplingParams(max_new_tokens=min(_NEW_TOKENS, self._budget.max_new_tokens)),
            cache_owner=owner,
            num_shared_prefix_tokens=len(self._encoder.shared_prefix(self._clean(SUMMARY_PROMPT))),
            fairness=FairnessKey(guild, str(key.channel_id)),
            priority=BACKGROUND,
            name=engine_name(turns),
        )
        text, reason = "", None
        try:
            async with aclosing(self._engine.generate(request)) as deltas:
                async for delta in deltas:
                    text, reason = text + delta.text, delta.finish_reason
        finally:
            await self._engine.forget(owner)
        return _lines(text, is_cut=reason is FinishReason.LENGTH)

    def _clean(self, text: str) -> str:
        return self._encoder.format.tags.clean(text)


def summary_section(
    encoder: TurnEncoder, pieces: Sequence[Piece], conversation: Conversation, num_prompt_tokens: int
) -> Section | None:
    """The place in a prompt of as many of the newest lines as there is room for; None where there is none."""
    max_tokens = _most_tokens(num_prompt_tokens)
    lines = _last_of_each(line for piece in pieces for line in piece.lines)
    while lines and _cost(encoder, lines) > max_tokens:
        lines = lines[max(1, len(lines) // 8) :]
    if not lines:
        return None
    is_direct = conversation.key.guild_id is None
    people = frozenset[str]() if is_direct else frozenset(speaker.label for speaker in conversation.speakers)
    made_of = tuple(piece.id for piece in pieces)
    return Section(SUMMED_UP, summary_text(lines), max_tokens, Place.NEWEST_QUESTION, people=people, made_of=made_of)


def _most_tokens(num_prompt_tokens: int) -> int:
    return min(_MAX_TOKENS, num_prompt_tokens // SHARE_OF_PROMPT)


def _cost(encoder: TurnEncoder, lines: Sequence[str]) -> int:
    return encoder.num_added_tokens(encoder.format.tags.clean(summary_text(lines)))


def _notes(turn: SaidTurn, labels: dict[int, str], characters: int) -> tuple[str, str]:
    """A turn as whoever sums it up sees it."""
    return (
        note(turn.asked_at, labels.get(turn.author_id, THE_USER), turn.question, characters),
        note(turn.answered_at, THE_BOT, turn.answer, characters),
    )


def _lines(text: str, *, is_cut: bool) -> list[str]:
    """The lines of a summary as the model wrote them, without what it marked them with."""
    lines = [" ".join(line.lstrip("-–—•*· \t").split()) for line in text.splitlines()]
    lines = [line[:_LINE_CHARACTERS] for line in lines if line and line.rstrip(".").casefold() != NOTHING]
    if is_cut and len(lines) > 1:
        lines.pop()  # the last one ended at the limit
    return _last_of_each(lines[:_MOST_LINES])


def _last_of_each(lines: Iterable[str]) -> list[str]:
    """Lines, each once: where it was said last, for there it holds."""
    return [*dict.fromkeys([*lines][::-1])][::-1]
