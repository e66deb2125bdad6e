"""What is reported of the bot's work while it goes on: answers, requests, steps of the engine, transactions.

The parts that do the work hand plain values to one `Observer` and know nothing of who listens: the log line of an
answer, the counts of `/stats`, and what the operations address shows. Nothing that people wrote is in them.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import TypeVar

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
    was_trimmed: bool = False
    """The conversation's beginning didn't fit into the window any more."""


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One request to the chat platform, a repeated one counted each time."""

    kind: str
    """What it was for: create, edit, delete, read or typing."""
    seconds: float
    error: str = ""
    """The kind of failure; empty where it succeeded."""


@dataclass(frozen=True, slots=True)
class ResponseRecord:
    """What the chat platform's server answered to one HTTP request, a library's own repetitions counted as well."""

    method: str
    status: int
    """0 where no answer came."""


class GatewayChange(StrEnum):
    """What has become of the connection that brings events."""

    CONNECTED = "connected"
    """A new session."""
    RESUMED = "resumed"
    """The old session goes on, with what was missed."""
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class ShardsRecord:
    """The shards that this process holds, of all that there are."""

    held: frozenset[int]
    count: int


@dataclass(frozen=True, slots=True)
class TransactionRecord:
    """One transaction of the database, the wait for its turn included."""

    is_write: bool
    seconds: float
    error: str = ""
    """The kind of failure; empty where it was committed, or where whoever wanted it gave up."""


@dataclass(frozen=True, slots=True)
class MemoryRecord:
    """What a card's memory is taken by, as of a few seconds ago, in bytes."""

    own: int
    """The bot's: weights, KV cache and room to work in."""
    used: int
    """By whomever."""
    total: int


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
    num_warm_conversations: int = 0
    """Conversations that have such blocks of their own."""
    memory: MemoryRecord | None = None
    """Of the card; None on a CPU."""
    total_requests: int = 0
    total_failed: int = 0
    total_aborted: int = 0
    total_prompt_tokens: int = 0
    total_cached_tokens: int = 0
    total_new_tokens: int = 0
    total_preemptions: int = 0
    is_asleep: bool = False
    """Nobody has asked for long, and the card is given back; the next question takes it again."""


class Observer:
    """Listens to the bot's work. Called on the event loop, often: it must neither wait nor raise.

    This one does nothing; others inherit from it and override what they want to hear.
    """

    def on_answer(self, record: AnswerRecord) -> None:
        """An answer has ended."""

    def on_question(self, state: str) -> None:
        """It is on record what became of a question: answered, refused, failed, withdrawn or expired."""

    def on_first_words(self, seconds: float) -> None:
        """The first words of an answer stand in the channel, so long after its question came in."""

    def on_recall(self, seconds: float) -> None:
        """What a question brings back from before its window was looked for, for so long."""

    def on_request(self, record: RequestRecord) -> None:
        """A request to the chat platform has ended."""

    def on_response(self, record: ResponseRecord) -> None:
        """The chat platform has answered an HTTP request."""

    def on_gateway(self, change: GatewayChange, shard_id: int | None = None) -> None:
        """The connection to the chat platform came up, or was lost; of one shard, where there are several."""

    def on_shards(self, record: ShardsRecord) -> None:
        """Which shards this process holds has changed."""

    def on_transaction(self, record: TransactionRecord) -> None:
        """A transaction of the database has ended."""

    def on_step(self, record: StepRecord) -> None:
        """The engine has run a step."""


class LogObserver(Observer):
    """One line in the log for each answer, without what people said."""

    def on_answer(self, record: AnswerRecord) -> None:
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


class Observers(Observer):
    """Several observers as one; what one of them raises is logged, and neither the others nor the work suffer."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers

    def on_answer(self, record: AnswerRecord) -> None:
        for observer in self._observers:
            _guarded(observer.on_answer, record)

    def on_question(self, state: str) -> None:
        for observer in self._observers:
            _guarded(observer.on_question, state)

    def on_first_words(self, seconds: float) -> None:
        for observer in self._observers:
            _guarded(observer.on_first_words, seconds)

    def on_recall(self, seconds: float) -> None:
        for observer in self._observers:
            _guarded(observer.on_recall, seconds)

    def on_request(self, record: RequestRecord) -> None:
        for observer in self._observers:
            _guarded(observer.on_request, record)

    def on_response(self, record: ResponseRecord) -> None:
        for observer in self._observers:
            _guarded(observer.on_response, record)

    def on_gateway(self, change: GatewayChange, shard_id: int | None = None) -> None:
        for observer in self._observers:
            _guarded(partial(observer.on_gateway, shard_id=shard_id), change)

    def on_shards(self, record: ShardsRecord) -> None:
        for observer in self._observers:
            _guarded(observer.on_shards, record)

    def on_transaction(self, record: TransactionRecord) -> None:
        for observer in self._observers:
            _guarded(observer.on_transaction, record)

    def on_step(self, record: StepRecord) -> None:
        for observer in self._observers:
            _guarded(observer.on_step, record)


def _guarded(call: Callable[[Value], None], record: Value) -> None:
    try:
        call(record)
    except Exception:
        log.exception("an observer failed")
