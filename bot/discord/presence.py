"""What stands below the bot's name in the list of members: whether it starts, is ready, is busy, or can't answer.

It is shown from the login on, and changed at most once in a while: Discord tells every guild of each change.
"""

import asyncio
from typing import NamedTuple

import discord

from bot.chat.chat import Chat
from bot.discord.connection import ConnectedClient
from bot.words import ENGLISH, Phrase, phrase

CHANGE_SECONDS = 15.0
_LOOK_SECONDS = 1.0


class PresenceState(NamedTuple):
    """The colour of the dot, and the words beside it."""

    status: discord.Status
    words: Phrase


STARTING = PresenceState(discord.Status.idle, phrase("presence_starting"))
READY = PresenceState(discord.Status.online, phrase("presence_ready"))
ASLEEP = PresenceState(discord.Status.idle, phrase("presence_asleep"))
DRAINING = PresenceState(discord.Status.idle, phrase("presence_ending"))
PAUSED = PresenceState(discord.Status.idle, phrase("presence_paused"))
UNAVAILABLE = PresenceState(discord.Status.dnd, phrase("presence_unavailable"))


class Presence:
    """Keeps what is shown true, for one client."""

    def __init__(self, client: ConnectedClient, chat: Chat, change_seconds: float = CHANGE_SECONDS) -> None:
        self._client = client
        self._chat = chat
        self._change_seconds = change_seconds
        self._shown = STARTING
        self._socket: object = None
        # What a login tells.
        client.status, client.activity = STARTING.status, discord.CustomActivity(STARTING.words.to(ENGLISH))

    async def keep(self) -> None:
        """Follow what the bot does, for as long as it is connected."""
        while True:
            now = self._now()
            # A change may have been lost together with its connection.
            if self._client.is_ready() and (now, self._client.ws) != (self._shown, self._socket):
                await self._change(now)
                await asyncio.sleep(self._change_seconds)
            await asyncio.sleep(min(_LOOK_SECONDS, self._change_seconds))

    def _now(self) -> PresenceState:
        num_waiting = self._chat.queue.num_waiting
        if self._chat.engine_failure is not None:
            return UNAVAILABLE
        if self._client.is_draining:
            return DRAINING
        if self._chat.queue.is_paused:
            return PAUSED
        if num_waiting:
            return PresenceState(discord.Status.online, phrase("presence_busy", n=num_waiting))
        if self._chat.is_engine_asleep:
            return ASLEEP
        return READY

    async def _change(self, shown: PresenceState) -> None:
        activity, socket = discord.CustomActivity(shown.words.to(ENGLISH)), self._client.ws
        # Also for the next login, should the session be lost.
        self._client.status, self._client.activity = shown.status, activity
        try:
            await self._client.change_presence(activity=activity, status=shown.status)
        except (OSError, RuntimeError, discord.DiscordException):
            return  # the connection is being lost; it is tried again
        self._shown, self._socket = shown, socket
