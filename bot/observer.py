"""What is reported of the bot's work while it goes on: each answer, request to the platform, and step of the engine.

The parts that do the work hand plain values to one `Observer` and know nothing of who listens: the log line of an
answer is the first listener, the daemon's line about its state the second. Nothing that people wrote is in them.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

log = logging.getLogger(__name__)

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class AnswerRecord:
    """One answer, when it has ended. Lengths of time are in seconds."""

    platform: str
    channel_id: int
    message_id: int
    """The question's."""
    num_prompt_tokens: int
    num_cached_tokens: int
    num_new_tokens: int
    first_token_seconds: float
    total_seconds: float
    finish_reason: str
    guild_id: int | None = None
    """The server's; None in a direct message and at the terminal."""


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One request to the chat platform, a repeated one counted each time."""

    kind: str
    """What it was for: create, edit, delete, read or typing."""
    seconds: float
    error: str = ""
    """The kind of failure; empty where it succeeded."""


@dataclass(frozen=True, slots=True)
class StepRecord:
    """The engine's state after a step, and its totals since it started."""

    num_waiting: int = 0
    num_running: int = 0
    num_blocks: int = 0
    num_available_blocks: int = 0
    """Blocks that no running sequence holds."""
    num_findable_blocks: int = 0
    """Blocks that a later prompt could start from."""
    total_requests: int = 0
    total_failed: int = 0
    total_aborted: int = 0
    total_prompt_tokens: int = 0
    total_cached_tokens: int = 0
    total_new_tokens: int = 0
    total_preemptions: int = 0


class Observer(Protocol):
    """Listens to the bot's work. Called on the event loop, often: it must neither wait nor raise."""

    def on_answer(self, record: AnswerRecord) -> None:
        """An answer has ended."""
        ...

    def on_request(self, record: RequestRecord) -> None:
        """A request to the chat platform has ended."""
        ...

    def on_step(self, record: StepRecord) -> None:
        """The engine has run a step."""
        ...


class LogObserver:
    """One line in the log for each answer, without what people said."""

    def on_answer(self, record: AnswerRecord) -> None:
        """Log it."""
        log.info(
            "answered %s:%s question %s: prompt %d tokens, %d cached, %d new, first after %.2f s, %.2f s in all, %s",
            record.platform,
            record.channel_id,
            record.message_id,
            record.num_prompt_tokens,
            record.num_cached_tokens,
            record.num_new_tokens,
            record.first_token_seconds,
            record.total_seconds,
            record.finish_reason,
        )

    def on_request(self, record: RequestRecord) -> None:
        """Requests are too many for the log."""

    def on_step(self, record: StepRecord) -> None:
        """Steps are too many for the log."""


class LatestStep:
    """Remembers the engine's latest step, for whoever asks how it is."""

    def __init__(self) -> None:
        self.record = StepRecord()

    def on_answer(self, record: AnswerRecord) -> None:
        """Nothing to remember."""

    def on_request(self, record: RequestRecord) -> None:
        """Nothing to remember."""

    def on_step(self, record: StepRecord) -> None:
        """Remember it."""
        self.record = record


class Observers:
    """Several observers as one; what one of them raises is logged, and neither the others nor the work suffer."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers

    def on_answer(self, record: AnswerRecord) -> None:
        """Hand it to each."""
        for observer in self._observers:
            _guarded(observer.on_answer, record)

    def on_request(self, record: RequestRecord) -> None:
        """Hand it to each."""
        for observer in self._observers:
            _guarded(observer.on_request, record)

    def on_step(self, record: StepRecord) -> None:
        """Hand it to each."""
        for observer in self._observers:
            _guarded(observer.on_step, record)


def _guarded(call: Callable[[Value], None], record: Value) -> None:
    try:
        call(record)
    except Exception:
        log.exception("an observer failed")
