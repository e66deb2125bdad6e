"""The gateway connection, kept for as long as the process lives.

discord.py's own loop ends with an AttributeError if the gateway can't be reached the first time (Rapptz/discord.py
#10520), after an outage pauses for up to 17 minutes, waits for ever for the answer to a RESUME, and takes a minute and
a half to leave a connection that has gone silent. This one doesn't.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import aiohttp
import discord
from discord.gateway import DiscordWebSocket, ReconnectWebSocket

from bot.discord.clock import DiscordClock
from bot.discord.sender import growing_pauses
from bot.errors import DiscordRefused

log = logging.getLogger(__name__)

LOGIN_REFUSED = "Discord refuses the bot token. Copy it anew from the application's Bot page into DISCORD_BOT_TOKEN."
_INTENTS_REFUSED = (
    "Discord refuses the intents {code}. Look at Privileged Gateway Intents on the application's Bot page."
)
_AUTHENTICATION_FAILED = 4004
_FATAL_CODES = frozenset({_AUTHENTICATION_FAILED, 4010, 4011, 4012, 4013, 4014})
_HANDSHAKE_SECONDS = 60.0
_RESUME_SECONDS = 30.0
_CLOSING_SECONDS = 1.0
_LONGEST_SILENCE_SECONDS = 300.0
_MIN_SPACING_SECONDS = 1.0
_STEADY_SECONDS = 60.0
_UNREACHABLE = (OSError, TimeoutError, aiohttp.ClientError, discord.HTTPException, discord.ConnectionClosed)


class ConnectedClient(discord.Client):
    """A client that stays connected through anything but a refusal."""

    def __init__(self, *, identify_pause_seconds: float, **options: Any) -> None:
        self.clock = DiscordClock()
        # discord.py's own limit is a minute, too short for a gateway that wants a heartbeat more seldom.
        super().__init__(http_trace=self.clock.trace(), heartbeat_timeout=2 * _LONGEST_SILENCE_SECONDS, **options)
        self.when_moved: Callable[[], None] = lambda: None
        self._identify_pause_seconds = identify_pause_seconds
        self._is_resumed = asyncio.Event()
        self._has_identified = False

    async def before_identify_hook(self, _: int | None, *, initial: bool = False) -> None:
        """Discord allows one IDENTIFY in five seconds."""
        if not initial:
            await asyncio.sleep(self._identify_pause_seconds)

    async def on_resumed(self) -> None:
        """Discord has replayed what we missed."""
        self._is_resumed.set()

    async def make_room(self) -> None:
        """Wait until the next event can be taken. Meanwhile the socket isn't read, which slows the sender down.

        At least it lets others run: frames that have arrived are handed out without a pause, and thousands may have.
        """
        await asyncio.sleep(0)

    async def connect(self, *, reconnect: bool = True) -> None:  # noqa: ARG002 - it always does
        """Connect, and connect again, until the client is closed.

        Raises:
            DiscordRefused: the token or the intents were refused.
        """
        resumption: dict[str, Any] = {}
        pauses, loop = growing_pauses(_MIN_SPACING_SECONDS), asyncio.get_running_loop()
        while not self.is_closed():
            began_at, pause, socket = loop.time(), 0.0, self.ws
            self.when_moved()
            try:
                await self._serve(resumption)
            except ReconnectWebSocket as again:
                resumption = self._resumption() if again.resume else {}
                pause = 0.0 if again.resume else next(pauses)
            except _UNREACHABLE as error:
                if self.is_closed():
                    return
                _raise_if_refused(error)
                resumption, pause = self._resumption(), next(pauses)
                if resumption and self.ws is socket:
                    # Where the session was to be resumed nobody is any more; others know of it too.
                    resumption["gateway"] = DiscordWebSocket.DEFAULT_GATEWAY
                log.warning("no connection to Discord's gateway (%s)", type(error).__name__)
            self.dispatch("disconnect")
            lasted = loop.time() - began_at
            if lasted > _STEADY_SECONDS:
                pauses = growing_pauses(_MIN_SPACING_SECONDS)
            await asyncio.sleep(max(pause, _MIN_SPACING_SECONDS - lasted))

    async def _serve(self, resumption: dict[str, Any]) -> None:
        """Keep one connection until it ends; `resumption` is empty for a new session."""
        self._is_resumed.clear()
        opening = DiscordWebSocket.from_client(
            self, initial=not self._has_identified, shard_id=self.shard_id, **resumption
        )
        self.ws = await asyncio.wait_for(opening, _HANDSHAKE_SECONDS)
        self._has_identified = True
        try:
            async with asyncio.timeout(_RESUME_SECONDS if resumption else None) as patience:
                while True:
                    await self._hear_next()
                    if self._is_resumed.is_set() or self.ws.sequence != resumption.get("sequence"):
                        patience.reschedule(None)
        except TimeoutError:
            log.warning("Discord didn't answer the resumption of the session")
            await self._leave()
            raise ReconnectWebSocket(self.shard_id, resume=False) from None

    async def _hear_next(self) -> None:
        """Take the gateway's next event; one that answers no heartbeat any more is left for another connection."""
        try:
            async with asyncio.timeout(_silence_limit(self.ws)) as silence:
                await self.ws.poll_event()
        except TimeoutError:
            if not silence.expired():
                raise
            log.warning("Discord's gateway has gone silent")
            await self._leave()
            raise ReconnectWebSocket(self.shard_id) from None
        self.when_moved()
        await self.make_room()

    async def _leave(self) -> None:
        """Close the socket, without waiting for a server that says nothing any more."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSING_SECONDS):
                await self.ws.close(code=4000)

    def _resumption(self) -> dict[str, Any]:
        """What continues the session of the last connection; nothing where there was none."""
        socket: DiscordWebSocket | None = self.ws
        if socket is None or socket.session_id is None:
            return {}
        return {
            "gateway": socket.gateway,
            "sequence": socket.sequence,
            "session": socket.session_id,
            "resume": True,
        }


def _silence_limit(socket: DiscordWebSocket) -> float:
    """How long nothing may come: heartbeats are answered, and they go out once in the interval of the gateway's."""
    keep_alive = socket._keep_alive
    interval = keep_alive.interval if keep_alive is not None else None
    return min(1.5 * (interval or _LONGEST_SILENCE_SECONDS) + 2, _LONGEST_SILENCE_SECONDS)


def _raise_if_refused(error: Exception) -> None:
    if isinstance(error, discord.ConnectionClosed) and error.code in _FATAL_CODES:
        is_token = error.code == _AUTHENTICATION_FAILED
        raise DiscordRefused(LOGIN_REFUSED if is_token else _INTENTS_REFUSED.format(code=error.code)) from error
