"""In place of aiohttp's client: requests and websockets of discord.py's that reach the simulated Discord in memory.

discord.py makes its session, its connector and the thread of its heartbeat by itself. `install` puts others there, in
a process that does nothing but simulate: nothing of discord.py is replaced but these.
"""

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import aiohttp
import discord.gateway
from aiohttp import WSMsgType
from multidict import CIMultiDict

from tests.simulation.loop import LIFE, Life

_DEFAULT_SECONDS = 300.0
"""aiohttp's own limit for a request."""


class Response:
    """An answer as discord.py reads it."""

    def __init__(self, method: str, url: str, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.method = method
        self.url = url
        self.status = status
        self.reason = str(status)
        self.headers = CIMultiDict(headers)
        self._body = body

    @property
    def ok(self) -> bool:
        return self.status < 400

    async def text(self, encoding: str = "utf-8") -> str:
        return self._body.decode(encoding)

    async def read(self) -> bytes:
        return self._body

    def close(self) -> None:
        """There is nothing to be given back."""


class Message(NamedTuple):
    """What a websocket brings."""

    type: WSMsgType
    data: Any = None
    extra: Any = None


class Server(Protocol):
    """Whom a client reaches."""

    def send(self, method: str, url: str, headers: Any, data: Any, params: Any) -> "asyncio.Future[Response]":
        """Send a request; the answer comes later, or an error."""

    async def connect(self, socket: "ClientSocket") -> None:
        """Take a websocket's connection."""


server: Server | None = None
"""Of the simulation that runs: discord.py is handed none."""


class Session:
    """A client session that knows one server."""

    def __init__(self, *, trace_configs: "list[aiohttp.TraceConfig] | None" = None, **_: Any) -> None:
        self.closed = False
        self.waiting: dict[asyncio.Future[Response], None] = {}
        """Requests that are under way."""
        self._traces = trace_configs or []

    def request(self, method: str, url: Any, **options: Any) -> "_Request":
        return _Request(self, method, str(url), options)

    def get(self, url: Any, **options: Any) -> "_Request":
        return self.request("GET", url, **options)

    async def ws_connect(self, url: str, **_: Any) -> "ClientSocket":
        self.require_open()
        assert server is not None
        socket = ClientSocket(url, LIFE.get())
        await server.connect(socket)
        return socket

    async def close(self) -> None:
        """With the session its connections end, and the requests on them."""
        self.closed = True
        for answered in self.waiting:
            if not answered.done():
                answered.set_exception(aiohttp.ServerDisconnectedError())

    def require_open(self) -> None:
        if self.closed:
            raise RuntimeError("Session is closed")

    async def trace(self, request: "_Request", response: Response | None, error: BaseException | None) -> None:
        """Tell who listens how a request has ended."""
        for each in self._traces:
            hooks: Any = each.on_request_end if error is None else each.on_request_exception
            end = _End(request.method, request.url, response, error)
            for hook in hooks:
                await hook(self, None, end)


class _End(NamedTuple):
    """aiohttp has two classes for it, of which nobody reads more."""

    method: str
    url: str
    response: Any
    exception: BaseException | None


class _Request:
    """`async with` this, the request is made."""

    def __init__(self, session: Session, method: str, url: str, options: dict[str, Any]) -> None:
        self.method = method
        self.url = url
        self._session = session
        self._options = options

    async def __aenter__(self) -> Response:
        self._session.require_open()
        assert server is not None
        options = self._options
        timeout = options.get("timeout")
        seconds = _DEFAULT_SECONDS if timeout is None else timeout.total
        answered = server.send(
            self.method, self.url, options.get("headers") or {}, options.get("data"), options.get("params")
        )
        self._session.waiting[answered] = None
        try:
            async with asyncio.timeout(seconds):
                response = await answered
        except Exception as error:
            await self._session.trace(self, None, error)
            raise
        finally:
            del self._session.waiting[answered]
        await self._session.trace(self, response, None)
        return response

    async def __aexit__(self, *_: object) -> None:
        pass


class ClientSocket:
    """A websocket as discord.py has it; the server's end puts into it what arrives."""

    def __init__(self, url: str, life: Life | None) -> None:
        self.url = url
        self.life = life
        self.closed = False
        self.close_code: int | None = None
        self.server_end: Any = None
        self._arrived: deque[Message] = deque()
        self._waiting: asyncio.Future[None] | None = None

    def arrive(self, message: Message, close_code: int | None = None) -> None:
        """Take what the server has sent, or that the connection is lost."""
        if self.closed:
            return
        if close_code is not None:
            self.close_code = close_code
        self._arrived.append(message)
        self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def receive(self, timeout: float | None = None) -> Message:  # noqa: ASYNC109 - aiohttp's signature
        while not self._arrived:
            if self.closed:
                return Message(WSMsgType.CLOSED)
            self._waiting = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(timeout):
                    await self._waiting
            finally:
                self._waiting = None
        message = self._arrived.popleft()
        if message.type is WSMsgType.TEXT:
            self.server_end.was_read(message.data)
        return message

    async def send_str(self, text: str) -> None:
        if self.closed or self.close_code is not None:
            raise aiohttp.ClientConnectionResetError("Cannot write to closing transport")
        self.server_end.hear(text)

    async def close(self, *, code: int = 4000, message: bytes = b"") -> bool:
        if self.closed:
            return False
        self.closed = True
        if self.close_code is None:
            self.close_code = code
            self.server_end.hear_close()
        self._wake()
        return True


class KeepAlive:
    """discord.py's heartbeat without its thread: the same steps on the loop's clock."""

    def __init__(self, *, ws: Any, interval: float | None = None, shard_id: int | None = None, **_: Any) -> None:
        self.ws = ws
        self.interval = interval
        self.shard_id = shard_id
        self.latency = float("inf")
        self.heartbeat_timeout = ws._max_heartbeat_timeout
        self._loop = asyncio.get_running_loop()
        self._timer: Any = None
        self._sending: asyncio.Task[None] | None = None
        self._is_stopped = False
        self._last_send = self._last_received = self._loop.time()

    def start(self) -> None:
        self._timer = self._loop.call_later(self.interval or 0.0, self._tick_over)

    def _tick_over(self) -> None:
        if self._last_received + self.heartbeat_timeout < self._loop.time():
            self.stop()
            self._sending = self._loop.create_task(self.ws.close(4000))
            return
        self._sending = self._loop.create_task(self._send())

    async def _send(self) -> None:
        try:
            await self.ws.send_heartbeat(self.get_payload())
        except Exception:
            self.stop()
            return
        self._last_send = self._loop.time()
        if not self._is_stopped:
            self.start()

    def get_payload(self) -> dict[str, Any]:
        return {"op": self.ws.HEARTBEAT, "d": self.ws.sequence}

    def stop(self) -> None:
        self._is_stopped = True
        if self._timer is not None:
            self._timer.cancel()

    def tick(self) -> None:
        self._last_received = self._loop.time()

    def beat(self) -> dict[str, Any]:
        self._last_send = self._loop.time()
        return self.get_payload()

    def ack(self) -> None:
        self.latency = self._loop.time() - self._last_send


class _NoConnector:
    def __init__(self, **_: Any) -> None:
        pass


def install() -> None:
    """Have discord.py of this process go to `server`."""
    aiohttp.ClientSession = Session  # type: ignore[assignment,misc]
    aiohttp.TCPConnector = _NoConnector  # type: ignore[assignment,misc]
    discord.gateway.KeepAliveHandler = KeepAlive  # type: ignore[assignment,misc]
