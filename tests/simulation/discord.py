"""Discord in memory, for what lies below Discord's library: channels, messages, nonces, a connection that drops.

A request travels, is done, and its answer travels back; what is on its way arrives also if whoever sent it has died.
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

from bot.delivery.refusals import (
    ContentRefused,
    MessageGone,
    NoAccess,
    RateLimited,
    Unclear,
    Unreachable,
)
from bot.delivery.transport import Button, Draft, DraftKey, Posted
from tests.simulation.faults import Faults
from tests.simulation.journal import Journal
from tests.simulation.loop import LIFE, OUTSIDE, Life, SimulatedLoop
from tests.simulation.universe import universe

BOT_ID = 1
NONCE_SECONDS = 170.0
_EPOCH = 1_420_070_400.0
_LIMIT_SECONDS = 30.0
"""How long the library waits for an answer."""
_PER_SECOND = 50


@dataclass(eq=False, slots=True)
class Message:
    """A message in a channel. `id` grows with time."""

    id: int
    channel: "Channel"
    author_id: int
    content: str
    at: float
    reply_to: int | None = None
    key: DraftKey | None = None
    buttons: tuple[Button, ...] = ()
    file_text: str | None = None
    edited_at: datetime | None = None
    deleted_at: float | None = None
    deleted_by_bot: bool = False
    versions: list[tuple[float, str]] = field(default_factory=list)

    @property
    def is_there(self) -> bool:
        """Whether it wasn't deleted."""
        return self.deleted_at is None

    @property
    def created_at(self) -> datetime:
        """When it was written, by Discord's clock."""
        return datetime.fromtimestamp((self.id >> 22) / 1000 + _EPOCH, UTC)


@dataclass(eq=False, slots=True)
class Channel:
    """A place to write in; a direct message has no guild."""

    id: int
    guild_id: int | None
    parent_id: int | None = None
    messages: list[Message] = field(default_factory=list)
    is_closed: bool = False
    """Whether the bot lacks the permission to write there."""


class Discord:
    """The whole of it: what stands in the channels, and who is connected."""

    def __init__(self, loop: SimulatedLoop, journal: Journal, chance: random.Random, faults: Faults) -> None:
        self.loop = loop
        self.journal = journal
        self.chance = chance
        self.faults = faults
        self.channels: dict[int, Channel] = {}
        self.messages: dict[int, Message] = {}
        self.violations: list[str] = []
        self.num_requests: dict[str, int] = {}
        self.num_refusals = 0
        self._pace = chance.choice((20.0, 8.0, 2.0, 0.7))
        """How many times in a second a request could travel there."""
        self._last_id = 0
        self._nonces: dict[DraftKey, tuple[float, Message]] = {}
        self._times: deque[float] = deque()
        self._receive: Callable[[str, Message], None] | None = None
        self._missed: list[tuple[str, Message]] = []
        self._is_resumable = False
        self._arrives_at = 0.0

    def new_id(self) -> int:
        """An id of this moment."""
        now = int((universe.true_time - _EPOCH) * 1000) << 22
        self._last_id = max(self._last_id + 1, now)
        return self._last_id

    # --- what people do

    def say(self, channel: Channel, author_id: int, content: str) -> Message:
        """A person writes."""
        message = Message(self.new_id(), channel, author_id, content, self.loop.time())
        channel.messages.append(message)
        self.messages[message.id] = message
        self.journal.note("says", channel.id, author_id, message.id, content[:40])
        self._tell("create", message)
        return message

    def edit(self, message: Message, content: str) -> None:
        """A person edits their message."""
        message.versions.append((self.loop.time(), message.content))
        message.content = content
        message.edited_at = datetime.fromtimestamp(universe.true_time, UTC)
        self.journal.note("edits", message.id, content[:40])
        self._tell("edit", message)

    def delete(self, message: Message, *, by_bot: bool = False) -> None:
        """Somebody deletes a message."""
        if message.is_there:
            message.deleted_at, message.deleted_by_bot = self.loop.time(), by_bot
            self.journal.note("deleted", message.id, by_bot)
            self._tell("delete", message)

    # --- the connection

    def connect(self, receive: Callable[[str, Message], None]) -> bool:
        """A process connects; returns whether it goes on with its session, and is told what it missed."""
        self._receive = receive
        is_resumed, self._is_resumable = self._is_resumable, True
        missed, self._missed = self._missed, []
        if is_resumed:
            for kind, message in missed:
                self._tell(kind, message)
        return is_resumed

    @property
    def is_connected(self) -> bool:
        """Whether a process hears what happens."""
        return self._receive is not None

    def disconnect(self, *, is_resumable: bool) -> None:
        """The connection is lost, and perhaps the session with it."""
        self._receive = None
        self._is_resumable = self._is_resumable and is_resumable
        if not self._is_resumable:
            self._missed.clear()

    def _tell(self, kind: str, message: Message) -> None:
        receive = self._receive
        if receive is None:
            if self._is_resumable:
                self._missed.append((kind, message))
            return
        # In order, as by one connection.
        self._arrives_at = max(self._arrives_at + 1e-6, self.loop.time() + self.chance.expovariate(30))
        self.loop.call_at(self._arrives_at, self._arrive, kind, message, receive, context=OUTSIDE)

    def _arrive(self, kind: str, message: Message, receive: Callable[[str, Message], None]) -> None:
        if receive is self._receive:
            receive(kind, message)
        elif self._receive is None and self._is_resumable:
            self._missed.append((kind, message))

    # --- the bot's requests

    async def request(self, kind: str, channel_id: int, effect: Callable[[], Any], what: str = "") -> Any:
        """One request: it travels, is done, and is answered."""
        loop, chance, faults = self.loop, self.chance, self.faults
        self._count(kind)
        answered = loop.create_future()
        way = chance.expovariate(self._pace) + (chance.expovariate(0.2) if chance.random() < faults.slow else 0.0)
        doing = loop.call_later(way, self._do, kind, channel_id, effect, what, answered, LIFE.get(), context=OUTSIDE)
        try:
            async with asyncio.timeout(_LIMIT_SECONDS):
                return await answered
        except TimeoutError:
            if kind == "edit":
                # It hangs up, and what Discord hasn't done by then it doesn't do any more: nobody could tell otherwise
                # which of two edits came last.
                doing.cancel()
            raise Unreachable("no answer") from None

    def _do(
        self,
        kind: str,
        channel_id: int,
        effect: Callable[[], Any],
        what: str,
        answered: "asyncio.Future[Any]",
        life: Life | None,
    ) -> None:
        # What had not arrived when the next process began went with its connection.
        if life is not None and life.is_dead and self.loop.life not in (None, life):
            return
        chance, faults = self.chance, self.faults
        draw = chance.random()
        result: Any = None
        error: Exception | None = None
        if draw < faults.refused:
            error = Unreachable("HTTP 503")
        elif draw < faults.refused + faults.limited:
            error = RateLimited("HTTP 429", chance.uniform(0.1, 8.0))
        elif chance.random() < faults.banned:
            error = Unreachable("banned", is_ban=True)
        elif chance.random() < faults.unclear:
            error = Unclear("HTTP 403 without a code")
        else:
            try:
                result = effect()
            except Exception as raised:
                error = raised
            if chance.random() < faults.lost:
                error = Unreachable("connection reset")
        self.journal.note("request", kind, channel_id, type(error).__name__, getattr(result, "message_id", ""), what)
        self.num_refusals += isinstance(error, NoAccess | Unclear)
        self.loop.call_later(chance.expovariate(1.5 * self._pace), _answer, answered, result, error, context=OUTSIDE)

    def _count(self, kind: str) -> None:
        now = self.loop.time()
        self.num_requests[kind] = self.num_requests.get(kind, 0) + 1
        self._times.append(now)
        while self._times[0] <= now - 1:
            self._times.popleft()
        if len(self._times) > _PER_SECOND:
            self.violations.append(f"{len(self._times)} requests within a second at {now:.1f}")

    def create(self, draft: Draft) -> Posted:
        """Create a message, or give the one that the same nonce created a while ago."""
        channel, now = self._channel(draft.channel_id), self.loop.time()
        known = self._nonces.get(draft.key)
        if known is not None and now - known[0] < NONCE_SECONDS:
            return _posted(known[1])
        if not draft.content.strip() or len(draft.content.encode("utf-16-le")) > 4000:
            self.violations.append(f"a message of {len(draft.content)} characters")
            raise ContentRefused("HTTP 400")
        reply_to = (
            draft.reply_to if draft.reply_to in self.messages and self.messages[draft.reply_to].is_there else None
        )
        message = Message(
            self.new_id(), channel, BOT_ID, draft.content.strip(), now, reply_to, draft.key, draft.buttons,
            draft.file_text,
        )  # fmt: skip
        channel.messages.append(message)
        self.messages[message.id] = message
        self._nonces[draft.key] = now, message
        self._tell("create", message)
        return _posted(message)

    def edit_own(self, channel_id: int, message_id: int, content: str, buttons: tuple[Button, ...]) -> None:
        """Give a message of the bot's another text."""
        message = self._own(channel_id, message_id)
        if not content.strip() or len(content.encode("utf-16-le")) > 4000:
            self.violations.append(f"an edit to {len(content)} characters")
            raise ContentRefused("HTTP 400")
        message.versions.append((self.loop.time(), message.content))
        message.content, message.buttons = content.strip(), buttons

    def take_buttons_off(self, channel_id: int, message_id: int) -> None:
        """Leave a message of the bot's its text only."""
        self._own(channel_id, message_id).buttons = ()

    def delete_own(self, channel_id: int, message_id: int) -> None:
        """Delete a message of the bot's."""
        self.delete(self._own(channel_id, message_id), by_bot=True)

    def own_messages(self, channel_id: int, after: int) -> list[Posted]:
        """The bot's among the next hundred."""
        later = [each for each in self._channel(channel_id).messages if each.id > after and each.is_there][:100]
        return [_posted(each) for each in later if each.author_id == BOT_ID]

    def newest(self, channel_id: int, limit: int) -> list[Message]:
        """The newest messages, oldest first."""
        return [each for each in self._channel(channel_id).messages if each.is_there][-limit:]

    def look_at(self, message_id: int) -> None:
        """Nothing, or that it is gone."""
        if not self.messages[message_id].is_there:
            raise MessageGone("HTTP 404")

    def _own(self, channel_id: int, message_id: int) -> Message:
        self._channel(channel_id)
        message = self.messages[message_id]
        if not message.is_there:
            raise MessageGone("HTTP 404")
        if message.author_id != BOT_ID:
            self.violations.append(f"{message_id} is somebody else's")
        return message

    def _channel(self, channel_id: int) -> Channel:
        channel = self.channels[channel_id]
        if channel.is_closed:
            raise NoAccess("HTTP 403", code=50001)
        return channel


class Wire:
    """The `Transport` of one life."""

    def __init__(self, discord: Discord) -> None:
        self._discord = discord

    async def create(self, draft: Draft) -> Posted:
        what = f"{tuple(draft.key)} {draft.content[:30]!r}"
        return await self._discord.request("create", draft.channel_id, lambda: self._discord.create(draft), what)

    async def edit(self, channel_id: int, message_id: int, content: str, buttons: tuple[Button, ...]) -> None:
        await self._discord.request(
            "edit", channel_id, lambda: self._discord.edit_own(channel_id, message_id, content, buttons),
            f"{message_id} {content[:30]!r} {content[-30:]!r} {len(content)}",
        )  # fmt: skip

    async def take_buttons_off(self, channel_id: int, message_id: int) -> None:
        take = partial(self._discord.take_buttons_off, channel_id, message_id)
        await self._discord.request("edit", channel_id, take, f"{message_id} loses its buttons")

    async def delete(self, channel_id: int, message_id: int) -> None:
        delete = partial(self._discord.delete_own, channel_id, message_id)
        await self._discord.request("delete", channel_id, delete, str(message_id))

    async def show_typing(self, channel_id: int) -> None:
        await self._discord.request("typing", channel_id, lambda: None)

    async def own_messages(self, channel_id: int, after: int) -> list[Posted]:
        return await self._discord.request("own", channel_id, lambda: self._discord.own_messages(channel_id, after))

    async def newest(self, channel_id: int, limit: int) -> list[Message]:
        return await self._discord.request("newest", channel_id, lambda: self._discord.newest(channel_id, limit))

    async def look_at(self, channel_id: int, message_id: int) -> None:
        await self._discord.request("look", channel_id, lambda: self._discord.look_at(message_id))

    def language_of(self, channel_id: int) -> str:
        return "en"

    def muted_seconds(self, channel_id: int) -> float:
        return 0.0


def _answer(answered: "asyncio.Future[Any]", result: Any, error: Exception | None) -> None:
    if answered.done():
        return
    if error is not None:
        answered.set_exception(error)
    else:
        answered.set_result(result)


def _posted(message: Message) -> Posted:
    return Posted(message.id, message.content, message.reply_to, message.buttons)
