"""Answers that live in the reply to a command: for the asker alone, or where the bot isn't a member of the place.

There the bot may write nothing but that reply, for a quarter of an hour, by a token that is stored nowhere. So such an
answer is remembered nowhere either: its turn, and that it was asked, is deleted as soon as it is shown, and what a
process leaves unfinished is dropped by the next one. Nobody else may see it, so it has no place in the channel's
conversation.
"""

import asyncio
import io
import logging
from collections.abc import Sequence
from contextlib import aclosing, suppress
from typing import Any

import discord
from discord.http import Route, handle_message_parameters
from discord.utils import MISSING

from bot.chat.chat import (
    Anew,
    Chat,
    Exchange,
    Finished,
    InboxState,
    Notice,
    Preparation,
    ReplyEvent,
    StopReason,
    TextDelta,
)
from bot.conversation.messages import Question
from bot.conversation.shard import WHOLE, Shard
from bot.delivery.outcomes import STOPPED_BY_RESET, STOPPED_UNSAID, outcome_of, outcome_of_stop
from bot.delivery.refusals import MessageGone, RateLimited, Rejected, Unclear, Unreachable
from bot.delivery.sender import Sender
from bot.delivery.shown_text import ShownText
from bot.delivery.split import MESSAGE_UNITS, utf16_length
from bot.discord.interaction_requests import respond, until_taken
from bot.discord.rest import FILE_NAME, TIME_LIMIT, translated
from bot.errors import DiscordError, StoreError
from bot.inference.engine import FinishReason
from bot.words import in_language, phrase

log = logging.getLogger(__name__)

PLATFORM = "discord-interaction"
"""Its questions are kept apart from those that messages ask: none of them is ever answered in a channel."""
RESTARTING = phrase("restarting")
OUT_OF_TIME = phrase("out_of_time")
_LONGEST_SECONDS = 14 * 60.0
"""The token is valid for fifteen minutes; the last edit needs some of the last one."""
_PAUSE_SECONDS = 2.0
"""Before the next edit, after one that failed."""
_LAST_WORDS_SECONDS = 2.0


async def drop_unfinished(chat: Chat, shard: Shard = WHOLE) -> None:
    """End what an earlier process left in a shard, without a trace: nobody can be reached any more."""
    for exchange in await chat.resume(PLATFORM, shard):
        try:
            await exchange.finish(InboxState.EXPIRED, keeps_answer=False)
        finally:
            exchange.close()
    await chat.forget_ended(PLATFORM)


class InteractionAnswers:
    """Answers questions in the replies to the interactions that asked them."""

    def __init__(self, chat: Chat, sender: Sender, longest_seconds: float = _LONGEST_SECONDS) -> None:
        self._chat = chat
        self._sender = sender
        self._longest_seconds = longest_seconds

    async def answer(
        self,
        interaction: discord.Interaction,
        question: Question,
        *,
        is_private: bool,
        prepare: Preparation | None = None,
    ) -> None:
        """Answer a question whose platform is `PLATFORM`; `is_private` shows the answer to the asker alone."""
        reply = _GrowingReply(interaction, self._sender)
        exchange = self._chat.open(question, prepare)
        exchange.task = asyncio.current_task()
        try:
            await respond(interaction, lambda: interaction.response.defer(ephemeral=is_private, thinking=True))
            try:
                async with asyncio.timeout(self._longest_seconds):
                    is_ours = await self._answer(exchange, reply)
            except TimeoutError:
                reply.note(OUT_OF_TIME)
                is_ours = True
            if is_ours:
                await reply.finish()
        except asyncio.CancelledError:
            with suppress(TimeoutError, DiscordError, discord.DiscordException):
                async with asyncio.timeout(_LAST_WORDS_SECONDS):
                    reply.note(RESTARTING)
                    await reply.finish()
            raise
        except (DiscordError, discord.DiscordException) as error:
            log.warning("the answer to a command in channel %s isn't shown: %s", interaction.channel_id, error)
        finally:
            exchange.close()

    async def _answer(self, exchange: Exchange, reply: "_GrowingReply") -> bool:
        """Write the answer into the reply; False where nothing is to be shown: it was received before, or erased."""
        state = InboxState.FAILED
        try:
            if not await exchange.receive():
                return False
            async with exchange.until_stopped(), aclosing(exchange.events()) as events:
                reply.note(*exchange.notes)
                async for event in events:
                    await _follow(event, exchange, reply)
                state = InboxState.ANSWERED
        except Rejected as error:
            reply.refuse(outcome_of(error).logged(exchange, error).sentence)
        except (DiscordError, discord.DiscordException):
            raise
        except asyncio.CancelledError:
            state = InboxState.EXPIRED  # as the next process would say of it
            raise
        except Exception as error:
            stopped = outcome_of_stop(exchange)
            outcome = (stopped or outcome_of(error)).logged(exchange, error)
            if stopped is not None:
                state = InboxState.WITHDRAWN
                await reply.take_back()
                return False
            reply.note(outcome.sentence or phrase("not_possible_now"))
        finally:
            with suppress(StoreError):
                if exchange.is_committed:
                    await exchange.finish(state, keeps_answer=False)
                await exchange.forget()
        return True


async def _follow(event: ReplyEvent, exchange: Exchange, reply: "_GrowingReply") -> None:
    match event:
        case TextDelta(text):
            await reply.write(text)
            exchange.note_shown()
        case Notice(text):
            reply.note(text)
        case Anew(text):
            reply.begin_anew()
            await reply.write(text)
        case Finished(FinishReason.ABORTED):
            reply.note(STOPPED_UNSAID if exchange.stopped is StopReason.ASKED else STOPPED_BY_RESET)


class _GrowingReply:
    """The one message that shows an answer; a long one becomes a file at its end."""

    def __init__(self, interaction: discord.Interaction, sender: Sender) -> None:
        self._interaction = interaction
        self._sender = sender
        self._text = ShownText()
        self._pieces: list[str] = []
        self._first_notes: list[str] = []
        """Those above the text."""
        self._shown = ""
        """What Discord has taken."""
        self._refusal: str | None = None
        self._next_at = 0.0

    async def write(self, text: str) -> None:
        """Add text, and show it if the last edit is long enough ago. What fails shall be shown by the next edit."""
        self._pieces.append(text)
        self._text.write(text)
        now = asyncio.get_running_loop().time()
        if now < self._next_at:
            return
        self._next_at = now + self._sender.edit_interval_seconds
        try:
            if (pages := self._text.pages) and pages[0] != self._shown:
                await self._edit(pages[0])
        except (Unreachable, Unclear) as error:
            wait = error.seconds if isinstance(error, RateLimited) else _PAUSE_SECONDS
            self._next_at = asyncio.get_running_loop().time() + wait

    def note(self, *lines: str) -> None:
        """Add small lines that are no part of the answer."""
        if not self._pieces:
            self._first_notes += lines
        for line in lines:
            self._text.note(in_language(line, self._interaction.locale))

    def begin_anew(self) -> None:
        """Take back all that was written, but for the notes above it."""
        self._text, self._pieces, lines, self._first_notes = ShownText(), [], self._first_notes, []
        self.note(*lines)

    def refuse(self, sentence: str) -> None:
        """Show no more than Discord has taken, and below it this."""
        self._refusal = in_language(sentence, self._interaction.locale)

    async def finish(self) -> None:
        """Make the message say all of it; what refuses that is waited for, or told."""
        if self._refusal is None:
            self._text.end()
            pages: Sequence[str] = self._text.pages or [in_language(phrase("nothing_to_say"), self._interaction.locale)]
            text = "".join(self._pieces) if len(pages) > 1 else None
            try:
                if pages[0] != self._shown or text is not None:
                    await until_taken(lambda: self._edit(pages[0], text))
                return
            except Rejected as error:
                log.warning("an answer to a command in channel %s: %s", self._interaction.channel_id, error)
                self.refuse(outcome_of(error).sentence)
        sentence = self._refusal or ""
        below = f"{self._shown}\n-# {sentence}" if self._shown else sentence
        try:
            await until_taken(lambda: self._edit(below if utf16_length(below) <= MESSAGE_UNITS else sentence))
        except Rejected:
            await until_taken(lambda: self._edit(sentence))

    async def take_back(self) -> None:
        """Have the message gone: what it answers is erased."""
        self._sender.pacer.spend()
        with suppress(MessageGone):
            async with translated():
                await self._interaction.delete_original_response()

    async def _edit(self, page: str, text: str | None = None) -> None:
        """Make the message say this, with the whole answer as a file where that is given."""
        self._sender.pacer.spend()
        file = MISSING if text is None else discord.File(io.BytesIO(text.encode("utf-8", "replace")), FILE_NAME)
        with handle_message_parameters(
            content=page,
            file=file,
            flags=discord.MessageFlags(suppress_embeds=True),
            allowed_mentions=discord.AllowedMentions.none(),
        ) as params:
            body: dict[str, Any] = {"json": params.payload}
            if text is not None:
                body = {"files": params.files, "form": params.multipart}
            route = Route(
                "PATCH",
                "/webhooks/{webhook_id}/{webhook_token}/messages/@original",
                webhook_id=self._interaction.application_id,
                webhook_token=self._interaction.token,
            )
            # discord.py's own edit can't keep links from unfolding.
            async with translated():
                await self._interaction.client.http.request(route, timeout=TIME_LIMIT, **body)
        self._shown = page
