"""The loopback Discord without sockets: what the client sends arrives a while later, and so does what it is told.

Whoever looks from outside (people, the oracle) finds here what `tests.simulation.discord.Discord` has: of each message
there is one of its kind, which follows the loopback's.
"""

import asyncio
import io
import random
import re
import time
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, unquote

import aiohttp
from aiohttp import WSMsgType, web
from multidict import CIMultiDict

import tests.loopback.entities
import tests.loopback.limits
import tests.loopback.messages
import tests.loopback.snowflake
from bot.delivery.parts import Purpose
from bot.delivery.transport import DraftKey
from bot.discord.components import button_of
from bot.discord.rest import FILE_NAME
from tests.loopback import messages
from tests.loopback.entities import Channel as LoopbackChannel
from tests.loopback.entities import Message as LoopbackMessage
from tests.loopback.entities import User
from tests.loopback.interaction import Interaction
from tests.loopback.journal import Journal as LoopbackJournal
from tests.loopback.rules import MessageKind, Rules
from tests.loopback.server import LoopbackDiscord
from tests.loopback.session import Socket
from tests.loopback.wire import API_PREFIX
from tests.simulation.discord import BOT_ID, Channel, Message
from tests.simulation.faults import Faults
from tests.simulation.front_end import NAMES
from tests.simulation.journal import Journal
from tests.simulation.loop import OUTSIDE, SimulatedLoop
from tests.simulation.universe import universe
from tests.simulation.whole import transport
from tests.simulation.whole.trouble import NoAnswer, Trouble

_PER_SECOND = 50
_NONCE = re.compile(r"(?P<question>[0-9a-f]{15,16})(?P<purpose>[a-z])(?P<generation>[0-9a-f]+)\.(?P<part>[0-9a-f]+)")
_PURPOSES = {purpose[0]: purpose for purpose in Purpose}
_EVENT = re.compile(r'"t": "MESSAGE_(CREATE|UPDATE|DELETE)".*?"id": "(\d+)"', re.DOTALL)
_EVENT_AT = len('{"op": 0, ')
_KINDS = {"CREATE": "create", "UPDATE": "edit", "DELETE": "delete"}
_CUT_OFF = 499
"""The loopback's status for a request whose connection was cut."""
_MOST_LIMITED = 0.1
"""The share of requests that may come too early: where answers overtake each other, discord.py counts wrong."""
_ONLY_WITHOUT_FAULTS = ("rate_limit", "early_retry", "identify_too_soon", "second_callback", "late_callback")
"""Rules that are broken where answers are lost, or take long, and by a process after one that was killed."""


class _Clock:
    """Discord's own clocks are right."""

    monotonic = staticmethod(time.monotonic)

    def time(self) -> float:
        return universe.true_time


class _FollowedJournal(LoopbackJournal):
    """The loopback's journal, which tells of each act."""

    def __init__(self, follow: Callable[..., None]) -> None:
        super().__init__()
        self._follow = follow

    def record(
        self, kind: Any, actor: User, channel: LoopbackChannel, message: LoopbackMessage | None = None, **facts: Any
    ) -> None:
        if message is not None:
            self._follow(kind, actor, message)


class WholeDiscord:
    """What is simulated of Discord."""

    def __init__(self, loop: SimulatedLoop, journal: Journal, chance: random.Random, faults: Faults) -> None:
        for module in (tests.loopback.snowflake, tests.loopback.entities, tests.loopback.limits):
            module.time = _Clock()  # type: ignore[attr-defined]
        self.loop = loop
        self.journal = journal
        self.chance = chance
        self.faults = faults
        self._is_faultless = faults == Faults()
        self.channels: dict[int, Channel] = {}
        self.messages: dict[int, Message] = {}
        self.num_requests: dict[str, int] = {}
        self.num_refusals = 0
        self.is_gateway_down = False
        self.heard: Callable[[str, int], None] = lambda _kind, _message_id: None
        """Called when the client has read that a message was created, edited or deleted."""
        self.answered: Callable[[], None] = lambda: None
        """Called when an interaction was answered."""
        self.came: Callable[[], None] = lambda: None
        """Called when the client has a connection again."""
        self.loopback = LoopbackDiscord(Rules(requests_per_second=10_000))
        self.loopback.world.journal = _FollowedJournal(self._follow)
        self.loopback.gateway.url = "wss://gateway-of-the-session.discord.gg"
        self.loopback.faults.add(Trouble(chance, faults))
        self.people = {person_id: self.loopback.person(name).user for person_id, name in NAMES.items()}
        for user in self.people.values():
            self.loopback.world.join(self.loopback.guild, user)
        self._ids = {user.id: person_id for person_id, user in self.people.items()}
        self._router = _Router()
        self.loopback._rest.add_to(SimpleNamespace(router=self._router))  # type: ignore[arg-type]
        self._ends: list[ServerEnd] = []
        self._times: deque[float] = deque()
        self._flooded: list[str] = []

    @property
    def violations(self) -> list[str]:
        """The rules of Discord's that were broken."""
        broken = self.loopback.journal.violations
        known = [each for each in broken if each.rule not in _ONLY_WITHOUT_FAULTS or self._is_faultless]
        limited = [each for each in known if each.rule == "rate_limit"]
        if len(limited) < _MOST_LIMITED * sum(self.num_requests.values()):
            known = [each for each in known if each.rule != "rate_limit"]
        return [*(str(each) for each in known), *self._flooded]

    def new_id(self) -> int:
        """An id of this moment."""
        return self.loopback.world.ids.next_id()

    # --- places and people

    def add_channel(self, guild_id: int | None, person_id: int) -> Channel:
        """A channel of the guild, or a person's direct messages."""
        bot, world = self.loopback.bot, self.loopback.world
        if guild_id is None:
            place = world.dm_channel(self.people[person_id], bot.user)
        else:
            place = self.loopback.channel(f"room-{len(self.channels)}")
        channel = Channel(place.id, guild_id)
        self.channels[channel.id] = channel
        return channel

    def say(self, channel: Channel, author_id: int, content: str, *, to_bot: bool = True) -> Message:
        """A person writes, and mentions the bot where that is needed."""
        place, author = self.loopback.world.channels[channel.id], self.people[author_id]
        mentioned = self._mentioned(channel) if to_bot else []
        content = self._addressed(channel, content) if to_bot else content
        said = messages.post(place, author, content, mentions=mentioned)
        self.journal.note("says", channel.id, author_id, said.id, content[:40])
        return self.messages[said.id]

    def edit(self, message: Message, content: str) -> None:
        """A person edits their message."""
        said = self.loopback.world.messages[message.id]
        self.journal.note("edits", message.id, content[:40])
        said.mentions = self._mentioned(message.channel)
        messages.rewrite(said, self._addressed(message.channel, content))

    def delete(self, message: Message, *, by_bot: bool = False) -> None:
        """A person deletes a message."""
        if message.is_there:
            self.journal.note("deleted", message.id, by_bot)
            messages.remove(self.loopback.world.messages[message.id], self.loopback.owner.user)

    def _addressed(self, channel: Channel, content: str) -> str:
        return content if channel.guild_id is None else f"{self.loopback.bot.mention} {content}"

    def _bare(self, content: str) -> str:
        return content.removeprefix(self.loopback.bot.mention).lstrip()

    def _mentioned(self, channel: Channel) -> list[User]:
        return [] if channel.guild_id is None else [self.loopback.bot.user]

    # --- what stands in the channels

    def _follow(self, kind: str, actor: User, said: LoopbackMessage) -> None:
        is_bots = said.author is self.loopback.bot.user
        channel = self.channels.get(said.channel.id)
        if channel is None or said.kind == MessageKind.COMMAND_RESPONSE:
            return
        if kind == "create":
            author_id = BOT_ID if is_bots else self._ids[said.author.id]
            content = said.content if is_bots else self._bare(said.content)
            message = Message(said.id, channel, author_id, content, self.loop.time(), said.replies_to)
            message.key = _key_of(said.nonce) if is_bots else None
            channel.messages.append(message)
            self.messages[message.id] = message
            self._show(message, said)
        elif kind == "edit":
            message = self.messages[said.id]
            if message.key is not None and message.key.purpose == Purpose.HINT:
                # Recorded nowhere, it was taken for the beginning of the answer after a restart.
                message.key = message.key._replace(purpose=Purpose.ANSWER, generation=1)
            message.versions.append((self.loop.time(), message.content))
            message.content = said.content if is_bots else self._bare(said.content)
            message.edited_at = None if is_bots else datetime.fromtimestamp(universe.true_time, UTC)
            self._show(message, said)
        elif kind == "delete":
            message = self.messages[said.id]
            message.deleted_at, message.deleted_by_bot = self.loop.time(), actor is self.loopback.bot.user
        if is_bots:
            self.journal.note("bot", kind, said.id, said.nonce, repr(said.content[:30]), len(said.content))

    def _show(self, message: Message, said: LoopbackMessage) -> None:
        items = [item for row in said.components for item in row.get("components") or ()]
        buttons = (button_of(item.get("custom_id") or "") for item in items)
        message.buttons = tuple(each for each in buttons if each is not None)
        file = said.files.get(FILE_NAME)
        message.file_text = None if file is None else file.decode()

    # --- requests

    def send(self, method: str, url: str, headers: Any, data: Any, params: Any) -> "asyncio.Future[transport.Response]":
        """Carry a request there, and its answer back."""
        loop, chance = self.loop, self.chance
        request = _Request(method, url, headers, data, params)
        self._count(request)
        answered: asyncio.Future[transport.Response] = loop.create_future()
        way = chance.expovariate(12) + (chance.expovariate(0.2) if chance.random() < self.faults.slow else 0.0)
        loop.call_later(way, self._take_request, request, answered, context=OUTSIDE)
        return answered

    def _take_request(self, request: "_Request", answered: Any) -> None:
        if answered.cancelled():  # with whoever gave up, the connection is gone
            self.journal.note("request", request.method, request.path, "taken back")
            return
        try:
            response: web.Response = _run(self._router.handler_of(request)(request))
        except NoAnswer:
            self.journal.note("request", request.method, request.path, "no answer")
            return
        self.num_refusals += response.status in (401, 403)
        self.journal.note("request", request.method, request.path, response.status)
        if request.path.startswith((f"{API_PREFIX}/interactions/", f"{API_PREFIX}/webhooks/")):
            self.answered()
        self.loop.call_later(self.chance.expovariate(20), _give, answered, request, response, context=OUTSIDE)

    def _count(self, request: "_Request") -> None:
        if request.path.startswith((f"{API_PREFIX}/interactions/", f"{API_PREFIX}/webhooks/")):
            return
        now = self.loop.time()
        kind = request.method
        self.num_requests[kind] = self.num_requests.get(kind, 0) + 1
        self._times.append(now)
        while self._times[0] <= now - 1:
            self._times.popleft()
        if len(self._times) > _PER_SECOND:
            self._flooded.append(f"{len(self._times)} requests within a second at {now:.1f}")

    def unanswered(self) -> list[Interaction]:
        """The commands and clicks that got no answer, or none but that it comes."""
        loading = [each for each in self.loopback.interactions.all if each.original and each.original.is_loading]
        return [*self.loopback.interactions.unacknowledged(), *loading]

    # --- the gateway

    async def connect(self, socket: transport.ClientSocket) -> None:
        """Take a websocket's connection; it may break off before it is there."""
        arrived = self.loop.create_future()
        self.loop.call_later(self.chance.expovariate(12), _set, arrived, context=OUTSIDE)
        await arrived
        if self.is_gateway_down:
            self.journal.note("the gateway is down")
            raise aiohttp.ClientConnectionError("the gateway is down")
        end = ServerEnd(self, socket)
        socket.server_end = end
        self._ends.append(end)
        if socket.life is not None:
            socket.life.when_killed.append(end.abort)
        # What the server does belongs to no life.
        OUTSIDE.copy().run(self.loopback.gateway.enter, end)
        OUTSIDE.copy().run(self.came)

    def disconnect(self, *, is_resumable: bool) -> None:
        """Cut all connections, and forget their sessions unless they may be resumed."""
        for end in [*self._ends]:
            end.abort()
        if not is_resumable:
            self.loopback.gateway.forget_sessions()

    @property
    def is_connected(self) -> bool:
        """Whether a session has a connection now."""
        return bool(self.loopback.gateway.connected())


class ServerEnd(Socket):
    """The server's end of a websocket."""

    def __init__(self, discord: WholeDiscord, client: transport.ClientSocket) -> None:
        self.session = None
        self.is_stalled = False
        self.frame_times = deque(maxlen=1000)
        self._discord = discord
        self._loop = discord.loop
        self._client = client
        self._is_open = True
        self._to_client_at = self._to_server_at = 0.0
        self._heard_at = self._loop.time()
        self._limit_seconds = 2 * discord.loopback.rules.heartbeat_interval_seconds
        self._loop.call_later(self._limit_seconds, self._check_heartbeat, context=OUTSIDE)

    @property
    def is_open(self) -> bool:
        return self._is_open

    # --- to the client

    def send_text(self, frame: str) -> None:
        if self._is_open and not self.is_stalled:
            self._deliver(transport.Message(WSMsgType.TEXT, frame))

    def _deliver(self, message: transport.Message, close_code: int | None = None) -> None:
        """In order, as by one connection."""
        loop = self._loop
        self._to_client_at = max(self._to_client_at + 1e-6, loop.time() + self._discord.chance.expovariate(30))
        loop.call_at(self._to_client_at, self._client.arrive, message, close_code, context=OUTSIDE)

    async def close(self, code: int) -> None:
        self.close_now(code)

    def close_now(self, code: int) -> None:
        """Close with a close frame."""
        if self._is_open and not self.is_stalled:
            self._deliver(transport.Message(WSMsgType.CLOSE, code), code)
        self._end()

    def abort(self) -> None:
        """Cut the connection: what is on its way is lost."""
        if self._is_open:
            client, self._client = self._client, transport.ClientSocket("", None)
            self._client.closed = True
            self._discord.journal.note("a connection is cut")
            if client.life is None or not client.life.is_dead:
                lost = transport.Message(WSMsgType.CLOSED)
                self._loop.call_at(self._to_client_at + 1e-3, client.arrive, lost, 1006, context=OUTSIDE)
        self._end()

    def was_read(self, frame: str) -> None:
        """The client has read this."""
        if (match := _EVENT.match(frame, _EVENT_AT)) is not None:
            self._discord.heard(_KINDS[match[1]], int(match[2]))

    # --- from the client

    def hear(self, text: str) -> None:
        """The client sends this."""
        self._on_its_way(self._take, text)

    def hear_close(self) -> None:
        """The client closes."""
        self._on_its_way(self._end)

    def _on_its_way(self, arrive: Callable[..., None], *arguments: Any) -> None:
        loop = self._loop
        self._to_server_at = max(self._to_server_at + 1e-6, loop.time() + self._discord.chance.expovariate(30))
        loop.call_at(self._to_server_at, arrive, *arguments, context=OUTSIDE)

    def _take(self, text: str) -> None:
        if not self._is_open or self.is_stalled:
            return
        self._heard_at = self._loop.time()
        code = self._discord.loopback.gateway.take(self, text)
        if code is not None:
            self.close_now(code)

    def _check_heartbeat(self) -> None:
        if not self._is_open:
            return
        left = self._heard_at + self._limit_seconds - self._loop.time()
        if left > 0:
            self._loop.call_later(left + 0.001, self._check_heartbeat, context=OUTSIDE)
            return
        if not self.is_stalled:
            self._discord.loopback.journal.accuse("late_heartbeat", f"nothing came for {self._limit_seconds:.1f} s")
        self.close_now(4009)

    def _end(self) -> None:
        if self._is_open:
            self._is_open = False
            self._discord._ends.remove(self)
            self._discord.loopback.gateway.leave(self)


class _Match(dict[str, str]):
    route: Any


class _Request:
    """A request as the loopback's handlers read it."""

    transport = None
    host = "discord.com"

    def __init__(self, method: str, url: str, headers: Any, data: Any, params: Any) -> None:
        self.method = method
        self.url = url
        path, _, query = url.partition("://")[2].partition("/")[2].partition("?")
        self.path = f"/{path}"
        self.query = dict(parse_qsl(query)) | {name: str(value) for name, value in (params or {}).items()}
        self.headers = CIMultiDict(headers)
        self.match_info = _Match()
        self._data = data
        self.content_type = "multipart/form-data" if isinstance(data, aiohttp.FormData) else "application/json"

    async def text(self) -> str:
        return self._data or ""

    async def post(self) -> dict[str, Any]:
        form: dict[str, Any] = {}
        for options, headers, value in self._data._fields:
            name, file_name = options["name"], options.get("filename")
            if file_name is None:
                form[name] = value
            else:
                content = value if isinstance(value, bytes) else value.read()
                form[name] = web.FileField(name, file_name, io.BytesIO(content), "text/plain", headers)  # type: ignore[arg-type]
        return form


_Handler = Callable[[Any], Awaitable[Any]]


class _Router:
    """Finds a request's handler; stands in for aiohttp's."""

    def __init__(self) -> None:
        self._routes: dict[tuple[str, int], list[tuple[list[str], Any, _Handler]]] = {}
        self._otherwise: _Handler | None = None

    def add_route(self, method: str, path: str, handler: _Handler) -> None:
        if method == "*":
            self._otherwise = handler
            return
        parts = path.split("/")
        route = SimpleNamespace(resource=SimpleNamespace(canonical=path))
        self._routes.setdefault((method, len(parts)), []).append((parts, route, handler))

    def handler_of(self, request: _Request) -> _Handler:
        asked = request.path.split("/")
        for parts, route, handler in self._routes.get((request.method, len(asked)), ()):
            if all(part == given or part[:1] == "{" for part, given in zip(parts, asked, strict=True)):
                named = zip(parts, asked, strict=True)
                request.match_info.update({part[1:-1]: unquote(given) for part, given in named if part[:1] == "{"})
                request.match_info.route = route
                return handler
        request.match_info.route = SimpleNamespace(resource=None)
        assert self._otherwise is not None
        return self._otherwise


def _run(handling: Any) -> Any:
    """The loopback's handlers wait for nothing."""
    try:
        handling.send(None)
    except StopIteration as end:
        return end.value
    handling.close()
    raise RuntimeError("a handler of the loopback waits")


def _give(answered: Any, request: _Request, response: web.Response) -> None:
    if answered.done():
        return
    if response.status == _CUT_OFF:
        answered.set_exception(aiohttp.ServerDisconnectedError())
        return
    headers = CIMultiDict(response.headers)
    now = datetime.fromtimestamp(universe.true_time, UTC)
    headers["Date"] = now.strftime("%a, %d %b %Y %H:%M:%S GMT")
    body = response.body
    answered.set_result(
        transport.Response(
            request.method, request.url, response.status, headers, body if isinstance(body, bytes) else b""
        )
    )


def _set(future: Any) -> None:
    if not future.done():
        future.set_result(None)


def _key_of(nonce: str | None) -> DraftKey | None:
    match = _NONCE.fullmatch(nonce or "")
    if match is None:
        return None
    purpose = _PURPOSES[match["purpose"]]
    return DraftKey(int(match["question"], 16), purpose, int(match["generation"], 16), int(match["part"], 16))
