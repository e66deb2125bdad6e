"""Another Discord in front of the loopback one: the same rules in another dialect, as other servers speak it.

Requests and frames pass through; a `Dialect` changes what comes back. Only what Discord's documentation leaves open is
changed: headers that may be missing, fields that are optional or unknown, orders that nobody promises.
"""

import asyncio
import json
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp
from aiohttp import web

from tests.loopback.rules import Rules
from tests.loopback.server import LoopbackDiscord
from tests.loopback.wire import API_PREFIX

Json = Any
_RESUME_PATH = "/resume/here"
_HOP_HEADERS = ("content-length", "transfer-encoding", "content-encoding", "connection")


class Dialect:
    """How answers and frames are changed; this one changes nothing."""

    hello_delay_seconds = 0.0
    compresses = False
    resume_url: str | None = None
    """Where sessions are to be resumed; by default at the proxy, at another path."""

    def headers(self, headers: dict[str, str]) -> dict[str, str]:
        """The headers of a REST answer."""
        return headers

    def answer(self, path: str, body: Json) -> Json:
        """The JSON of a REST answer; None leaves it empty, with status 204."""
        return body

    def frames(self, frame: Json) -> list[Json]:
        """What is sent in place of a gateway frame."""
        return [frame]


class _Proxy:
    def __init__(self, server: "DialectDiscord", dialect: Dialect) -> None:
        self.url = ""
        self._server = server
        self._dialect = dialect

    def add_to(self, app: web.Application, session: aiohttp.ClientSession) -> None:
        """Take everything: requests below the API's prefix, websockets elsewhere."""
        self._session = session
        app.router.add_route("*", API_PREFIX + "/{rest:.*}", self._rest)
        app.router.add_get("/{rest:.*}", self._gateway)

    async def _rest(self, request: web.Request) -> web.StreamResponse:
        url = f"http://127.0.0.1:{self._server.port}{request.raw_path}"
        headers = {name: value for name, value in request.headers.items() if name.lower() not in ("host", "connection")}
        try:
            async with self._session.request(request.method, url, headers=headers, data=await request.read()) as answer:
                body = await answer.read()
        except aiohttp.ClientError:
            if request.transport is not None:
                request.transport.abort()
            raise web.HTTPBadGateway from None
        kept = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP_HEADERS}
        if answer.content_type == "application/json":
            changed = self._dialect.answer(request.path.removeprefix(API_PREFIX), json.loads(body))
            if changed is None:
                return web.Response(status=204)
            body = json.dumps(changed).encode()
        return web.Response(body=body, status=answer.status, headers=self._dialect.headers(kept))

    async def _gateway(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async with self._session.ws_connect(self._server.real_gateway_url) as upstream:
            up = asyncio.create_task(self._carry_up(socket, upstream))
            with suppress(ConnectionError):
                await self._carry_down(upstream, socket)
            up.cancel()
        await socket.close(code=upstream.close_code or 1006)
        return socket

    async def _carry_up(self, socket: web.WebSocketResponse, upstream: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            await upstream.send_str(message.data)
        await upstream.close()

    async def _carry_down(self, upstream: aiohttp.ClientWebSocketResponse, socket: web.WebSocketResponse) -> None:
        compressor = zlib.compressobj() if self._dialect.compresses else None
        await asyncio.sleep(self._dialect.hello_delay_seconds)
        async for message in upstream:
            frame = json.loads(message.data)
            if frame.get("t") == "READY":
                at_proxy = self.url.rstrip("/") + _RESUME_PATH + "?shard=0"
                frame["d"]["resume_gateway_url"] = self._dialect.resume_url or at_proxy
            for changed in self._dialect.frames(frame):
                text = json.dumps(changed)
                if compressor is None:
                    await socket.send_str(text)
                else:
                    packed = compressor.compress(text.encode()) + compressor.flush(zlib.Z_SYNC_FLUSH)
                    await socket.send_bytes(packed)


class DialectDiscord(LoopbackDiscord):
    """A loopback Discord whose addresses are those of the proxy before it."""

    proxy_port = 0

    @property
    def api_url(self) -> str:
        """Where requests go: to the proxy, once there is one."""
        return f"http://127.0.0.1:{self.proxy_port or self.port}{API_PREFIX}"

    @property
    def gateway_url(self) -> str:
        """Where websockets go."""
        return f"ws://127.0.0.1:{self.proxy_port or self.port}/"

    @property
    def real_gateway_url(self) -> str:
        """The gateway behind the proxy."""
        return f"ws://127.0.0.1:{self.port}/"


@asynccontextmanager
async def open_dialect(rules: Rules, dialect: Dialect) -> AsyncIterator[DialectDiscord]:
    """A Discord that speaks a dialect."""
    async with DialectDiscord(rules) as server, aiohttp.ClientSession(auto_decompress=True) as session:
        proxy, app = _Proxy(server, dialect), web.Application(client_max_size=32 * 2**20)
        proxy.add_to(app, session)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        server.proxy_port = runner.addresses[0][1]
        proxy.url = server.gateway_url
        try:
            yield server
        finally:
            await runner.cleanup()


def everywhere(change: Callable[[dict[str, Json]], dict[str, Json]], body: Json) -> Json:
    """`change` done to each object in a JSON value, the inner ones first."""
    if isinstance(body, list):
        return [everywhere(change, item) for item in body]
    if isinstance(body, dict):
        return change({name: everywhere(change, value) for name, value in body.items()})
    return body
