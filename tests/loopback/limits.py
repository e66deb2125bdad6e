"""Discord's rate limits: buckets with headers, fifty requests a second in all, and the ban for too many refusals."""

import asyncio
import math
import time
import zlib
from collections import deque
from dataclasses import dataclass

from aiohttp import web

from tests.loopback.rules import Limit, Rules
from tests.loopback.wire import Call, html_answer, json_answer

_INVALID_STATUSES = (401, 403, 429)
_BAN_AFTER_TOO_MANY_SECONDS = 3600.0
_CLOCK_SLACK_SECONDS = 0.02
# What arrives so shortly after a 429 may have been on its way before.
_ON_ITS_WAY_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Block:
    """A planned 429 that goes on for some time."""

    since: float
    until: float


@dataclass(eq=False, slots=True)
class Bucket:
    """A window that opens with its first request and closes some seconds later."""

    name: str
    limit: Limit
    remaining: int = 0
    resets_at: float = 0.0
    block: Block | None = None

    def take(self, now: float) -> bool:
        """Takes one request out of the window, if there is one."""
        if now >= self.resets_at:
            self.remaining, self.resets_at = self.limit.requests, now + self.limit.seconds
        if self.remaining == 0:
            return False
        self.remaining -= 1
        return True

    def headers(self, now: float) -> dict[str, str]:
        """What every answer of this bucket tells the client."""
        left = max(self.resets_at - now, 0.0)
        return {
            "X-RateLimit-Bucket": self.name,
            "X-RateLimit-Limit": str(self.limit.requests),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset-After": f"{math.ceil(left * 1000) / 1000:.3f}",
            "X-RateLimit-Reset": f"{time.time() + left:.3f}",
        }


class Standstills:
    """Watches how long this server's own loop took up nothing: what came meanwhile is seen all at once after it."""

    _TICK_SECONDS = 0.05

    def __init__(self) -> None:
        self._expected_at = self._ended_at = math.inf
        self._seconds = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def watch(self) -> None:
        """Begin; `end` ends it."""
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._TICK_SECONDS, self._tick)
        self._expected_at = time.monotonic() + self._TICK_SECONDS

    def end(self) -> None:
        """Watch no longer."""
        if self._timer is not None:
            self._timer.cancel()

    def seconds_before(self, now: float) -> float:
        """How long the standstill was that ended within the last second, if there was one."""
        return self._seconds if 0 <= now - self._ended_at <= 1.0 else 0.0

    def _tick(self) -> None:
        late = time.monotonic() - self._expected_at
        if late > self._TICK_SECONDS:
            self._seconds, self._ended_at = late + self.seconds_before(time.monotonic()), time.monotonic()
        self.watch()


class RateLimits:
    """All buckets of all bots, and the gates that apply to everything."""

    def __init__(self, rules: Rules) -> None:
        self.banned_until = 0.0
        self.standstills = Standstills()
        self._rules = rules
        self._buckets: dict[tuple[object, ...], Bucket] = {}
        self._recent: dict[int, deque[float]] = {}
        self._blocks: dict[int, Block] = {}
        self._invalid: deque[float] = deque()

    @property
    def num_invalid_requests(self) -> int:
        """Answers of 401, 403 and 429 within the last ten minutes; Discord bans at 10,000."""
        horizon = time.monotonic() - self._rules.invalid_request_window_seconds
        while self._invalid and self._invalid[0] < horizon:
            self._invalid.popleft()
        return len(self._invalid)

    def refuse(self, call: Call) -> web.Response | None:
        """A 429 if any gate is shut for this request."""
        now = time.monotonic()
        if now < self.banned_until:
            call.refusal = "cloudflare"
            return html_answer(429, "<html><title>Access denied | Error 1015</title></html>")
        if call.bot is not None and not _is_interaction(call):
            shut = self._refuse_globally(call, call.bot.id, now)
            if shut is not None:
                return shut
        return self._refuse_by_bucket(call, now)

    def _refuse_globally(self, call: Call, bot_id: int, now: float) -> web.Response | None:
        block = self._blocks.get(bot_id)
        if block is not None and now < block.until:
            self._note_early_retry(call, block, now)
            return self._too_many(call, block.until - now, is_global=True)
        recent = self._recent.setdefault(bot_id, deque())
        while recent and now - recent[0] >= 1.0:
            recent.popleft()
        seconds = 1.0 + self.standstills.seconds_before(now)  # in which these may have come
        if len(recent) >= self._rules.requests_per_second * seconds:
            call.world.journal.accuse("global_rate_limit", f"{len(recent) + 1} requests within a second")
            return self._too_many(call, recent[0] + 1.0 - now, is_global=True)
        recent.append(now)
        return None

    def _refuse_by_bucket(self, call: Call, now: float) -> web.Response | None:
        bucket = self.bucket_of(call)
        if bucket is None:
            return None
        if bucket.block is not None and now < bucket.block.until:
            self._note_early_retry(call, bucket.block, now)
            return self._too_many(call, bucket.block.until - now, bucket=bucket)
        if bucket.take(now):
            return None
        call.world.journal.accuse("rate_limit", f"{call.method} {call.path} although nothing remained")
        return self._too_many(call, bucket.resets_at - now, bucket=bucket)

    def _note_early_retry(self, call: Call, block: Block, now: float) -> None:
        if block.until - now > _CLOCK_SLACK_SECONDS and now - block.since > _ON_ITS_WAY_SECONDS:
            detail = f"{call.method} {call.path} came {block.until - now:.2f} s before retry_after was over"
            call.world.journal.accuse("early_retry", detail)

    def _too_many(
        self, call: Call, retry_after: float, *, is_global: bool = False, bucket: Bucket | None = None
    ) -> web.Response:
        call.refusal = "global" if is_global else "bucket"
        headers = {"Via": "1.1 loopback", "Retry-After": str(math.ceil(retry_after))}
        headers["X-RateLimit-Scope"] = "global" if is_global else "user"
        if is_global:
            headers["X-RateLimit-Global"] = "true"
        if bucket is not None:
            headers |= bucket.headers(time.monotonic())
        body = {
            "message": "You are being rate limited.",
            "retry_after": math.ceil(retry_after * 1000) / 1000,
            "global": is_global,
        }
        return json_answer(body, status=429, headers=headers)

    def block(self, call: Call, seconds: float, *, is_global: bool) -> web.Response:
        """Begins a planned 429 that stays until it is over."""
        block = Block(time.monotonic(), time.monotonic() + seconds)
        bucket = self.bucket_of(call)
        if is_global and call.bot is not None:
            self._blocks[call.bot.id] = block
        elif bucket is not None:
            bucket.block = block
        return self._too_many(call, seconds, is_global=is_global, bucket=None if is_global else bucket)

    def ban(self, seconds: float) -> web.Response:
        """Begins a ban by Cloudflare."""
        self.banned_until = time.monotonic() + seconds
        return html_answer(429, "<html><title>Access denied | Error 1015</title></html>")

    def note_answer(self, call: Call, answer: web.StreamResponse) -> None:
        """Adds the bucket's headers and counts refusals, which end in a ban when there are too many."""
        bucket = self.bucket_of(call)
        if bucket is not None and call.refusal is None and answer.status < 500:
            answer.headers.update(bucket.headers(time.monotonic()))
        if answer.status in _INVALID_STATUSES:
            self._invalid.append(time.monotonic())
            if self.num_invalid_requests >= self._rules.max_invalid_requests:
                self.banned_until = time.monotonic() + _BAN_AFTER_TOO_MANY_SECONDS

    def bucket_of(self, call: Call) -> Bucket | None:
        """The bucket that a request counts against; interaction callbacks have none."""
        name = _bucket_name(call)
        if name is None:
            return None
        match = call.request.match_info
        # A bucket belongs to a method and a route, plus the channel, guild or webhook in it.
        route = "" if name == "webhook" else f"{call.method} {call.template}"
        owner = call.bot.id if call.bot else None
        key = (owner, name, route, match.get("channel"), match.get("guild"), match.get("token"))
        if key not in self._buckets:
            shown = f"{name}-{zlib.crc32(route.encode()):08x}"
            self._buckets[key] = Bucket(shown, self._rules.limits[name])
        return self._buckets[key]


_BUCKETS = {
    ("POST", "/channels/{channel}/messages"): "create",
    ("PATCH", "/channels/{channel}/messages/{message}"): "edit",
    ("DELETE", "/channels/{channel}/messages/{message}"): "delete",
    ("GET", "/channels/{channel}/messages"): "read",
    ("GET", "/channels/{channel}/messages/{message}"): "read",
    ("POST", "/channels/{channel}/typing"): "typing",
}


def _bucket_name(call: Call) -> str | None:
    if call.template.startswith("/interactions/"):
        return None
    if call.template.startswith("/webhooks/"):
        return "webhook"
    if "/reactions/" in call.template:
        return "reaction"
    return _BUCKETS.get((call.method, call.template), "other")


def _is_interaction(call: Call) -> bool:
    return call.template.startswith(("/interactions/", "/webhooks/"))
