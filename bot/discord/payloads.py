"""What the bot reads of Discord's payloads, in the shape in which discord.py 2.7 can parse it.

Only a payload's identity is required: an id, a type, and what says where it belongs. Everything else has a value that
stands in for it. Since 16 November 2026 Discord also sends the channels that a bot can't see, with little more than
that: see `is_hidden`. What the bot never looks at (emojis, presences, voice states, scheduled events, ...) is left out
before discord.py sees it.
"""

from contextlib import suppress
from typing import Any

import discord

from bot.discord.payload_shapes import (
    OutOfShape,
    Read,
    Shape,
    bits,
    boolean,
    each,
    integer,
    moment,
    null_or,
    snowflake,
    text,
)

HIDDEN_NAME = "___hidden___"
HIDDEN_FLAG = 1 << 17
_THREAD_TYPES = frozenset({10, 11, 12})
_COMMAND, _COMPONENT, _AUTOCOMPLETE, _MODAL = 2, 3, 4, 5
_LONG_AGO, _FAR_AWAY = "2015-01-01T00:00:00+00:00", "2100-01-01T00:00:00+00:00"
_ASSUMED_PERMISSIONS = str(discord.Permissions.all_channel().value)
"""For a guild whose permissions can't be read: Discord itself refuses what isn't allowed."""


def is_hidden(channel: Any) -> bool:
    """Whether this raw channel is one that the bot can't see (discord-api-docs, pull request 8454)."""
    try:
        return bool(integer(channel.get("flags")) & HIDDEN_FLAG)
    except OutOfShape:
        return bool(channel.get("name") == HIDDEN_NAME)


USER = Shape(
    required={"id": snowflake},
    filled={"username": (text, ""), "discriminator": (text, "0"), "avatar": (null_or(text), None)},
    optional={"global_name": text, "bot": boolean, "system": boolean, "public_flags": integer},
)
_NOBODY = {"id": "0", "username": "", "discriminator": "0", "avatar": None}
APPLICATION = Shape(
    required={"id": snowflake},
    filled={
        "name": (text, ""),
        "description": (text, ""),
        "icon": (null_or(text), None),
        "bot_public": (boolean, True),
        "bot_require_code_grant": (boolean, False),
        "verify_key": (text, ""),
        "owner": (USER, lambda: dict(_NOBODY)),
        "flags": (integer, 0),
    },
    optional={"interactions_endpoint_url": text, "approximate_guild_count": integer},
)
MEMBER = Shape(
    filled={"roles": (each(snowflake), list), "flags": (integer, 0)},
    optional={
        "nick": text, "avatar": text, "joined_at": moment, "premium_since": moment, "pending": boolean,
        "permissions": bits, "communication_disabled_until": moment,
    },
)  # fmt: skip
MEMBER_WITH_USER = MEMBER.with_fields(required={"user": USER})
_MENTIONED = USER.with_fields(optional={"member": MEMBER})

ROLE = Shape(
    required={"id": snowflake},
    filled={"name": (text, ""), "permissions": (bits, "0"), "position": (integer, 0)},
    optional={
        "hoist": boolean, "managed": boolean, "mentionable": boolean, "flags": integer,
        "tags": Shape(optional={"bot_id": snowflake, "integration_id": snowflake}),
    },
)  # fmt: skip
_OVERWRITE = Shape(
    required={"id": snowflake, "type": integer},
    filled={"allow": (bits, "0"), "deny": (bits, "0")},
)
CHANNEL = Shape(
    required={"id": snowflake, "type": integer},
    filled={
        "name": (text, ""),
        "position": (integer, 0),
        "bitrate": (integer, 64_000),  # these two are read of voice and stage channels only
        "user_limit": (integer, 0),
        "permission_overwrites": (each(_OVERWRITE), list),
    },
    optional={
        "guild_id": snowflake, "parent_id": snowflake, "last_message_id": snowflake, "topic": text, "nsfw": boolean,
        "rate_limit_per_user": integer, "default_auto_archive_duration": integer, "flags": integer,
        "recipients": each(USER),
    },
)  # fmt: skip
_THREAD_METADATA = Shape(
    filled={
        "archived": (boolean, False),
        "auto_archive_duration": (integer, 1440),
        "archive_timestamp": (moment, _LONG_AGO),
    },
    optional={"locked": boolean, "invitable": boolean, "create_timestamp": moment},
)
_THREAD_MEMBER = Shape(
    filled={"join_timestamp": (moment, _LONG_AGO), "flags": (integer, 0)},
    optional={"id": snowflake, "user_id": snowflake},
)
THREAD = Shape(
    required={"id": snowflake, "parent_id": snowflake, "type": integer},
    filled={
        "owner_id": (snowflake, "0"),
        "name": (text, ""),
        "message_count": (integer, 0),
        "member_count": (integer, 0),
        "thread_metadata": (_THREAD_METADATA, lambda: _THREAD_METADATA({})),
    },
    optional={
        "guild_id": snowflake, "last_message_id": snowflake, "rate_limit_per_user": integer, "flags": integer,
        "total_message_sent": integer, "newly_created": boolean, "member": _THREAD_MEMBER,
    },
)  # fmt: skip


def _give_everyone_a_role(guild: dict[str, Any]) -> None:
    """Every guild has a role of its own id; without it discord.py knows no permissions."""
    if not any(int(role["id"]) == int(guild["id"]) for role in guild["roles"]):
        guild["roles"].append(ROLE({"id": guild["id"], "name": "@everyone", "permissions": _ASSUMED_PERMISSIONS}))


_GUILD_FIELDS: dict[str, Read] = {
    "owner_id": snowflake, "member_count": integer, "preferred_locale": text, "features": each(text),
    "unavailable": boolean, "nsfw_level": integer, "verification_level": integer,
}  # fmt: skip
GUILD = Shape(
    required={"id": snowflake},
    filled={
        "name": (text, ""),
        "roles": (each(ROLE), list),
        "channels": (each(CHANNEL), list),
        "threads": (each(THREAD), list),
        "members": (each(MEMBER_WITH_USER), list),
    },
    optional=_GUILD_FIELDS,
    finish=_give_everyone_a_role,
)
GUILD_CHANGE = Shape(
    required={"id": snowflake, "roles": each(ROLE)},  # discord.py forgets the roles that it knew
    filled={"name": (text, "")},
    optional=_GUILD_FIELDS,
    finish=_give_everyone_a_role,
)

_ATTACHMENT = Shape(
    required={"id": snowflake},
    filled={"size": (integer, 0), "filename": (text, "file"), "url": (text, ""), "proxy_url": (text, "")},
    optional={
        "content_type": text, "description": text, "title": text, "height": integer, "width": integer,
        "ephemeral": boolean, "flags": integer,
    },
)  # fmt: skip
_EMBED = Shape(optional={"title": text, "description": text, "url": text, "type": text, "flags": integer})
_STICKER = Shape(required={"id": snowflake}, filled={"name": (text, ""), "format_type": (integer, 1)})
_POLL_MEDIA = Shape(filled={"text": (text, "")})
POLL = Shape(
    filled={
        "question": (_POLL_MEDIA, lambda: {"text": ""}),
        "answers": (
            each(Shape(required={"answer_id": integer}, filled={"poll_media": (_POLL_MEDIA, lambda: {"text": ""})})),
            list,
        ),
        "expiry": (moment, _FAR_AWAY),  # null for a poll without an end
        "allow_multiselect": (boolean, False),
        "layout_type": (integer, 1),
    },
)
_SNAPSHOT = Shape(
    filled={
        "type": (integer, 0),
        "content": (text, ""),
        "embeds": (each(_EMBED), list),
        "attachments": (each(_ATTACHMENT), list),
        "sticker_items": (each(_STICKER), list),
        "timestamp": (moment, _LONG_AGO),
        "edited_timestamp": (null_or(moment), None),
        "flags": (integer, 0),
    },
)
_REFERENCE = Shape(
    required={"channel_id": snowflake},
    filled={"type": (integer, 0)},
    optional={"message_id": snowflake, "guild_id": snowflake},
)
_QUOTED = Shape(
    required={"id": snowflake, "channel_id": snowflake, "type": integer, "author": USER},
    filled={
        "content": (text, ""),
        "mentions": (each(_MENTIONED), list),
        "mention_roles": (each(snowflake), list),
        "attachments": (each(_ATTACHMENT), list),
        "embeds": (each(_EMBED), list),
        "sticker_items": (each(_STICKER), list),
        "message_snapshots": (each(Shape(required={"message": _SNAPSHOT})), list),
        "components": (each(lambda _: _nothing()), list),
        "flags": (integer, 0),
        "edited_timestamp": (null_or(moment), None),
    },
    optional={
        "member": MEMBER, "webhook_id": snowflake, "application_id": snowflake, "poll": POLL,
        "mention_everyone": boolean, "tts": boolean, "pinned": boolean, "timestamp": moment,
    },
    strict={"guild_id": snowflake},
)  # fmt: skip


def _nothing() -> Any:
    raise OutOfShape("it isn't looked at")


def _drop_members_of_no_guild(message: dict[str, Any]) -> None:
    if "guild_id" not in message:
        message.pop("member", None)


MESSAGE = Shape(
    required=_QUOTED.required,
    filled=_QUOTED.filled,
    optional={**_QUOTED.optional, "message_reference": _REFERENCE, "nonce": text},
    strict=_QUOTED.strict,
    finish=_drop_members_of_no_guild,
)


def message(payload: Any) -> dict[str, Any]:
    """A message, of an event or of a page; it tells what it answers, where that can be read.

    Raises:
        OutOfShape: it doesn't say what it is, where it is, or who wrote it.
    """
    result = MESSAGE(payload)
    if "referenced_message" in payload:
        with suppress(OutOfShape):
            result["referenced_message"] = null_or(_QUOTED)(payload["referenced_message"])
    return result


def any_channel(payload: Any) -> dict[str, Any]:
    """A channel or a thread, as its type says."""
    is_thread = CHANNEL(payload)["type"] in _THREAD_TYPES
    return THREAD(payload) if is_thread else CHANNEL(payload)


def _option(payload: Any) -> dict[str, Any]:
    option = Shape(required={"name": text, "type": integer}, optional={"options": each(_option), "focused": boolean})
    result = option(payload)
    if "value" in payload:
        result["value"] = payload["value"]
    return result


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise OutOfShape(f"{type(value).__name__} in place of an object")
    return value


def _resolved(value: Any) -> dict[str, Any]:
    """What a command is about. A message that can't be read stays as it is: that is told where it is looked at."""
    found = _object(value)
    shaped = {}
    for key, each_message in _object(found.get("messages") or {}).items():
        shaped[key] = each_message
        with suppress(OutOfShape):
            shaped[key] = message(each_message)
    return {**found, "messages": shaped} if shaped else found


_COMMAND_DATA = Shape(
    required={"name": text},
    filled={"type": (integer, 1), "options": (each(_option), list), "resolved": (_resolved, dict)},
    optional={"id": snowflake, "guild_id": snowflake, "target_id": snowflake},
)
_COMPONENT_DATA = Shape(
    required={"custom_id": text, "component_type": integer},
    filled={"resolved": (_object, dict)},
    optional={"values": each(text), "id": integer},
)
_MODAL_DATA = Shape(
    required={"custom_id": text, "components": each(_object)},
    filled={"resolved": (_object, dict)},
)
_DATA = {_COMMAND: _COMMAND_DATA, _AUTOCOMPLETE: _COMMAND_DATA, _COMPONENT: _COMPONENT_DATA, _MODAL: _MODAL_DATA}


def _owners(value: Any) -> dict[Any, Any]:
    return {snowflake(key): snowflake(owner) for key, owner in _object(value).items()}


_INTERACTION = Shape(
    required={"id": snowflake, "application_id": snowflake, "type": integer, "token": text},
    filled={"version": (integer, 1), "attachment_size_limit": (integer, 10 * 2**20)},
    optional={
        "authorizing_integration_owners": _owners, "app_permissions": bits, "context": integer, "locale": text,
        "guild_locale": text, "channel": any_channel, "message": message, "member": MEMBER_WITH_USER, "user": USER,
    },
    strict={"guild_id": snowflake},
)  # fmt: skip


def interaction(payload: Any) -> dict[str, Any]:
    """A command, a click or a form that somebody used.

    Raises:
        OutOfShape: it doesn't say what was used, or can't be answered.
    """
    result = _INTERACTION(payload)
    if result["type"] in _DATA:
        result["data"] = _DATA[result["type"]](payload.get("data"))
    return result


_READY_GUILD = Shape(required={"id": snowflake}, filled={"unavailable": (lambda _: True, True)})
READY = Shape(filled={"guilds": (each(_READY_GUILD), list)}, optional={"user": USER})

_IN_GUILD: dict[str, Read] = {"guild_id": snowflake}


def _guild_delete(payload: Any) -> dict[str, Any]:
    """An outage, or, where nothing is said of one, the end: the bot was thrown out."""
    return {**Shape(required={"id": snowflake})(payload), "unavailable": payload.get("unavailable", False) is not False}


EVENTS: dict[str, Read] = {
    "READY": READY,
    "RESUMED": lambda _: {},
    "USER_UPDATE": USER,
    "GUILD_CREATE": GUILD,
    "GUILD_UPDATE": GUILD_CHANGE,
    "GUILD_DELETE": _guild_delete,
    "GUILD_ROLE_CREATE": Shape(required={**_IN_GUILD, "role": ROLE}),
    "GUILD_ROLE_UPDATE": Shape(required={**_IN_GUILD, "role": ROLE}),
    "GUILD_ROLE_DELETE": Shape(required={**_IN_GUILD, "role_id": snowflake}),
    "GUILD_MEMBER_UPDATE": MEMBER_WITH_USER.with_fields(required={**_IN_GUILD, "roles": each(snowflake)}),
    "CHANNEL_CREATE": CHANNEL,
    "CHANNEL_UPDATE": CHANNEL,
    "CHANNEL_DELETE": Shape(required={"id": snowflake}, strict=_IN_GUILD),
    "THREAD_CREATE": THREAD.with_fields(required=_IN_GUILD),
    "THREAD_UPDATE": THREAD.with_fields(required=_IN_GUILD),
    "THREAD_DELETE": Shape(
        required={**_IN_GUILD, "id": snowflake},
        filled={"type": (integer, 11), "parent_id": (snowflake, "0")},
    ),
    "THREAD_LIST_SYNC": Shape(
        required=_IN_GUILD, filled={"threads": (each(THREAD), list)}, strict={"channel_ids": each(snowflake)}
    ),
    "MESSAGE_CREATE": message,
    "MESSAGE_UPDATE": message,
    "MESSAGE_DELETE": Shape(required={"id": snowflake, "channel_id": snowflake}, strict=_IN_GUILD),
    "MESSAGE_DELETE_BULK": Shape(required={"ids": each(snowflake), "channel_id": snowflake}, strict=_IN_GUILD),
    "INTERACTION_CREATE": interaction,
}
"""The events that the bot hears, and how each is read; discord.py isn't given any other."""
