"""The requests that Trinity makes in channels, and what their failures mean for the one who made them.

Every create and every edit is built here, so that each one carries what keeps people safe: nobody is pinged, and no
link unfolds. discord.py adds rate limits and its own retries; what it raises is translated here and nowhere else.
"""

import asyncio
import io
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import discord
from discord.http import Route, handle_message_parameters
from discord.utils import MISSING

from bot.errors import DiscordError

_UNKNOWN_CHANNEL = 10003
_UNKNOWN_MESSAGE = 10008
_MISSING_ACCESS = 50001
_THREAD_ARCHIVED = 50083
_REPLY_NEEDS_HISTORY = 160002
_NO_PINGS = discord.AllowedMentions.none()
FILE_NAME = "answer.txt"
_MESSAGES = "/channels/{channel_id}/messages"
_MESSAGE = "/channels/{channel_id}/messages/{message_id}"
_TYPING = "/channels/{channel_id}/typing"
_TIME_LIMIT = aiohttp.ClientTimeout(total=30)  # for one try; waiting for a rate limit doesn't count


class NoAccess(DiscordError):
    """The channel is gone, or Discord doesn't let us do this there."""


class MessageGone(DiscordError):
    """The message was deleted."""


class Rejected(DiscordError):
    """Discord calls the request itself wrong; repeating it is useless."""


class Unreachable(DiscordError):
    """Discord didn't answer, or is out of order; `is_ban` if its proxy refuses this address for a while."""

    def __init__(self, problem: str, *, is_ban: bool = False) -> None:
        super().__init__(problem)
        self.is_ban = is_ban


class RateLimited(Unreachable):
    """Discord wants no such request for some seconds."""

    def __init__(self, problem: str, seconds: float) -> None:
        super().__init__(problem)
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class Draft:
    """A message to be created.

    `nonce` makes a repeated create harmless for some minutes. `after` is the id behind which the message has to be
    found, if it isn't sure whether it was created. `file_text` is attached as a text file.
    """

    channel_id: int
    guild_id: int | None
    content: str
    nonce: str
    after: int
    reply_to: int | None = None
    file_text: str | None = None


@dataclass(frozen=True, slots=True)
class Posted:
    """A message of ours as Discord has it."""

    message_id: int
    content: str
    reply_to: int | None = None


class DiscordWire:
    """Creates, edits, deletes and finds Trinity's own messages over REST.

    Every method raises `NoAccess`, `MessageGone`, `Rejected` or `Unreachable`, and nothing else of discord.py's.
    """

    def __init__(self, client: discord.Client) -> None:
        self._client = client

    async def create(self, draft: Draft) -> Posted:
        """Create a message; the first one again if its nonce was used a short while ago."""
        async with translated():
            try:
                return _posted(await self._send(draft, draft.reply_to))
            except discord.HTTPException as error:
                if draft.file_text is not None and error.status == 403:
                    raise Rejected("files aren't allowed here") from error
                if draft.reply_to is None or error.code != _REPLY_NEEDS_HISTORY:
                    raise
            return _posted(await self._send(draft, None))

    async def edit(self, channel_id: int, message_id: int, content: str) -> None:
        """Give a message another text."""
        flags = discord.MessageFlags(suppress_embeds=True)
        async with translated():
            with handle_message_parameters(
                content=content, flags=flags, allowed_mentions=_NO_PINGS, mention_author=False
            ) as params:
                await self._request("PATCH", _MESSAGE, channel_id, message_id, json=params.payload)

    async def delete(self, channel_id: int, message_id: int) -> None:
        """Delete a message of ours."""
        async with translated():
            await self._client.http.delete_message(channel_id, message_id)

    async def show_typing(self, channel_id: int) -> None:
        """Show "Trinity is typing" for ten seconds, or until her next message."""
        async with translated():
            await self._request("POST", _TYPING, channel_id)

    async def own_messages(self, channel_id: int, after: int) -> list[Posted]:
        """Our own messages among the hundred that follow `after`, oldest first."""
        async with translated():
            found = await self._request("GET", _MESSAGES, channel_id, params={"limit": 100, "after": after})
        own_id = self._client.user.id if self._client.user else 0
        own = [_posted(message) for message in found if int(message["author"]["id"]) == own_id]
        return sorted((posted for posted in own if posted.message_id > after), key=lambda posted: posted.message_id)

    async def look_at(self, channel_id: int, message_id: int) -> None:
        """Do nothing where the message exists, or where that can't be seen; `MessageGone` where it was deleted."""
        async with translated():
            try:
                await self._request("GET", _MESSAGE, channel_id, message_id)
            except discord.HTTPException as error:
                is_known = error.code in {_UNKNOWN_MESSAGE, _UNKNOWN_CHANNEL, _MISSING_ACCESS}
                if is_known or error.status not in {403, 404, 405}:
                    raise

    async def newest_messages(self, channel: discord.abc.Messageable, limit: int) -> list[discord.Message]:
        """A channel's newest messages, oldest first."""
        async with translated():
            return sorted([message async for message in channel.history(limit=limit)], key=lambda message: message.id)

    async def _send(self, draft: Draft, reply_to: int | None) -> Any:
        reference: Any = MISSING if reply_to is None else _reference(draft, reply_to)
        text = draft.file_text
        file = MISSING if text is None else discord.File(io.BytesIO(text.encode("utf-8", "replace")), FILE_NAME)
        with handle_message_parameters(
            content=draft.content,
            nonce=draft.nonce,
            flags=discord.MessageFlags(suppress_embeds=True),
            file=file,
            allowed_mentions=_NO_PINGS,
            mention_author=False,
            message_reference=reference,
        ) as params:
            body = {"json": params.payload} if text is None else {"files": params.files, "form": params.multipart}
            return await self._request("POST", _MESSAGES, draft.channel_id, **body)

    async def _request(self, method: str, path: str, channel_id: int, message_id: int = 0, **body: Any) -> Any:
        """A request of discord.py's, with its rate limits, but with a time limit that fits a chat."""
        route = Route(method, path, channel_id=channel_id, message_id=message_id)
        return await self._client.http.request(route, timeout=_TIME_LIMIT, **body)


def _reference(draft: Draft, message_id: int) -> Any:
    return discord.MessageReference(
        message_id=message_id, channel_id=draft.channel_id, guild_id=draft.guild_id, fail_if_not_exists=False
    ).to_message_reference_dict()


def _posted(message: Any) -> Posted:
    answered = (message.get("message_reference") or {}).get("message_id")
    return Posted(int(message["id"]), message.get("content") or "", int(answered) if answered else None)


@asynccontextmanager
async def translated() -> AsyncIterator[None]:
    """Turn what discord.py and aiohttp raise into what it means for us: `NoAccess`, `MessageGone`, and so on."""
    try:
        yield
    except discord.HTTPException as error:
        raise _meaning(error) from error
    except discord.RateLimited as error:
        raise Unreachable("Discord asks for a long pause") from error
    except (aiohttp.ClientError, OSError, TimeoutError, asyncio.IncompleteReadError) as error:
        # discord.py repeats connection resets only under the numbers that macOS and Windows give them.
        raise Unreachable(f"no connection to Discord: {type(error).__name__}") from error
    except RuntimeError as error:
        if "closed" not in str(error):
            raise
        raise Unreachable("the connection to Discord was closed") from error


def _meaning(error: discord.HTTPException) -> DiscordError:
    summary = f"Discord answered {error.status} (code {error.code})"
    if error.code == _UNKNOWN_MESSAGE:
        return MessageGone(summary)
    if error.status in {401, 403, 404} or error.code == _THREAD_ARCHIVED:
        return NoAccess(summary)
    if error.status == 429:
        return _limited(summary, error.response.headers)
    return Unreachable(summary) if error.status >= 500 else Rejected(summary)


def _limited(summary: str, headers: Mapping[str, str]) -> Unreachable:
    """A 429 that discord.py doesn't wait out, for it lacks the mark of Discord's own: is it from the proxy or not?"""
    is_global = "x-ratelimit-global" in {name.lower() for name in headers}
    if "json" not in headers.get("Content-Type", "") or is_global:
        return Unreachable(summary, is_ban=True)
    try:
        return RateLimited(summary, float(headers.get("Retry-After", "1")))
    except ValueError:
        return RateLimited(summary, 1.0)
