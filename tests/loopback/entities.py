"""People, guilds, channels and messages as the simulator holds them; payloads.py has what they look like outside."""

from __future__ import annotations

import bisect
import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.loopback.rules import (
    EVERY_PERMISSION,
    LOADING,
    NO_PERMISSION,
    ORDINARY_PERMISSIONS,
    SUPPRESS_NOTIFICATIONS,
    ChannelKind,
    MessageKind,
    Permission,
)

if TYPE_CHECKING:
    from tests.loopback.answers import Answer
    from tests.loopback.world import World

_USER_MENTION = re.compile(r"<@!?(\d+)>")
_ROLE_MENTION = re.compile(r"<@&(\d+)>")


@dataclass(eq=False, slots=True)
class User:
    """An account: a person, a bot, or the face of a webhook."""

    id: int
    username: str
    global_name: str | None = None
    is_bot: bool = False
    is_webhook: bool = False
    accepts_dms: bool = True
    locale: str = "en-US"
    """The language that this person's client is set to."""

    @property
    def name(self) -> str:
        """The name that people see where no nickname is set."""
        return self.global_name or self.username

    @property
    def mention(self) -> str:
        """The text that mentions this account."""
        return f"<@{self.id}>"


@dataclass(eq=False, slots=True)
class Role:
    """A named set of permissions in one guild."""

    id: int
    name: str
    permissions: Permission
    bot_id: int | None = None
    """The bot that Discord made it for."""


@dataclass(eq=False, slots=True)
class Member:
    """A user in a guild."""

    user: User
    roles: list[Role] = field(default_factory=list)
    nick: str | None = None
    timed_out_until: float = 0.0  # unix seconds

    @property
    def is_timed_out(self) -> bool:
        """Whether a moderator has silenced this member for now."""
        return self.timed_out_until > time.time()


@dataclass(eq=False, slots=True)
class Guild:
    """A server; the role whose id is the guild's is @everyone."""

    id: int
    name: str
    owner: User
    roles: dict[int, Role] = field(default_factory=dict)
    members: dict[int, Member] = field(default_factory=dict)
    channels: dict[int, Channel] = field(default_factory=dict)
    is_deleted: bool = False
    is_unavailable: bool = False
    preferred_locale: str = "en-US"
    """The language that a community's server is said to speak."""

    def __post_init__(self) -> None:
        self.roles[self.id] = Role(self.id, "@everyone", ORDINARY_PERMISSIONS)

    @property
    def everyone(self) -> Role:
        """The role that every member has."""
        return self.roles[self.id]

    def permissions_of(self, user: User) -> Permission:
        """What a member may do before a channel's overwrites."""
        member = self.members.get(user.id)
        if member is None:
            return NO_PERMISSION
        if user is self.owner:
            return EVERY_PERMISSION
        granted = self.everyone.permissions
        for role in member.roles:
            granted |= role.permissions
        return EVERY_PERMISSION if granted & Permission.ADMINISTRATOR else granted


@dataclass(eq=False, slots=True)
class Overwrite:
    """What a channel adds to and takes from a role's or a member's permissions."""

    allow: Permission = NO_PERMISSION
    deny: Permission = NO_PERMISSION


@dataclass(eq=False, slots=True)
class Channel:
    """A text channel, a thread (with a parent) or a direct-message channel (without a guild)."""

    id: int
    name: str
    world: World = field(repr=False)
    kind: ChannelKind = ChannelKind.TEXT
    guild: Guild | None = None
    parent: Channel | None = None
    category: Channel | None = None
    owner: User | None = None
    recipients: list[User] = field(default_factory=list)
    overwrites: dict[int, Overwrite] = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list, repr=False)
    is_archived: bool = False
    is_locked: bool = False
    is_deleted: bool = False

    @property
    def is_dm(self) -> bool:
        """Whether this is a direct-message channel."""
        return self.kind is ChannelKind.DM

    @property
    def is_thread(self) -> bool:
        """Whether this is a thread."""
        return self.parent is not None

    @property
    def last_message_id(self) -> int | None:
        """The newest id ever posted, deleted or not, as Discord keeps it."""
        return self.messages[-1].id if self.messages else None

    def visible_messages(self) -> list[Message]:
        """What people see now, oldest first."""
        return [message for message in self.messages if not message.is_deleted]

    def insert(self, message: Message) -> None:
        """Keeps the messages in the order of their ids, also one that was sent in the past."""
        bisect.insort(self.messages, message, key=lambda kept: kept.id)

    def permissions_of(self, user: User) -> Permission:
        """What a user may do here, in Discord's order: roles, then overwrites of @everyone, of roles, of the member."""
        if self.guild is None:
            return EVERY_PERMISSION if user in self.recipients else NO_PERMISSION
        granted = self.guild.permissions_of(user)
        if granted == EVERY_PERMISSION or user.id not in self.guild.members:
            return granted
        ruling = self.parent or self
        granted = _overwritten(granted, ruling.overwrites.get(self.guild.id))
        roles = self.guild.members[user.id].roles
        of_roles = [ruling.overwrites[role.id] for role in roles if role.id in ruling.overwrites]
        for overwrite in of_roles:
            granted &= ~overwrite.deny
        for overwrite in of_roles:
            granted |= overwrite.allow
        granted = _overwritten(granted, ruling.overwrites.get(user.id))
        return granted if granted & Permission.VIEW_CHANNEL else NO_PERMISSION

    def can_be_seen_by(self, user: User) -> bool:
        """Whether events and reads of this channel are open to a user."""
        if self.guild is not None and self.guild.is_deleted:
            return False
        return bool(self.permissions_of(user) & Permission.VIEW_CHANNEL)

    async def answer_to(self, message: Message, **how: Any) -> Answer:
        """Waits for the finished answer to a message; see `answers.wait_for_answer`."""
        from tests.loopback.answers import wait_for_answer

        return await wait_for_answer(message, **how)


def _overwritten(granted: Permission, overwrite: Overwrite | None) -> Permission:
    return granted if overwrite is None else (granted & ~overwrite.deny) | overwrite.allow


@dataclass(frozen=True, slots=True)
class Revision:
    """One state of a message's text."""

    at: float
    content: str


@dataclass(eq=False, slots=True)
class Message:
    """A message with all its revisions; deleting only marks it."""

    id: int
    channel: Channel = field(repr=False)
    author: User
    content: str
    kind: int = MessageKind.DEFAULT
    flags: int = 0
    nonce: str | None = None
    mentions: list[User] = field(default_factory=list)
    mentions_everyone: bool = False
    reference: dict[str, Any] | None = None
    embeds: list[Any] = field(default_factory=list)
    components: list[Any] = field(default_factory=list)
    attachments: list[Any] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict, repr=False)
    webhook_id: int | None = None
    application_id: int | None = None
    ephemeral_for: User | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    reactions: dict[str, list[User]] = field(default_factory=dict)
    sent_at: float = field(default_factory=time.monotonic)
    edited_at: float | None = None  # unix seconds, as it is shown
    deleted_at: float | None = None
    revisions: list[Revision] = field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        self.revisions.append(Revision(self.sent_at, self.content))

    @property
    def is_deleted(self) -> bool:
        """Whether it is gone from people's screens."""
        return self.deleted_at is not None

    @property
    def is_silent(self) -> bool:
        """Whether nobody is notified of it."""
        return bool(self.flags & SUPPRESS_NOTIFICATIONS)

    @property
    def is_loading(self) -> bool:
        """Whether people see "is thinking" in place of text."""
        return bool(self.flags & LOADING)

    @property
    def replies_to(self) -> int | None:
        """The id of the message that this one answers."""
        return None if self.reference is None else int(self.reference["message_id"])

    @property
    def changed_at(self) -> float:
        """When the text was last written."""
        return self.revisions[-1].at

    def rewrite(self, content: str) -> None:
        """Gives the message another text."""
        self.content = content
        self.edited_at = time.time()
        self.revisions.append(Revision(time.monotonic(), content))


def mentioned_role_ids(message: Message) -> list[int]:
    """The roles of the guild that a message mentions, each once."""
    roles = message.channel.guild.roles if message.channel.guild else {}
    found = dict.fromkeys(int(found) for found in _ROLE_MENTION.findall(message.content))
    return [role_id for role_id in found if role_id in roles]


def mentioned_ids(content: str) -> list[int]:
    """The user ids that a text mentions, in order, each once."""
    return list(dict.fromkeys(int(found) for found in _USER_MENTION.findall(content)))
