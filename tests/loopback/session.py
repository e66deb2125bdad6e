"""A gateway session: the numbered frames of one IDENTIFY, kept until the client has them, across many sockets."""

import asyncio
import json
import secrets
import time
import zlib
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.loopback.accounts import BotAccount, Viewer
from tests.loopback.entities import Guild
from tests.loopback.rules import Intent
from tests.loopback.world import Event

DISPATCH, HEARTBEAT, IDENTIFY, PRESENCE, RESUME, RECONNECT = 0, 1, 2, 3, 6, 7
MEMBERS, INVALID_SESSION, HELLO, ACK = 8, 9, 10, 11


class Socket:
    """One websocket; a writer task sends in order, so that telling the news never waits."""

    def __init__(self, websocket: web.WebSocketResponse, request: web.Request) -> None:
        self.session: Session | None = None
        self.is_stalled = False
        self.frame_times: deque[float] = deque(maxlen=1000)
        self._websocket = websocket
        self._request = request
        self._outbox: asyncio.Queue[str] = asyncio.Queue()
        wants_zlib = request.query.get("compress") == "zlib-stream"
        self._compressor = zlib.compressobj() if wants_zlib else None

    @property
    def is_open(self) -> bool:
        """Whether frames can still reach the client."""
        transport = self._request.transport
        return not self._websocket.closed and transport is not None and not transport.is_closing()

    def send(self, op: int, payload: Any = None) -> None:
        """Queues a frame without a number."""
        self.send_text(json.dumps({"op": op, "d": payload}))

    def send_text(self, frame: str) -> None:
        """Queues a frame as it is."""
        self._outbox.put_nowait(frame)

    async def write(self) -> None:
        """Sends what is queued until the socket ends."""
        while True:
            frame = await self._outbox.get()
            if self.is_stalled:
                continue
            try:
                await self._send_now(frame)
            except (ConnectionError, RuntimeError):
                return

    async def _send_now(self, frame: str) -> None:
        if self._compressor is None:
            await self._websocket.send_str(frame)
            return
        packed = self._compressor.compress(frame.encode()) + self._compressor.flush(zlib.Z_SYNC_FLUSH)
        await self._websocket.send_bytes(packed)

    async def close(self, code: int) -> None:
        """Closes with a close frame."""
        await self._websocket.close(code=code)

    def abort(self) -> None:
        """Cuts the connection without a close frame."""
        if self._request.transport is not None:
            self._request.transport.abort()


@dataclass(eq=False, slots=True)
class Session:
    """What a client that identified may still have to be told."""

    bot: BotAccount
    intents: Intent
    id: str = field(default_factory=lambda: secrets.token_hex(16))
    shard: tuple[int, int] = (0, 1)
    seq: int = 0
    socket: Socket | None = None
    unacknowledged: deque[tuple[int, str]] = field(default_factory=deque)
    lost_at: float | None = None

    @property
    def is_connected(self) -> bool:
        """Whether a socket carries this session now."""
        return self.socket is not None and self.socket.is_open

    @property
    def viewer(self) -> Viewer:
        """How this session reads messages."""
        return Viewer(self.bot, bool(self.intents & Intent.MESSAGE_CONTENT))

    def wants(self, event: Event) -> bool:
        """Whether the event's intent was asked for and the bot may see it."""
        is_wanted = not event.intent or bool(event.intent & self.intents)
        return is_wanted and event.is_for(self.bot) and (event.is_everywhere or self.has(event.guild))

    def has(self, guild: Guild | None) -> bool:
        """Whether a guild's events come to this session's shard; those of direct messages come to the first."""
        number, count = self.shard
        return ((guild.id if guild else 0) >> 22) % count == number

    def dispatch(self, name: str, payload: dict[str, Any]) -> int:
        """Numbers an event, keeps it, and sends it if there is a socket; returns the number."""
        self.seq += 1
        frame = json.dumps({"op": DISPATCH, "t": name, "s": self.seq, "d": payload})
        self.unacknowledged.append((self.seq, frame))
        if self.socket is not None:
            self.socket.send_text(frame)
        return self.seq

    def acknowledge(self, seq: int | None) -> None:
        """Forgets frames that a heartbeat says have arrived: no RESUME can ask for them again."""
        while seq is not None and self.unacknowledged and self.unacknowledged[0][0] <= seq:
            self.unacknowledged.popleft()

    def can_resume(self, seq: int, window_seconds: float) -> bool:
        """Whether everything after `seq` is still here and the session is not too old."""
        is_fresh = self.lost_at is None or time.monotonic() - self.lost_at <= window_seconds
        oldest = self.unacknowledged[0][0] if self.unacknowledged else self.seq + 1
        return is_fresh and oldest - 1 <= seq <= self.seq

    def replay(self, seq: int) -> None:
        """Sends again, in order and with their numbers, the frames after `seq`."""
        for number, frame in self.unacknowledged:
            if number > seq and self.socket is not None:
                self.socket.send_text(frame)

    def lose_socket(self) -> None:
        """Begins the time in which a RESUME is possible."""
        self.socket = None
        self.lost_at = time.monotonic()
