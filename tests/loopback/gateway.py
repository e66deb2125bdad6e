"""The gateway: HELLO, IDENTIFY, RESUME with replay, heartbeats, and the ways in which it can fail."""

import asyncio
import json
import math
import time
from collections import Counter
from typing import Any

from aiohttp import WSMsgType, web

from tests.loopback.accounts import BotAccount
from tests.loopback.entities import Guild
from tests.loopback.fault_plan import FaultPlan
from tests.loopback.payloads import guild_json, member_json, user_json
from tests.loopback.rules import PRIVILEGED_INTENTS, Intent
from tests.loopback.session import (
    ACK,
    HEARTBEAT,
    HELLO,
    IDENTIFY,
    INVALID_SESSION,
    MEMBERS,
    PRESENCE,
    RECONNECT,
    RESUME,
    Session,
    Socket,
)
from tests.loopback.waiting import came_true
from tests.loopback.world import Event, World

# Close codes of Discord's documentation.
DECODE_ERROR, NOT_AUTHENTICATED, AUTHENTICATION_FAILED, RATE_LIMITED = 4002, 4003, 4004, 4008
SESSION_TIMED_OUT, INVALID_SHARD, DISALLOWED_INTENTS = 4009, 4010, 4014


class Gateway:
    """All sessions of all bots; a subscriber of the world."""

    def __init__(self, world: World, faults: FaultPlan) -> None:
        self.sessions: list[Session] = []
        self.identify_times: dict[int, list[float]] = {}
        self._group_times: dict[tuple[int, int], float] = {}
        self.counts: Counter[str] = Counter()  # connections, identifies, resumes, refused resumes, heartbeats
        self.presences: list[tuple[str, str]] = []
        """What bots said of themselves, at a login or later: the status and the words."""
        self.is_refusing = False
        self.url = ""
        self._world = world
        self._faults = faults
        self._sockets: set[Socket] = set()
        self._closing: set[asyncio.Task[None]] = set()
        world.subscribe(self._hear)

    # --- what a test does to it

    def connected(self, bot: BotAccount | None = None) -> list[Session]:
        """The sessions that have a socket now."""
        return [session for session in self.sessions if session.is_connected and bot in (None, session.bot)]

    def abort(self, bot: BotAccount | None = None) -> None:
        """Cuts the sockets without a close frame."""
        for socket in self._sockets_of(bot):
            socket.abort()

    async def close(self, code: int = 4000, bot: BotAccount | None = None) -> None:
        """Closes the sockets with a code; 4004 and 4010 to 4014 are final for a client."""
        for socket in self._sockets_of(bot):
            await socket.close(code)

    def reconnect(self, bot: BotAccount | None = None) -> None:
        """Op 7: asks the clients to come back and resume."""
        for socket in self._sockets_of(bot):
            socket.send(RECONNECT)

    def invalidate(self, *, is_resumable: bool, bot: BotAccount | None = None) -> None:
        """Op 9: with `is_resumable` the session lives on, without it the client has to IDENTIFY anew."""
        for socket in self._sockets_of(bot):
            if not is_resumable and socket.session is not None:
                self._forget(socket.session)
            socket.send(INVALID_SESSION, is_resumable)

    def stall(self, bot: BotAccount | None = None) -> None:
        """From now on the open sockets carry nothing, neither heartbeat acks nor the answer to a close."""
        for socket in self._sockets_of(bot):
            socket.is_stalled = True

    def forget_sessions(self) -> None:
        """Makes every later RESUME fail, so that what happened meanwhile is never told."""
        for session in list(self.sessions):
            if not session.is_connected:
                self._forget(session)

    def abort_all(self) -> None:
        """Ends every socket, identified or not."""
        for socket in list(self._sockets):
            socket.abort()

    def _sockets_of(self, bot: BotAccount | None) -> list[Socket]:
        return [session.socket for session in self.connected(bot) if session.socket is not None]

    def _forget(self, session: Session) -> None:
        if session in self.sessions:
            self.sessions.remove(session)

    # --- news

    def _hear(self, event: Event) -> None:
        for session in self.sessions:
            if session.wants(event):
                self.dispatch(session, event.name, event.payload(session.viewer))

    def dispatch(self, session: Session, name: str, payload: dict[str, Any]) -> None:
        """Sends an event to one session; a planned fault may follow the frame."""
        session.dispatch(name, payload)
        self.counts[name] += 1
        fault = self._faults.gateway_fault_after(name)
        if fault is not None:
            task = asyncio.ensure_future(fault.strike(self, session.bot))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    # --- one socket

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Carries one websocket from HELLO to its end."""
        if self.is_refusing:
            raise web.HTTPServiceUnavailable
        websocket = web.WebSocketResponse(autoping=True, timeout=1.0)
        await websocket.prepare(request)
        socket = Socket(websocket, request)
        self.enter(socket)
        writer = asyncio.create_task(socket.write())
        try:
            await self._read(websocket, socket)
        finally:
            writer.cancel()
            self.leave(socket)
        return websocket

    def enter(self, socket: Socket) -> None:
        """A client has connected: it is greeted."""
        self._sockets.add(socket)
        self.counts["connections"] += 1
        socket.send(HELLO, {"heartbeat_interval": int(self._world.rules.heartbeat_interval_seconds * 1000)})

    def leave(self, socket: Socket) -> None:
        """A socket has ended; its session may be resumed."""
        self._sockets.discard(socket)
        if socket.session is not None and socket.session.socket is socket:
            socket.session.lose_socket()

    async def _read(self, websocket: web.WebSocketResponse, socket: Socket) -> None:
        limit_seconds = self._world.rules.heartbeat_interval_seconds * 2
        while True:
            try:
                message = await websocket.receive(timeout=limit_seconds)
            except TimeoutError:
                self._world.journal.accuse("late_heartbeat", f"nothing came for {limit_seconds:.1f} s")
                await socket.close(SESSION_TIMED_OUT)
                return
            if message.type is not WSMsgType.TEXT:
                return
            if socket.is_stalled:
                await came_true(lambda: not socket.is_open, math.inf)  # not even a close is answered
                return
            code = self.take(socket, message.data)
            if code is not None:
                await socket.close(code)
                return

    def take(self, socket: Socket, text: str) -> int | None:
        """Acts on a client's frame; returns a close code if that ends the socket."""
        if self._floods(socket):
            self._world.journal.accuse("gateway_flood", "over 120 frames within a minute")
            return RATE_LIMITED
        try:
            frame = json.loads(text)
        except ValueError:
            return DECODE_ERROR
        op, payload = frame["op"], frame.get("d")
        if op == HEARTBEAT:
            self.counts["heartbeats"] += 1
            if socket.session is not None:
                socket.session.acknowledge(payload)
            socket.send(ACK)
            return None
        if op == IDENTIFY:
            return self._identify(socket, payload)
        if op == RESUME:
            return self._resume(socket, payload)
        if socket.session is None:
            return NOT_AUTHENTICATED
        if op == PRESENCE:
            self._note_presence(payload)
        if op == MEMBERS:
            self._send_members(socket.session, payload)
        return None

    def _floods(self, socket: Socket) -> bool:
        now = time.monotonic()
        socket.frame_times.append(now)
        recent = sum(1 for at in socket.frame_times if now - at < 60.0)
        return recent > self._world.rules.max_gateway_frames_per_minute

    def _identify(self, socket: Socket, payload: dict[str, Any]) -> int | None:
        bot = self._bot_of(payload["token"])
        if bot is None:
            self._world.journal.accuse("bad_token", "IDENTIFY with a token that is not valid")
            return AUTHENTICATION_FAILED
        shard = payload.get("shard")
        number, count = shard or (0, 1)
        if not 0 <= number < count:
            self._world.journal.accuse("invalid_shard", f"shard {number} of {count}")
            return INVALID_SHARD
        if not self._note_identify(bot, number) and shard is not None:
            socket.send(INVALID_SESSION, False)
            return None
        if payload.get("presence"):
            self._note_presence(payload["presence"])
        intents = Intent(payload.get("intents", 0))
        if intents & PRIVILEGED_INTENTS & ~bot.privileged_intents:
            self._world.journal.accuse("disallowed_intents", f"asked for {intents!r}")
            return DISALLOWED_INTENTS
        session = Session(bot, intents, socket=socket, shard=(number, count))
        self._forget_expired()
        self.sessions.append(session)
        socket.session = session
        self._welcome(session)
        return None

    def _note_presence(self, presence: dict[str, Any]) -> None:
        # discord.py's login still has the name that the field had in an older version.
        activities = presence.get("activities") or [presence.get("game") or {}]
        self.presences.append((presence["status"], activities[0].get("state") or ""))

    def _note_identify(self, bot: BotAccount, shard: int) -> bool:
        """Count a new session; False where the last one of the same group is too fresh."""
        now, group = time.monotonic(), shard % self._world.rules.max_concurrency
        self.identify_times.setdefault(bot.id, []).append(now)
        self.counts["identifies"] += 1
        since, self._group_times[bot.id, group] = now - self._group_times.get((bot.id, group), -math.inf), now
        is_too_soon = since < self._world.rules.identify_interval_seconds
        if is_too_soon:
            self._world.journal.accuse("identify_too_soon", f"{since:.2f} s after the last one")
        return not is_too_soon

    def _welcome(self, session: Session) -> None:
        bot = session.bot
        mine = [guild for guild in self._world.guilds.values() if _is_home(guild, bot) and session.has(guild)]
        ready = {
            "v": 10,
            "user": user_json(bot.user),
            "guilds": [{"id": str(guild.id), "unavailable": True} for guild in mine],
            "session_id": session.id,
            "resume_gateway_url": self.url,
            "application": {"id": str(bot.id), "flags": 0},
            "shard": list(session.shard),
        }
        self.dispatch(session, "READY", ready)
        for guild in mine:
            if not guild.is_unavailable and session.intents & Intent.GUILDS:
                self.dispatch(session, "GUILD_CREATE", guild_json(guild, bot))

    def _resume(self, socket: Socket, payload: dict[str, Any]) -> int | None:
        if self._bot_of(payload["token"]) is None:
            return AUTHENTICATION_FAILED
        session = next((kept for kept in self.sessions if kept.id == payload["session_id"]), None)
        window = self._world.rules.resume_window_seconds
        if session is None or not session.can_resume(payload["seq"] or 0, window):
            self.counts["refused resumes"] += 1
            socket.send(INVALID_SESSION, False)
            return None
        self.counts["resumes"] += 1
        session.socket, socket.session, session.lost_at = socket, session, None
        session.replay(payload["seq"] or 0)
        self.dispatch(session, "RESUMED", {})
        return None

    def _bot_of(self, token: str) -> BotAccount | None:
        bots = self._world.bots.values()
        return next((bot for bot in bots if bot.token == token and not bot.is_token_revoked), None)

    def _forget_expired(self) -> None:
        window = self._world.rules.resume_window_seconds
        for session in list(self.sessions):
            lost_at = time.monotonic() if session.lost_at is None else session.lost_at
            if not session.is_connected and time.monotonic() - lost_at > window:
                self._forget(session)

    def _send_members(self, session: Session, payload: dict[str, Any]) -> None:
        guild = self._world.guilds[int(payload["guild_id"])]
        chunk = {
            "guild_id": str(guild.id),
            "members": [member_json(member) for member in guild.members.values()],
            "chunk_index": 0,
            "chunk_count": 1,
        }
        if "nonce" in payload:
            chunk["nonce"] = payload["nonce"]
        self.dispatch(session, "GUILD_MEMBERS_CHUNK", chunk)


def _is_home(guild: Guild, bot: BotAccount) -> bool:
    return bot.id in guild.members and not guild.is_deleted
