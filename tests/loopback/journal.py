"""The truth about what was done: every act, every request and every rule that a bot broke, with monotonic times."""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.loopback.entities import Channel, Message, User

ActKind = Literal["create", "edit", "delete", "typing", "react", "unreact", "repeat"]
Refusal = Literal["bucket", "global", "cloudflare", "fault", "cut"]


@dataclass(frozen=True, slots=True)
class Act:
    """Something that changed what people see; `repeat` is a create that its nonce turned into nothing."""

    at: float
    kind: ActKind
    actor: User
    channel: Channel
    message: Message | None
    content: str = ""
    payload: dict[str, Any] = field(default_factory=dict)
    is_interaction: bool = False

    @property
    def nonce(self) -> str | None:
        """The nonce that came with a create."""
        nonce = self.payload.get("nonce")
        return None if nonce is None else str(nonce)

    @property
    def allowed_mentions(self) -> dict[str, Any] | None:
        """The field as the bot sent it; None where it was absent."""
        return self.payload.get("allowed_mentions")


@dataclass(frozen=True, slots=True)
class RestCall:
    """One REST request as it ended; `refusal` says which gate stopped or spoiled it."""

    at: float
    method: str
    path: str
    status: int
    seconds: float
    bot_name: str | None
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule of Discord's, or of ours, that a bot broke."""

    at: float
    rule: str
    detail: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.detail}"


class Journal:
    """Append-only lists; tests read them, only the simulator writes them."""

    def __init__(self) -> None:
        self.acts: list[Act] = []
        self.calls: list[RestCall] = []
        self.violations: list[Violation] = []

    def record(
        self,
        kind: ActKind,
        actor: User,
        channel: Channel,
        message: Message | None = None,
        *,
        payload: dict[str, Any] | None = None,
        is_interaction: bool = False,
    ) -> None:
        """Notes an act as of now."""
        content = "" if message is None else message.content
        act = Act(time.monotonic(), kind, actor, channel, message, content, payload or {}, is_interaction)
        self.acts.append(act)

    def accuse(self, rule: str, detail: str) -> None:
        """Notes a broken rule as of now."""
        self.violations.append(Violation(time.monotonic(), rule, detail))

    def acts_of(
        self, actor: User | None = None, kind: ActKind | None = None, channel: Channel | None = None
    ) -> Iterator[Act]:
        """The acts in order, narrowed by who, what and where."""
        for act in self.acts:
            if actor is not None and act.actor is not actor:
                continue
            if kind is not None and act.kind != kind:
                continue
            if channel is None or act.channel is channel:
                yield act

    def busiest_second(self) -> int:
        """The most REST requests that arrived within any one second, interactions and webhooks left out."""
        times = sorted(call.at for call in self.calls if _counts_globally(call.path))
        most = start = 0
        for end, at in enumerate(times):
            while at - times[start] >= 1.0:
                start += 1
            most = max(most, end - start + 1)
        return most

    def statuses(self) -> Counter[int]:
        """How often each status was answered."""
        return Counter(call.status for call in self.calls)


def _counts_globally(path: str) -> bool:
    return not path.startswith(("/interactions/", "/webhooks/"))
