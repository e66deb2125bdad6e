"""The world that bots and people share: guilds, channels, accounts. Every change is told to whoever subscribed."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.loopback.accounts import BotAccount, Viewer, make_token
from tests.loopback.entities import Channel, Guild, Member, Message, Overwrite, Role, User
from tests.loopback.journal import Journal
from tests.loopback.payloads import channel_json, guild_json, member_json
from tests.loopback.rules import NO_PERMISSION, ChannelKind, Intent, Permission, Rules
from tests.loopback.snowflake import Snowflakes


@dataclass(frozen=True, slots=True)
class Event:
    """A dispatch and who may get it; the payload differs by viewer."""

    name: str
    payload: Callable[[Viewer], dict[str, Any]]
    intent: Intent = Intent.GUILDS
    guild: Guild | None = None
    channel: Channel | None = None
    only_for: BotAccount | None = None

    @property
    def is_everywhere(self) -> bool:
        """Whether it belongs to no place, so that every shard hears of it."""
        return self.guild is None and self.channel is None

    def is_for(self, bot: BotAccount) -> bool:
        """Whether this bot is a member, and allowed to see the channel."""
        if self.only_for is not None:
            return self.only_for is bot
        if self.channel is not None:
            return self.channel.can_be_seen_by(bot.user)
        return self.guild is None or bot.id in self.guild.members


class World:
    """Registers of everything, by id, and the changes to guilds and channels; messages change in messages.py."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.ids = Snowflakes()
        self.journal = Journal()
        self.users: dict[int, User] = {}
        self.bots: dict[int, BotAccount] = {}
        self.guilds: dict[int, Guild] = {}
        self.channels: dict[int, Channel] = {}
        self.messages: dict[int, Message] = {}
        self.nonces: dict[tuple[int, str], Message] = {}  # the newest message by author and nonce
        self._subscribers: list[Callable[[Event], None]] = []

    def subscribe(self, hear: Callable[[Event], None]) -> None:
        """Calls `hear` at every change, at once."""
        self._subscribers.append(hear)

    def publish(self, event: Event) -> None:
        """Tells the subscribers."""
        for hear in self._subscribers:
            hear(event)

    def add_user(self, username: str, **fields: Any) -> User:
        """A new account."""
        user = User(self.ids.next_id(), username, **fields)
        self.users[user.id] = user
        return user

    def add_bot(self, name: str, owner: User) -> BotAccount:
        """A new application with its bot user and token."""
        user = self.add_user(name, is_bot=True)
        bot = BotAccount(user, owner, make_token(user.id), self.rules.privileged_intents)
        self.bots[bot.id] = bot
        return bot

    def add_guild(self, name: str, owner: User) -> Guild:
        """A new guild; bots join it by `join`."""
        guild = Guild(self.ids.next_id(), name, owner)
        self.guilds[guild.id] = guild
        guild.members[owner.id] = Member(owner)
        return guild

    def join(self, guild: Guild, user: User) -> Member:
        """Makes a user a member; a bot that joins is told the whole guild."""
        if user.id in guild.members:
            return guild.members[user.id]
        member = guild.members[user.id] = Member(user)
        bot = self.bots.get(user.id)
        if bot is not None:
            event = Event("GUILD_CREATE", lambda viewer: guild_json(guild, viewer.bot), guild=guild, only_for=bot)
            self.publish(event)
        else:
            payload = member_json(member) | {"guild_id": str(guild.id)}
            self.publish(Event("GUILD_MEMBER_ADD", lambda _: payload, Intent.GUILD_MEMBERS, guild))
        return member

    def remove_bot(self, guild: Guild, bot: BotAccount) -> None:
        """Kicks the bot."""
        guild.members.pop(bot.id, None)
        self.publish(Event("GUILD_DELETE", lambda _: {"id": str(guild.id)}, guild=guild, only_for=bot))

    def set_availability(self, guild: Guild, *, is_available: bool) -> None:
        """Begins or ends an outage of a guild, which a bot must not take for a farewell."""
        guild.is_unavailable = not is_available
        if is_available:
            self.publish(Event("GUILD_CREATE", lambda viewer: guild_json(guild, viewer.bot), guild=guild))
        else:
            self.publish(Event("GUILD_DELETE", lambda _: {"id": str(guild.id), "unavailable": True}, guild=guild))

    def delete_guild(self, guild: Guild) -> None:
        """Deletes a guild with its channels."""
        self.publish(Event("GUILD_DELETE", lambda _: {"id": str(guild.id)}, guild=guild))
        guild.is_deleted = True
        for channel in guild.channels.values():
            channel.is_deleted = True

    def add_channel(self, guild: Guild, name: str, kind: ChannelKind = ChannelKind.TEXT) -> Channel:
        """A new channel, by default for text."""
        channel = Channel(self.ids.next_id(), name, self, kind, guild=guild)
        self._keep(channel, guild)
        self._tell("CHANNEL_CREATE", channel)
        return channel

    def add_thread(self, parent: Channel, name: str, owner: User, *, thread_id: int | None = None) -> Channel:
        """A new public thread; one that is opened on a message has that message's id."""
        if parent.guild is None:
            raise ValueError("a direct-message channel has no threads")
        fresh = thread_id or self.ids.next_id()
        kind = ChannelKind.PUBLIC_THREAD
        thread = Channel(fresh, name, self, kind, parent.guild, parent, owner)
        self._keep(thread, parent.guild)
        payload = channel_json(thread) | {"newly_created": True}
        self.publish(Event("THREAD_CREATE", lambda _: payload, guild=parent.guild, channel=thread))
        return thread

    def _keep(self, channel: Channel, guild: Guild) -> None:
        self.channels[channel.id] = guild.channels[channel.id] = channel

    def dm_channel(self, one: User, other: User) -> Channel:
        """The direct-message channel of two users, made at need."""
        for channel in self.channels.values():
            if channel.is_dm and one in channel.recipients and other in channel.recipients:
                return channel
        fresh = self.ids.next_id()
        channel = Channel(fresh, "", self, ChannelKind.DM, recipients=[one, other])
        self.channels[channel.id] = channel
        return channel

    def delete_channel(self, channel: Channel) -> None:
        """Deletes a channel or a thread."""
        self._tell("THREAD_DELETE" if channel.is_thread else "CHANNEL_DELETE", channel)
        channel.is_deleted = True
        if channel.guild is not None:
            channel.guild.channels.pop(channel.id, None)
        for thread in [kept for kept in self.channels.values() if kept.parent is channel]:
            thread.is_deleted = True

    def update_thread(self, thread: Channel, *, is_archived: bool, is_locked: bool = False) -> None:
        """Archives, locks or reopens a thread."""
        thread.is_archived, thread.is_locked = is_archived, is_locked
        self._tell("THREAD_UPDATE", thread)

    def overwrite(
        self,
        channel: Channel,
        target: User | Role,
        *,
        allow: Permission = NO_PERMISSION,
        deny: Permission = NO_PERMISSION,
    ) -> None:
        """Sets a channel's overwrite for a role or a member; both empty takes it away."""
        channel.overwrites[target.id] = Overwrite(allow, deny)
        if not allow and not deny:
            del channel.overwrites[target.id]
        self.publish(
            Event("CHANNEL_UPDATE", lambda viewer: channel_json(channel, viewer.bot.user), guild=channel.guild)
        )

    def time_out(self, guild: Guild, user: User, seconds: float) -> None:
        """Silences a member; a bot is told about itself whatever its intents are."""
        member = guild.members[user.id]
        member.timed_out_until = time.time() + seconds
        payload = member_json(member) | {"guild_id": str(guild.id)}
        bot = self.bots.get(user.id)
        intent = Intent.GUILD_MEMBERS if bot is None else Intent.ALWAYS
        self.publish(Event("GUILD_MEMBER_UPDATE", lambda _: payload, intent, guild, only_for=bot))

    def _tell(self, name: str, channel: Channel) -> None:
        payload = channel_json(channel)
        self.publish(Event(name, lambda _: payload, guild=channel.guild, channel=channel))
