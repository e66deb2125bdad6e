"""One REST request on its way through the simulator, and the answers that it can get."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web

if TYPE_CHECKING:
    from tests.loopback.accounts import BotAccount
    from tests.loopback.interactions import Interactions
    from tests.loopback.journal import Refusal
    from tests.loopback.limits import RateLimits
    from tests.loopback.world import World

API_PREFIX = "/api/v10"


class ApiError(Exception):
    """A refusal with one of Discord's JSON error codes."""

    def __init__(self, status: int, code: int, message: str, errors: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body: dict[str, Any] = {"code": code, "message": message}
        if errors is not None:
            self.body["errors"] = errors


def invalid_form(field_name: str, code: str, message: str) -> ApiError:
    """Discord's 50035, which names the field."""
    return ApiError(400, 50035, "Invalid Form Body", {field_name: {"_errors": [{"code": code, "message": message}]}})


def unknown(what: str) -> ApiError:
    """The 404 of something that is not there (any more)."""
    codes = {"Application": 10002, "Channel": 10003, "Guild": 10004, "Member": 10007, "Message": 10008}
    codes |= {"User": 10013, "Webhook": 10015, "interaction": 10062, "application command": 10063}
    return ApiError(404, codes[what], f"Unknown {what}")


def json_answer(body: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """A JSON answer whose content type has no charset: discord.py compares the whole header."""
    encoded = json.dumps(body).encode()
    return web.Response(body=encoded, status=status, headers=headers, content_type="application/json")


def html_answer(status: int, page: str) -> web.Response:
    """An answer that does not come from Discord but from something before it."""
    return web.Response(text=page, status=status, content_type="text/html")


def no_content() -> web.Response:
    """204."""
    return web.Response(status=204)


@dataclass(slots=True)
class Call:
    """A request with what the gates before the handler found out about it."""

    request: web.Request
    world: World
    limits: RateLimits
    interactions: Interactions
    bot: BotAccount | None = None
    refusal: Refusal | None = None
    started: float = field(default_factory=time.monotonic)

    @property
    def method(self) -> str:
        """GET, POST, ..."""
        return self.request.method

    @property
    def path(self) -> str:
        """The path after the API's prefix."""
        return self.request.path.removeprefix(API_PREFIX)

    @property
    def template(self) -> str:
        """The route's pattern, such as /channels/{channel}/messages."""
        resource = self.request.match_info.route.resource
        return "" if resource is None else resource.canonical.removeprefix(API_PREFIX)

    @property
    def channel_id(self) -> int | None:
        """The channel that the path names."""
        found = self.request.match_info.get("channel", "")
        return int(found) if found.isdecimal() else None

    @property
    def author(self) -> BotAccount:
        """The bot that asks; the front door has checked its token."""
        if self.bot is None:
            raise ApiError(401, 0, "401: Unauthorized")
        return self.bot

    def number(self, name: str) -> int:
        """An id out of the path."""
        found = self.request.match_info[name]
        if not found.isdecimal():
            raise invalid_form(name, "NUMBER_TYPE_COERCE", f'Value "{found}" is not snowflake.')
        return int(found)

    async def body(self) -> Any:
        """The JSON body, also out of a multipart form; uploaded files appear as attachments."""
        if self.request.content_type != "multipart/form-data":
            return _parse(await self.request.text())
        form = await self.request.post()
        payload = _parse(str(form.get("payload_json", "{}")))
        payload["attachments"] = [
            {"id": str(self.world.ids.next_id()), "filename": part.filename, "size": len(content), "_bytes": content}
            for part in form.values()
            if isinstance(part, web.FileField)
            for content in [part.file.read()]
        ]
        return payload


def _parse(text: str) -> Any:
    try:
        parsed = json.loads(text or "{}")
        json.dumps(parsed, ensure_ascii=False).encode()  # a lone surrogate is not text for Discord
    except ValueError:
        raise ApiError(400, 50109, "The request body contains invalid JSON.") from None
    return parsed
