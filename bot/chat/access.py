"""Who may talk to the bot, and where: the operator's lists, asked about every message, command and click alike.

A list of allowed ones names places (guilds, channels) or people (users, roles). Both have to fit where both are set: a
place from either list of places, and a person from either list of people. A blocked one goes before everything. What
belongs together counts as one: a category's channels, a channel's threads. A direct message is a place in no guild.

What a question rests on may not be known at once: a message that is fetched later comes without its author's roles, and
a restart knows of a thread only its channel. Then the verdict is `UNSURE`, and whoever asks finds out what is missing
and asks again: only `ALLOWED` lets anybody in.
"""

from dataclasses import dataclass
from enum import Enum, auto


class AccessVerdict(Enum):
    """What the lists say of a visit."""

    ALLOWED = auto()
    REFUSED = auto()
    UNSURE = auto()
    """It depends on something that isn't known of the visit."""


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody who wants something of the bot, somewhere."""

    user_id: int
    guild_id: int | None
    """None in a direct message."""
    channel_ids: frozenset[int]
    """The channel, the one that it is a thread of, and their category."""
    is_place_known: bool = True
    """Whether `channel_ids` has all of these that there are."""
    role_ids: frozenset[int] | None = frozenset()
    """The person's roles in the guild; None where they aren't known."""

    @property
    def is_direct(self) -> bool:
        """Whether it is outside of all guilds, where there are no roles."""
        return self.guild_id is None


@dataclass(frozen=True, slots=True)
class AccessList:
    """Ids of places and of people."""

    guilds: frozenset[int] = frozenset()
    channels: frozenset[int] = frozenset()
    roles: frozenset[int] = frozenset()
    users: frozenset[int] = frozenset()

    @property
    def names_places(self) -> bool:
        """Whether there is a place in it at all."""
        return bool(self.guilds or self.channels)

    @property
    def names_people(self) -> bool:
        """Whether there is somebody in it at all."""
        return bool(self.roles or self.users)

    def has_place_of(self, visit: Visit) -> bool | None:
        """Whether the visit's place is in it; None where that isn't known."""
        if visit.guild_id in self.guilds or not self.channels.isdisjoint(visit.channel_ids):
            return True
        return None if self.channels and not visit.is_place_known else False

    def has_person_of(self, visit: Visit) -> bool | None:
        """Whether the visitor, or one of their roles, is in it; None where that isn't known."""
        if visit.user_id in self.users:
            return True
        if visit.role_ids is None:
            return None if self.roles else False
        return not self.roles.isdisjoint(visit.role_ids)


@dataclass(frozen=True, slots=True)
class Access:
    """The operator's rules; without any, everybody may do everything."""

    allowed: AccessList = AccessList()
    blocked: AccessList = AccessList()
    direct_messages: bool | None = None
    """Whether direct messages are answered; None is yes, unless `allowed` names places."""

    def verdict(self, visit: Visit) -> AccessVerdict:
        """Whether the visitor may talk to the bot in this place."""
        is_blocked = _either(self.blocked.has_place_of(visit), self.blocked.has_person_of(visit))
        is_place_allowed = self._takes_direct(visit) if visit.is_direct else self._has_allowed_place(visit)
        is_person_allowed = self.allowed.has_person_of(visit) if self.allowed.names_people else True
        if is_blocked is True or is_place_allowed is False or is_person_allowed is False:
            return AccessVerdict.REFUSED
        if is_blocked is None or is_place_allowed is None or is_person_allowed is None:
            return AccessVerdict.UNSURE
        return AccessVerdict.ALLOWED

    def _takes_direct(self, visit: Visit) -> bool | None:
        if self.direct_messages is not None:
            return self.direct_messages
        return self._has_allowed_place(visit)

    def _has_allowed_place(self, visit: Visit) -> bool | None:
        return self.allowed.has_place_of(visit) if self.allowed.names_places else True


class AccessRules:
    """The rules that hold just now: the operator may change them while the bot runs."""

    def __init__(self, now: Access | None = None) -> None:
        self.now = now or Access()


def _either(one: bool | None, other: bool | None) -> bool | None:
    if one or other:
        return True
    return None if one is None or other is None else False
