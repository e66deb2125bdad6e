"""REST: creating (with enforced nonces), editing, deleting and reading messages."""

import time
from typing import Any

from aiohttp import web

from tests.loopback import messages
from tests.loopback.entities import Channel, Message
from tests.loopback.message_rules import (
    check_flags,
    check_mentions,
    checked_content,
    checked_nonce,
    mentions_everyone,
    pinged_by_reply,
    shown_attachments,
    uploaded_files,
)
from tests.loopback.routes_channel import channel_to_write_in, message_in, open_channel
from tests.loopback.rules import NO_PERMISSION, SUPPRESS_EMBEDS, MessageKind, Permission
from tests.loopback.wire import ApiError, Call, invalid_form, json_answer, no_content, unknown

_MAX_PAGE = 100
_ANSWERABLE = (MessageKind.DEFAULT, MessageKind.REPLY, MessageKind.COMMAND_RESPONSE)


async def _create(call: Call) -> web.Response:
    payload = await call.body()
    channel = channel_to_write_in(call, Permission.ATTACH_FILES if payload.get("attachments") else NO_PERMISSION)
    content = checked_content(call, payload)
    check_mentions(call, payload)
    check_flags(call, int(payload.get("flags") or 0))
    nonce = checked_nonce(call, payload)
    first = None if nonce is None else _first_with_nonce(call, nonce)
    if first is not None:
        return _repeat(call, first, channel, payload)
    message = _post(call, channel, content, payload)
    return json_answer(messages.read_by(message, call.author))


def _first_with_nonce(call: Call, nonce: str) -> Message | None:
    """The message that the same author created under this nonce within the window."""
    first = call.world.nonces.get((call.author.id, nonce))
    is_known = first is not None and time.monotonic() - first.sent_at <= call.world.rules.nonce_window_seconds
    return first if is_known else None


def _repeat(call: Call, first: Message, channel: Channel, payload: dict[str, Any]) -> web.Response:
    """Discord answers a known nonce with the first message; with 404 if that was deleted."""
    if first.channel is not channel:
        call.world.journal.accuse("nonce", f"{first.nonce} was used in two channels")
    call.world.journal.record("repeat", call.author.user, channel, first, payload=payload)
    if first.is_deleted:
        raise unknown("Message")
    return json_answer(messages.read_by(first, call.author))


def _post(call: Call, channel: Channel, content: str, payload: dict[str, Any]) -> Message:
    reference, answered = _reference(call, channel, payload)
    allowed = payload.get("allowed_mentions")
    rung = messages.mentions_in(call.world, content, allowed)
    rung += [user for user in pinged_by_reply(answered.author if answered else None, allowed) if user not in rung]
    may_ring_all = bool(channel.permissions_of(call.author.user) & Permission.MENTION_EVERYONE)
    if channel.is_archived:
        call.world.update_thread(channel, is_archived=False)
    nonce = payload.get("nonce")
    message = messages.post(
        channel,
        call.author.user,
        content,
        payload=payload,
        kind=MessageKind.DEFAULT if reference is None else MessageKind.REPLY,
        flags=int(payload.get("flags") or 0),
        nonce=None if nonce is None else str(nonce),
        mentions=rung,
        mentions_everyone=mentions_everyone(content, allowed, may_ring_all),
        reference=reference,
        embeds=payload.get("embeds") or [],
        components=_numbered(payload.get("components") or []),
        attachments=shown_attachments(payload),
        files=uploaded_files(payload),
    )
    if message.nonce is not None:
        call.world.nonces[call.author.id, message.nonce] = message
    return message


def _reference(call: Call, channel: Channel, payload: dict[str, Any]) -> tuple[dict[str, Any] | None, Message | None]:
    given = payload.get("message_reference")
    if given is None:
        return None, None
    if Permission.READ_MESSAGE_HISTORY & ~channel.permissions_of(call.author.user):
        raise ApiError(400, 160002, "Cannot reply without permission to read message history")
    answered = call.world.messages.get(int(given["message_id"]))
    if answered is None or answered.is_deleted or answered.channel is not channel:
        if not given.get("fail_if_not_exists", True):
            return None, None
        raise invalid_form("message_reference", "MESSAGE_REFERENCE_UNKNOWN_MESSAGE", "Unknown message")
    if answered.kind not in _ANSWERABLE:
        raise invalid_form("message_reference", "REPLIES_CANNOT_REPLY_TO_SYSTEM_MESSAGE", "A system message")
    reference = {"message_id": answered.id, "channel_id": channel.id}
    if channel.guild is not None:
        reference["guild_id"] = channel.guild.id
    return reference, answered


def _numbered(components: list[Any]) -> list[Any]:
    """Components get an id from the server."""
    for number, row in enumerate(components, start=1):
        row.setdefault("id", number)
    return components


async def _edit(call: Call) -> web.Response:
    payload = await call.body()
    channel = open_channel(call)
    message = message_in(call, channel)
    if message.author is not call.author.user:
        call.world.journal.accuse("foreign_edit", f"of {message.author.name}'s message")
        raise ApiError(403, 50005, "Cannot edit a message authored by another user")
    if channel.is_locked or channel.is_archived:
        raise ApiError(400, 50083, "Thread is archived")
    content = edited_content(call, message, payload)
    apply_edit(message, payload)
    check_mentions(call, payload)
    check_flags(call, message.flags)
    messages.rewrite(message, content, payload=payload)
    return json_answer(messages.read_by(message, call.author))


def edited_content(call: Call, message: Message, payload: dict[str, Any]) -> str:
    """The new text; an edit without the field keeps the old one."""
    if "content" not in payload:
        return message.content
    kept = bool(message.attachments or message.embeds or message.components)
    return checked_content(call, payload, kept=kept)


def apply_edit(message: Message, payload: dict[str, Any]) -> None:
    """Replaces what else an edit names."""
    if payload.get("flags") is not None:
        wanted = int(payload["flags"]) & SUPPRESS_EMBEDS  # Discord lets an edit change no other flag
        message.flags = (message.flags & ~SUPPRESS_EMBEDS) | wanted
    if payload.get("embeds") is not None:
        message.embeds = payload["embeds"]
    if payload.get("components") is not None:
        message.components = _numbered(payload["components"])
    if "attachments" in payload:
        message.attachments = shown_attachments(payload)
        message.files = uploaded_files(payload)


async def _delete(call: Call) -> web.Response:
    channel = open_channel(call)
    message = message_in(call, channel)
    is_own = message.author is call.author.user
    if not is_own and Permission.MANAGE_MESSAGES & ~channel.permissions_of(call.author.user):
        raise ApiError(403, 50013, "Missing Permissions")
    messages.remove(message, call.author.user)
    return no_content()


async def _delete_many(call: Call) -> web.Response:
    channel = open_channel(call, Permission.MANAGE_MESSAGES)
    wanted = {int(message_id) for message_id in (await call.body())["messages"]}
    messages.remove_many([kept for kept in channel.visible_messages() if kept.id in wanted], call.author.user)
    return no_content()


async def _get_one(call: Call) -> web.Response:
    channel = open_channel(call, Permission.READ_MESSAGE_HISTORY)
    return json_answer(messages.read_by(message_in(call, channel), call.author))


async def _get_page(call: Call) -> web.Response:
    """A page of history, newest first whatever was asked; empty without permission to read history."""
    channel = open_channel(call)
    if Permission.READ_MESSAGE_HISTORY & ~channel.permissions_of(call.author.user):
        return json_answer([])
    limit = int(call.request.query.get("limit", "50"))
    if not 1 <= limit <= _MAX_PAGE:
        raise invalid_form("limit", "NUMBER_TYPE_MAX", "int value should be less than or equal to 100.")
    page = _page(channel.visible_messages(), call.request.query, limit)
    return json_answer([messages.read_by(message, call.author) for message in reversed(page)])


def _page(shown: list[Message], query: Any, limit: int) -> list[Message]:
    if "after" in query:
        return [message for message in shown if message.id > int(query["after"])][:limit]
    if "around" in query:
        middle = int(query["around"])
        older = [message for message in shown if message.id < middle]
        older = older[max(len(older) - limit // 2, 0) :]
        newer = [message for message in shown if message.id >= middle]
        return older + newer[: limit - len(older)]
    if "before" in query:
        shown = [message for message in shown if message.id < int(query["before"])]
    return shown[-limit:]


_MESSAGES = "/channels/{channel}/messages"

ROUTES = [
    ("POST", _MESSAGES, _create),
    ("GET", _MESSAGES, _get_page),
    ("POST", _MESSAGES + "/bulk-delete", _delete_many),
    ("GET", _MESSAGES + "/{message}", _get_one),
    ("PATCH", _MESSAGES + "/{message}", _edit),
    ("DELETE", _MESSAGES + "/{message}", _delete),
]
