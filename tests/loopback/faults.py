"""The fault plan: which request or gateway frame goes wrong, when, and how."""

from __future__ import annotations

import asyncio
import math
import random
import re
import socket
import struct
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from aiohttp import web

from tests.loopback.waiting import came_true
from tests.loopback.wire import Call, html_answer, json_answer

if TYPE_CHECKING:
    from tests.loopback.accounts import BotAccount
    from tests.loopback.entities import Channel
    from tests.loopback.gateway import Gateway


class CutOff(Exception):
    """The request's connection is cut here, without an answer."""


class Action(Protocol):
    """What goes wrong, before the request has its effect or after."""

    async def before(self, call: Call) -> web.Response | None:
        """Runs before the effect; an answer prevents it."""

    async def after(self, call: Call, answer: web.Response) -> web.Response:
        """Runs after the effect; its answer is what the bot sees."""


@dataclass(frozen=True, slots=True)
class Status:
    """Answers with a status, before the request takes effect or (the treacherous case) after."""

    status: int
    after_effect: bool = False
    code: int = 0
    message: str = "injected fault"
    is_html: bool = False

    def _answer(self) -> web.Response:
        if self.is_html:
            return html_answer(self.status, f"<html><body>{self.message}</body></html>")
        return json_answer({"code": self.code, "message": self.message}, status=self.status)

    async def before(self, call: Call) -> web.Response | None:
        return None if self.after_effect else self._answer()

    async def after(self, call: Call, answer: web.Response) -> web.Response:
        return self._answer() if self.after_effect else answer


@dataclass(frozen=True, slots=True)
class Reset:
    """Cuts the connection without an answer; `is_hard` sends a TCP reset in place of an orderly end."""

    after_effect: bool = False
    is_hard: bool = True

    async def before(self, call: Call) -> web.Response | None:
        if not self.after_effect:
            self._cut(call)
        return None

    async def after(self, call: Call, answer: web.Response) -> web.Response:
        if self.after_effect:
            self._cut(call)
        return answer

    def _cut(self, call: Call) -> None:
        transport = call.request.transport
        if transport is not None:
            if self.is_hard:
                linger = struct.pack("ii", 1, 0)
                transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            transport.abort()
        raise CutOff


@dataclass(frozen=True, slots=True)
class Delay:
    """Lets the request wait, then go on."""

    seconds: float
    after_effect: bool = False

    async def before(self, call: Call) -> web.Response | None:
        if not self.after_effect:
            await asyncio.sleep(self.seconds)
        return None

    async def after(self, call: Call, answer: web.Response) -> web.Response:
        if self.after_effect:
            await asyncio.sleep(self.seconds)
        return answer


@dataclass(frozen=True, slots=True)
class Hang:
    """Never answers: the client has to give up by itself."""

    after_effect: bool = False

    async def before(self, call: Call) -> web.Response | None:
        if not self.after_effect:
            await self._wait(call)
        return None

    async def after(self, call: Call, answer: web.Response) -> web.Response:
        if self.after_effect:
            await self._wait(call)
        return answer

    async def _wait(self, call: Call) -> None:
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


@dataclass(eq=False, slots=True)
class Fault:
    """One line of the plan. `num_hits` tells a test that the fault really struck."""

    action: Action
    method: str | None = None
    route: re.Pattern[str] | None = None
    channel_id: int | None = None
    nth: frozenset[int] = frozenset()
    probability: float = 1.0
    times: int | None = None
    dice: random.Random = field(default_factory=random.Random)
    num_matches: int = 0
    num_hits: int = 0

    def strikes(self, call: Call) -> bool:
        """Whether this request is hit; counts it if it fits the description."""
        if self.method not in (None, call.method) or (self.route and not self.route.fullmatch(call.path)):
            return False
        if self.channel_id not in (None, call.channel_id):
            return False
        self.num_matches += 1
        if self.nth and self.num_matches not in self.nth:
            return False
        if self.times is not None and self.num_hits >= self.times:
            return False
        if self.probability < 1.0 and self.dice.random() >= self.probability:
            return False
        self.num_hits += 1
        return True


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


@dataclass(eq=False, slots=True)
class _GatewayFault:
    action: GatewayAction
    event: str | None
    nth: frozenset[int]
    num_frames: int = 0


class FaultPlan:
    """All faults of a server; every random one draws from its own seed."""

    def __init__(self) -> None:
        self.planned: list[Fault] = []
        self._of_gateway: list[_GatewayFault] = []

    def add(
        self,
        action: Action,
        *,
        method: str | None = None,
        route: str | None = None,
        channel: Channel | None = None,
        nth: int | Collection[int] = (),
        probability: float = 1.0,
        seed: int | None = None,
        times: int | None = None,
    ) -> Fault:
        """Plans a fault for requests; in `route` (from /api/v10 on) a star stands for one part of the path.

        `nth` counts the fitting requests from 1; `times` bounds the hits.
        """
        fault = Fault(
            action,
            method,
            None if route is None else re.compile(re.escape(route).replace(r"\*", "[^/]+")),
            None if channel is None else channel.id,
            frozenset([nth] if isinstance(nth, int) else nth),
            probability,
            times,
            random.Random(time.monotonic_ns() if seed is None else seed),
        )
        self.planned.append(fault)
        return fault

    def add_to_gateway(
        self, action: GatewayAction, *, nth: int | Collection[int] = 1, event: str | None = None
    ) -> None:
        """Plans a failure of the connection right after the n-th dispatched frame (of one event's name) from now."""
        self._of_gateway.append(_GatewayFault(action, event, frozenset([nth] if isinstance(nth, int) else nth)))

    def remove(self, fault: Fault) -> None:
        """Ends a fault."""
        self.planned.remove(fault)

    def clear(self) -> None:
        """Ends every fault."""
        self.planned.clear()
        self._of_gateway.clear()

    def hits(self, call: Call) -> list[Action]:
        """What strikes this request, in the order of planning."""
        return [fault.action for fault in self.planned if fault.strikes(call)]

    def gateway_fault_after(self, event: str) -> GatewayAction | None:
        """What strikes after this frame."""
        struck = None
        for fault in self._of_gateway:
            if fault.event in (None, event):
                fault.num_frames += 1
                if fault.num_frames in fault.nth:
                    struck = fault.action
        return struck
