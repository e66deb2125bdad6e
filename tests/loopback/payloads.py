"""What the world looks like on the wire. Fields that may not be null are left out where there is nothing to say."""

from typing import Any

from tests.loopback.accounts import BotAccount, Viewer
from tests.loopback.entities import Channel, Guild, Member, Message, Role, User, mentioned_role_ids
from tests.loopback.rules import ChannelKind, Intent, MessageKind
from tests.loopback.snowflake import iso_time, timestamp_of

Json = dict[str, Any]

_NO_REFERENCED_MESSAGE = (MessageKind.DEFAULT, MessageKind.COMMAND_RESPONSE)


def user_json(user: User) -> Json:
    """A user object; webhooks have the discriminator of old."""
    return {
        "id": str(user.id),
        "username": user.username,
        "discriminator": "0000" if user.is_webhook else "0",
        "global_name": user.global_name,
        "avatar": None,
        "bot": user.is_bot,
    }


def member_json(member: Member, *, with_user: bool = True) -> Json:
    """A guild member; inside a message it comes without its user."""
    payload: Json = {"roles": [str(role.id) for role in member.roles], "flags": 0, "nick": member.nick}
    payload["joined_at"] = timestamp_of(member.user.id)
    if member.timed_out_until:
        payload["communication_disabled_until"] = iso_time(member.timed_out_until)
    if with_user:
        payload["user"] = user_json(member.user)
    return payload


def channel_json(channel: Channel, viewer: User | None = None) -> Json:
    """A channel, a thread or a direct-message channel; in the form for who can't see it, if that is the viewer.

    Since 16 November 2026 Discord names such channels to bots, with few fields of which most mean nothing.
    """
    if viewer is not None and channel.guild is not None and not channel.can_be_seen_by(viewer):
        hidden: Json = {"id": str(channel.id), "type": int(channel.kind), "position": 0, "parent_id": None}
        return hidden | {"guild_id": str(channel.guild.id), "name": "___hidden___", "flags": 1 << 17}
    payload: Json = {
        "id": str(channel.id),
        "type": int(channel.kind),
        "last_message_id": None if channel.last_message_id is None else str(channel.last_message_id),
    }
    if channel.guild is None:
        return payload | {"recipients": [user_json(user) for user in channel.recipients if not user.is_bot]}
    payload |= {"name": channel.name, "guild_id": str(channel.guild.id)}
    if channel.parent is not None:
        return payload | _thread_fields(channel, channel.parent)
    if channel.kind in {ChannelKind.VOICE, ChannelKind.STAGE}:
        payload |= {"bitrate": 64_000, "user_limit": 0}
    payload["parent_id"] = None if channel.category is None else str(channel.category.id)
    return payload | {"position": 0, "permission_overwrites": _overwrites(channel, channel.guild)}


def _thread_fields(thread: Channel, parent: Channel) -> Json:
    return {
        "parent_id": str(parent.id),
        "owner_id": str(thread.owner.id if thread.owner else 0),
        "message_count": len(thread.messages),
        "member_count": 2,
        "thread_metadata": {
            "archived": thread.is_archived,
            "auto_archive_duration": 1440,
            "archive_timestamp": timestamp_of(thread.id),
            "create_timestamp": timestamp_of(thread.id),
            "locked": thread.is_locked,
        },
    }


def _overwrites(channel: Channel, guild: Guild) -> list[Json]:
    return [
        {
            "id": str(target),
            "type": 0 if target in guild.roles else 1,
            "allow": str(int(overwrite.allow)),
            "deny": str(int(overwrite.deny)),
        }
        for target, overwrite in channel.overwrites.items()
    ]


def guild_json(guild: Guild, bot: BotAccount) -> Json:
    """A whole guild as GUILD_CREATE carries it: only channels that the bot can see appear as threads."""
    channels = list(guild.channels.values())
    return {
        "id": str(guild.id),
        "name": guild.name,
        "unavailable": False,
        "owner_id": str(guild.owner.id),
        "preferred_locale": guild.preferred_locale,
        "member_count": len(guild.members),
        "joined_at": timestamp_of(guild.id),
        "roles": [_role_json(role, place) for place, role in enumerate(guild.roles.values())],
        "channels": [channel_json(channel, bot.user) for channel in channels if not channel.is_thread],
        "threads": [
            channel_json(thread)
            for thread in channels
            if thread.is_thread and not thread.is_archived and thread.can_be_seen_by(bot.user)
        ],
        "members": [member_json(member) for member in guild.members.values()],
    }


def _role_json(role: Role, place: int) -> Json:
    payload = {"id": str(role.id), "name": role.name, "permissions": str(int(role.permissions)), "position": place}
    if role.bot_id is not None:
        payload |= {"managed": True, "tags": {"bot_id": str(role.bot_id)}}
    return payload


def message_json(message: Message, viewer: Viewer, *, with_reference: bool = True) -> Json:
    """A whole message as this viewer may read it."""
    channel = message.channel
    payload: Json = {
        "id": str(message.id),
        "channel_id": str(channel.id),
        "type": int(message.kind),
        "content": message.content,
        "author": user_json(message.author),
        "timestamp": timestamp_of(message.id),
        "edited_timestamp": None if message.edited_at is None else iso_time(message.edited_at),
        "tts": False,
        "pinned": False,
        "flags": message.flags,
        "mention_everyone": message.mentions_everyone,
        "mentions": [user_json(user) for user in message.mentions],
        "mention_roles": [str(role_id) for role_id in mentioned_role_ids(message)],
        "attachments": message.attachments,
        "embeds": message.embeds,
        "components": message.components,
    }
    payload |= _optional_fields(message) | message.extra
    if not _may_read(message, viewer):
        payload |= {"content": "", "attachments": [], "embeds": [], "components": []}
        payload.pop("poll", None)
    if with_reference and message.reference is not None:
        payload |= _reference_fields(message, viewer)
    return payload


def _may_read(message: Message, viewer: Viewer) -> bool:
    me = viewer.bot.user
    return viewer.reads_content or message.channel.is_dm or message.author is me or me in message.mentions


def _optional_fields(message: Message) -> Json:
    payload: Json = {}
    guild = message.channel.guild
    if message.nonce is not None:
        payload["nonce"] = message.nonce
    if message.webhook_id is not None:
        payload["webhook_id"] = str(message.webhook_id)
    if message.application_id is not None:
        payload["application_id"] = str(message.application_id)
    if message.reactions:
        payload["reactions"] = [
            {"emoji": {"id": None, "name": emoji}, "count": len(users), "me": False}
            for emoji, users in message.reactions.items()
        ]
    if guild is not None:
        payload["guild_id"] = str(guild.id)
        member = guild.members.get(message.author.id)
        if member is not None:
            payload["member"] = member_json(member, with_user=False)
    return payload


def _reference_fields(message: Message, viewer: Viewer) -> Json:
    reference = {key: value if key == "type" else str(value) for key, value in (message.reference or {}).items()}
    if message.kind in _NO_REFERENCED_MESSAGE:
        return {"message_reference": reference}
    answered = message.channel.world.messages.get(message.replies_to or 0)
    if answered is None or answered.is_deleted:
        return {"message_reference": reference, "referenced_message": None}
    shown = message_json(answered, viewer, with_reference=False)
    return {"message_reference": reference, "referenced_message": shown}


def application_json(bot: BotAccount) -> Json:
    """The application object of the login."""
    return {
        "id": str(bot.id),
        "name": bot.name,
        "icon": None,
        "description": "",
        "bot_public": True,
        "bot_require_code_grant": False,
        "verify_key": "",
        "flags": (1 << 19) * bool(bot.privileged_intents & Intent.MESSAGE_CONTENT),
        "owner": user_json(bot.owner),
    }
