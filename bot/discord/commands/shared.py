"""What the commands have in common: where one was used, what the person may do there, and its text options."""

from typing import Any

import discord
from discord import app_commands

from bot.chat.chat import Chat
from bot.conversation.messages import ConversationKey
from bot.discord.command_replies import CommandReply
from bot.discord.messages import PLATFORM


def key_of(interaction: discord.Interaction) -> ConversationKey:
    """The conversation in which a command was used."""
    channel = interaction.channel
    parent_id = channel.parent_id if isinstance(channel, discord.Thread) else None
    return ConversationKey(PLATFORM, interaction.channel_id or 0, interaction.guild_id, parent_id)


def may_change(interaction: discord.Interaction) -> bool:
    """Whether the person may change personas here: with Manage Channels, or in a direct message."""
    if interaction.guild_id is None:
        return interaction.context.dm_channel
    allowed = interaction.permissions
    return allowed.manage_channels or allowed.administrator


def chat_of(interaction: discord.Interaction) -> Chat:
    """The use cases behind the client that got the command."""
    client: Any = interaction.client
    chat: Chat = client.receivers.chat
    return chat


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
