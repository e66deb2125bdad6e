"""Which messages are for Trinity, and what they become: a question, a hint how to ask, or nothing.

Live messages wait at a gate while messages that were missed are fetched, so that a channel's order is kept.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Collection, Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from enum import Enum, auto

import discord

from bot.chat.chat import Chat
from bot.chat.outage import repeat_while_away
from bot.conversation.messages import ConversationKey, Question
from bot.conversation.sanitize import has_visible_text
from bot.delivery.answers import Answers
from bot.delivery.limits import NoticeLimiter
from bot.delivery.parts import Purpose, nonce
from bot.delivery.sender import Sender
from bot.delivery.transport import Draft, Posted
from bot.discord.clock import DiscordClock
from bot.discord.contents import is_direct, pings_role_of, unreadable_in, words_in
from bot.errors import DiscordError, StoreError

log = logging.getLogger(__name__)

PLATFORM = "discord"
BARE_HINT = "-# Yes? Write your question in the same message as my name."
NO_TEXT_HINT = "-# I can only read text. Please put your question into words."
UNPINGED_HINT = "-# I can't read a reply without its ping: turn the @ on in your reply, or mention me."
ROLE_HINT = (
    "-# That was my role, and Discord doesn't show me what is written beside it. "
    "Choose me in place of my role when you type @."
)
TEXT_ONLY = "I can't open what is attached; I only read the text."
LATEST_EDIT = timedelta(minutes=10)
"""An edit that was made longer ago is not looked at for a mention that it added."""
OLDEST_EDITED = timedelta(days=1)
"""Nor is one of an older message: whether that was answered may be forgotten by now."""
_MAX_HINTED = 1000
_GATE_PATIENCE_SECONDS = 60.0
_STORE_PATIENCE_SECONDS = 120.0
_ATTACHED = "what is attached"


class Address(Enum):
    """How a message concerns Trinity."""

    NOT_FOR_US = auto()
    QUESTION = auto()
    UNPINGED_REPLY = auto()
    """A reply to her with the ping switched off: Discord sends it without its text."""
    ROLE_PING = auto()
    """A mention of the role that bears her name: Discord sends it without its text."""


def address_of(message: discord.Message, own_id: int) -> Address:
    """Who a message is for. Not for us are bots, webhooks, Discord's own messages, and pings of everyone or a role."""
    is_ordinary = message.type in {discord.MessageType.default, discord.MessageType.reply}
    if message.author.bot or message.webhook_id is not None or not is_ordinary or message.author.id == own_id:
        return Address.NOT_FOR_US
    if is_direct(message) or any(user.id == own_id for user in message.mentions):
        return Address.QUESTION
    answered = message.reference and message.reference.resolved
    if isinstance(answered, discord.Message) and answered.author.id == own_id:
        return Address.QUESTION if message.content else Address.UNPINGED_REPLY
    if pings_role_of(message, own_id):
        return Address.QUESTION if message.content else Address.ROLE_PING
    return Address.NOT_FOR_US


def question_in(message: discord.Message, own_id: int, created_at: datetime | None = None) -> Question:
    """The question that a message asks; by default when its id says."""
    channel = message.channel
    guild_id = message.guild.id if message.guild else getattr(channel, "guild_id", None)
    parent_id = channel.parent_id if isinstance(channel, discord.Thread) else None
    return Question(
        conversation=ConversationKey(PLATFORM, channel.id, guild_id, parent_id),
        message_id=message.id,
        author_id=message.author.id,
        author_name=message.author.display_name,
        content=words_in(message, own_id),
        created_at=created_at or message.created_at,
        is_direct=is_direct(message),
    )


def can_speak(message: discord.Message) -> bool:
    """Whether the cached permissions let her answer where a message was written; True where they aren't known."""
    me = message.guild.me if message.guild else None
    if me is None or not isinstance(message.channel, discord.abc.GuildChannel | discord.Thread):
        return True
    try:
        allowed = message.channel.permissions_for(me)
    except discord.ClientException:  # a thread whose channel isn't known
        return True
    is_thread = isinstance(message.channel, discord.Thread)
    return allowed.view_channel and (allowed.send_messages_in_threads if is_thread else allowed.send_messages)


class Gate:
    """Where live messages wait: all of them while it is shut, and those of single channels a little longer.

    Each barrier is an event that is set when it falls. Whoever waited at one looks again: another may stand there.
    """

    def __init__(self) -> None:
        self._before_all: asyncio.Event | None = asyncio.Event()
        self._channels: dict[int, asyncio.Event] = {}

    def shut(self) -> None:
        """Let nothing pass."""
        if self._before_all is None:
            self._before_all = asyncio.Event()

    def open_but_for(self, channel_ids: Iterable[int]) -> dict[int, asyncio.Event]:
        """Let everything pass but for the messages of these channels; returns their barriers."""
        fallen = [*self._channels.values(), *filter(None, [self._before_all])]
        self._channels, self._before_all = {}, None
        barriers = self.shut_channels(channel_ids)
        for barrier in fallen:
            barrier.set()
        return barriers

    def shut_channels(self, channel_ids: Iterable[int]) -> dict[int, asyncio.Event]:
        """Let nothing of these channels pass; returns their barriers, some of which may have stood there before."""
        return {channel_id: self._channels.setdefault(channel_id, asyncio.Event()) for channel_id in channel_ids}

    def open_channel(self, channel_id: int, barrier: asyncio.Event) -> None:
        """Let a channel's messages pass, unless another barrier was put there meanwhile."""
        barrier.set()
        if self._channels.get(channel_id) is barrier:
            del self._channels[channel_id]

    async def passage(self, channel_id: int) -> None:
        """Wait until a channel's messages may pass; in any case not for ever."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_GATE_PATIENCE_SECONDS):
                while (barrier := self._before_all or self._channels.get(channel_id)) is not None:
                    await barrier.wait()


class Intake:
    """Takes messages in, live or fetched later."""

    def __init__(self, chat: Chat, sender: Sender, answers: Answers, own_id: int, clock: DiscordClock) -> None:
        self.gate = Gate()
        self._chat = chat
        self._sender = sender
        self._answers = answers
        self._own_id = own_id
        self._clock = clock
        self._hints = NoticeLimiter()
        self._hinted: OrderedDict[int, None] = OrderedDict()
        self._deleted: dict[int, bool] = {}  # message id -> whether it surely concerns us
        self._following = asyncio.Lock()

    async def take(
        self,
        message: discord.Message,
        *,
        is_live: bool = True,
        is_begun: bool = False,
        asked_at: datetime | None = None,
    ) -> None:
        """Answer a message, or hint how to ask, if it is for us and we can speak there.

        `is_begun` says that an unfinished answer to it is in the channel already. It was asked when its id says, unless
        `asked_at` does.
        """
        address = address_of(message, self._own_id)
        if address is Address.NOT_FOR_US:
            return
        if is_live:
            await self.gate.passage(message.channel.id)
        if not can_speak(message) or self._sender.closed_channels.is_closed(message.channel.id):
            log.debug("no permission to answer in channel %s", message.channel.id)
            return
        question = question_in(message, self._own_id, self._clock.asked_at(asked_at or message.created_at))
        if address is Address.QUESTION and has_visible_text(question.content):
            self._answers.begin(question, note=_note(unreadable_in(message)), is_begun=is_begun)
        elif is_live and message.id not in self._hinted:
            await self._hint(address, message, question)

    async def take_answered(self, message: discord.Message) -> None:
        """Remember that a message was answered: a finished reply to it is in the channel, whatever the inbox knows."""
        if address_of(message, self._own_id) is Address.QUESTION:
            await self._chat.note_answered(question_in(message, self._own_id))

    async def take_edit(self, message: discord.Message) -> None:
        """Take over the edit of a question that still waits; answer a message that has become one by it.

        The inbox knows every question that was received, so none is answered twice.
        """
        address = address_of(message, self._own_id)
        if address is Address.NOT_FOR_US or message.edited_at is None:
            return
        text = question_in(message, self._own_id).content if address is Address.QUESTION else ""
        if text and await self._chat.edit(PLATFORM, message.id, text):
            return
        now = self._clock.now()
        if now - message.edited_at < LATEST_EDIT and now - message.created_at < OLDEST_EDITED:
            await self.take(message, asked_at=message.edited_at)

    def busy_channels(self) -> set[int]:
        """Where questions are in hand."""
        return self._answers.channels()

    async def take_deletions(self, message_ids: Collection[int]) -> None:
        """Follow the deletion of messages, whoever wrote them: what was said in them is not to be used any more."""
        for message_id in message_ids:
            is_in_hand = self._answers.is_in_hand(message_id)
            if not self._answers.message_deleted(message_id):
                self._deleted[message_id] = is_in_hand
        # Those that are told meanwhile are looked up together.
        async with self._following:
            deleted, self._deleted = self._deleted, {}
            if deleted:
                await self._follow_patiently(deleted)

    async def _follow_patiently(self, deleted: dict[int, bool]) -> None:
        try:
            await repeat_while_away(
                lambda: self._follow(deleted),
                is_ending=lambda: self._answers.is_draining,
                patience_seconds=_STORE_PATIENCE_SECONDS,
            )
        except StoreError as error:
            log.error("%d deletions were not followed: %s", len(deleted), error)

    async def _follow(self, deleted: dict[int, bool]) -> None:
        """Follow those deletions that concern us, and take each out of `deleted` when that is done."""
        unsure = [message_id for message_id, is_ours in deleted.items() if not is_ours]
        known = await self._chat.known_among(PLATFORM, unsure) if unsure else set()
        for message_id in [*deleted]:
            if deleted[message_id] or message_id in known:
                await self._chat.withdraw(PLATFORM, message_id)
            del deleted[message_id]

    async def _hint(self, address: Address, message: discord.Message, question: Question) -> None:
        texts = {Address.UNPINGED_REPLY: UNPINGED_HINT, Address.ROLE_PING: ROLE_HINT}
        text = texts.get(address) or _hint_about(unreadable_in(message))
        try:
            if await self._may_hint(address, question):
                self._hinted[message.id] = None  # an edit of it isn't told the same again
                while len(self._hinted) > _MAX_HINTED:
                    self._hinted.popitem(last=False)
                await self._sender.create(_hint_draft(question, text), _forget)
        except (DiscordError, StoreError) as error:
            log.info("no hint in channel %s: %s", message.channel.id, error)

    async def _may_hint(self, address: Address, question: Question) -> bool:
        if address is Address.UNPINGED_REPLY:
            return await self._chat.should_hint(PLATFORM, "unpinged_reply", question.author_id)
        return self._hints.allows(question.author_id, question.conversation.channel_id)


def _note(unreadable: list[str]) -> str:
    """What is said above the answer to a text that has something else with it."""
    return TEXT_ONLY.replace(_ATTACHED, " and ".join(unreadable)) if unreadable else ""


def _hint_about(unreadable: list[str]) -> str:
    """What is said where there is no text; pictures need no naming."""
    if not unreadable:
        return BARE_HINT
    if unreadable == [_ATTACHED]:
        return NO_TEXT_HINT
    return NO_TEXT_HINT.replace("text.", f"text, not {' or '.join(unreadable)}.", 1)


def _hint_draft(question: Question, text: str) -> Draft:
    return Draft(
        channel_id=question.conversation.channel_id,
        guild_id=question.conversation.guild_id,
        content=text,
        nonce=nonce(question.message_id, Purpose.HINT, 0, 0),
        after=question.message_id,
        reply_to=question.message_id,
    )


async def _forget(_: Posted) -> None:
    """A hint isn't recorded: a second one after a crash does no harm."""
