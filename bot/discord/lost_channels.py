"""Finds out which channels were deleted while nobody listened: no event tells of them in a new session."""

import logging
from functools import partial

import discord

from bot.chat.chat import Chat
from bot.delivery.sender import Sender
from bot.discord.connection import ConnectedClient
from bot.discord.messages import PLATFORM
from bot.discord.rest import DiscordTransport
from bot.errors import DiscordError

log = logging.getLogger(__name__)

_MAX_ASKED = 50
"""Channels in one session, the most recently used; of threads a guild lists the open ones alone."""


class LostChannels:
    """Asks Discord for channels that were talked in, and that a guild lists no more."""

    def __init__(self, client: ConnectedClient, chat: Chat, sender: Sender, transport: DiscordTransport) -> None:
        self._client = client
        self._chat = chat
        self._sender = sender
        self._transport = transport

    async def find(self) -> list[int]:
        """The channels that are gone. That one isn't listed proves nothing: Discord has to say that there is none.

        Raises:
            StoreError: it isn't known where anything was said.
        """
        suspects: list[tuple[bool, int, discord.Guild]] = []
        for known in await self._chat.known_channels(PLATFORM, self._client.part):
            guild = self._client.get_guild(known.key.guild_id or 0)
            channel_id = known.key.channel_id
            if guild is not None and not guild.unavailable and guild.get_channel_or_thread(channel_id) is None:
                suspects.append((known.key.parent_channel_id is not None, channel_id, guild))
        suspects.sort(key=lambda suspect: suspect[0])  # threads last: most of them are only closed
        gone = []
        for _, channel_id, guild in suspects[:_MAX_ASKED]:
            try:
                # Under the guild's id: what is refused here doesn't close the channel.
                if not await self._sender.read(guild.id, partial(self._transport.is_channel_there, channel_id)):
                    gone.append(channel_id)
            except DiscordError as error:
                log.info("whether channel %s was deleted isn't known: %s", channel_id, error)
        if gone:
            log.info("%d channels were deleted while nobody listened", len(gone))
        return gone
