"""What a refusal by Discord means: one table, read by status, code and content type, and what follows from each line.

A status alone says little. A 403 is a lost permission, a mute, a filter's verdict on the text, or a proxy that is out
of order for a moment; only the code in the body tells which. A body that isn't JSON comes from something in front of
Discord. The codes are those of Discord's documentation ("JSON Error Codes").

Nothing here knows discord.py: the caller hands over plain values.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto

from bot.errors import DiscordError

MISSING_PERMISSIONS = 50013
"""Also what Discord says while a moderator's timeout of the bot lasts."""
NO_DIRECT_MESSAGES = 50007
"""Of a person who may take them again at any time: no event tells of that."""
ACKNOWLEDGED_ALREADY = 40060
LONGEST_WAIT_SECONDS = 3600.0
"""A longer wait that is asked for is taken for this one."""
_DEFAULT_WAIT_SECONDS = 1.0
_SLOW_WAIT_SECONDS = 5.0


class NoAccess(DiscordError):
    """The channel is gone, or Discord doesn't let the bot do this there.

    `seconds` says when that ends by itself: a moderator's timeout of the bot does.
    """

    def __init__(self, problem: str, *, code: int = 0, seconds: float | None = None) -> None:
        super().__init__(problem)
        self.code = code
        self.seconds = seconds


class MessageGone(DiscordError):
    """The message was deleted."""


class InteractionGone(DiscordError):
    """A command's answer came too late, or was given already; there is no other way to reach who used it."""

    def __init__(self, problem: str, *, code: int = 0) -> None:
        super().__init__(problem)
        self.code = code


class Rejected(DiscordError):
    """Discord calls the request itself wrong; repeating it is useless. `fields` names what it calls wrong."""

    def __init__(self, problem: str, *, code: int = 0, fields: tuple[str, ...] = ()) -> None:
        super().__init__(problem)
        self.code = code
        self.fields = fields


class ContentRefused(Rejected):
    """Discord doesn't take this text: a filter of its own or of the guild's forbids it."""


class Unclear(Rejected):
    """A refusal that says nothing about permissions or content; it may pass, so it is tried a few times."""


class Unreachable(DiscordError):
    """Discord didn't answer, or is out of order; `is_ban` if nothing is to be sent for a while."""

    def __init__(self, problem: str, *, is_ban: bool = False) -> None:
        super().__init__(problem)
        self.is_ban = is_ban


class Unreadable(Unreachable):
    """Discord answered, but what it said can't be read. Whether the request took effect isn't known."""


class ConnectionClosed(Unreachable):
    """The connection to Discord was ended, and nothing makes another."""


class TokenRefused(Unreachable):
    """Discord doesn't know the bot's token just now. A new login finds out whether that lasts."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem, is_ban=True)


class RateLimited(Unreachable):
    """Discord wants no such request for some seconds."""

    def __init__(self, problem: str, seconds: float) -> None:
        super().__init__(problem)
        self.seconds = seconds


class Verdict(Enum):
    """What a refusal means, and so what follows."""

    OUTAGE = auto()
    """Repeated with growing pauses; all requests are held back if it goes on."""
    LIMITED = auto()
    """Repeated after the time that Discord asks for."""
    BANNED = auto()
    """Nothing is sent for half a minute."""
    TOKEN_REFUSED = auto()
    """As a ban, while a login finds out whether the token is still good."""
    LOST = auto()
    """The channel is closed until its permissions change, or for ten minutes and longer each time."""
    MESSAGE_GONE = auto()
    """The answer ends; it isn't created again."""
    INTERACTION_GONE = auto()
    """Nothing can be said any more."""
    CONTENT_REFUSED = auto()
    """What Discord took before stays, and ends in words."""
    UNCLEAR = auto()
    """Tried a few times, then as if it were wrong."""
    WRONG = auto()
    """The person is told; the log gets the fields that were refused."""


_CODES: Mapping[Verdict, tuple[int, ...]] = {
    Verdict.OUTAGE: (
        40004,  # sending messages is switched off for a while
        40006,  # this feature is switched off for a while
        40333,  # the proxy stopped the request
        130000,  # overloaded
    ),
    Verdict.LIMITED: (
        20016,  # slow mode
        20022,  # too many edits in an announcement channel
        20028,  # too much is written in the channel
        20029,  # too much is written in the guild
        30034,  # too many new commands in a day
        30046,  # too many edits of an old message
        31001,
        31002,
        40003,  # direct messages are opened too fast
        40062,  # a service is being rate limited
    ),
    Verdict.LOST: (
        10003,  # unknown channel
        10004,  # unknown guild
        40007,  # banned from the guild
        40058,  # a forum channel
        50001,  # missing access
        NO_DIRECT_MESSAGES,
        50008,  # not a text channel
        50009,  # the channel's verification level
        MISSING_PERMISSIONS,
        50024,  # not on this type of channel
        50083,  # the thread is archived
        50278,  # no guild in common with this person
        160005,  # the thread is locked
    ),
    Verdict.MESSAGE_GONE: (10008,),
    Verdict.INTERACTION_GONE: (
        10015,  # the interaction's webhook is gone after a quarter of an hour
        10062,  # unknown interaction
        ACKNOWLEDGED_ALREADY,
        50027,  # invalid webhook token
    ),
    Verdict.CONTENT_REFUSED: (
        20009,  # explicit content
        40005,  # too large
        50006,  # empty
        50045,  # the file is too large
        200000,  # blocked by AutoMod
        200001,  # title blocked by AutoMod
        240000,  # blocked by the filter for harmful links
    ),
}
_BY_CODE = {code: verdict for verdict, codes in _CODES.items() for code in codes}
_BY_STATUS: Mapping[int, Verdict] = {
    401: Verdict.TOKEN_REFUSED,
    403: Verdict.UNCLEAR,
    404: Verdict.UNCLEAR,
    405: Verdict.UNCLEAR,
    408: Verdict.OUTAGE,
    425: Verdict.OUTAGE,
}
_DEEPEST_FIELD = 30
"""A command's options with their choices lie at a dozen."""
_CONTENT_FIELDS = ("content", "embeds", "data.content")


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer of Discord's, or of something in front of it, that isn't a success.

    `fields` are the paths of what the body calls wrong, each with its reason: "content BASE_TYPE_MAX_LENGTH".
    """

    status: int
    code: int = 0
    content_type: str = ""
    retry_after: float | None = None
    is_global: bool = False
    fields: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """What a log line says about it: nothing that anybody wrote."""
        kind = "" if self.is_json else f", {self.content_type.partition(';')[0].strip() or 'no content type'}"
        return f"Discord answered {self.status} (code {self.code}{kind})"

    @property
    def is_json(self) -> bool:
        """Whether Discord itself said it."""
        return "json" in self.content_type.lower()


def verdict_on(refusal: Refusal) -> Verdict:
    """What a refusal means."""
    if not refusal.is_json:
        return _verdict_on_foreign(refusal)
    if refusal.status == 429:
        return Verdict.BANNED if refusal.is_global else Verdict.LIMITED
    if refusal.status >= 500 or refusal.status < 400:
        return Verdict.OUTAGE
    known = _BY_CODE.get(refusal.code) or _BY_STATUS.get(refusal.status)
    if known is not None:
        return known
    if any(path.startswith(_CONTENT_FIELDS) for path in refusal.fields):
        return Verdict.CONTENT_REFUSED
    return Verdict.WRONG


def _verdict_on_foreign(refusal: Refusal) -> Verdict:
    """What isn't JSON was said by something in front of Discord, or by a server that lacks this route."""
    if refusal.status == 429:
        return Verdict.BANNED
    is_page = "html" in refusal.content_type.lower()
    if refusal.status in {400, 404, 405} and not is_page:
        return Verdict.UNCLEAR
    return Verdict.OUTAGE


def error_of(refusal: Refusal) -> DiscordError:
    """The verdict as what the caller raises."""
    return _ERRORS[verdict_on(refusal)](refusal)


def _limited(refusal: Refusal) -> DiscordError:
    default = _DEFAULT_WAIT_SECONDS if refusal.status == 429 else _SLOW_WAIT_SECONDS
    return RateLimited(refusal.summary, bounded_wait(refusal.retry_after, default))


_ERRORS: Mapping[Verdict, Callable[[Refusal], DiscordError]] = {
    Verdict.OUTAGE: lambda refusal: Unreachable(refusal.summary),
    Verdict.LIMITED: _limited,
    Verdict.BANNED: lambda refusal: Unreachable(refusal.summary, is_ban=True),
    Verdict.TOKEN_REFUSED: lambda refusal: TokenRefused(refusal.summary),
    Verdict.LOST: lambda refusal: NoAccess(refusal.summary, code=refusal.code),
    Verdict.MESSAGE_GONE: lambda refusal: MessageGone(refusal.summary),
    Verdict.INTERACTION_GONE: lambda refusal: InteractionGone(refusal.summary, code=refusal.code),
    Verdict.CONTENT_REFUSED: lambda refusal: ContentRefused(refusal.summary, code=refusal.code, fields=refusal.fields),
    Verdict.UNCLEAR: lambda refusal: Unclear(refusal.summary, code=refusal.code, fields=refusal.fields),
    Verdict.WRONG: lambda refusal: Rejected(refusal.summary, code=refusal.code, fields=refusal.fields),
}


def bounded_wait(seconds: object, default: float = _DEFAULT_WAIT_SECONDS) -> float:
    """A wait that Discord asked for, as a number of seconds that can be waited."""
    try:
        wanted = float(seconds)  # type: ignore[arg-type] # whatever stood there
    except (TypeError, ValueError, OverflowError):
        return default
    return min(max(wanted, 0.0), LONGEST_WAIT_SECONDS) if not math.isnan(wanted) else default


def refused_fields(errors: object) -> tuple[str, ...]:
    """The paths in the `errors` of a body, each with its code; never the messages, which may repeat what was sent."""
    return tuple(_walk(errors, "", _DEEPEST_FIELD))


def _walk(errors: object, path: str, depth: int) -> Iterator[str]:
    if not isinstance(errors, Mapping) or depth == 0:
        return
    for key, inner in errors.items():
        if key == "_errors" and isinstance(inner, list):
            for error in inner:
                code = error.get("code") if isinstance(error, Mapping) else None
                yield f"{path or '(all)'} {code or 'UNKNOWN'}"
        else:
            yield from _walk(inner, f"{path}.{key}" if path else str(key), depth - 1)
