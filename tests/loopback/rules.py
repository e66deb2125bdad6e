"""Discord's limits and times as one frozen value, so that a test can shorten a wait without touching the simulator."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field


class Permission(enum.IntFlag):
    """The permission bits that a chat bot can meet."""

    KICK_MEMBERS = 1 << 1
    ADMINISTRATOR = 1 << 3
    MANAGE_CHANNELS = 1 << 4
    MANAGE_GUILD = 1 << 5
    ADD_REACTIONS = 1 << 6
    VIEW_CHANNEL = 1 << 10
    SEND_MESSAGES = 1 << 11
    MANAGE_MESSAGES = 1 << 13
    EMBED_LINKS = 1 << 14
    ATTACH_FILES = 1 << 15
    READ_MESSAGE_HISTORY = 1 << 16
    MENTION_EVERYONE = 1 << 17
    USE_APPLICATION_COMMANDS = 1 << 31
    MANAGE_THREADS = 1 << 34
    CREATE_PUBLIC_THREADS = 1 << 35
    SEND_MESSAGES_IN_THREADS = 1 << 38


NO_PERMISSION = Permission(0)
EVERY_PERMISSION = Permission((1 << 50) - 1)
# What @everyone has in a freshly made guild, as far as a bot notices.
ORDINARY_PERMISSIONS = (
    Permission.ADD_REACTIONS
    | Permission.VIEW_CHANNEL
    | Permission.SEND_MESSAGES
    | Permission.EMBED_LINKS
    | Permission.ATTACH_FILES
    | Permission.READ_MESSAGE_HISTORY
    | Permission.USE_APPLICATION_COMMANDS
    | Permission.CREATE_PUBLIC_THREADS
    | Permission.SEND_MESSAGES_IN_THREADS
)
# The invitation's permissions, 309237746688.
INVITED_PERMISSIONS = (
    Permission.VIEW_CHANNEL
    | Permission.SEND_MESSAGES
    | Permission.READ_MESSAGE_HISTORY
    | Permission.SEND_MESSAGES_IN_THREADS
    | Permission.ATTACH_FILES
    | Permission.CREATE_PUBLIC_THREADS
)


class Intent(enum.IntFlag):
    """Gateway intents; an event reaches a session only when its intent was asked for."""

    ALWAYS = 0
    GUILDS = 1 << 0
    GUILD_MEMBERS = 1 << 1
    GUILD_PRESENCES = 1 << 8
    GUILD_MESSAGES = 1 << 9
    GUILD_MESSAGE_REACTIONS = 1 << 10
    GUILD_MESSAGE_TYPING = 1 << 11
    DIRECT_MESSAGES = 1 << 12
    DIRECT_MESSAGE_REACTIONS = 1 << 13
    DIRECT_MESSAGE_TYPING = 1 << 14
    MESSAGE_CONTENT = 1 << 15


PRIVILEGED_INTENTS = Intent.GUILD_MEMBERS | Intent.GUILD_PRESENCES | Intent.MESSAGE_CONTENT


class ChannelKind(enum.IntEnum):
    """Discord's channel types."""

    TEXT = 0
    DM = 1
    VOICE = 2
    CATEGORY = 4
    NEWS = 5
    PUBLIC_THREAD = 11
    STAGE = 13
    DIRECTORY = 14
    FORUM = 15
    MEDIA = 16


class MessageKind(enum.IntEnum):
    """Discord's message types; every other number is a system message."""

    DEFAULT = 0
    PIN = 6
    JOIN = 7
    THREAD_CREATED = 18
    REPLY = 19
    COMMAND_RESPONSE = 20


SUPPRESS_EMBEDS = 1 << 2
EPHEMERAL = 1 << 6
LOADING = 1 << 7
SUPPRESS_NOTIFICATIONS = 1 << 12


@dataclass(frozen=True, slots=True)
class Limit:
    """At most so many requests in a window that opens with the first of them."""

    requests: int
    seconds: float


def _discord_limits() -> dict[str, Limit]:
    return {
        "create": Limit(5, 5.0),
        "edit": Limit(5, 5.0),
        "delete": Limit(5, 1.0),
        "read": Limit(5, 1.0),
        "typing": Limit(5, 5.0),
        "reaction": Limit(1, 0.25),
        "webhook": Limit(5, 2.0),
        "other": Limit(10, 1.0),
    }


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything that a test may want to be shorter, wider or off; the defaults are Discord's own."""

    limits: Mapping[str, Limit] = field(default_factory=_discord_limits)
    requests_per_second: int = 50
    max_invalid_requests: int = 10_000
    invalid_request_window_seconds: float = 600.0
    nonce_window_seconds: float = 180.0
    max_content_length: int = 2000
    heartbeat_interval_seconds: float = 41.25
    identify_interval_seconds: float = 5.0
    max_concurrency: int = 1
    """Shards whose numbers leave different rests by this may identify at once."""
    recommended_shards: int = 1
    sessions_left: int = 1000
    """So many more may be begun today, as Discord says; nothing here holds anybody to it."""
    resume_window_seconds: float = 180.0
    max_gateway_frames_per_minute: int = 120
    interaction_deadline_seconds: float = 3.0
    interaction_lifetime_seconds: float = 900.0
    privileged_intents: Intent = Intent.ALWAYS


def without_waits() -> Rules:
    """Rules under which a quick test meets no bucket and no pause between two logins."""
    wide = {name: Limit(10_000, 1.0) for name in _discord_limits()}
    return Rules(limits=wide, requests_per_second=10_000, identify_interval_seconds=0.0)
