"""What a person wrote, as a reader sees it: ids in angle brackets become the names that Discord shows in their place.

Only what the message itself or the guild's cache already holds is used; nothing is fetched for a mention.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import discord

from bot.conversation import markup
from bot.conversation.sanitize import DEFAULT_OWN_NAME
from bot.discord.payloads import HIDDEN_NAME

_MARKUP = re.compile(
    r"(?<!\\)<(?:@!?(?P<user>\d{1,20})"
    r"|@&(?P<role>\d{1,20})"
    r"|\#(?P<channel>\d{1,20})"
    r"|a?:(?P<emoji>\w{1,64}):\d{1,20}"
    r"|/(?P<command>[^<>:\n]{1,100}):\d{1,20}"
    r"|t:(?P<time>-?\d{1,13})(?::[a-zA-Z])?"
    r"|id:(?P<page>customize|browse|guide|linked-roles))>"
)
_PAGES = {
    "customize": "Channels & Roles",
    "browse": "Browse Channels",
    "guide": "Server Guide",
    "linked-roles": "Linked Roles",
}
_OWN_MARK = "\0"
# Punctuation belongs to the mention where it touches it, and where it isn't the beginning of something else: of `::`,
# of an emoji's `:name:`, of a smiley.
_COMMAS = ",\uff0c\u3001\u060c"
_ENDS = ".?!\u2026\u3002\uff01\uff1f\u061f"
_OWN_MENTION = re.compile(
    rf"(?P<before>[{_COMMAS}]?)(?<![ \t])(?P<lead>[ \t]*)(?:{_OWN_MARK}[ \t]*)*{_OWN_MARK}(?P<possessive>['\u2019]s\b)?"
    rf"(?:(?P<after>[{_COMMAS}\uff1a\uff1b]|[:;](?=\s|\Z|[^\W\d_]{{2,}}(?![\w~+-]*:)))"
    rf"|(?P<call>[{_ENDS}]+(?=\s|\Z)))?(?P<rest>[ \t]*)"
)
_SENTENCE_ENDS = frozenset(f"\n{_ENDS}")
# A name that ends a sentence is called, unless it stands behind a word like these: then it is spoken of.
_WANTING_A_NAME = """
is isn't are aren't was wasn't were be am who's what's about to with without for of by from like likes love loves
hate hates named called call and or nor than as versus vs my your our their the a an this that ask asks tell
say says mention know knows meet met thank mean means see trust use made created
ist bin bist sind war heißt heisst über von mit ohne für zu bei und oder als wie der die das dem den ein eine mein
dein frag frage kennst kennt mag
es eres está son era sobre de del con sin para por a y o como el la un una que conoces conoce pregunta
é és são foi era do da com sem e ou o um uma conheces conhece pergunta
"""
_BEFORE_WHAT_IS_MEANT = frozenset(_WANTING_A_NAME.split())


@dataclass(frozen=True, slots=True)
class Names:
    """The names behind the ids that a message can mention."""

    users: Mapping[int, str] = field(default_factory=dict)
    roles: Mapping[int, str] = field(default_factory=dict)
    channels: Mapping[int, str] = field(default_factory=dict)
    own_roles: Collection[int] = ()
    """Roles that stand for the bot itself: a mention of one is the bot's own."""


def names_in(message: discord.Message, own_id: int, reader: discord.abc.User | None = None) -> Names:
    """The names of the people, roles and channels that `message` mentions, as far as they are known.

    A channel that `reader` can't see has no name for them, as in a client; by default that is the message's author.
    """
    reader = message.author if reader is None else reader
    return Names(
        users={user.id: user.display_name for user in message.mentions},
        roles={role.id: role.name for role in message.role_mentions},
        channels={
            channel.id: channel.name
            for channel in message.channel_mentions
            if channel.id == message.channel.id or _can_see(reader, channel)
        },
        own_roles=[role.id for role in message.role_mentions if is_own_role(role, own_id)],
    )


def names_of(interaction: discord.Interaction[Any]) -> Names:
    """The names that may stand in what is written into a command: those that the guild's cache holds."""
    user, guild = interaction.user, interaction.guild
    if guild is None:
        return Names(users={user.id: user.display_name})
    return Names(
        users={user.id: user.display_name},
        roles={role.id: role.name for role in guild.roles},
        channels={
            channel.id: channel.name
            for channel in (*guild.channels, *guild.threads)
            if channel.id == interaction.channel_id or _can_see(user, channel)
        },
        own_roles=[role.id for role in guild.roles if is_own_role(role, interaction.application_id)],
    )


def is_own_role(role: discord.Role, bot_id: int) -> bool:
    """Whether it is the role that Discord made for the bot, which has the bot's name."""
    return role.tags is not None and role.tags.bot_id == bot_id


def _can_see(person: discord.abc.User, channel: discord.abc.GuildChannel | discord.Thread) -> bool:
    """Whether somebody can see a channel of a guild, and the bot too; of whom no roles are known, whether all can."""
    if channel.name == HIDDEN_NAME:
        return False
    is_known = isinstance(person, discord.Member) and person.guild.id == channel.guild.id
    try:
        allowed = channel.permissions_for(person if is_known else channel.guild.default_role)  # type: ignore[arg-type]
    except discord.ClientException:  # a thread whose channel isn't known
        return False
    is_private = isinstance(channel, discord.Thread) and channel.is_private()
    return allowed.view_channel and not is_private


def readable(content: str, names: Names, own_id: int) -> str:
    """`content` with names in place of ids, and without the bot's own mention where that only says whom it is for.

    So it is at the beginning of a line or a sentence, between commas, and at the end: "and today, @Trinity?", "hello
    @Trinity". Elsewhere the bot is spoken of, and named, also in "who is Trinity?". Code stays as it is.

    NUL and lone surrogates are left alone: whoever builds prompts or stores text repairs them.
    """

    def replace(match: re.Match[str]) -> str:
        kind, value = match.lastgroup, match[match.lastgroup or 0]
        if (kind == "user" and int(value) == own_id) or (kind == "role" and int(value) in names.own_roles):
            return _OWN_MARK
        return _name(kind or "", value, names)

    pieces = markup.stretches(content.replace(_OWN_MARK, "\ufffd"))
    marked = "".join(text if is_code else _MARKUP.sub(replace, text) for text, is_code in pieces)
    return _OWN_MENTION.sub(_gap, marked).strip()


def _gap(match: re.Match[str]) -> str:
    """What stays where the own mention was, so that the sentence around it still reads well."""
    text, start, end = match.string, match.start(), match.end()
    before, possessive, after, call = (match[group] or "" for group in ("before", "possessive", "after", "call"))
    begins = not before and (start == 0 or text[start - 1] in _SENTENCE_ENDS)
    ends = bool(call) or text[end : end + 1] in {"", *_SENTENCE_ENDS}
    is_called = begins or (before and (after or ends)) or (ends and not after and _is_called_behind(text[:start]))
    if possessive or not is_called:
        is_glued = not after and not call and not match["rest"] and text[end : end + 1].isalnum()
        blank = " " if is_glued else match["rest"]
        return f"{before}{match['lead']}{DEFAULT_OWN_NAME}{possessive}{after}{call}{blank}"
    if not begins and call:
        return call + match["rest"]
    if start == 0 or text[start - 1] == "\n" or (ends and not call):
        return ""
    return before + " "


def _is_called_behind(text: str) -> bool:
    """Whether a name at the end of a sentence whose other words these are says only whom it is for."""
    word = re.split(r"\s", text.replace("\u2019", "'").lower())[-1].lstrip("\"'([{*_~")
    return word[-1:].isalnum() and word not in _BEFORE_WHAT_IS_MEANT


def _name(kind: str, value: str, names: Names) -> str:
    match kind:
        case "user":
            return "@" + _one_line(names.users.get(int(value), "someone"))
        case "role":
            return "@" + _one_line(names.roles.get(int(value), "some-role"))
        case "channel":
            return "#" + _one_line(names.channels.get(int(value), "some-channel"))
        case "time":
            return _moment(int(value))
        case _:
            return {"emoji": f":{value}:", "command": f"/{value}"}.get(kind) or "#" + _PAGES[value]


def _one_line(name: str) -> str:
    return " ".join(name.split())


def _moment(unix_seconds: int) -> str:
    try:
        return f"{datetime.fromtimestamp(unix_seconds, UTC):%Y-%m-%d %H:%M} UTC"
    except (OverflowError, ValueError, OSError):
        return "some time"
