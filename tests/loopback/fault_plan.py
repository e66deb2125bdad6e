"""The fault plan: which request or gateway frame goes wrong, and when; faults.py says how."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Collection
from dataclasses import dataclass, field

from tests.loopback.entities import Channel
from tests.loopback.faults import Action, GatewayAction
from tests.loopback.wire import Call


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
