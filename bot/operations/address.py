"""The operations address: health, readiness, metrics, and a page that shows the bot at work, served on its own loop.

It is for the machine itself, or for a network that the operator trusts: whoever reaches it may look. Changes need the
operator's token. A page of somebody else's in the operator's browser gets at neither: the Host header has to be an
address or this one's own name, so that a name that suddenly leads here (DNS rebinding) leads nowhere.
"""

import asyncio
import base64
import hashlib
import ipaddress
import json
import logging
import os
import re
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

from aiohttp import ClientConnectionResetError, web

from bot.operations.check_up import COMMAND, CheckUp
from bot.operations.controls import Control, ControlRefused, Controls
from bot.operations.last_errors import LastErrors, errors_kept
from bot.operations.last_hour import POINT_SECONDS, LastHour
from bot.operations.live import Live
from bot.operations.metrics import Metrics, watch_loop
from bot.operations.overview import Overview
from bot.operations.readiness import Readiness
from bot.tasks import in_background, keep_running

log = logging.getLogger(__name__)

PAGE = Path(__file__).parent / "page.html"
STATE_SECONDS = 1.0
"""How often the page is told the state."""
MAX_STREAMS = 16
_RETRY_SECONDS = 15.0
_SHUTDOWN_SECONDS = 1.0
_UNREAD_SECONDS = 10.0
"""A page that reads nothing for so long is left; a browser comes back by itself."""
_MAX_BODY_BYTES = 4096
_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class OperationsOptions:
    """Where it is served, and who may change something there."""

    address: tuple[str, int] | None
    """Host and port; None serves nothing."""
    token: str | None = field(default=None, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """What nothing that is shown may hold."""
    end: Callable[[], None] = lambda: os.kill(os.getpid(), signal.SIGTERM)
    """Begins the drain."""
    doctor: tuple[str, ...] = COMMAND
    """The command that looks at everything and says it as JSON."""


@dataclass(slots=True)
class Watch:
    """Who listens to the bot's work for the operations address; give all of `observers` to it."""

    overview: Overview
    metrics: Metrics = field(init=False)
    hour: LastHour = field(default_factory=LastHour)

    def __post_init__(self) -> None:
        self.metrics = Metrics(self.overview)

    @property
    def observers(self) -> tuple[Overview, Metrics, LastHour]:
        """Each hears everything."""
        return self.overview, self.metrics, self.hour


@asynccontextmanager
async def open_operations(
    options: OperationsOptions,
    watch: Watch,
) -> AsyncIterator[Callable[[], str | None]]:
    """Serve as long as the block lasts. An address that can't be had is said in the log and tried again.

    Yields what tells the URL; None until it is listened at.
    """
    if options.address is None:
        yield lambda: None
        return
    with errors_kept(options.secrets) as errors:
        desk = _Desk(options, watch, errors)
        runner = web.AppRunner(desk.app(), access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS)
        await runner.setup()
        try:
            listening = keep_running("listening at the operations address", partial(_listen, runner, options.address))
            collecting = keep_running("collecting the last hour", desk.collect)
            lagging = keep_running("measuring the event loop", partial(watch_loop, watch.metrics))
            async with in_background(listening), in_background(collecting), in_background(lagging):
                yield lambda: _url(runner)
        finally:
            await runner.cleanup()


def _url(runner: web.AppRunner) -> str | None:
    if not runner.addresses:
        return None
    host, port = runner.addresses[0][:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


async def _listen(runner: web.AppRunner, address: tuple[str, int]) -> None:
    """Listen, as soon as that is possible."""
    host, port = address
    shown, is_said = f"{f'[{host}]' if ':' in host else host}:{port}", False
    while True:
        site = web.TCPSite(runner, host, port)
        try:
            await site.start()
        except OSError as error:
            await site.stop()
            if not is_said:
                reason = error.strerror or str(error)
                log.warning(
                    "health and metrics aren't served yet: %s can't be listened at (%s). Where another program, or "
                    "another bot, has it, set TRINITY_OPERATIONS_ADDRESS to another one, or to off",
                    shown,
                    reason,
                )
            is_said = True
            await asyncio.sleep(_RETRY_SECONDS)
        else:
            log.info("health, metrics and the operator's page are at %s", _url(runner))
            return


class _Desk:
    """The handlers, and what they share."""

    def __init__(
        self,
        options: OperationsOptions,
        watch: Watch,
        errors: LastErrors,
    ) -> None:
        self._host = options.address[0] if options.address else ""
        self._watch = watch
        check_up = CheckUp(options.doctor)
        self._controls = Controls(watch.overview, options.token, options.end, check_up)
        self._readiness = Readiness(watch.overview)
        self._live = Live(watch.overview, self._readiness, watch.hour, errors, self._controls, check_up)
        self._is_closing = asyncio.Event()
        self._num_streams = 0
        self._num_points = 0
        self._rendering = asyncio.Lock()

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._guard], client_max_size=_MAX_BODY_BYTES)
        app.add_routes(
            [
                web.get("/", self._page),
                web.get("/healthz", self._healthz),
                web.get("/readyz", self._readyz),
                web.get("/metrics", self._metrics),
                web.get("/state", self._state),
                web.get("/events", self._events, allow_head=False),
                web.post("/control/{name}", self._control),
            ]
        )
        app.on_shutdown.append(self._end_streams)
        return app

    async def collect(self) -> None:
        """Make a point of each ten seconds."""
        while True:
            await asyncio.sleep(POINT_SECONDS)
            self._watch.hour.close_point()
            self._num_points += 1

    async def _end_streams(self, _app: web.Application) -> None:
        # aiohttp would wait for them, twice.
        self._is_closing.set()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if not is_own_host(request.headers.get("Host", ""), self._host):
            text = "This name isn't the operations address's own; use its IP address, or localhost.\n"
            return web.Response(status=421, text=text, headers=_HEADERS)
        try:
            response = await handler(request)
        except web.HTTPException as error:
            error.headers.update(_HEADERS)
            raise
        if not response.prepared:
            response.headers.update({name: value for name, value in _HEADERS.items() if name not in response.headers})
        return response

    async def _page(self, _request: web.Request) -> web.Response:
        text, policy = _read_page()
        return web.Response(text=text, content_type="text/html", headers={"Content-Security-Policy": policy})

    async def _healthz(self, _request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _readyz(self, request: web.Request) -> web.Response:
        checks = await self._readiness.checks()
        is_ready = all(check.is_ok for check in checks)
        status = 200 if is_ready else 503
        if "application/json" in request.headers.get("Accept", ""):
            return web.json_response(
                {"ready": is_ready, "checks": [check._asdict() for check in checks]}, status=status
            )
        lines = [f"{'ok ' if check.is_ok else 'NOT'} {check.name}: {check.words}" for check in checks]
        return web.Response(status=status, text="\n".join([*lines, "ready" if is_ready else "not ready", ""]))

    async def _metrics(self, request: web.Request) -> web.Response:
        async with self._rendering:  # one at a time: what is read on the loop is rendered as it was read
            self._watch.metrics.refresh()
            accept = request.headers.get("Accept", "")
            exposition = await asyncio.to_thread(self._watch.metrics.render, accept)
        # aiohttp's own argument takes no parameters such as the version.
        return web.Response(body=exposition.body, headers={"Content-Type": exposition.content_type})

    async def _state(self, _request: web.Request) -> web.Response:
        return web.json_response({**await self._live.state(), "history": self._live.history()})

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """Server-sent events: the last hour first, then the state every second and each new point."""
        if self._num_streams >= MAX_STREAMS:
            return web.Response(status=503, text="Too many pages are open.\n", headers={"Retry-After": "10"})
        self._num_streams += 1
        try:
            response = web.StreamResponse(headers={**_HEADERS, "Content-Type": "text/event-stream; charset=utf-8"})
            with suppress(ClientConnectionResetError, ConnectionError, TimeoutError):
                await response.prepare(request)
                await self._stream(response)
            return response
        finally:
            self._num_streams -= 1

    async def _stream(self, response: web.StreamResponse) -> None:
        num_points = self._num_points
        await _send(response, "history", self._live.history())
        while not self._is_closing.is_set():
            if num_points < self._num_points:
                num_points = self._num_points
                await _send(response, "point", self._live.history()[-1])
            await _send(response, "state", await self._live.state())
            with suppress(TimeoutError):
                async with asyncio.timeout(STATE_SECONDS):
                    await self._is_closing.wait()

    async def _control(self, request: web.Request) -> web.Response:
        if not self._controls.has_token:
            return _said(403, "Set TRINITY_OPERATOR_TOKEN first; without it nothing can be changed here.")
        if not self._controls.is_operator(request.headers.get("Authorization", "")):
            log.warning("a change was refused at the operations address: the operator's token wasn't given")
            return _said(401, "That isn't the operator's token.", {"WWW-Authenticate": "Bearer"})
        try:
            control = Control(request.match_info["name"])
        except ValueError:
            return _said(404, "There is no such thing to do.")
        try:
            return _said(200, await self._controls.do(control))
        except ControlRefused as refusal:
            return _said(409, str(refusal))


def is_own_host(header: str, own_host: str) -> bool:
    """Whether a Host header names this machine by an address, as localhost, or by the name that is listened at."""
    host = header.rpartition("]")[0][1:] if header.startswith("[") else header.partition(":")[0]
    host = host.rstrip(".").lower()
    if host in {"localhost", own_host.lower()} and host:
        return True
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _said(status: int, words: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response({"said": words}, status=status, headers=headers)


async def _send(response: web.StreamResponse, name: str, value: Any) -> None:
    """Send an event; raises TimeoutError where it isn't read."""
    async with asyncio.timeout(_UNREAD_SECONDS):
        await response.write(f"event: {name}\ndata: {json.dumps(value, separators=(',', ':'))}\n\n".encode())


@cache
def _read_page() -> tuple[str, str]:
    """The page, and the policy that lets nothing run in it but what stands in it."""
    text = PAGE.read_text(encoding="utf-8")
    script, style = (_hashes(text, tag) for tag in ("script", "style"))
    policy = (
        f"default-src 'none'; script-src {script}; style-src {style}; connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return text, policy


def _hashes(text: str, tag: str) -> str:
    found = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
    digests = (base64.b64encode(hashlib.sha256(each.encode()).digest()).decode() for each in found)
    return " ".join(f"'sha256-{digest}'" for digest in digests) or "'none'"
