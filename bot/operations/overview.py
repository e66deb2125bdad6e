"""What is known of the running bot at this moment: readiness, metrics, the page and `trinity top` all ask here.

It exists before anything is opened, so that a bot that is still loading, or that can't, can be looked at as well.
"""

import time
from collections.abc import Awaitable, Callable
from enum import StrEnum

from bot.chat.chat import Chat
from bot.inference.engine import Engine
from bot.observer import GatewayChange, Observer, ShardsRecord, StepRecord, TransactionRecord


class BotState(StrEnum):
    """What the bot does, in one word."""

    STARTING = "starting"
    READY = "ready"
    PAUSED = "paused"
    """No new questions are taken, because an operator wants that."""
    STOPPING = "stopping"
    UNAVAILABLE = "unavailable"
    """The engine is lost, or Discord is out of reach."""


class Overview(Observer):
    """Remembers the latest of what is reported, and where to look for the rest."""

    def __init__(self, is_stopping: Callable[[], bool], clock: Callable[[], float] = time.monotonic) -> None:
        self.chat: Chat | None = None
        """Set once everything is open."""
        self.engine: Engine | None = None
        self.reload: Callable[[], Awaitable[str]] | None = None
        """Takes over what has changed in the settings; says what that was."""
        self.step = StepRecord()
        self.shards: frozenset[int] = frozenset()
        """The shards that this process holds, where the bot has several."""
        self.num_shards_in_all = 0
        """How many there are; 0 where the bot isn't sharded."""
        self.was_gateway_up = False
        """Whether Discord was reached at least once."""
        self.is_write_refused = False
        """Whether the latest write to the database failed."""
        self._gateways: set[int | None] = set()
        self._written_at: float | None = None
        self._is_stopping = is_stopping
        self._clock = clock
        self._started_at = clock()

    @property
    def is_gateway_up(self) -> bool:
        """Whether Discord is reached; of several shards, whether any is connected, or none is held."""
        return bool(self._gateways) or (self.num_shards_in_all > 0 and not self.shards)

    @property
    def num_shards_up(self) -> int:
        """Of the shards that are held, those that are connected."""
        return len(self.shards & self._gateways)

    @property
    def uptime_seconds(self) -> float:
        """Since the process began its work."""
        return self._clock() - self._started_at

    @property
    def write_age_seconds(self) -> float | None:
        """Since the latest commit to the database; None before the first."""
        return None if self._written_at is None else self._clock() - self._written_at

    @property
    def is_stopping(self) -> bool:
        """Whether it takes nothing in any more and ends when the running answers have."""
        return self._is_stopping()

    @property
    def is_paused(self) -> bool:
        """Whether an operator paused it."""
        return self.chat is not None and self.chat.queue.is_paused

    @property
    def is_engine_lost(self) -> bool:
        """Whether the process has to be replaced."""
        return self.engine is not None and self.engine.failure is not None

    @property
    def state(self) -> BotState:
        """What it does."""
        if self.is_stopping:
            return BotState.STOPPING
        if self.is_engine_lost or (self.was_gateway_up and not self.is_gateway_up):
            return BotState.UNAVAILABLE
        if self.chat is None or not self.is_gateway_up:
            return BotState.STARTING
        return BotState.PAUSED if self.is_paused else BotState.READY

    def opened(self, chat: Chat, engine: Engine, reload: Callable[[], Awaitable[str]] | None = None) -> None:
        """The database is open and the model loaded; `reload` takes over other settings and says what came of it."""
        self.chat, self.engine, self.reload = chat, engine, reload

    def on_step(self, record: StepRecord) -> None:
        self.step = record

    def on_gateway(self, change: GatewayChange, shard_id: int | None = None) -> None:
        if change is GatewayChange.LOST:
            self._gateways.discard(shard_id)
        else:
            self._gateways.add(shard_id)
            self.was_gateway_up = True

    def on_shards(self, record: ShardsRecord) -> None:
        self.shards, self.num_shards_in_all = record.held, record.count

    def on_transaction(self, record: TransactionRecord) -> None:
        if record.is_write:
            self.is_write_refused = bool(record.error)
            if not record.error:
                self._written_at = self._clock()
