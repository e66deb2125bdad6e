"""The one way out: every request in a channel passes here, paced, repeated where that is safe, and never cancelled.

A request that was begun is never cancelled, although whoever waits for it may be: discord.py's lock for global rate
limits would stay shut for ever, and a message could be created without anybody learning its id.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from typing import TypeVar

from bot.delivery.limits import EDITS_PER_SECOND, Breaker, ClosedChannels, Pacer, Urgency
from bot.delivery.refusals import (
    MISSING_PERMISSIONS,
    NO_DIRECT_MESSAGES,
    MessageGone,
    NoAccess,
    RateLimited,
    TokenRefused,
    Unclear,
    Unreachable,
    Unreadable,
)
from bot.delivery.transport import Button, Draft, DraftKey, Posted, Transport
from bot.errors import DiscordError
from bot.observer import Observer, Observers, RequestRecord
from bot.words import in_language

NONCE_WINDOW_SECONDS = 150.0
"""Discord remembers a nonce for "a few minutes"; seen are 180 seconds."""


GIVE_UP_SECONDS = 900.0


TRIES_OF_UNCLEAR = 3
"""A refusal that doesn't say why is taken for good after so many."""


_MUTE_MARGIN_SECONDS = 1.0


_MUTE_NEWS_SECONDS = 1.0
"""How long Discord may take to tell of a mute, or of its early end."""


_CLOSING_SECONDS = 2.0
"""How long `close` waits for requests that are under way."""


_CHANGES = frozenset({"edit", "delete"})
"""Of what the bot has written: for that it needn't be allowed to write."""


Result = TypeVar("Result")


class Sender:
    """Creates and edits messages, whatever Discord does meanwhile.

    Its methods wait through outages for a quarter of an hour, and raise `NoAccess` (at once for a channel that is known
    to be closed), `MessageGone`, `Rejected`, or in the end `Unreachable`. A moderator's timeout of the bot that ends
    within that time is waited for as well.
    """

    def __init__(
        self,
        transport: Transport,
        calls: asyncio.TaskGroup,
        edit_interval_seconds: float = 1.0,
        observer: Observer | None = None,
        *,
        has_buttons: bool = True,
        pacer: Pacer | None = None,
    ) -> None:
        """With `pacer`, several senders of one account keep one pace."""
        self.has_buttons = has_buttons
        """Whether there are buttons below answers."""
        self.pacer = pacer or Pacer()
        self.breaker = Breaker()
        self.closed_channels = ClosedChannels()
        self.token_doubted = asyncio.Event()
        """Set when a request was refused for its token."""
        self._transport = transport
        self._observer: Observer = observer or Observers()
        self._calls = calls
        self._running: set[asyncio.Task[None]] = set()
        self._creating: dict[DraftKey, asyncio.Event] = {}
        self._editing: dict[int, asyncio.Event] = {}
        """What is being created just now; set when that is known to have ended."""
        self._edit_interval_seconds = edit_interval_seconds
        self._is_over = False

    @property
    def edit_interval_seconds(self) -> float:
        """How long an answer waits between two edits, so that all running answers together keep the pace."""
        return max(self._edit_interval_seconds, self.pacer.num_streaming / (EDITS_PER_SECOND * self.pacer.share))

    @contextmanager
    def streaming(self) -> Iterator[None]:
        """Count one answer as running."""
        self.pacer.num_streaming += 1
        try:
            yield
        finally:
            self.pacer.num_streaming -= 1

    def language_of(self, channel_id: int) -> str:
        """The language that is spoken in a channel."""
        return self._transport.language_of(channel_id)

    async def create(self, draft: Draft, keep: Callable[[Posted], Awaitable[None]]) -> Posted:
        """Create a message exactly once, and call `keep` with it, even if the caller is cancelled meanwhile.

        Within the nonce's window a repeated create returns the first message. After it the channel is searched first.
        So the result may say something else than `draft`. A phrase is said in the channel's language.
        """
        draft = replace(draft, content=in_language(draft.content, self.language_of(draft.channel_id)))
        first_tried_at: float | None = None

        async def request() -> Posted:
            nonlocal first_tried_at
            now, posted = asyncio.get_running_loop().time(), None
            if first_tried_at is not None and now > first_tried_at + NONCE_WINDOW_SECONDS:
                posted, first_tried_at = await self._find(draft), None
            first_tried_at = now if first_tried_at is None else first_tried_at
            self._creating[draft.key] = ended = asyncio.Event()
            try:
                posted = posted or await self._transport.create(draft)
                await keep(posted)
            finally:
                ended.set()
                del self._creating[draft.key]
            return posted

        return await self._repeat("create", draft.channel_id, Urgency.FIRST, request)

    async def wait_created(self, question_id: int) -> None:
        """Wait for the messages about a question that are being created just now, also where nobody else does."""
        for ended in [ended for key, ended in self._creating.items() if key.question_id == question_id]:
            await ended.wait()

    async def edit(
        self,
        channel_id: int,
        message_id: int,
        latest: Callable[[], str],
        urgency: Urgency = Urgency.FIRST,
        buttons: tuple[Button, ...] = (),
    ) -> str:
        """Give a message the text that is the latest when the request may leave, and its buttons; returns that text.

        Before that, an edit of it that is under way ends, also where nobody waits for it any more: of two on their way
        either might come last.
        """

        async def request() -> str:
            while (before := self._editing.get(message_id)) is not None:
                await before.wait()
            self._editing[message_id] = ended = asyncio.Event()
            try:
                content = latest()
                await self._transport.edit(channel_id, message_id, content, buttons)
            finally:
                ended.set()
                del self._editing[message_id]
            return content

        return await self._repeat("edit", channel_id, urgency, request)

    async def delete(self, channel_id: int, message_id: int) -> None:
        """Delete a message of ours."""
        await self._repeat("delete", channel_id, Urgency.FIRST, lambda: self._transport.delete(channel_id, message_id))

    async def own_messages(self, channel_id: int, after: int) -> list[Posted]:
        """Our own messages among the hundred that follow `after`, oldest first."""
        return await self.read(channel_id, lambda: self._transport.own_messages(channel_id, after))

    async def exists(self, channel_id: int, message_id: int) -> bool:
        """Whether a message was not deleted."""
        try:
            await self.read(channel_id, lambda: self._transport.look_at(channel_id, message_id))
        except MessageGone:
            return False
        return True

    async def read(self, channel_id: int, request: Callable[[], Awaitable[Result]]) -> Result:
        """Run a request of the transport that changes nothing."""
        return await self._repeat("read", channel_id, Urgency.LAST, request)

    async def show_typing(self, channel_id: int) -> None:
        """Show the typing indicator once, if that is possible just now."""
        if self.closed_channels.is_closed(channel_id) or self.breaker.is_open:
            return
        with suppress(DiscordError):
            await self._try("typing", channel_id, Urgency.LAST, lambda: self._transport.show_typing(channel_id))

    async def take_buttons_off(self, channel_id: int, message_id: int) -> None:
        """Leave a message of ours without buttons, if that is possible just now."""
        if self.closed_channels.is_closed(channel_id, to_edits=True) or self.breaker.is_open:
            return
        with suppress(DiscordError):
            await self._try(
                "edit", channel_id, Urgency.LAST, lambda: self._transport.take_buttons_off(channel_id, message_id)
            )

    async def close(self) -> None:
        """Wait a moment for requests that nobody waits for any more, then cancel them: the connection is closing."""
        self._is_over = True
        if self._running:
            await asyncio.wait(self._running, timeout=_CLOSING_SECONDS)
        for call in self._running:
            call.cancel()

    async def _repeat(
        self, kind: str, channel_id: int, urgency: Urgency, request: Callable[[], Awaitable[Result]]
    ) -> Result:
        """Repeat `request`, with growing pauses, for as long as what refuses it may pass."""
        give_up_at = asyncio.get_running_loop().time() + GIVE_UP_SECONDS
        num_unclear = 0
        for pause in growing_pauses():
            try:
                return await self._try(kind, channel_id, urgency, request)
            except Unreachable as error:
                seconds = max(pause, error.seconds) if isinstance(error, RateLimited) else pause
                if self._is_over or asyncio.get_running_loop().time() + seconds > give_up_at:
                    raise
            except Unclear:
                num_unclear, seconds = num_unclear + 1, pause
                if self._is_over or num_unclear == TRIES_OF_UNCLEAR:
                    raise
            except NoAccess as error:
                ends_at = asyncio.get_running_loop().time() + (error.seconds or 0.0) + _MUTE_MARGIN_SECONDS
                if not error.seconds or self._is_over or ends_at > give_up_at:
                    raise
                await self._outlast_mute(channel_id, error.seconds)
                continue
            await asyncio.sleep(seconds)
        raise AssertionError("pauses never end")

    async def _outlast_mute(self, channel_id: int, seconds: float) -> None:
        """Wait until a moderator's timeout of the bot is over, or was taken back before."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while (left := self.closed_channels.muted_seconds(channel_id)) is not None:  # noqa: ASYNC110 - no event for it
                    await asyncio.sleep(min(left, _MUTE_NEWS_SECONDS))
        await asyncio.sleep(_MUTE_MARGIN_SECONDS)

    async def _close(self, kind: str, channel_id: int, refusal: NoAccess) -> None:
        """Remember that a channel refuses us; where that is a moderator's timeout of the bot, only until it ends."""
        if refusal.code == NO_DIRECT_MESSAGES:
            self.closed_channels.close_shortly(channel_id)
            return
        self.closed_channels.note_refusal(channel_id)
        is_one_permission = refusal.code == MISSING_PERMISSIONS
        if is_one_permission and kind == "read":
            return  # what was written before may be hidden, and the bot may write all the same
        # The channel isn't closed before that is known: what is asked of it meanwhile would not wait for the end.
        seconds = await self._seconds_of_mute(channel_id) if is_one_permission else 0.0
        if seconds > 0:
            self.closed_channels.mute(channel_id, seconds)
            refusal.seconds = seconds
        else:
            self.closed_channels.close(channel_id, to_edits=kind in _CHANGES or not is_one_permission)

    async def _seconds_of_mute(self, channel_id: int) -> float:
        """For how long a moderator has muted the bot, by what Discord has said a moment after a refusal; else 0."""
        if (seconds := self._transport.muted_seconds(channel_id)) > 0:
            return seconds
        await asyncio.sleep(_MUTE_NEWS_SECONDS)
        return self._transport.muted_seconds(channel_id)

    async def _try(
        self, kind: str, channel_id: int, urgency: Urgency, request: Callable[[], Awaitable[Result]]
    ) -> Result:
        await self.breaker.wait()
        await self.pacer.wait(urgency)
        if self._is_over:
            raise Unreachable("we are leaving Discord")
        if self.closed_channels.is_closed(channel_id, to_edits=kind in _CHANGES):
            raise NoAccess("the channel is closed to us", seconds=self.closed_channels.muted_seconds(channel_id))
        try:
            result = await self._uncancelled(lambda: self._observed(kind, request))
        except (RateLimited, Unreadable):
            self.breaker.succeeded()
            raise
        except Unreachable as error:
            self.breaker.failed(is_ban=error.is_ban)
            if isinstance(error, TokenRefused):
                self.token_doubted.set()
            raise
        except NoAccess as error:
            self.breaker.succeeded()
            await self._close(kind, channel_id, error)
            raise
        except Unclear:
            self.breaker.succeeded()
            self.closed_channels.note_refusal(channel_id)
            raise
        except DiscordError:
            self.breaker.succeeded()
            raise
        self.breaker.succeeded()
        # That the bot may read, be seen typing or edit doesn't mean that it may speak.
        if urgency is not Urgency.LAST and not (kind in _CHANGES and self.closed_channels.is_closed(channel_id)):
            self.closed_channels.open(channel_id)
        return result

    async def _observed(self, kind: str, request: Callable[[], Awaitable[Result]]) -> Result:
        started_at, error = asyncio.get_running_loop().time(), ""
        try:
            return await request()
        except Exception as failure:
            error = type(failure).__name__
            raise
        finally:
            seconds = asyncio.get_running_loop().time() - started_at
            self._observer.on_request(RequestRecord(kind, seconds, error))

    async def _uncancelled(self, request: Callable[[], Awaitable[Result]]) -> Result:
        """Run `request` to its end, even if the caller is cancelled meanwhile."""
        outcome: asyncio.Future[Result] = asyncio.get_running_loop().create_future()

        async def run() -> None:
            try:
                result = await request()
            except Exception as error:
                if not outcome.done():
                    outcome.set_exception(error)
            else:
                if not outcome.done():
                    outcome.set_result(result)
            finally:
                outcome.cancel()

        call = self._calls.create_task(run())
        self._running.add(call)
        call.add_done_callback(self._running.discard)
        return await outcome

    async def _find(self, draft: Draft) -> Posted | None:
        """The message that `draft` became already, if it did."""
        for posted in await self._transport.own_messages(draft.channel_id, draft.after):
            # Discord drops the reference where the question was deleted meanwhile.
            is_reply_alike = posted.reply_to in {draft.reply_to, None}
            if posted.content.strip() == draft.content.strip() and is_reply_alike:
                return posted
        return None


@asynccontextmanager
async def open_sender(
    transport: Transport,
    edit_interval_seconds: float = 1.0,
    observer: Observer | None = None,
    *,
    has_buttons: bool = True,
    pacer: Pacer | None = None,
) -> AsyncIterator[Sender]:
    """A sender; at the end its last requests get a moment to finish."""
    async with asyncio.TaskGroup() as calls:
        sender = Sender(transport, calls, edit_interval_seconds, observer, has_buttons=has_buttons, pacer=pacer)
        try:
            yield sender
        finally:
            await sender.close()


def growing_pauses(first: float = 1.0, longest: float = 30.0) -> Iterator[float]:
    """Seconds to wait between tries, doubled each time and without end; with chance in them, so that many differ."""
    seconds = first
    while True:
        yield seconds * random.uniform(0.5, 1)  # noqa: S311 - spreads load, guards nothing
        seconds = min(2 * seconds, longest)
