"""The gateway connection, kept for as long as the process lives.

discord.py's own loop ends with an AttributeError if the gateway can't be reached the first time (Rapptz/discord.py
#10520), after an outage pauses for up to 17 minutes, waits for ever for the answer to a RESUME, takes a minute and a
half to leave a connection that has gone silent, and doesn't count the sessions that it begins. So this module
has its own.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import aiohttp
import discord
from discord.gateway import DiscordWebSocket, ReconnectWebSocket
from discord.http import Route

from bot.conversation.shard import WHOLE, Shard
from bot.delivery.limits import Pacer
from bot.delivery.refusals import Unreadable
from bot.delivery.sender import growing_pauses
from bot.discord.clock import DiscordClock
from bot.discord.event_guard import EventGuard, GatewaySocket
from bot.discord.identify_turns import MARGIN, OPENING_SECONDS, IdentifyTurns
from bot.discord.payload_shapes import OutOfShape, Read, integer
from bot.discord.payloads import APPLICATION, USER
from bot.discord.rest import why_unconnected
from bot.discord.session_starts import STEADY_SECONDS, SessionStarts
from bot.errors import DiscordRefused, StoreError
from bot.observer import GatewayChange, Observer, Observers, ResponseRecord

log = logging.getLogger(__name__)

LOGIN_REFUSED = "Discord refuses the bot token. Copy it anew from the application's Bot page into DISCORD_BOT_TOKEN."
_INTENTS_REFUSED = (
    "Discord refuses the intents (close code {code}). Look at Privileged Gateway Intents on the application's Bot page."
)
_TOO_MANY_GUILDS = (
    "Discord wants the bot split into shards (close code 4011), since it is in more guilds than one connection may "
    "carry. TRINITY_SHARD_COUNT says into how many. Number of shards to set: {shards}."
)
_REFUSALS = {
    4004: LOGIN_REFUSED,
    4010: "Discord refuses the shard that was asked for (close code 4010). Compare TRINITY_SHARD_COUNT with what "
    "`trinity doctor` says.",
    4011: _TOO_MANY_GUILDS,
    4012: "Discord doesn't speak this version of its API any more (close code 4012). Install a newer Trinity.",
    4013: _INTENTS_REFUSED,
    4014: _INTENTS_REFUSED,
}
"""What each close code that Discord documents as final means for the operator."""
_SHARDING_REQUIRED = 4011
_ASKING_SECONDS = 10.0
_HANDSHAKE_SECONDS = 60.0
_RESUME_SECONDS = 30.0
_CLOSING_SECONDS = 1.0
_LONGEST_SILENCE_SECONDS = 300.0
_MIN_SPACING_SECONDS = 1.0
_MOVEMENT_SECONDS = 30.0
_ASK_AGAIN_SECONDS = 1.0
"""Whose turn it is isn't known while the database is away."""
_LATE_SECONDS = 0.25
"""A turn that was given longer ago may be another's by the time at which its IDENTIFY arrives; it is taken anew."""
_MOST_LATE = 3
_UNLIMITED = ("/interactions/", "/webhooks/")
"""What answers commands and buttons doesn't count towards the limit of all requests."""
_UNREACHABLE = (OSError, TimeoutError, aiohttp.ClientError, discord.HTTPException, discord.ConnectionClosed)


async def _refuse_endless_pause(_session: object, _context: object, end: aiohttp.TraceRequestEndParams) -> None:
    """Take an answer that asks for a pause of NaN seconds for one that can't be read: discord.py would never go on."""
    asked_for = end.response.headers.get("X-RateLimit-Reset-After", "")
    if asked_for.strip().lower().lstrip("+-") == "nan":
        end.response.close()
        raise aiohttp.ClientPayloadError("a pause that is no number")


class ConnectedClient(discord.Client):
    """A client that stays connected through anything but a refusal."""

    is_draining = False
    """Running answers finish, and no new question is taken."""

    def __init__(
        self,
        *,
        identify_pause_seconds: float,
        session_starts: SessionStarts | None = None,
        clock: DiscordClock | None = None,
        observer: Observer | None = None,
        shard: Shard | None = None,
        identify_turns: IdentifyTurns | None = None,
        may_act: Callable[[], bool] = lambda: True,
        **options: Any,
    ) -> None:
        """`shard` is the one that it connects; then `identify_turns` says when it may log in.

        Nothing is asked of Discord while `may_act` says no: the shard may be another process's by then.
        """
        self.clock = clock or DiscordClock()
        self.is_draining = False
        """Nothing new is begun any more."""
        # discord.py's own limit is a minute, too short for a gateway that wants a heartbeat more seldom.
        trace = self.clock.trace()
        trace.on_request_start.append(self._leave_in_turn)
        trace.on_request_start.append(self._refuse_what_is_anothers)
        trace.on_request_end.append(_refuse_endless_pause)
        trace.on_request_end.append(self._note_response)
        trace.on_request_exception.append(self._note_no_response)
        if shard is not None:
            options |= {"shard_id": shard.id, "shard_count": shard.count}
        super().__init__(http_trace=trace, heartbeat_timeout=2 * _LONGEST_SILENCE_SECONDS, **options)
        self.shard = shard
        self._identify_turns = identify_turns
        self._may_act = may_act
        self.pacer = Pacer()
        """The pace of what is asked of Discord's API."""
        self.when_moved: Callable[[], None] = lambda: None
        self._observer: Observer = observer or Observers()
        self._is_up = False
        self.events = EventGuard(self._connection)
        self._identify_pause_seconds = identify_pause_seconds
        self._session_starts = session_starts or SessionStarts()
        self._is_resumed = asyncio.Event()
        self._is_closing = asyncio.Event()
        self._has_identified = False

    @property
    def part(self) -> Shard:
        """What comes to this connection."""
        return self.shard or WHOLE

    async def login(self, token: str) -> None:
        """Log in; of the two answers that discord.py reads, only the ids have to be right.

        Raises:
            Unreadable: an answer has no id.
        """
        log_in = self.http.static_login

        async def log_in_and_read(token: str) -> Any:
            return _read(USER, await log_in(token))

        self.http.static_login = log_in_and_read  # type: ignore[method-assign]
        try:
            await super().login(token)
        finally:
            self.http.static_login = log_in  # type: ignore[method-assign]

    async def application_info(self) -> discord.AppInfo:
        """What Discord says of the application that the bot belongs to."""
        return discord.AppInfo(self._connection, _read(APPLICATION, await self.http.application_info()))

    async def close(self) -> None:
        """Leave Discord; whatever waits for the next connection ends."""
        self._is_closing.set()
        if self._connection._ready_task is not None:
            self._connection._ready_task.cancel()  # it would stumble over the closed client
        await super().close()

    def dispatch(self, event: str, /, *args: Any, **kwargs: Any) -> None:
        """Tell who listens, as long as there is a session: a closed client has no event loop to run them on."""
        if not self.is_closed():
            super().dispatch(event, *args, **kwargs)

    async def before_identify_hook(self, _: int | None, *, initial: bool = False) -> None:
        """Discord allows one IDENTIFY in five seconds, and so many in a day."""
        if self._identify_turns is None and not initial:
            await self._pause(self._identify_pause_seconds)
        await self._session_starts.begin()
        await self._take_turn(MARGIN * self._identify_pause_seconds, is_opening=False)

    async def on_connect(self) -> None:
        """A new session has begun."""
        self._note_change(GatewayChange.CONNECTED)

    async def on_resumed(self) -> None:
        """Discord has replayed what we missed."""
        self._note_change(GatewayChange.RESUMED)
        self._is_resumed.set()

    async def make_room(self) -> None:
        """Wait until the next event can be taken. Meanwhile the socket isn't read, which slows the sender down.

        At least it lets others run: frames that have arrived are handed out without a pause, and thousands may have.
        """
        await asyncio.sleep(0)

    async def connect(self, *, reconnect: bool = True) -> None:  # noqa: ARG002 - it always does
        """Connect, and connect again, until the client is closed.

        Raises:
            DiscordRefused: Discord won't have the bot as it is, for a reason that doesn't pass by itself.
        """
        try:
            await self._stay_connected()
        finally:
            self._session_starts.lose()
            self._note_change(GatewayChange.LOST)

    def _note_change(self, change: GatewayChange) -> None:
        was_up, self._is_up = self._is_up, change is not GatewayChange.LOST
        if was_up or self._is_up:
            self._observer.on_gateway(change, None if self.shard is None else self.shard.id)

    async def _leave_in_turn(self, _session: object, _context: object, start: aiohttp.TraceRequestStartParams) -> None:
        path = start.url.path
        if "/api/" in path and not any(free in path for free in _UNLIMITED):
            await self.pacer.leave()

    async def _refuse_what_is_anothers(self, _session: object, _context: object, _start: object) -> None:
        if not self._may_act():
            raise aiohttp.ClientConnectionError("the shard may be another process's by now")

    async def _note_response(self, _session: object, _context: object, end: aiohttp.TraceRequestEndParams) -> None:
        self._observer.on_response(ResponseRecord(end.method, end.response.status))

    async def _note_no_response(
        self, _session: object, _context: object, end: aiohttp.TraceRequestExceptionParams
    ) -> None:
        self._observer.on_response(ResponseRecord(end.method, 0))

    async def _stay_connected(self) -> None:
        resumption: dict[str, Any] = {}
        pauses, loop = growing_pauses(_MIN_SPACING_SECONDS), asyncio.get_running_loop()
        while not self.is_closed():
            if not resumption:
                await self._pause(await self._session_starts.pause_seconds())
                await self._take_turn(OPENING_SECONDS, is_opening=True)
                if self.is_closed():
                    return
            began_at, pause, socket = loop.time(), 0.0, self.ws
            self.when_moved()
            try:
                await self._serve(resumption)
            except ReconnectWebSocket as again:
                resumption = self._resumption() if again.resume else {}
            except _UNREACHABLE as error:
                if self.is_closed():
                    return
                await self._raise_if_refused(error)
                resumption, pause = self._resumption(), next(pauses)
                if resumption and self.ws is socket:
                    # The gateway that kept the session can't be reached; the others can resume it too.
                    resumption["gateway"] = DiscordWebSocket.DEFAULT_GATEWAY
                log.warning("no connection to Discord's gateway (%s)", why_unconnected(error))
            self._note_change(GatewayChange.LOST)
            self.dispatch("disconnect")
            if not resumption:
                self._session_starts.lose()
            lasted = loop.time() - began_at
            if lasted > STEADY_SECONDS:
                pauses = growing_pauses(_MIN_SPACING_SECONDS)
            await self._pause(max(pause, _MIN_SPACING_SECONDS - lasted))

    async def _take_turn(self, seconds: float, *, is_opening: bool) -> None:
        """Wait until this shard may log in, where it is one of several."""
        loop, turns, shard = asyncio.get_running_loop(), self._identify_turns, self.shard
        if turns is None or shard is None:
            return
        num_late = 0
        while not self._is_closing.is_set():
            asked_at = loop.time()
            try:
                pause = await turns.claim(shard.id, seconds, is_opening=is_opening, is_again=num_late > 0)
            except StoreError as error:
                log.info("whether shard %d may log in isn't known: %s", shard.id, error)
                pause = _ASK_AGAIN_SECONDS
            if pause <= 0:
                num_late += 1
                if is_opening or num_late > _MOST_LATE or loop.time() - asked_at < _LATE_SECONDS:
                    return
            else:
                num_late = 0
                await self._pause(pause)
        if not is_opening:
            raise aiohttp.ClientConnectionError("leaving")

    async def _pause(self, seconds: float) -> None:
        """Wait, though not beyond the client's end; a long pause says now and then that it is one."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while (left := until - loop.time()) > 0 and not self._is_closing.is_set():
            self.when_moved()
            with suppress(TimeoutError):
                async with asyncio.timeout(min(left, _MOVEMENT_SECONDS)):
                    await self._is_closing.wait()

    async def _raise_if_refused(self, error: Exception) -> None:
        if not isinstance(error, discord.ConnectionClosed) or error.code not in _REFUSALS:
            return
        shards = await self._recommended_shards() if error.code == _SHARDING_REQUIRED else ""
        raise DiscordRefused(_REFUSALS[error.code].format(code=error.code, shards=shards)) from error

    async def _recommended_shards(self) -> str:
        """How many shards Discord wants this bot to have; in words where it doesn't say."""
        try:
            async with asyncio.timeout(_ASKING_SECONDS):
                answer = await self.http.request(Route("GET", "/gateway/bot"))
            return str(integer(answer["shards"]))
        except (*_UNREACHABLE, LookupError, TypeError, ValueError) as error:
            log.info("Discord doesn't say how many shards it wants: %s", type(error).__name__)
            return "Discord didn't say; it is one for each thousand guilds"

    async def _serve(self, resumption: dict[str, Any]) -> None:
        """Keep one connection until it ends; `resumption` is empty for a new session."""
        self._is_resumed.clear()
        opening = GatewaySocket.from_client(
            self, initial=not self._has_identified, shard_id=self.shard_id, **resumption
        )
        self.ws = await asyncio.wait_for(opening, _HANDSHAKE_SECONDS)
        self._has_identified = True
        try:
            async with asyncio.timeout(_RESUME_SECONDS if resumption else None) as resuming:
                while True:
                    await self._receive_next()
                    if self._is_resumed.is_set() or self.ws.sequence != resumption.get("sequence"):
                        resuming.reschedule(None)
        except TimeoutError:
            log.warning("Discord didn't answer the resumption of the session")
            await self._leave()
            raise ReconnectWebSocket(self.shard_id, resume=False) from None

    async def _receive_next(self) -> None:
        """Receive the gateway's next event; leave a connection that answers no heartbeats any more."""
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


def _read(shape: Read, answer: Any) -> Any:
    try:
        return shape(answer)
    except OutOfShape as error:
        raise Unreadable(f"Discord's answer to the login can't be read: {error}") from None
