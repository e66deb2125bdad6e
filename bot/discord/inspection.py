"""What Discord says of the bot before it goes online: who it is, what it may, and where it may do it. Only reads."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import discord
from discord.http import Route

from bot.delivery.refusals import NoAccess, Rejected, Unreadable
from bot.discord.client import TrinityClient, invite_url
from bot.discord.gateway_limits import GatewayLimits, ask_gateway_limits
from bot.discord.payloads import HIDDEN_FLAG
from bot.discord.rest import translated
from bot.discord.run import DiscordOptions, log_in, pointed_at
from bot.words import Phrase

MOST_GUILDS = 20
"""More aren't looked into: it takes three requests for each."""
_TEXT_KINDS = frozenset({0, 2, 5, 13, 15, 16})
"""Channels that people write in: text, announcements, the chats of voice and stage channels, forums and media."""
NEEDED = ("view_channel", "send_messages", "send_messages_in_threads", "read_message_history")
WISHED = ("attach_files", "create_public_threads")
"""Without them there are no files, and no `/thread`."""
_PLAIN_TEXT = 0
_NO_LINKS_UNFOLD = 1 << 2
_CONTENT_FLAGS = (1 << 18) | (1 << 19)
"""The application may read what isn't addressed to it: with Discord's consent, or as a small one."""


@dataclass(frozen=True, slots=True)
class Application:
    """What Discord says of the application."""

    id: int
    name: str
    may_read_all: bool
    is_public: bool
    wants_code_grant: bool
    limits: GatewayLimits | None
    """What it may begin at the gateway."""
    seconds_ahead: float | None
    """How far this machine's clock is ahead of Discord's."""

    @property
    def invite_url(self) -> str:
        """The link that invites it, and gives it what it lacks where it is already."""
        return invite_url(self.id)


@dataclass(frozen=True, slots=True)
class Lacking:
    """A channel in which a permission is missing."""

    name: str
    permissions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class InspectedGuild:
    """A guild that the bot is in, and what it may there."""

    id: int
    name: str
    lacking: tuple[str, ...]
    """Permissions that its roles don't give it."""
    channels: tuple[Lacking, ...]
    """Channels that take something from it that its roles give it."""
    num_open: int
    """Channels in which it can answer."""
    num_hidden: int
    """Channels that it doesn't see."""


class Inspector:
    """Asks Discord; made by `open_inspector`."""

    def __init__(self, client: TrinityClient) -> None:
        self._client = client

    async def application(self) -> Application:
        """Who the bot is."""
        http = self._client.http
        async with translated():
            raw: Mapping[str, Any] = await http.application_info()
        try:
            limits = await ask_gateway_limits(self._client)
        except Unreadable:
            limits = None
        certain = self._client.clock.certain_now()
        ahead = None if certain is None else (datetime.now(UTC) - self._client.clock.now()).total_seconds()
        return Application(
            id=int(raw["id"]),
            name=str(raw.get("name", "")),
            may_read_all=bool(int(raw.get("flags") or 0) & _CONTENT_FLAGS),
            is_public=bool(raw.get("bot_public", True)),
            wants_code_grant=bool(raw.get("bot_require_code_grant", False)),
            limits=limits,
            seconds_ahead=ahead,
        )

    async def guilds(self) -> list[tuple[int, str]]:
        """The ids and names of the guilds that it is in, the first 200 of them."""
        async with translated():
            found: list[Mapping[str, Any]] = await self._client.http.request(Route("GET", "/users/@me/guilds"))
        return [(int(each["id"]), str(each.get("name", ""))) for each in found]

    async def inspect(self, guild_id: int, name: str) -> InspectedGuild:
        """What it may in a guild and in each of its channels."""
        standing = await self._standing(guild_id)
        base = standing.base
        lacking = tuple(each for each in (*NEEDED, *WISHED) if not getattr(base, each))
        num_open, num_hidden, less = 0, 0, []
        for channel in standing.channels:
            if channel.get("type") not in _TEXT_KINDS:
                continue
            here = standing.permissions_in(channel)
            if not here.view_channel:
                num_hidden += 1
                continue
            taken = tuple(each for each in (*NEEDED, *WISHED) if getattr(base, each) and not getattr(here, each))
            num_open += here.send_messages and here.read_message_history
            if taken:
                less.append(Lacking(str(channel.get("name", channel["id"])), taken))
        return InspectedGuild(guild_id, name, lacking, tuple(less), num_open, num_hidden)

    async def say_hello(self, guild_id: int, words: Phrase) -> str | None:
        """Write once, in the guild's language, where it greets newcomers, or else in the first channel that takes it.

        Returns the channel's name; None where none takes it.
        """
        standing = await self._standing(guild_id)
        for channel in standing.channels_to_greet_in():
            route = Route("POST", "/channels/{channel_id}/messages", channel_id=channel["id"])
            payload = {
                "content": words.to(standing.guild.get("preferred_locale")),
                "nonce": f"hello-{int(channel['id']) % 10**18}",
                "enforce_nonce": True,
                "flags": _NO_LINKS_UNFOLD,
                "allowed_mentions": {"parse": [], "replied_user": False},
            }
            try:
                async with translated():
                    await self._client.http.request(route, json=payload)
            except (NoAccess, Rejected):
                continue
            return str(channel.get("name", channel["id"]))
        return None

    async def _standing(self, guild_id: int) -> "_Standing":
        http, own_id = self._client.http, self._client.user.id if self._client.user else 0
        async with translated():
            guild, channels, member = await asyncio.gather(
                http.get_guild(guild_id), http.get_all_guild_channels(guild_id), http.get_member(guild_id, own_id)
            )
        return _Standing(
            guild, channels, frozenset({guild_id, *(int(role) for role in member.get("roles", ()))}), own_id
        )


@dataclass(frozen=True, slots=True)
class _Standing:
    """What the bot is in a guild, by its roles; everything else as Discord sent it."""

    guild: Mapping[str, Any]
    channels: Sequence[Mapping[str, Any]]
    role_ids: frozenset[int]
    own_id: int

    @property
    def base(self) -> discord.Permissions:
        """What its roles give it."""
        value = 0
        for role in self.guild.get("roles", ()):
            if int(role["id"]) in self.role_ids:
                value |= int(role["permissions"])
        found = discord.Permissions(value)
        return discord.Permissions.all() if found.administrator else found

    def permissions_in(self, channel: Mapping[str, Any]) -> discord.Permissions:
        """Discord's order: what everyone is denied and allowed there, then the roles together, then the member."""
        base = self.base
        if base.administrator:
            return base
        if int(channel.get("flags") or 0) & HIDDEN_FLAG:
            return discord.Permissions.none()
        guild_id, value = int(self.guild["id"]), base.value
        overwrites = {int(each["id"]): each for each in channel.get("permission_overwrites") or ()}
        for ids in ({guild_id}, self.role_ids - {guild_id}, {self.own_id}):
            group = [overwrites[each] for each in ids if each in overwrites]
            for each in group:
                value &= ~int(each["deny"])
            for each in group:
                value |= int(each["allow"])
        return discord.Permissions(value)

    def channels_to_greet_in(self) -> list[Mapping[str, Any]]:
        """Where it may write; first where the guild greets newcomers, then as the guild orders its channels."""
        first = str(self.guild.get("system_channel_id"))
        found = []
        for channel in self.channels:
            here = self.permissions_in(channel)
            if channel.get("type") == _PLAIN_TEXT and here.view_channel and here.send_messages:
                found.append(channel)
        return sorted(found, key=lambda each: (str(each["id"]) != first, each.get("position", 0)))


@asynccontextmanager
async def open_inspector(options: DiscordOptions) -> AsyncIterator[Inspector]:
    """Log in over HTTP alone: nobody sees the bot come online.

    Raises:
        DiscordRefused: the token was refused.
        DiscordError: Discord can't be asked.
    """
    async with TrinityClient(proxy=options.proxy, clock=options.clock) as client:
        with pointed_at(options):
            await log_in(client, options.token)
            yield Inspector(client)
