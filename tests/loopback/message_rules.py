"""What Discord refuses in a message, and what our own house rules hold against a bot that sends it."""

import re
from typing import Any

from tests.loopback.entities import User
from tests.loopback.rules import SUPPRESS_EMBEDS
from tests.loopback.wire import ApiError, Call, invalid_form

_MAX_NONCE_LENGTH = 25
_MAX_EMBEDS = 10
_DONE_NONCE = re.compile(r"([0-9a-f]{15,16})d[0-9a-f]+\.[0-9a-f]+")
_CONTENT_FIELDS = ("embeds", "attachments", "components", "sticker_ids", "poll")


def checked_content(call: Call, payload: dict[str, Any], *, kept: bool = False) -> str:
    """The text as Discord keeps it: stripped, at most 2,000 long, not empty unless something else is there.

    Lengths are counted in UTF-16 units, the safe side. `kept` says that other content stays in an edited message.
    """
    content = str(payload.get("content") or "").strip()
    length = len(content.encode("utf-16-le")) // 2
    longest = call.world.rules.max_content_length
    if length > longest:
        call.world.journal.accuse("too_long", f"{length} units in a message")
        raise invalid_form("content", "BASE_TYPE_MAX_LENGTH", f"Must be {longest} or fewer in length.")
    if not content and not kept and not any(payload.get(name) for name in _CONTENT_FIELDS):
        call.world.journal.accuse("empty", "a message without content")
        raise ApiError(400, 50006, "Cannot send an empty message")
    if len(payload.get("embeds") or []) > _MAX_EMBEDS:
        raise invalid_form("embeds", "BASE_TYPE_MAX_LENGTH", "Must be 10 or fewer in length.")
    return content


def checked_nonce(call: Call, payload: dict[str, Any]) -> str | None:
    """The nonce, if it is enforced; every create of ours is to have one."""
    nonce = payload.get("nonce")
    if nonce is None or not payload.get("enforce_nonce"):
        call.world.journal.accuse("nonce", f"{call.method} {call.path} without an enforced nonce")
        return None
    if len(str(nonce)) > _MAX_NONCE_LENGTH:
        raise invalid_form("nonce", "NONCE_TYPE_TOO_LONG", "Nonce must be 25 or fewer characters.")
    return str(nonce)


def check_mentions(call: Call, payload: dict[str, Any]) -> None:
    """Discord refuses contradictions; the house refuses every mention that could ring."""
    allowed = payload.get("allowed_mentions")
    journal = call.world.journal
    if allowed is None:
        journal.accuse("allowed_mentions", f"absent in {call.method} {call.path}")
        return
    for kind in ("users", "roles"):
        if kind in allowed.get("parse", []) and allowed.get(kind):
            raise invalid_form("allowed_mentions", "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE", f"parse and {kind}")
    rung = [] if _is_done_ping(call, payload) else allowed.get("users")
    if allowed.get("parse") != [] or rung or allowed.get("roles"):
        journal.accuse("allowed_mentions", f"{allowed} in {call.method} {call.path}")
    if allowed.get("replied_user"):
        journal.accuse("replied_user", f"pings in {call.method} {call.path}")


def _is_done_ping(call: Call, payload: dict[str, Any]) -> bool:
    """Whether a message tells the one who asked, and nobody else, that the answer is there."""
    match = _DONE_NONCE.fullmatch(str(payload.get("nonce")))
    question = call.world.messages.get(int(match[1], 16)) if match else None
    rung = [int(user_id) for user_id in payload["allowed_mentions"].get("users") or []]
    return question is not None and rung == [question.author.id]


def check_flags(call: Call, flags: int) -> None:
    """The house wants embeds suppressed, so that no link unfurls."""
    if not flags & SUPPRESS_EMBEDS:
        call.world.journal.accuse("embeds", f"not suppressed in {call.method} {call.path}")


def shown_attachments(payload: dict[str, Any]) -> list[dict[str, Any]]:
    """Uploaded files as a message shows them; their bytes stay out of the JSON."""
    shown = []
    for attachment in payload.get("attachments") or []:
        fields = {key: value for key, value in attachment.items() if key != "_bytes"}
        place = f"http://127.0.0.1/attachments/{fields.get('id')}/{fields.get('filename')}"
        shown.append({"url": place, "proxy_url": place, "size": 0} | fields)
    return shown


def uploaded_files(payload: dict[str, Any]) -> dict[str, bytes]:
    """The bytes of a message's uploaded files by their names."""
    attachments = payload.get("attachments") or []
    return {attachment["filename"]: attachment["_bytes"] for attachment in attachments if "_bytes" in attachment}


def mentions_everyone(content: str, allowed: dict[str, Any] | None, author_may: bool) -> bool:
    """Whether a bot's text would have rung everybody."""
    is_allowed = allowed is None or "everyone" in allowed.get("parse", [])
    return author_may and is_allowed and ("@everyone" in content or "@here" in content)


def pinged_by_reply(answered: User | None, allowed: dict[str, Any] | None) -> list[User]:
    """The author who is rung by being replied to; without allowed_mentions Discord rings."""
    rings = allowed is None or allowed.get("replied_user", False)
    return [answered] if answered is not None and rings else []
