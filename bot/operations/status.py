"""The daemon's status in one line, logged at SIGUSR1."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from bot.observer import StepRecord
from bot.operations.health import Health

_ASLEEP = "asleep, the card given back; "


@dataclass(frozen=True, slots=True)
class Activity:
    """What can be counted once the model is loaded; each is read anew for every line."""

    num_answering: Callable[[], int]
    num_waiting: Callable[[], int]
    engine: Callable[[], StepRecord]


class Status:
    """Collects what the status line says."""

    def __init__(self, health: Health, clock: Callable[[], float] = time.monotonic) -> None:
        self._health = health
        self._clock = clock
        self._started_at = clock()
        self._num_sessions = 0
        self.activity: Activity | None = None

    def note_session(self) -> None:
        """Count a session in which the bot became able to answer."""
        self._num_sessions += 1

    def line(self) -> str:
        uptime = f"up {_span(self._clock() - self._started_at)}"
        if self.activity is None:
            return f"{uptime}; still starting: the database is being opened or the model loaded"
        engine = self.activity.engine()
        parts = (
            uptime,
            f"{self.activity.num_answering()} questions being answered, {self.activity.num_waiting()} waiting",
            f"engine: {_ASLEEP if engine.is_asleep else ''}{engine.num_running} running, {engine.num_waiting} waiting, "
            f"{engine.num_available_blocks} of {engine.num_blocks} blocks free, "
            f"{engine.total_requests} requests, {engine.total_failed} of them failed",
            f"Discord: {self._num_sessions} times ready, {self._gateway()}",
            *([f"problem: {problem}"] if (problem := self._health.problem) else []),
        )
        return "; ".join(parts)

    def _gateway(self) -> str:
        silence = self._health.gateway_silence_seconds
        return "the gateway not reached yet" if silence is None else f"the gateway last heard {_span(silence)} ago"


def _span(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    spans = ((days, "d"), (hours, "h"), (minutes, "min"), (rest, "s"))
    return " ".join(f"{number} {unit}" for number, unit in spans if number) or "0 s"
