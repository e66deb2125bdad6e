"""What the commands have in common: where one was used, what the person may do there, and its text options."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import Any

import discord
from discord import app_commands

from bot.chat.chat import Chat
from bot.chat.persona_desk import MayChangeIn, anywhere
from bot.conversation.channel_settings import EVERYONE
from bot.conversation.messages import ConversationKey
from bot.discord.command_replies import CommandReply
from bot.discord.messages import PLATFORM
from bot.errors import NotAllowed
from bot.words import phrase

_START = datetime(1970, 1, 1, tzinfo=UTC)


class Right(Enum):
    """What not everybody may do everywhere."""

    CHANGE_PERSONAS = auto()
    RESET = auto()
    """Have the channel forget a conversation; one's own may be forgotten by oneself."""
    RESET_SHARED = auto()
    """The same for a conversation that all shared, also if everybody has one of their own by now."""
    CHANGE_SETTINGS = auto()
    CHANGE_GUILD_SETTINGS = auto()
    PIN = auto()
    """Have a fact kept in mind: who may write in a channel, and so ask there."""


MAY_NOT = {
    Right.CHANGE_PERSONAS: phrase("may_not_change"),
    Right.RESET: phrase("may_not_reset"),
    Right.RESET_SHARED: phrase("may_not_reset"),
    Right.CHANGE_SETTINGS: phrase("may_not_change_settings"),
    Right.CHANGE_GUILD_SETTINGS: phrase("may_not_change_settings"),
    Right.PIN: phrase("may_not_pin"),
}
"""What is said to who hasn't the right."""


def key_of(interaction: discord.Interaction[Any]) -> ConversationKey:
    """The conversation in which a command was used: the channel's, or the person's own in it."""
    key = channel_of(interaction)
    return chat_of(interaction).settings.conversation_of(key, interaction.user.id)


def channel_of(interaction: discord.Interaction[Any]) -> ConversationKey:
    """The channel in which a command was used, as the conversation that its people share."""
    channel = interaction.channel
    parent_id = channel.parent_id if isinstance(channel, discord.Thread) else None
    return ConversationKey(PLATFORM, interaction.channel_id or 0, interaction.guild_id, parent_id)


def may(interaction: discord.Interaction, right: Right) -> bool:
    """Whether the person has a right here: by Discord's permissions, or since it was given to everyone.

    In a direct message everything is allowed.
    """
    if interaction.guild_id is None:
        return interaction.context.dm_channel
    allowed = interaction.permissions
    if allowed.administrator:
        return True
    settings = chat_of(interaction).settings.now(channel_of(interaction))
    match right:
        case Right.CHANGE_PERSONAS:
            is_allowed = allowed.manage_channels or settings.persona_changes == EVERYONE
        case Right.RESET | Right.RESET_SHARED:
            is_own = right is Right.RESET and settings.is_per_person
            is_allowed = allowed.manage_channels or settings.resets == EVERYONE or is_own
        case Right.CHANGE_SETTINGS:
            is_allowed = allowed.manage_channels
        case Right.CHANGE_GUILD_SETTINGS:
            is_allowed = allowed.manage_guild
        case Right.PIN:
            is_thread = isinstance(interaction.channel, discord.Thread)
            is_allowed = allowed.send_messages_in_threads if is_thread else allowed.send_messages
    return is_allowed


def may_change_personas_in(interaction: discord.Interaction[Any]) -> MayChangeIn:
    """In which other channels of the server a person may change personas, who may do so here.

    Here that may be given to everyone; a persona that other channels use is theirs as well.
    """
    settings, key = chat_of(interaction).settings, channel_of(interaction)
    allowed = interaction.permissions
    if key.guild_id is None or allowed.administrator or allowed.manage_channels:
        return anywhere
    return lambda other: (
        settings.now(replace(key, channel_id=other, parent_channel_id=None)).persona_changes == EVERYONE
    )


def require(interaction: discord.Interaction, right: Right) -> None:
    """Refuse in words who hasn't a right.

    Raises:
        NotAllowed: they haven't.
    """
    if not may(interaction, right):
        raise NotAllowed(MAY_NOT[right])


def chat_of(interaction: discord.Interaction[Any]) -> Chat:
    """The use cases behind the client that got the command."""
    client: Any = interaction.client
    chat: Chat = client.receivers.chat
    return chat


def has_buttons(interaction: discord.Interaction[Any]) -> bool:
    """Whether the operator wants buttons."""
    client: Any = interaction.client
    return bool(client.receivers.sender.has_buttons)


def number_of(moment: datetime) -> int:
    """A moment as a custom id carries it, in microseconds."""
    return (moment - _START) // timedelta(microseconds=1)


def moment_of(number: int) -> datetime:
    """The moment with that number; the last one there is, where it is too great for any."""
    try:
        return _START + timedelta(microseconds=number)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


async def ready(words: CommandReply) -> CommandReply:
    """A reply that takes no work."""
    return words


class TextOption(app_commands.Transformer):
    """A text option. What Discord sends for an older form of the command may be of another type."""

    def __init__(self, longest: int) -> None:
        self._longest = longest

    @property
    def min_value(self) -> int:
        return 1

    @property
    def max_value(self) -> int:
        return self._longest

    async def transform(self, _: discord.Interaction, value: object, /) -> str:
        if not isinstance(value, str):
            raise TypeError("not a text")
        return value
