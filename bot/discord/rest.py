"""The requests that the bot makes in channels, and the errors they end with.

Every create and every edit is built here, so that none of them pings anybody or unfolds a link. discord.py adds rate
limits and its own retries; its errors are translated here and nowhere else. A page of messages is parsed one by one, so
that one that can't be read doesn't cost the others.
"""

import asyncio
import io
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, NamedTuple

import aiohttp
import discord
from discord.http import Route, handle_message_parameters
from discord.utils import MISSING

from bot.delivery.refusals import (
    MISSING_PERMISSIONS,
    ConnectionClosed,
    NoAccess,
    RateLimited,
    Refusal,
    Rejected,
    Unreachable,
    Unreadable,
    bounded_wait,
    error_of,
    refused_fields,
)
from bot.delivery.transport import Button, Draft, DraftKey, Posted
from bot.discord import payload_shapes as shapes
from bot.discord import payloads
from bot.discord.components import buttons_below, view_of
from bot.discord.event_guard import described
from bot.discord.languages import Languages
from bot.discord.payload_shapes import READ_ERRORS, OutOfShape

log = logging.getLogger(__name__)

_FILES_REFUSED = frozenset({MISSING_PERMISSIONS, 400001})
_REPLY_NEEDS_HISTORY = 160002
_NO_PINGS = discord.AllowedMentions.none()
FILE_NAME = "answer.txt"
_MESSAGES = "/channels/{channel_id}/messages"
_MESSAGE = "/channels/{channel_id}/messages/{message_id}"
_TYPING = "/channels/{channel_id}/typing"
_NO_MEMBER = (10004, 50001)
"""Unknown guild, and missing access."""
_UNKNOWN_CHANNEL = 10003
_THREADS = (10, 11, 12)
"""Discord's types of channel."""
TIME_LIMIT = aiohttp.ClientTimeout(total=30)  # for one try; waiting for a rate limit doesn't count


class PlaceAbove(NamedTuple):
    """What a channel belongs to: a category, or else the channel that it is a thread of."""

    channel_id: int | None
    is_category: bool


class DiscordTransport:
    """Creates, edits, deletes and finds the bot's own messages over REST.

    Every method raises the errors of `bot.delivery.refusals`, never discord.py's. `now` is the time at Discord.
    """

    def __init__(self, client: discord.Client, now: Callable[[], datetime], languages: Languages) -> None:
        self._client = client
        self._now = now
        self._languages = languages

    async def create(self, draft: Draft) -> Posted:
        """Create a message; the first one again if its nonce was used a short while ago."""
        try:
            return await self._send(draft, draft.reply_to)
        except NoAccess as error:
            if draft.file_text is not None and error.code in _FILES_REFUSED:
                raise Rejected("files aren't allowed here") from error
            raise
        except Rejected as error:
            if draft.file_text is not None and error.code in _FILES_REFUSED:
                raise Rejected("files aren't allowed here") from error
            is_for_reference = any(path.startswith("message_reference") for path in error.fields)
            if draft.reply_to is None or not (is_for_reference or error.code == _REPLY_NEEDS_HISTORY):
                raise
        return await self._send(draft, None)

    async def edit(self, channel_id: int, message_id: int, content: str, buttons: tuple[Button, ...]) -> None:
        flags, view = discord.MessageFlags(suppress_embeds=True), view_of(buttons, self.language_of(channel_id))
        with handle_message_parameters(
            content=content, flags=flags, view=view, allowed_mentions=_NO_PINGS, mention_author=False
        ) as params:
            await self._request("PATCH", _MESSAGE, channel_id, message_id, json=params.payload)

    async def take_buttons_off(self, channel_id: int, message_id: int) -> None:
        with handle_message_parameters(view=None, allowed_mentions=_NO_PINGS) as params:
            await self._request("PATCH", _MESSAGE, channel_id, message_id, json=params.payload)

    async def delete(self, channel_id: int, message_id: int) -> None:
        async with translated():
            await self._client.http.delete_message(channel_id, message_id)

    async def show_typing(self, channel_id: int) -> None:
        """Show that the bot is typing, for ten seconds or until its next message."""
        await self._request("POST", _TYPING, channel_id)

    async def own_messages(self, channel_id: int, after: int) -> list[Posted]:
        """Our own messages among the hundred that follow `after`, oldest first; what can't be read is left out."""
        found = await self._request("GET", _MESSAGES, channel_id, params={"limit": 100, "after": after})
        if not isinstance(found, list):
            raise Unreadable("Discord's page of messages is none")
        own_id = self._client.user.id if self._client.user else 0
        own = []
        for message in found:
            try:
                if int(message["author"]["id"]) == own_id:
                    own.append(_posted(message))
            except READ_ERRORS as error:
                log.warning("a message in channel %s can't be read: %s", channel_id, type(error).__name__)
        return sorted((posted for posted in own if posted.message_id > after), key=lambda posted: posted.message_id)

    async def look_at(self, channel_id: int, message_id: int) -> None:
        """Do nothing where the message exists, or where that can't be seen; `MessageGone` where it was deleted."""
        try:
            await self._request("GET", _MESSAGE, channel_id, message_id)
        except NoAccess as error:
            if error.code != MISSING_PERMISSIONS:
                raise
        except Rejected:
            pass  # a server that shows no single messages

    async def message(self, channel: discord.abc.Messageable, message_id: int) -> discord.Message:
        """One message, as it reads now."""
        place = await channel._get_channel()
        found = await self._request("GET", _MESSAGE, place.id, message_id)
        for message in parsed_page(self._client, place, [found]):
            return message
        raise Unreadable("Discord's message can't be read")

    async def check_token(self) -> None:
        """Ask Discord who the bot is; `TokenRefused` where it doesn't know the token."""
        async with translated():
            await self._client.http.request(Route("GET", "/users/@me"), timeout=TIME_LIMIT)

    async def roles_of(self, guild_id: int, user_id: int) -> frozenset[int]:
        """The ids of a member's roles, @everyone's not among them."""
        member = await self._get("/guilds/{guild_id}/members/{user_id}", guild_id=guild_id, user_id=user_id)
        try:
            return frozenset(int(role_id) for role_id in member["roles"])
        except READ_ERRORS as error:
            raise Unreadable("Discord's answer about a member can't be read") from error

    async def place_above(self, channel_id: int) -> PlaceAbove:
        """The channel that a thread belongs to, or a channel's category."""
        channel = await self._get("/channels/{channel_id}", channel_id=channel_id)
        try:
            parent_id, kind = channel.get("parent_id"), channel["type"]
            return PlaceAbove(None if parent_id is None else int(parent_id), is_category=kind not in _THREADS)
        except READ_ERRORS as error:
            raise Unreadable("Discord's answer about a channel can't be read") from error

    async def is_in_guild(self, guild_id: int) -> bool:
        """Whether the bot is a member of a guild; False only where Discord says that it isn't."""
        try:
            await self._get("/guilds/{guild_id}", guild_id=guild_id)
        except NoAccess as error:
            if error.code not in _NO_MEMBER:
                raise
            return False
        return True

    async def is_channel_there(self, channel_id: int) -> bool:
        """Whether there is such a channel or thread; False only where Discord says that there is none."""
        try:
            await self._get("/channels/{channel_id}", channel_id=channel_id)
        except NoAccess as error:
            if error.code != _UNKNOWN_CHANNEL:
                raise
            return False
        return True

    async def newest_messages(self, channel: discord.abc.Messageable, limit: int) -> list[discord.Message]:
        """A channel's newest messages, oldest first; one that can't be read is left out."""
        place = await channel._get_channel()
        page = await self._request("GET", _MESSAGES, place.id, params={"limit": limit})
        if not isinstance(page, list):
            raise Unreadable("Discord's page of messages can't be read")
        return sorted(parsed_page(self._client, place, page), key=lambda message: message.id)

    async def _send(self, draft: Draft, reply_to: int | None) -> Posted:
        reference: Any = MISSING if reply_to is None else _reference(draft, reply_to)
        text = draft.file_text
        file = MISSING if text is None else discord.File(io.BytesIO(text.encode("utf-8", "replace")), FILE_NAME)
        rung = None if draft.pings is None else discord.Object(draft.pings)
        with handle_message_parameters(
            content=draft.content,
            nonce=_nonce(draft.key),
            flags=discord.MessageFlags(suppress_embeds=True, suppress_notifications=draft.is_silent),
            file=file,
            view=view_of(draft.buttons, self.language_of(draft.channel_id)) or MISSING,
            allowed_mentions=_NO_PINGS if rung is None else _NO_PINGS.merge(discord.AllowedMentions(users=[rung])),
            mention_author=False,
            message_reference=reference,
        ) as params:
            body = {"json": params.payload} if text is None else {"files": params.files, "form": params.multipart}
            answer = await self._request("POST", _MESSAGES, draft.channel_id, **body)
        try:
            return _posted(answer)
        except READ_ERRORS as error:
            raise Unreadable(f"the message that Discord created can't be read ({type(error).__name__})") from error

    def language_of(self, channel_id: int) -> str:
        """The locale of a channel's guild, or of whoever writes in a direct message."""
        return self._languages.of(channel_id, getattr(self._client.get_channel(channel_id), "guild", None))

    def muted_seconds(self, channel_id: int) -> float:
        """For how long a moderator has muted the bot in a channel's guild, by `communication_disabled_until`."""
        guild = getattr(self._client.get_channel(channel_id), "guild", None)
        until = guild.me.timed_out_until if guild is not None and guild.me is not None else None
        return max((until - self._now()).total_seconds(), 0.0) if until is not None else 0.0

    async def _get(self, path: str, **ids: Any) -> Any:
        async with translated():
            return await self._client.http.request(Route("GET", path, **ids), timeout=TIME_LIMIT)

    async def _request(self, method: str, path: str, channel_id: int, message_id: int = 0, **body: Any) -> Any:
        """A request of discord.py's, with its rate limits, but with a time limit that fits a chat."""
        route = Route(method, path, channel_id=channel_id, message_id=message_id)
        async with translated():
            return await self._client.http.request(route, timeout=TIME_LIMIT, **body)


def _nonce(key: DraftKey) -> str:
    """At most the 25 characters that Discord takes."""
    return f"{key.question_id:x}{key.purpose[0]}{key.generation % 0x1000:x}.{key.part % 0x1000:x}"


def _reference(draft: Draft, message_id: int) -> Any:
    return discord.MessageReference(
        message_id=message_id, channel_id=draft.channel_id, guild_id=draft.guild_id, fail_if_not_exists=False
    ).to_message_reference_dict()


def _posted(message: Any) -> Posted:
    answered = (message.get("message_reference") or {}).get("message_id")
    return Posted(
        message_id=int(shapes.snowflake(message["id"])),
        content=shapes.text(message.get("content") or ""),
        reply_to=int(shapes.snowflake(answered)) if answered else None,
        buttons=buttons_below(message),
    )


@asynccontextmanager
async def translated() -> AsyncIterator[None]:
    """Turn what discord.py and aiohttp raise into what it means for us, by the table of refusals.py.

    Inside belong calls of discord.py's and nothing else: an error of any other kind means that it could not read what
    Discord answered, an empty body for instance.
    """
    try:
        yield
    except discord.HTTPException as error:
        raise error_of(_refusal(error)) from error
    except discord.RateLimited as error:
        raise RateLimited("Discord asks for a long pause", bounded_wait(error.retry_after)) from error
    except (aiohttp.ClientError, OSError, TimeoutError, asyncio.IncompleteReadError) as error:
        # discord.py repeats connection resets only under the numbers that macOS and Windows give them.
        raise Unreachable(f"no connection to Discord: {why_unconnected(error)}") from error
    except READ_ERRORS as error:
        raise Unreadable(f"Discord's answer can't be read ({type(error).__name__})") from error
    except RuntimeError as error:
        if "closed" not in str(error):
            raise
        raise ConnectionClosed("the connection to Discord was closed") from error


def why_unconnected(error: BaseException) -> str:
    """What keeps a connection from being made, where somebody here has to mend that; else the error's kind."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        reason = getattr(error.certificate_error, "verify_message", "") or "it says no more"
        return f"its certificate isn't trusted here ({reason}): look at the clock, and at a proxy that reads along"
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return f"the proxy refuses ({error.status})"
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        return "the proxy can't be connected to"
    return type(error).__name__


def _refusal(error: discord.HTTPException) -> Refusal:
    headers = error.response.headers
    retry_after = headers.get("Retry-After")
    return Refusal(
        status=error.status,
        code=error.code if isinstance(error.code, int) else 0,
        content_type=headers.get("Content-Type", ""),
        retry_after=None if retry_after is None else bounded_wait(retry_after),
        is_global="X-RateLimit-Global" in headers,
        fields=refused_fields(getattr(error, "_errors", None)),
    )


log = logging.getLogger(__name__)


def parsed_page(client: discord.Client, channel: Any, page: Iterable[Any]) -> Iterator[discord.Message]:
    """The messages of a page as discord.py has them, in the page's order; a line is logged for each that can't be read.

    Args:
        client: whose caches know the guild and its members.
        channel: where the messages are.
        page: Discord's answer.
    """
    for item in page:
        try:
            yield discord.Message(state=client._connection, channel=channel, data=payloads.message(item))  # type: ignore[arg-type]
        except OutOfShape as error:
            log.warning("a message of a page is skipped, %s: %s", described("a message", item), error)
        except Exception as error:
            log.error(
                "a message of a page is skipped, %s: discord.py stumbled over it (%s)",
                described("a message", item), type(error).__name__,
            )  # fmt: skip
