"""What can go wrong with a request, before or after its effect, and with a gateway connection."""

from __future__ import annotations

import asyncio
import math
import socket
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from aiohttp import web

from tests.loopback.waiting import came_true
from tests.loopback.wire import Call, html_answer, json_answer

if TYPE_CHECKING:
    from tests.loopback.accounts import BotAccount
    from tests.loopback.gateway import Gateway


class CutOff(Exception):
    """The request's connection is cut here, without an answer."""


class Action(Protocol):
    """What goes wrong, before the request has its effect or after."""

    async def before(self, call: Call) -> web.Response | None:
        """Runs before the effect; an answer prevents it."""

    async def after(self, call: Call, answer: web.Response) -> web.Response:
        """Runs after the effect; its answer is what the bot sees."""


class _Strike:
    """An action that strikes once: before the request takes effect, or (the treacherous case) after."""

    __slots__ = ()
    after_effect: bool

    async def before(self, call: Call) -> web.Response | None:
        return None if self.after_effect else await self._strike(call)

    async def after(self, call: Call, answer: web.Response) -> web.Response:
        return (await self._strike(call) or answer) if self.after_effect else answer

    async def _strike(self, call: Call) -> web.Response | None:
        """What is answered in place of the request's own answer, if anything is."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Status(_Strike):
    """Answers with a status."""

    status: int
    after_effect: bool = False
    code: int = 0
    message: str = "injected fault"
    is_html: bool = False

    async def _strike(self, call: Call) -> web.Response:
        if self.is_html:
            return html_answer(self.status, f"<html><body>{self.message}</body></html>")
        return json_answer({"code": self.code, "message": self.message}, status=self.status)


@dataclass(frozen=True, slots=True)
class Garbled(_Strike):
    """Answers with a success whose body can't be read."""

    body: bytes = b""
    after_effect: bool = False
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()

    async def _strike(self, call: Call) -> web.Response:
        return web.Response(body=self.body, content_type=self.content_type, headers=dict(self.headers))


@dataclass(frozen=True, slots=True)
class WordFilter:
    """Refuses every text with a certain word in it, as a server's own filter does."""

    word: str

    async def before(self, call: Call) -> web.Response | None:
        """The refusal, before anything is shown."""
        body = await call.body()
        content = body.get("content") or (body.get("data") or {}).get("content") or ""
        return json_answer({"code": 200000, "message": "blocked"}, status=400) if self.word in content else None

    async def after(self, call: Call, answer: web.Response) -> web.Response:
        """The answer as it is."""
        return answer


@dataclass(frozen=True, slots=True)
class Reset(_Strike):
    """Cuts the connection without an answer; `is_hard` sends a TCP reset in place of an orderly end."""

    after_effect: bool = False
    is_hard: bool = True

    async def _strike(self, call: Call) -> None:
        transport = call.request.transport
        if transport is not None:
            if self.is_hard:
                linger = struct.pack("ii", 1, 0)
                transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            transport.abort()
        raise CutOff


@dataclass(frozen=True, slots=True)
class Delay(_Strike):
    """Lets the request wait, then go on."""

    seconds: float
    after_effect: bool = False

    async def _strike(self, call: Call) -> None:
        await asyncio.sleep(self.seconds)


@dataclass(frozen=True, slots=True)
class Hang(_Strike):
    """Never answers: the client has to give up by itself."""

    after_effect: bool = False

    async def _strike(self, call: Call) -> None:
        transport = call.request.transport
        await came_true(lambda: transport is None or transport.is_closing(), math.inf)
        raise CutOff


@dataclass(frozen=True, slots=True)
class RateLimited:
    """A 429 of Discord's own, kept up until `retry_after` is over: for one bucket, or for everything."""

    retry_after: float
    global_: bool = False

    async def before(self, call: Call) -> web.Response | None:
        return call.limits.block(call, self.retry_after, is_global=self.global_)

    async def after(self, call: Call, answer: web.Response) -> web.Response:
        return answer


@dataclass(frozen=True, slots=True)
class CloudflareBan:
    """A 429 in HTML without a Via header, for every request until the ban is over."""

    seconds: float

    async def before(self, call: Call) -> web.Response | None:
        return call.limits.ban(self.seconds)

    async def after(self, call: Call, answer: web.Response) -> web.Response:
        return answer


@dataclass(frozen=True, slots=True)
class GatewayAction:
    """How a gateway connection fails: abort, close (with a code), op7, op9 (resumable or not), stall."""

    how: str
    code: int = 4000

    async def strike(self, gateway: Gateway, bot: BotAccount) -> None:
        """Does it to the bot's sockets."""
        await asyncio.sleep(0.01)  # the frame before it is to arrive
        if self.how == "close":
            await gateway.close(self.code, bot)
        elif self.how in ("op9", "op9_resumable"):
            gateway.invalidate(is_resumable=self.how == "op9_resumable", bot=bot)
        else:
            {"abort": gateway.abort, "op7": gateway.reconnect, "stall": gateway.stall}[self.how](bot)


ABORT, OP7, STALL = GatewayAction("abort"), GatewayAction("op7"), GatewayAction("stall")
OP9, OP9_RESUMABLE = GatewayAction("op9"), GatewayAction("op9_resumable")


def close_with(code: int) -> GatewayAction:
    """Closes the socket with a code."""
    return GatewayAction("close", code)
