"""The life of a message: posted, edited, deleted, reacted to. Every step is journalled and told to the gateway."""

import time
from collections.abc import Iterable
from typing import Any

from tests.loopback.accounts import BotAccount, Viewer
from tests.loopback.entities import Channel, Message, User, mentioned_ids
from tests.loopback.journal import ActKind
from tests.loopback.payloads import Json, member_json, message_json
from tests.loopback.rules import Intent, MessageKind
from tests.loopback.world import Event, World


def post(
    channel: Channel,
    author: User,
    content: str,
    *,
    payload: Json | None = None,
    age_seconds: float = 0.0,
    message_id: int | None = None,
    **fields: Any,
) -> Message:
    """Puts a message into a channel and tells everybody; a payload is kept as the bot sent it."""
    world = channel.world
    fresh = message_id or world.ids.next_id(age_seconds=age_seconds)
    message = Message(fresh, channel, author, content, **fields)
    message.sent_at -= age_seconds
    world.messages[message.id] = message
    is_interaction = message.kind == MessageKind.COMMAND_RESPONSE
    world.journal.record("create", author, channel, message, payload=payload, is_interaction=is_interaction)
    if message.ephemeral_for is None:
        channel.insert(message)
        announce(message)
    return message


def announce(message: Message) -> None:
    """Sends MESSAGE_CREATE; a second call is the same event twice."""
    _tell_message("MESSAGE_CREATE", message)


def mentions_in(world: World, content: str, allowed: Json | None) -> list[User]:
    """Who is pinged by a bot's text under its allowed_mentions; without the field everybody is."""
    users = [world.users[user_id] for user_id in mentioned_ids(content) if user_id in world.users]
    if allowed is None or "users" in allowed.get("parse", []):
        return users
    named = {int(user_id) for user_id in allowed.get("users", [])}
    return [user for user in users if user.id in named]


def rewrite(message: Message, content: str, *, payload: Json | None = None) -> None:
    """Edits a message's text and tells everybody."""
    message.rewrite(content)
    journal = message.channel.world.journal
    is_interaction = message.kind == MessageKind.COMMAND_RESPONSE
    journal.record("edit", message.author, message.channel, message, payload=payload, is_interaction=is_interaction)
    announce_edit(message)


def announce_edit(message: Message) -> None:
    """Sends MESSAGE_UPDATE, also where the text is the same (an unfurled link, for instance)."""
    if message.ephemeral_for is None:
        _tell_message("MESSAGE_UPDATE", message)


def remove(message: Message, by: User) -> None:
    """Deletes a message; it stays in the history, marked."""
    _mark_deleted(message, by)
    payload = _place(message.channel) | {"id": str(message.id)}
    if message.ephemeral_for is None:
        _tell("MESSAGE_DELETE", message.channel, payload)


def remove_many(messages: Iterable[Message], by: User) -> None:
    """Deletes several messages of one channel with one event."""
    gone = list(messages)
    for message in gone:
        _mark_deleted(message, by)
    payload = _place(gone[0].channel) | {"ids": [str(message.id) for message in gone]}
    _tell("MESSAGE_DELETE_BULK", gone[0].channel, payload)


def _mark_deleted(message: Message, by: User) -> None:
    message.deleted_at = time.monotonic()
    message.channel.world.journal.record("delete", by, message.channel, message)


def react(message: Message, user: User, emoji: str, *, is_added: bool = True) -> None:
    """Adds or takes back a reaction."""
    users = message.reactions.setdefault(emoji, [])
    if (user in users) == is_added:
        return
    if is_added:
        users.append(user)
    else:
        users.remove(user)
    if not users:
        del message.reactions[emoji]
    kind: ActKind = "react" if is_added else "unreact"
    message.channel.world.journal.record(kind, user, message.channel, message, payload={"emoji": emoji})
    payload = _place(message.channel) | {
        "user_id": str(user.id),
        "message_id": str(message.id),
        "emoji": {"id": None, "name": emoji},
        "type": 0,
        "burst": False,
    }
    name = "MESSAGE_REACTION_ADD" if is_added else "MESSAGE_REACTION_REMOVE"
    _tell(name, message.channel, payload, Intent.GUILD_MESSAGE_REACTIONS, Intent.DIRECT_MESSAGE_REACTIONS)


def start_typing(channel: Channel, user: User) -> None:
    """Shows the typing sign."""
    channel.world.journal.record("typing", user, channel)
    payload = _place(channel) | {"user_id": str(user.id), "timestamp": int(time.time())}
    member = channel.guild.members.get(user.id) if channel.guild else None
    if member is not None:
        payload["member"] = member_json(member)
    _tell("TYPING_START", channel, payload, Intent.GUILD_MESSAGE_TYPING, Intent.DIRECT_MESSAGE_TYPING)


def read_by(message: Message, bot: BotAccount) -> Json:
    """The message as a REST answer shows it to a bot: without the guild and the member, which only events have."""
    payload = message_json(message, Viewer(bot, bool(bot.privileged_intents & Intent.MESSAGE_CONTENT)))
    return {key: value for key, value in payload.items() if key not in ("guild_id", "member")}


def _tell_message(name: str, message: Message) -> None:
    channel = message.channel
    intent = Intent.DIRECT_MESSAGES if channel.is_dm else Intent.GUILD_MESSAGES
    event = Event(name, lambda viewer: message_json(message, viewer), intent, channel.guild, channel)
    channel.world.publish(event)


def _tell(
    name: str,
    channel: Channel,
    payload: Json,
    in_guild: Intent = Intent.GUILD_MESSAGES,
    in_dm: Intent = Intent.DIRECT_MESSAGES,
) -> None:
    intent = in_dm if channel.is_dm else in_guild
    channel.world.publish(Event(name, lambda _: payload, intent, channel.guild, channel))


def _place(channel: Channel) -> Json:
    place: Json = {"channel_id": str(channel.id)}
    if channel.guild is not None:
        place["guild_id"] = str(channel.guild.id)
    return place
