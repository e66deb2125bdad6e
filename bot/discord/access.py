"""The operator's lists in Discord's terms: whoever writes, uses a command or clicks is asked about here.

A live message and an interaction come with their author's roles. A message that is fetched comes without, and of a
question from before a restart only ids are known: where the lists ask for more, Discord is asked.
"""

import asyncio
import logging
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any

import discord

from bot.chat.access import AccessRules, AccessVerdict, Visit
from bot.conversation.messages import Question
from bot.delivery.refusals import MessageGone, NoAccess, Rejected
from bot.delivery.sender import Sender
from bot.discord.command_replies import CommandReply, reply_to
from bot.discord.rest import DiscordTransport, translated
from bot.errors import DiscordError
from bot.words import phrase

log = logging.getLogger(__name__)

NOT_ADMITTED = phrase("not_admitted")
_ASKING_SECONDS = 2.0  # an interaction has to be answered within three
_LATEST = timedelta(seconds=10)
"""Those three, and what two clocks may differ by."""


def came_too_late(interaction: discord.Interaction[Any]) -> bool:
    """Whether Discord takes no answer to an interaction any more, and has told who began it that it failed.

    What happened in a connection that had gone silent is told once it goes on: nobody expects it to be followed then.
    """
    clock = interaction.client.clock
    return bool(clock.now() - clock.asked_at(interaction.created_at) > _LATEST)


async def may_interact(interaction: discord.Interaction[Any]) -> bool:
    """Whether who used a command, or clicked, may do so; if not, they are told, and nobody else.

    Each view and modal asks this in its `interaction_check`, as the commands do.
    """
    client: Any = interaction.client
    check: AccessCheck = client.receivers.access
    if await check.admits_interaction(interaction):
        return True
    if interaction.type is discord.InteractionType.autocomplete:
        with suppress(DiscordError, discord.DiscordException):
            async with translated():
                await interaction.response.autocomplete([])
    else:
        await reply_to(interaction, _refusal(), is_private=True)
    return False


def may_moderate(interaction: discord.Interaction[Any], asker_id: int) -> bool:
    """Whether somebody may decide about an answer: who asked for it, and who may manage messages there."""
    if interaction.user.id == asker_id:
        return True
    allowed = interaction.permissions
    return interaction.guild_id is not None and (allowed.manage_messages or allowed.administrator)


async def _refusal() -> CommandReply:
    return CommandReply(NOT_ADMITTED)


class AccessCheck:
    """Finds out whether somebody may talk to the bot somewhere, by the operator's lists.

    Args:
        rules: the lists; read anew each time.
        client: whose cache knows the channels.
        sender: asks Discord for what isn't known.
        transport: makes the requests.
    """

    def __init__(self, rules: AccessRules, client: discord.Client, sender: Sender, transport: DiscordTransport) -> None:
        self._rules = rules
        self._client = client
        self._sender = sender
        self._transport = transport

    def warn_of_wide_lists(self) -> None:
        """Say in the log where a list allows more than it seems to: a whole guild, though some channels are named."""
        access = self._rules.now
        for guild in self._client.guilds:
            named = access.allowed.channels.intersection(channel.id for channel in guild.channels)
            if guild.id in access.allowed.guilds and named:
                log.warning(
                    "guild %s is allowed as a whole, and so its channels needn't be named (%d are); to allow these "
                    "alone, take the guild out of TRINITY_ALLOWED_GUILDS",
                    guild.id, len(named),
                )  # fmt: skip

    async def admits_message(self, message: discord.Message) -> bool:
        """Whether its author may write to the bot there. What can't be found out is a no.

        A message that comes with the author's roles is decided at once, so that messages keep their order.
        """
        channel_ids, is_place_known = _channels_of(message.channel)
        guild_id = message.guild.id if message.guild else getattr(message.channel, "guild_id", None)
        roles = _roles_of(message.author, guild_id)
        return await self._admits(
            message.channel, Visit(message.author.id, guild_id, channel_ids, is_place_known, roles)
        )

    async def admits_interaction(self, interaction: discord.Interaction[Any]) -> bool:
        """Whether who uses a command, or clicks, may do so there. What can't be found out in two seconds is a no."""
        channel_ids, is_place_known = _channels_of(interaction.channel)
        if interaction.channel_id is not None:
            channel_ids |= {interaction.channel_id}
        roles = _roles_of(interaction.user, interaction.guild_id)
        visit = Visit(interaction.user.id, interaction.guild_id, channel_ids, is_place_known, roles)
        try:
            async with asyncio.timeout(_ASKING_SECONDS):
                return await self._admits(interaction.channel, visit)
        except TimeoutError:
            return False

    async def admits_question(self, question: Question) -> bool:
        """Whether who asked it before a restart may still do so.

        Raises:
            DiscordError: Discord can't be asked just now.
        """
        key = question.conversation
        channel = self._client.get_channel(key.channel_id)
        channel_ids, is_place_known = _channels_of(channel)
        channel_ids |= {known for known in (key.channel_id, key.parent_channel_id) if known is not None}
        roles = frozenset[int]() if key.guild_id is None else None
        is_place_known |= key.guild_id is None
        return await self._find_out(Visit(question.author_id, key.guild_id, channel_ids, is_place_known, roles))

    async def _admits(self, channel: object, visit: Visit) -> bool:
        try:
            return await self._find_out(visit)
        except DiscordError as error:
            log.warning(
                "whether %s may talk to me in channel %s can't be found out: %s",
                visit.user_id, getattr(channel, "id", None), error,
            )  # fmt: skip
            return False

    async def _find_out(self, visit: Visit) -> bool:
        access = self._rules.now
        verdict = access.verdict(visit)
        if verdict is AccessVerdict.UNSURE:
            verdict = access.verdict(await self._completed(visit))
        if verdict is not AccessVerdict.ALLOWED:
            log.debug("%s may not talk to me in guild %s", visit.user_id, visit.guild_id)
        return verdict is AccessVerdict.ALLOWED

    async def _completed(self, visit: Visit) -> Visit:
        """The same visit, with what Discord says of its place and its person."""
        channel_ids, is_place_known, role_ids = visit.channel_ids, visit.is_place_known, visit.role_ids
        if visit.guild_id is not None and not is_place_known:
            channel_ids, is_place_known = await self._places_around(channel_ids)
        if visit.guild_id is not None and role_ids is None:
            role_ids = await self._roles_in(visit.guild_id, visit.user_id)
        return Visit(visit.user_id, visit.guild_id, channel_ids, is_place_known, role_ids)

    async def _places_around(self, channel_ids: frozenset[int]) -> tuple[frozenset[int], bool]:
        """What is above a channel that the cache doesn't know: a thread's channel, and their category."""
        found, unknown = set(channel_ids), [*channel_ids]
        while unknown:
            channel_id = unknown.pop()
            try:
                above = await self._sender.read(channel_id, partial(self._transport.place_above, channel_id))
            except (NoAccess, MessageGone, Rejected) as error:
                log.info("what channel %s belongs to isn't known: %s", channel_id, error)
                return frozenset(found), False
            if above.channel_id is not None and above.channel_id not in found:
                found.add(above.channel_id)
                if not above.is_category:
                    unknown.append(above.channel_id)
        return frozenset(found), True

    async def _roles_in(self, guild_id: int, user_id: int) -> frozenset[int] | None:
        try:
            # Under the guild's id: what is refused here says nothing about any channel.
            roles = await self._sender.read(guild_id, partial(self._transport.roles_of, guild_id, user_id))
        except (NoAccess, MessageGone, Rejected) as error:
            log.info("the roles of %s in guild %s aren't known: %s", user_id, guild_id, error)
            return None
        return roles | {guild_id}


def _channels_of(channel: object) -> tuple[frozenset[int], bool]:
    """The ids of a channel, of the one that it is a thread of, and of their category; and whether these are all."""
    if isinstance(channel, discord.Thread):
        parent = channel.guild.get_channel(channel.parent_id)
        above, is_known = _channels_of(parent)
        return above | {channel.id, channel.parent_id}, is_known
    if isinstance(channel, discord.abc.GuildChannel):
        return frozenset({channel.id} if channel.category_id is None else {channel.id, channel.category_id}), True
    if isinstance(channel, discord.DMChannel | discord.GroupChannel):
        return frozenset({channel.id}), True
    known = getattr(channel, "id", None)
    return frozenset() if known is None else frozenset({known}), False


def _roles_of(person: object, guild_id: int | None) -> frozenset[int] | None:
    """The ids of somebody's roles as they came with what they did; None where none came.

    Not `Member.roles`: that leaves out the roles of a guild that isn't in the cache.
    """
    if guild_id is None:
        return frozenset()
    return frozenset(person._roles) | {guild_id} if isinstance(person, discord.Member) else None
