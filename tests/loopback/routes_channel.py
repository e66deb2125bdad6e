"""REST: channels, threads, typing and reactions."""

from aiohttp import web

from tests.loopback import messages
from tests.loopback.entities import Channel, Message
from tests.loopback.payloads import channel_json
from tests.loopback.rules import NO_PERMISSION, Permission
from tests.loopback.wire import ApiError, Call, json_answer, no_content, unknown


def open_channel(call: Call, needed: Permission = NO_PERMISSION) -> Channel:
    """The channel of the path, if it exists and the bot may see it and has the permission there."""
    channel = call.world.channels.get(call.number("channel"))
    if channel is None or channel.is_deleted or (channel.guild is not None and channel.guild.is_deleted):
        raise unknown("Channel")
    user = call.author.user
    if not channel.can_be_seen_by(user):
        raise ApiError(403, 50001, "Missing Access")
    if needed & ~channel.permissions_of(user):
        raise ApiError(403, 50013, "Missing Permissions")
    return channel


def channel_to_write_in(call: Call, needed: Permission = NO_PERMISSION) -> Channel:
    """The channel of the path, if the bot may send there now; a message reopens an archived thread."""
    channel = open_channel(call, needed)
    user = call.author.user
    sending = Permission.SEND_MESSAGES_IN_THREADS if channel.is_thread else Permission.SEND_MESSAGES
    if sending & ~channel.permissions_of(user):
        raise ApiError(403, 50013, "Missing Permissions")
    if channel.guild is not None and channel.guild.members[user.id].is_timed_out:
        raise ApiError(403, 50013, "Missing Permissions")
    if channel.is_dm and not all(recipient.accepts_dms for recipient in channel.recipients):
        raise ApiError(403, 50007, "Cannot send messages to this user")
    if channel.is_locked:
        raise ApiError(400, 50083, "Thread is archived")
    return channel


def message_in(call: Call, channel: Channel) -> Message:
    """The message of the path, if it can be seen."""
    message = call.world.messages.get(call.number("message"))
    if message is None or message.channel is not channel or message.is_deleted or message.ephemeral_for is not None:
        raise unknown("Message")
    return message


async def _get_channel(call: Call) -> web.Response:
    return json_answer(channel_json(open_channel(call)))


async def _type(call: Call) -> web.Response:
    messages.start_typing(channel_to_write_in(call), call.author.user)
    return no_content()


async def _open_thread(call: Call) -> web.Response:
    channel = open_channel(call, Permission.CREATE_PUBLIC_THREADS)
    on = message_in(call, channel).id if "message" in call.request.match_info else None
    body = await call.body()
    thread = call.world.add_thread(channel, body["name"], call.author.user, thread_id=on)
    return json_answer(channel_json(thread), status=201)


async def _react(call: Call) -> web.Response:
    channel = open_channel(call, Permission.ADD_REACTIONS | Permission.READ_MESSAGE_HISTORY)
    messages.react(message_in(call, channel), call.author.user, call.request.match_info["emoji"])
    return no_content()


async def _unreact(call: Call) -> web.Response:
    message = message_in(call, open_channel(call))
    messages.react(message, call.author.user, call.request.match_info["emoji"], is_added=False)
    return no_content()


_REACTION = "/channels/{channel}/messages/{message}/reactions/{emoji}/@me"

ROUTES = [
    ("GET", "/channels/{channel}", _get_channel),
    ("POST", "/channels/{channel}/typing", _type),
    ("POST", "/channels/{channel}/threads", _open_thread),
    ("POST", "/channels/{channel}/messages/{message}/threads", _open_thread),
    ("PUT", _REACTION, _react),
    ("DELETE", _REACTION, _unreact),
]
