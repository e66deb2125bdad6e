"""Another answer to a question that is answered: again, further, or to its words as they were edited.

Only the last turn of a conversation is answered anew, and only while nothing else is asked there: what was said later
rests on the older ones. The new answer is an `Exchange` like any other. The old one stays valid until the new one is
complete; both are replaced in one transaction, and where nothing comes of the new one, the old one stays.

A question that got no answer at all is asked anew by its edit.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.chat.answer import can_continue
from bot.chat.exchange import Exchange
from bot.chat.exchange_context import ExchangeContext
from bot.chat.queue import Slot
from bot.chat.registry import ExchangeRegistry
from bot.conversation.messages import ConversationKey, Question
from bot.conversation.sanitize import repair
from bot.errors import EngineOverloaded, TurnsSpent, UserError
from bot.store.rows.questions import AnswerKind, InboxState, OpenQuestion
from bot.store.rows.turn_limits import TakenTurn
from bot.words import phrase

BUSY = phrase("still_answering")
NOT_THE_LAST = phrase("not_the_last")
IS_COMPLETE = phrase("is_complete")
LATEST_EDIT = timedelta(minutes=15)
"""A question that is edited later than this after it was asked isn't answered again."""
_DELIVERY_LIMIT_SECONDS = 120.0
_UNANSWERED = frozenset({InboxState.FAILED, InboxState.REFUSED, InboxState.EXPIRED})


@dataclass(frozen=True, slots=True)
class Edit:
    """What an edit led to: whether the question is known at all, and its new exchange where it is answered again."""

    is_known: bool
    exchange: Exchange | None = None
    refusal: UserError | None = None
    """Why its new words aren't answered, although they would be otherwise."""
    is_remembered: bool = True
    """Whether they are remembered; those of a question that was never answered aren't."""


class Regeneration:
    """Begins exchanges for questions that were answered before; see `Chat` for what its methods do."""

    def __init__(self, context: ExchangeContext, registry: ExchangeRegistry[Exchange]) -> None:
        self._context = context
        self._registry = registry
        self._editing = asyncio.Lock()
        """Held while an edit of an answered question is followed, so that they are in order."""

    async def again(self, key: ConversationKey, message_id: int, person_id: int, generation: int | None) -> Exchange:
        """Have the last turn's question answered again."""
        here = await self._conversation(key, message_id)
        return await self._begin(here, message_id, person_id, AnswerKind.AGAIN, generation)

    async def continue_answer(
        self, key: ConversationKey, message_id: int, person_id: int, generation: int | None
    ) -> Exchange:
        """Have the last turn's answer gone on with."""
        here = await self._conversation(key, message_id)
        last = await self._context.inbox.last_turn(here)
        if last is not None and last.message_id == message_id and not can_continue(last.finish_reason):
            raise UserError(BUSY if last.is_open else IS_COMPLETE)
        return await self._begin(here, message_id, person_id, AnswerKind.CONTINUED, generation)

    async def edit(self, question: Question, edited_at: datetime | None, *, is_live: bool = True) -> Edit:
        """Follow the edit of a question; `edited_at` None only changes what is remembered.

        What got no answer is asked anew by a live edit alone: of one that is only found, nobody knows whether it was
        followed before.
        """
        platform, message_id = question.conversation.platform, question.message_id
        content = repair(question.content)
        exchange = self._registry.asked_by(platform, message_id)
        if exchange is not None:
            if await exchange.edit(content):
                return Edit(is_known=True)
            # The answer is complete and only has to be shown; then it can be replaced. Not where an edit is found among
            # what was missed: until that is gone through, nothing of its channel is shown.
            with suppress(TimeoutError):
                async with asyncio.timeout(_DELIVERY_LIMIT_SECONDS if is_live else 0):
                    await exchange.wait_closed()
        async with self._editing:
            if self._registry.asked_by(platform, message_id) in (None, exchange):
                key = await self._context.inbox.conversation_of(platform, message_id)
                if key is None:
                    return Edit(is_known=exchange is not None)
                if edited_at is not None and await self._context.inbox.state(platform, message_id) in _UNANSWERED:
                    if not is_live:
                        return Edit(is_known=True)
                    return await self._ask_anew(key, replace(question, content=content), edited_at)
                return await self._edit_answered(key, message_id, content, question.author_id, edited_at)
        return await self.edit(question, edited_at, is_live=is_live)  # an earlier edit is being answered by now

    async def _edit_answered(
        self, key: ConversationKey, message_id: int, content: str, author_id: int, edited_at: datetime | None
    ) -> Edit:
        queue, since, slot, refusal = self._context.queue, None, None, None
        is_last = edited_at is not None and await self._is_last(key, message_id, edited_at - LATEST_EDIT)
        try:
            if edited_at is not None and is_last and not queue.is_busy(key.identity):
                try:
                    slot = queue.join(key.identity, author_id, guild=key.guild_id)
                    await self._take_turn(key, message_id, author_id, edited_at)
                    since = edited_at - LATEST_EDIT
                except (EngineOverloaded, TurnsSpent) as error:
                    refusal = error
            edited = await self._context.inbox.edit_answered(key, message_id, content, answered_again_since=since)
            if edited:
                self._context.writer.recollection.forget(key)
                await self._context.engine.forget(key.cache_owner)
        except BaseException:
            self._leave(slot)
            raise
        if isinstance(edited, OpenQuestion):
            return Edit(True, Exchange(edited.question, self._context, self._registry, edited, slot))
        self._leave(slot)
        return Edit(True, refusal=refusal if edited else None)

    async def _ask_anew(self, key: ConversationKey, question: Question, edited_at: datetime) -> Edit:
        """Ask a question that got no answer in other words: nothing but the notice why stands there."""
        slot = None
        try:
            slot = self._context.queue.join(key.identity, question.author_id, guild=key.guild_id)
            await self._take_turn(key, question.message_id, question.author_id, edited_at)
            opened = await self._context.inbox.reopen(key, question, edited_at - LATEST_EDIT)
        except (EngineOverloaded, TurnsSpent) as refusal:
            self._leave(slot)
            return Edit(True, refusal=refusal, is_remembered=False)
        except BaseException:
            self._leave(slot)
            raise
        if opened is None:
            self._leave(slot)
            return Edit(True)
        return Edit(True, Exchange(opened.question, self._context, self._registry, opened, slot))

    async def _begin(
        self, key: ConversationKey, message_id: int, person_id: int, kind: AnswerKind, generation: int | None
    ) -> Exchange:
        queue = self._context.queue
        # Nothing is awaited in between: whoever asks something from now on waits behind it.
        if queue.is_busy(key.identity):
            raise UserError(BUSY)
        slot = queue.join(key.identity, person_id, guild=key.guild_id)
        try:
            opened = await self._context.inbox.begin_generation(key, message_id, kind, generation=generation)
            if opened is None:
                raise UserError(NOT_THE_LAST)
        except BaseException:
            self._leave(slot)
            raise
        return Exchange(opened.question, self._context, self._registry, opened, slot)

    async def _is_last(self, key: ConversationKey, message_id: int, since: datetime) -> bool:
        """Whether a question is the last turn's, and was asked late enough to be answered again."""
        last = await self._context.inbox.last_turn(key)
        return last is not None and last.message_id == message_id and last.asked_at >= since

    async def _take_turn(self, key: ConversationKey, message_id: int, author_id: int, edited_at: datetime) -> None:
        """Count an edit that will be answered against what its author may ask in an hour."""
        act_id = message_id ^ int(edited_at.timestamp() * 1000)  # an edit has no id of its own
        turn = TakenTurn(key.accounts, act_id, author_id, key.guild_id)
        await self._context.inbox.take_turn(turn, self._context.turn_limits)

    async def _conversation(self, key: ConversationKey, message_id: int) -> ConversationKey:
        """The conversation in which a question was asked, in that channel: its people's, or a person's own."""
        here = await self._context.inbox.conversation_of(key.platform, message_id)
        if here is None or here.channel_id != key.channel_id:
            raise UserError(NOT_THE_LAST)
        return here

    def _leave(self, slot: Slot | None) -> None:
        if slot is not None:
            self._context.queue.leave(slot)
