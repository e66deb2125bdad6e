"""The bot's discord.py client: which events it listens to, and which part gets each.

Three intents, none of them privileged: guilds, guild messages, direct messages. Without the message content intent,
which only the operator asks for, Discord sends the text only of messages that mention the bot, of direct messages, and
of its own.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

import discord
from discord.utils import MISSING

from bot.chat.outage import repeat_while_away
from bot.conversation.shard import Shard
from bot.discord.access import came_too_late
from bot.discord.clicks import refuse_unknown
from bot.discord.clock import DiscordClock
from bot.discord.commands.forms import take_form
from bot.discord.commands.reply_buttons import take_click
from bot.discord.commands.tree import TrinityTree
from bot.discord.guild_watch import GuildWatch
from bot.discord.identify_turns import IdentifyTurns
from bot.discord.interaction_answers import drop_unfinished
from bot.discord.languages import Languages
from bot.discord.messages import PLATFORM, is_direct
from bot.discord.receivers import ReceivingClient
from bot.discord.session_starts import SessionStarts
from bot.errors import StoreError
from bot.observer import Observer

log = logging.getLogger(__name__)

T = TypeVar("T")

_STORE_LIMIT_SECONDS = 120.0
_HICCUP_SECONDS = 3.0
"""A database that refuses a statement now and then is waited for: what was left goes before what was missed."""
_LONGEST_WAIT_SECONDS = 120.0
"""A longer rate limit is left to the sender, which doesn't hold up other channels meanwhile."""
INVITE_PERMISSIONS = discord.Permissions(
    view_channel=True,
    send_messages=True,
    send_messages_in_threads=True,
    read_message_history=True,
    attach_files=True,
    create_public_threads=True,
)


def invite_url(application_id: int) -> str:
    """The link that invites the bot into a guild, with the permissions it needs, and two for what it can do without."""
    return discord.utils.oauth_url(
        application_id, permissions=INVITE_PERMISSIONS, scopes=("bot", "applications.commands")
    )


class TrinityClient(ReceivingClient):
    """Hands each event of Discord's to the part that handles it."""

    def __init__(
        self,
        *,
        guild_ready_seconds: float = 2.0,
        identify_pause_seconds: float = 5.0,
        session_starts: SessionStarts | None = None,
        proxy: str | None = None,
        clock: DiscordClock | None = None,
        reads_all_messages: bool = False,
        observer: Observer | None = None,
        shard: Shard | None = None,
        identify_turns: IdentifyTurns | None = None,
        may_act: Callable[[], bool] = lambda: True,
    ) -> None:
        # The bot doesn't speak: no warning that the libraries for that aren't installed.
        discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False
        super().__init__(
            identify_pause_seconds=identify_pause_seconds,
            session_starts=session_starts,
            clock=clock,
            observer=observer,
            shard=shard,
            identify_turns=identify_turns,
            may_act=may_act,
            intents=discord.Intents(
                guilds=True, guild_messages=True, dm_messages=True, message_content=reads_all_messages
            ),
            allowed_mentions=discord.AllowedMentions.none(),
            max_messages=None,
            guild_ready_timeout=guild_ready_seconds,
            proxy=proxy,
            max_ratelimit_timeout=_LONGEST_WAIT_SECONDS,
        )
        self.was_ready = False
        self.is_session_ready = False
        self._guilds_lock = asyncio.Lock()
        self.when_ready: Callable[[], None] = lambda: None
        self.languages = Languages()
        self.tree = TrinityTree(self)

    async def make_room(self) -> None:
        """Wait until the queue has room for another question."""
        await super().make_room()
        await self.receivers.answers.room()

    async def on_connect(self) -> None:
        """A new session: live messages wait until it is known what was missed. Deletions that were, nobody tells."""
        await super().on_connect()
        self.receivers.chat.overheard.forget_all()
        self.is_session_ready = False
        self.receivers.catch_up.begin_session()

    async def on_error(self, event_method: str, /, *_args: Any, **_kwargs: Any) -> None:
        log.exception("an event was not followed to its end: %s", event_method)

    async def on_ready(self) -> None:
        """The guilds are known: resume unfinished questions and fetch what was missed."""
        of = "" if self.shard is None else f" by shard {self.shard.id} of {self.shard.count}"
        log.info("connected as %s to %s guilds%s", self.user, len(self.guilds), of)
        self.is_session_ready = True
        is_first, self.was_ready = not self.was_ready, True
        if is_first:
            self.receivers.access.warn_of_wide_lists()
        is_resumed = not is_first or await self._resume_unfinished(limit_seconds=_HICCUP_SECONDS)
        if not self.is_draining:
            try:
                await self.receivers.catch_up.run()
            except Exception:
                log.exception("what was missed is not fetched")
        self.when_ready()
        if not is_resumed:
            await self._resume_unfinished(limit_seconds=_STORE_LIMIT_SECONDS)
        await self.receivers.catch_up.finish()
        await self._follow_guilds(GuildWatch.compare)
        await self._delete_lost_channels()

    async def on_message(self, message: discord.Message) -> None:
        if self.is_draining:
            await self.receivers.intake.put_off(message)
        else:
            self.receivers.catch_up.seen.note(message.channel.id, message.id)
            if is_direct(message):
                self.languages.note_direct(message.channel.id, message.author.id)
            await self.receivers.intake.take(message)

    async def on_interaction(self, interaction: discord.Interaction) -> None:
        """A command or a button was used, or a form was sent. Commands are answered by the tree."""
        if interaction.user is MISSING:
            log.warning("an interaction is skipped: Discord doesn't say whose it is")
            return
        self.languages.note_interaction(interaction)
        if came_too_late(interaction):
            return
        await self.receivers.buttons.take(interaction)
        await take_click(interaction)
        await take_form(interaction)
        await refuse_unknown(interaction)

    async def on_raw_message_edit(self, payload: discord.RawMessageUpdateEvent) -> None:
        """A message was edited, or Discord added a link's preview."""
        try:
            await self.receivers.intake.take_edit(payload.message)
        except StoreError as error:
            log.warning("an edit was not taken over: %s", error)

    async def on_raw_message_delete(self, payload: discord.RawMessageDeleteEvent) -> None:
        await self.receivers.intake.changes.delete({payload.message_id})

    async def on_raw_bulk_message_delete(self, payload: discord.RawBulkMessageDeleteEvent) -> None:
        await self.receivers.intake.changes.delete(payload.message_ids)

    async def on_guild_channel_delete(self, channel: discord.abc.GuildChannel) -> None:
        """A channel was deleted, and its threads with it."""
        await self._delete_channel(channel.id)

    async def on_raw_thread_delete(self, payload: discord.RawThreadDeleteEvent) -> None:
        await self._delete_channel(payload.thread_id)

    async def on_guild_remove(self, guild: discord.Guild) -> None:
        """The bot was removed from a guild, or the guild was deleted."""
        self.receivers.chat.leave_guild(PLATFORM, guild.id)
        await self._follow_guilds(lambda watch: watch.left(guild.id))

    async def on_guild_channel_update(self, _: discord.abc.GuildChannel, after: discord.abc.GuildChannel) -> None:
        """A channel's permissions may have changed."""
        self._reopen_channels(after.guild, only=after.id)

    async def on_raw_thread_update(self, payload: discord.RawThreadUpdateEvent) -> None:
        """A thread may have been unlocked, or opened again: discord.py has forgotten one that was closed."""
        self.receivers.sender.closed_channels.reopen(payload.thread_id)

    async def on_guild_role_update(self, _: discord.Role, after: discord.Role) -> None:
        """A role's permissions may have changed."""
        self._reopen_channels(after.guild)

    async def on_member_update(self, _: discord.Member, after: discord.Member) -> None:
        """The bot's own roles may have changed; others' aren't sent without a privileged intent."""
        if after.id == after.guild.me.id:
            self._reopen_channels(after.guild)

    async def on_guild_available(self, guild: discord.Guild) -> None:
        """A guild became available late, or after an outage."""
        if self.is_session_ready and not self.is_draining:
            await self.receivers.catch_up.run_for(guild)
            await self._follow_guilds(lambda watch: watch.joined(guild.id))

    async def on_guild_join(self, guild: discord.Guild) -> None:
        """The bot was invited (again)."""
        self._reopen_channels(guild)
        await self._follow_guilds(lambda watch: watch.joined(guild.id))

    async def _follow_guilds(self, follow: Callable[[GuildWatch], Awaitable[None]]) -> None:
        watch = self.receivers.guilds
        if watch is None or self.is_draining:
            return
        try:
            async with self._guilds_lock:  # one after the other: questions go before such notes
                await self._outlast(lambda: follow(watch), _STORE_LIMIT_SECONDS)
        except StoreError as error:
            log.error("which guilds I am in was not noted: %s", error)

    def _reopen_channels(self, guild: discord.Guild, only: int | None = None) -> None:
        places = [*guild.channels, *guild.threads]
        for channel in places:
            parent_id = channel.parent_id if isinstance(channel, discord.Thread) else None
            if only is None or only in {channel.id, parent_id}:
                self.receivers.sender.closed_channels.reopen(channel.id)

    async def _resume_unfinished(self, *, limit_seconds: float) -> bool:
        """Go on with what an earlier process left; False if the database was away for all of the time."""
        try:
            resume = partial(self.receivers.chat.resume, PLATFORM, self.part)
            for exchange in await self._outlast(resume, limit_seconds):
                self.receivers.answers.begin(exchange)
            await drop_unfinished(self.receivers.chat, self.part)
        except StoreError as error:
            log.error("unfinished questions are not resumed: %s", error)
            return False
        except Exception:
            log.exception("unfinished questions stay unfinished until the next start")
        return True

    async def _outlast(self, step: Callable[[], Awaitable[T]], limit_seconds: float) -> T:
        return await repeat_while_away(
            step, is_ending=lambda: self.is_draining or self.is_closed(), limit_seconds=limit_seconds
        )

    async def _delete_lost_channels(self) -> None:
        """Follow the deletion of channels that nobody told of."""
        try:
            lost = [] if self.is_draining else await self.receivers.lost_channels.find()
        except StoreError as error:
            log.warning("which channels were deleted meanwhile isn't known: %s", error)
            return
        for channel_id in lost:
            await self._delete_channel(channel_id)

    async def _delete_channel(self, channel_id: int) -> None:
        try:
            await self._outlast(partial(self.receivers.chat.delete_channel, PLATFORM, channel_id), _STORE_LIMIT_SECONDS)
        except StoreError as error:
            log.error("the deletion of channel %s was not followed: %s", channel_id, error)
