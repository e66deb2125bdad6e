"""Follows which guilds the bot is in: what Discord tells by events, and what it says where an event may be missing."""

import logging
from functools import partial

from bot.chat.departures import Departures
from bot.delivery.sender import Sender
from bot.discord.connection import ConnectedClient
from bot.discord.rest import DiscordTransport
from bot.errors import DiscordError

log = logging.getLogger(__name__)

_MAX_ASKED = 50


class GuildWatch:
    """Tells `departures` of guilds that the bot joins and leaves."""

    def __init__(
        self, client: ConnectedClient, departures: Departures, sender: Sender, transport: DiscordTransport
    ) -> None:
        self._client = client
        self._departures = departures
        self._sender = sender
        self._transport = transport

    async def compare(self) -> None:
        """Find out, in a new session, which guilds were left while nobody listened.

        A session lists its guilds, those in an outage too. One that isn't listed is asked for all the same, since a
        list proves nothing: only where Discord doesn't know the bot there it counts as left.
        """
        guild_ids = [guild.id for guild in self._client.guilds]
        missing = await self._departures.note_present(guild_ids, self._client.part)
        self._departures.is_gone = self.is_gone
        for guild_id in sorted(missing)[:_MAX_ASKED]:
            try:
                if await self.is_gone(guild_id):
                    await self._departures.note_left(guild_id)
            except DiscordError as error:
                log.info("whether guild %s was left isn't known: %s", guild_id, error)

    async def joined(self, guild_id: int) -> None:
        """The bot is in a guild, again or for the first time."""
        await self._departures.note_joined(guild_id)

    async def left(self, guild_id: int) -> None:
        """The bot isn't in a guild any more."""
        await self._departures.note_left(guild_id)

    async def is_gone(self, guild_id: int) -> bool:
        """Whether the bot is in a guild no more.

        Raises:
            DiscordError: Discord doesn't say so, either way.
        """
        if self._client.get_guild(guild_id) is not None:
            return False
        return not await self._sender.read(guild_id, partial(self._transport.is_in_guild, guild_id))
