"""What the operator's page and `trinity top` show, as plain values: numbers and channels, never words of anybody's."""

import asyncio
import math
import time
from collections.abc import Callable
from typing import Any

from bot import __version__
from bot.chat.chat import Exchange
from bot.observer import StepRecord
from bot.operations.check_up import CheckUp
from bot.operations.controls import Controls
from bot.operations.last_errors import LastErrors
from bot.operations.last_hour import LastHour
from bot.operations.overview import Overview
from bot.operations.readiness import Readiness

MAX_ANSWERS = 50
"""Of those that run or wait so many are listed."""
_FRESH_SECONDS = 0.8


class Live:
    """Puts the present state together, once for all who look within a second."""

    def __init__(
        self,
        overview: Overview,
        readiness: Readiness,
        hour: LastHour,
        errors: LastErrors,
        controls: Controls,
        check_up: CheckUp,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._overview = overview
        self._readiness = readiness
        self._hour = hour
        self._errors = errors
        self._controls = controls
        self._check_up = check_up
        self._clock = clock
        self._made_at = -math.inf
        self._made: dict[str, Any] = {}
        self._making = asyncio.Lock()

    async def state(self) -> dict[str, Any]:
        """The present state; everything in it can be written as JSON."""
        async with self._making:
            if self._clock() - self._made_at > _FRESH_SECONDS:
                self._made = await self._make()
                self._made_at = self._clock()
            return self._made

    def history(self) -> list[list[float | None]]:
        """The points of the last hour."""
        return [list(point) for point in self._hour.points]

    async def _make(self) -> dict[str, Any]:
        overview, step = self._overview, self._overview.step
        checks = await self._readiness.checks()
        queue = None if overview.chat is None else overview.chat.queue
        return {
            "at": time.time(),
            "version": __version__,
            "state": overview.state,
            "uptime_seconds": round(overview.uptime_seconds),
            "checks": [check._asdict() for check in checks],
            "queue": {
                "waiting": queue.num_waiting if queue else 0,
                "running": queue.num_running if queue else 0,
                "oldest_seconds": round(queue.oldest_wait_seconds, 1) if queue else 0,
            },
            "answers": self._answers(),
            "engine": _engine(step),
            "last": list(self._hour.points[-1]) if self._hour.points else None,
            "errors": [error._asdict() for error in self._errors.newest_first()],
            "doctor": self._check_up.latest,
            "controls": {"has_token": self._controls.has_token},
        }

    def _answers(self) -> list[dict[str, Any]]:
        if self._overview.chat is None:
            return []
        exchanges = sorted(self._overview.chat.exchanges, key=lambda exchange: not exchange.has_turn)
        return [_answer(exchange) for exchange in exchanges[:MAX_ANSWERS]]


def _answer(exchange: Exchange) -> dict[str, Any]:
    # Ids as text: a browser's numbers are too short for them.
    channel, writing = str(exchange.channel_id), exchange.writing
    if writing is None:
        wait = exchange.wait
        waited = None if wait is None else round(wait.waited_seconds, 1)
        return {"channel": channel, "doing": "waiting", "seconds": waited}
    seconds, num_new_tokens = time.monotonic() - writing.started_at, writing.num_new_tokens
    decoding_seconds = seconds - writing.first_token_seconds
    is_measured = num_new_tokens > 1 and decoding_seconds > 0
    return {
        "channel": channel,
        "doing": "writing" if writing.has_begun else "reading",
        "seconds": round(seconds, 1),
        "prompt_tokens": len(writing.request.prompt_token_ids),
        "cached_tokens": writing.num_cached_tokens,
        "new_tokens": num_new_tokens,
        "tokens_per_second": round((num_new_tokens - 1) / decoding_seconds, 1) if is_measured else None,
    }


def _engine(step: StepRecord) -> dict[str, Any]:
    memory = step.memory
    return {
        "asleep": step.is_asleep,
        "running": step.num_running,
        "waiting": step.num_waiting,
        "blocks": step.num_blocks,
        "available_blocks": step.num_available_blocks,
        "findable_blocks": step.num_findable_blocks,
        "warm_conversations": step.num_warm_conversations,
        "new_tokens": step.total_new_tokens,
        "requests": step.total_requests,
        "failed": step.total_failed,
        "memory": None if memory is None else {"own": memory.own, "used": memory.used, "total": memory.total},
    }
