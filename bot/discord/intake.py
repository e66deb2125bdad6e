"""Takes messages in, new, edited or deleted: each becomes a question, a hint how to ask, or nothing."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial, reduce

import discord

from bot.chat.chat import Chat, Edit, Exchange, Preparation, StopReason
from bot.conversation.messages import Question
from bot.conversation.sanitize import has_visible_text
from bot.delivery.answers import Answers
from bot.delivery.limits import NoticeLimiter
from bot.delivery.parts import Purpose
from bot.delivery.sender import Sender
from bot.delivery.transport import Draft, DraftKey, Posted
from bot.discord.access import AccessCheck
from bot.discord.attached_files import AttachedFiles
from bot.discord.changes import Changes
from bot.discord.clock import DiscordClock
from bot.discord.gate import Gate
from bot.discord.listening import Listening, opens_forum_post
from bot.discord.messages import (
    ATTACHED,
    PLATFORM,
    Address,
    can_speak,
    is_by_person,
    is_direct,
    question_in,
    quote_in,
    replies_to_unread,
    text_files_in,
    unreadable_in,
)
from bot.discord.pastes import Pastes, may_go_on
from bot.errors import DiscordError, RequestFailed, StoreError, UserError
from bot.words import Phrase, joined, phrase

log = logging.getLogger(__name__)

BARE_HINT = phrase("bare_hint")
CALLED = phrase("called")
NO_TEXT_HINT = phrase("no_text_hint")
UNPINGED_HINT = phrase("unpinged_hint")
ROLE_HINT = phrase("role_hint")
MENU_HINT = phrase("menu_hint")
TEXT_ONLY = phrase("text_only", unreadable=ATTACHED)
LATEST_EDIT = timedelta(minutes=10)
"""An edit that was made longer ago isn't answered: neither a mention that it added, nor other words of a question."""
OLDEST_EDITED = timedelta(days=1)
"""Nor is one of an older message: whether that was answered may be forgotten by now."""
_MAX_HINTED = 1000
_MENU_HINTS = 3600.0, 0.0  # seconds for a person, and for a channel
_MAX_CHANNELS = 10_000


FetchMessage = Callable[[discord.abc.Messageable, int], Awaitable[discord.Message]]


class Intake:
    """Takes messages in, live or fetched later."""

    def __init__(
        self,
        chat: Chat,
        sender: Sender,
        answers: Answers,
        access: AccessCheck,
        listening: Listening,
        files: AttachedFiles,
        own_id: int,
        clock: DiscordClock,
        tasks: asyncio.TaskGroup,
        fetch: FetchMessage,
    ) -> None:
        """`fetch` asks Discord for one message of a channel."""
        self.gate = Gate()
        self._files = files
        self._access = access
        self._listening = listening
        self._chat = chat
        self._sender = sender
        self._answers = answers
        self._own_id = own_id
        self._clock = clock
        self._hints = NoticeLimiter()
        self._pastes = Pastes()
        self._menu_hints = NoticeLimiter(*_MENU_HINTS)
        self._newest_own: OrderedDict[int, int] = OrderedDict()  # by channel
        self._hinted: OrderedDict[int, None] = OrderedDict()
        self.changes = Changes(PLATFORM, chat, sender, self._pastes, tasks)
        self._tasks = tasks
        self._fetch = fetch
        self._following_pastes: dict[asyncio.Task[None], None] = {}

    async def take(
        self,
        message: discord.Message,
        *,
        is_live: bool = True,
        is_begun: bool = False,
        asked_at: datetime | None = None,
    ) -> None:
        """Answer a message, or hint how to ask, if it is for us, its author may ask there, and we can speak there.

        `is_begun` says that an unfinished answer to it is in the channel already. It was asked when its id says, unless
        `asked_at` does.
        """
        if message.author.id == self._own_id:
            self._note_own(message)
        address = self._listening.address_of(message)
        may_belong_to_paste = bool(message.content) and self._pastes.awaits(message.channel.id, message.author.id)
        if address is Address.NOT_FOR_US and not may_belong_to_paste:
            await self._read_along(message)
            return
        if not await self._access.admits_message(message):
            return
        if is_live:
            await self.gate.passage(message.channel.id)
        if self.changes.recent.is_deleted(message.id):
            return
        if not can_speak(message) or self._sender.closed_channels.is_closed(message.channel.id):
            log.debug("no permission to answer in channel %s", message.channel.id)
            return
        question = self._question_in(message, self._clock.asked_at(asked_at or message.created_at))
        files = text_files_in(message)
        if may_belong_to_paste and not files and self._pastes.takes(question, is_live=is_live):
            following = self._tasks.create_task(self._follow_paste(question))
            self._following_pastes[following] = None
            following.add_done_callback(self._following_pastes.pop)
            return
        if address is Address.QUESTION and (files or has_visible_text(question.content)):
            prepare: Preparation | None = partial(self._files.add_to, message) if files else None
            if prepare is None and not is_begun and may_go_on(message.content):
                self._pastes.begin(question)
                prepare = self._pastes.completed
            exchange = self._chat.open(question, prepare)
            if replies_to_unread(message, self._own_id) and self._menu_hints.allows(message.author.id, 0):
                exchange.notes = (MENU_HINT,)
            self._answers.begin(exchange, note=_note(unreadable_in(message, self._own_id)), is_begun=is_begun)
        elif is_live and message.id not in self._hinted and address is not Address.NOT_FOR_US:
            await self._hint(address, message, question)

    async def put_off(self, message: discord.Message) -> None:
        """Leave a message to the next process, which Discord doesn't tell who began to write directly meanwhile."""
        if not (is_direct(message) and is_by_person(message)):
            return
        try:
            await self._chat.note_channel(self._question_in(message))
        except StoreError as error:
            log.warning("channel %s may not be looked at after the restart: %s", message.channel.id, error)

    async def _follow_paste(self, question: Question) -> None:
        """See to it that a later message of a paste was committed with it; else it is a question of its own."""
        asked = self._chat.exchanges.asked_by(PLATFORM, self._pastes.first_of(question.message_id))
        if asked is not None:
            await asked.received.wait()
        try:
            if asked is not None and asked.stopped is not None:
                await self._chat.outlast(partial(self._chat.note_answered, question))
            elif not await self._chat.outlast(partial(self._chat.messages_of, PLATFORM, question.message_id)):
                self._answers.begin(self._chat.open(question))
        except StoreError as error:
            log.warning("message %s may be fetched again: %s", question.message_id, error)
        except Exception:
            log.exception("message %s is not followed", question.message_id)

    def _note_own(self, message: discord.Message) -> None:
        """Remember the bot's newest message in a channel: a reply to that one needs no quotation."""
        channel_id = message.channel.id
        self._newest_own[channel_id] = max(message.id, self._newest_own.get(channel_id, 0))
        self._newest_own.move_to_end(channel_id)
        while len(self._newest_own) > _MAX_CHANNELS:
            self._newest_own.popitem(last=False)

    async def take_answered(self, message: discord.Message) -> None:
        """Remember that a message was answered: a finished reply to it is in the channel, whatever the inbox knows."""
        if self._listening.address_of(message) is Address.QUESTION:
            await self._chat.note_answered(self._question_in(message))

    async def take_edit(self, message: discord.Message, *, is_live: bool = True) -> None:
        """Follow the edit of a question, see `Chat.edit`; answer a message that became a question by a live edit.

        The inbox knows every question that was received, so none is answered twice.
        """
        address = self._listening.address_of(message)
        self.changes.recent.note_edit(message.id, message.edited_at)
        try:
            await self._recall_paste(message)
        except DiscordError as error:
            log.warning(
                "an edit in channel %s isn't followed, nor what it belongs to read: %s", message.channel.id, error
            )
            return
        belongs_to_paste = self._pastes.first_of(message.id) != message.id and bool(message.content)
        if (address is Address.NOT_FOR_US and not belongs_to_paste) or message.edited_at is None:
            await self._read_along(message)
            # Whom an edited reply is for may not be told.
            if message.edited_at is not None and is_by_person(message) and message.reference is None:
                await self._take_words_back(message, is_live=is_live)
            return
        if not await self._access.admits_message(message):
            return
        question = self._pastes.edited(self._question_in(message))
        asked = self._chat.exchanges.asked_by(PLATFORM, question.message_id)
        if (address is Address.QUESTION or belongs_to_paste) and (
            text_files_in(message) or has_visible_text(question.content)
        ):
            if asked is not None and asked.is_prepared:
                await asked.received.wait()  # it is being read as it was
            with suppress(RequestFailed):  # none of its files can be read: what was asked before goes on to hold
                question, notes = await self._files.add_to(message, question)
                edit = await self._edit(message, question, is_live=is_live)
                if edit.exchange is not None:
                    edit.exchange.notes = notes
                    self._begin_edited(edit.exchange, message)
                if edit.refusal is not None:
                    await self._say_unanswered(message, question, edit.refusal, is_remembered=edit.is_remembered)
                if edit.is_known:
                    return
        elif address is Address.QUESTION and asked is None:
            # Nothing is left to be answered, and what was said before isn't said any more.
            await self._chat.outlast(partial(self._chat.edit, question, edited_at=None))
        if not is_live:
            return
        now = self._clock.now()
        if now - message.edited_at < LATEST_EDIT and now - message.created_at < OLDEST_EDITED:
            await self.take(message, asked_at=message.edited_at)

    def _begin_edited(self, exchange: Exchange, message: discord.Message) -> None:
        self._answers.begin(exchange, note=_note(unreadable_in(message, self._own_id)))
        if self.changes.recent.is_deleted(message.id):  # the deletion found nothing under way
            exchange.stop(StopReason.QUESTION_DELETED)

    async def _take_words_back(self, message: discord.Message, *, is_live: bool) -> None:
        """An edit that takes the mention away takes the words with it: without the mention Discord gives none.

        What is being answered is answered as it was asked, and then forgotten. Where the edit is only found, that can't
        be waited for: until then nothing of its channel is shown.
        """
        asked = self._chat.exchanges.asked_by(PLATFORM, message.id)
        if asked is not None:
            if not is_live:
                return
            await asked.wait_closed()
            if self._answers.is_draining or self.changes.recent.is_outdated(message.id, message.edited_at):
                return
        if await self._chat.messages_of(PLATFORM, message.id):
            edit = partial(self._chat.edit, self._question_in(message), edited_at=None)
            await self._chat.outlast(edit)

    async def _recall_paste(self, message: discord.Message) -> None:
        """Know the paste that an edited message belongs to again, where its words were forgotten."""
        if not message.content or message.author.bot or self._pastes.knows(message.id):
            return
        ids = await self._chat.messages_of(PLATFORM, message.id)
        if len(ids) < 2:
            return
        messages = []
        for message_id in ids:
            fetch = partial(self._fetch, message.channel, message_id)
            found = message if message_id == message.id else await self._sender.read(message.channel.id, fetch)
            messages.append(self._question_in(found))
        self._pastes.recall(messages)

    async def _edit(self, message: discord.Message, question: Question, *, is_live: bool) -> Edit:
        may_answer = can_speak(message) and not self._sender.closed_channels.is_closed(message.channel.id)
        if message.edited_at is None or self._clock.now() - message.edited_at >= LATEST_EDIT:
            may_answer = False
        return await self.changes.edit(message.id, message.edited_at, question, may_answer=may_answer, is_live=is_live)

    def busy_channels(self) -> set[int]:
        """The channels whose questions are waiting or being answered."""
        return {exchange.channel_id for exchange in self._chat.exchanges}

    def close(self) -> None:
        """Leave what waits for the database to the next start, which finds most of it again."""
        self.changes.close()
        for following in self._following_pastes:
            following.cancel()

    def _question_in(self, message: discord.Message, created_at: datetime | None = None) -> Question:
        """The question that a message asks, in the conversation that its author takes part in.

        What a post in a forum asks may stand in its title.
        """
        question = question_in(message, self._own_id, created_at)
        quote = quote_in(message, self._own_id, self._newest_own.get(message.channel.id, 0))
        if quote and has_visible_text(question.content):
            question = replace(question, content=f"{question.content}\n\n{quote}")
        if opens_forum_post(message):
            question = replace(question, content=f"{message.channel}\n\n{question.content}")
        key = self._chat.settings.conversation_of(question.conversation, question.author_id)
        return replace(question, conversation=key)

    async def _read_along(self, message: discord.Message) -> None:
        if self._listening.is_read_along(message) and await self._access.admits_message(message):
            self._listening.read_along(message)

    async def _hint(self, address: Address, message: discord.Message, question: Question) -> None:
        texts = {Address.UNPINGED_REPLY: UNPINGED_HINT, Address.ROLE_PING: ROLE_HINT}
        text = texts.get(address) or _hint_about(unreadable_in(message, self._own_id))
        if text == BARE_HINT and self._listening.note_call(message):
            text = CALLED
        try:
            if await self._may_hint(address, question):
                self._hinted[message.id] = None  # an edit of it gets no second hint
                while len(self._hinted) > _MAX_HINTED:
                    self._hinted.popitem(last=False)
                await self._sender.create(_hint_draft(question, text), _not_recorded)
        except (DiscordError, StoreError) as error:
            log.info("no hint in channel %s: %s", message.channel.id, error)

    async def _say_unanswered(
        self, message: discord.Message, question: Question, refusal: UserError, *, is_remembered: bool
    ) -> None:
        """Say why an edit isn't answered."""
        text = joined([phrase("edit_unanswered"), str(refusal)], " ") if is_remembered else str(refusal)
        edit_number = 0 if message.edited_at is None else int(message.edited_at.timestamp())
        try:
            if self._hints.allows(question.author_id, question.conversation.channel_id):
                await self._sender.create(_hint_draft(question, text, edit_number), _not_recorded)
        except DiscordError as error:
            log.info("an edit in channel %s isn't answered, and nobody is told: %s", message.channel.id, error)

    async def _may_hint(self, address: Address, question: Question) -> bool:
        if address is Address.UNPINGED_REPLY:
            return await self._chat.should_hint(PLATFORM, "unpinged_reply", question.author_id)
        return self._hints.allows(question.author_id, question.conversation.channel_id)


def _note(unreadable: list[Phrase]) -> str:
    """The note above the answer to a message that has more than text."""
    if not unreadable:
        return ""
    return phrase(
        "text_only", unreadable=reduce(lambda one, other: phrase("both", first=one, second=other), unreadable)
    )


def _hint_about(unreadable: list[Phrase]) -> str:
    """The hint for a message without text; pictures aren't named."""
    if not unreadable:
        return BARE_HINT
    if unreadable == [ATTACHED]:
        return NO_TEXT_HINT
    kinds = reduce(lambda one, other: phrase("either", first=one, second=other), unreadable)
    return phrase("no_text_but_hint", unreadable=kinds)


def _hint_draft(question: Question, text: str, edit_number: int = 0) -> Draft:
    return Draft(
        channel_id=question.conversation.channel_id,
        guild_id=question.conversation.guild_id,
        content=text,
        key=DraftKey(question.message_id, Purpose.HINT, edit_number),
        after=question.message_id,
        reply_to=question.message_id,
    )


async def _not_recorded(_: Posted) -> None:
    """A hint isn't recorded: a second one after a crash does no harm."""
