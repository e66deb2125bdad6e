"""Whether the bot can answer what is asked now, and if not, which of its parts can't.

`/healthz` says less: that the event loop lives. A supervisor restarts by that one, and sends people elsewhere by this.
"""

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from bot.errors import StoreError
from bot.operations.overview import Overview

STALE_STEP_SECONDS = 10.0
"""A step of the engine takes milliseconds; after thirty seconds it is taken for lost."""
FRESH_WRITE_SECONDS = 30.0
"""After a commit, the database counts as writable for so long."""
PROBE_SECONDS = 5.0
OLDEST_WAIT_SECONDS = 60.0
"""A question is dropped after two minutes, so who waits for one is about to leave."""


class ReadinessCheck(NamedTuple):
    """One thing that has to be so."""

    name: str
    is_ok: bool
    words: str


class Readiness:
    """Looks at each part; what costs something is remembered for a while."""

    def __init__(self, overview: Overview, probe_seconds: float = PROBE_SECONDS) -> None:
        self._overview = overview
        self._probe_seconds = probe_seconds
        self._probing = asyncio.Lock()

    async def checks(self) -> list[ReadinessCheck]:
        """Every check, in an order that is always the same; a check that fails itself counts as one that isn't met."""
        database = await self._database()
        return [
            _guarded("gateway", self._gateway),
            _guarded("model", self._model),
            _guarded("worker", self._worker),
            database,
            _guarded("queue", self._queue),
            _guarded("running", self._running),
        ]

    def _gateway(self) -> ReadinessCheck:
        overview = self._overview
        up = "up" if overview.is_gateway_up else "down"
        if not overview.num_shards_in_all:
            return ReadinessCheck("gateway", overview.is_gateway_up, up)
        if not overview.shards:
            return ReadinessCheck("gateway", is_ok=True, words="other processes hold all shards; I would take over")
        words = f"{overview.num_shards_up} of my {len(overview.shards)} shards up, of {overview.num_shards_in_all}"
        return ReadinessCheck("gateway", overview.num_shards_up == len(overview.shards), words)

    def _model(self) -> ReadinessCheck:
        overview = self._overview
        if overview.is_engine_lost:
            return ReadinessCheck("model", is_ok=False, words="the engine is lost")
        if overview.engine is not None and overview.engine.problem is not None:
            return ReadinessCheck("model", is_ok=False, words=overview.engine.problem)
        is_loaded = overview.engine is not None
        loaded = "asleep, and wakes for a question" if overview.step.is_asleep else "loaded"
        return ReadinessCheck("model", is_loaded, loaded if is_loaded else "not loaded yet")

    def _worker(self) -> ReadinessCheck:
        engine = self._overview.engine
        if engine is None:
            return ReadinessCheck("worker", is_ok=False, words="not there yet")
        seconds = engine.step_seconds
        is_fresh = seconds <= STALE_STEP_SECONDS
        return ReadinessCheck("worker", is_fresh, "moving" if is_fresh else f"in one step for {seconds:.0f} s")

    async def _database(self) -> ReadinessCheck:
        """A commit of a moment ago is proof enough; without one, or after a refusal, one is tried."""
        chat = self._overview.chat
        if chat is None:
            return ReadinessCheck("database", is_ok=False, words="not open yet")
        try:
            async with asyncio.timeout(self._probe_seconds), self._probing:
                if not self._is_known_writable:
                    await chat.check_store()
        except TimeoutError:
            return ReadinessCheck("database", is_ok=False, words=f"no commit within {self._probe_seconds:g} s")
        except StoreError as error:
            return ReadinessCheck("database", is_ok=False, words=str(error))
        return ReadinessCheck("database", is_ok=True, words="writable")

    @property
    def _is_known_writable(self) -> bool:
        age = self._overview.write_age_seconds
        return age is not None and age <= FRESH_WRITE_SECONDS and not self._overview.is_write_refused

    def _queue(self) -> ReadinessCheck:
        chat = self._overview.chat
        seconds = 0.0 if chat is None else chat.queue.oldest_wait_seconds
        words = f"the oldest question waits for {seconds:.0f} s" if seconds else "nobody waits"
        return ReadinessCheck("queue", seconds <= OLDEST_WAIT_SECONDS, words)

    def _running(self) -> ReadinessCheck:
        is_stopping = self._overview.is_stopping
        return ReadinessCheck("running", not is_stopping, "stopping" if is_stopping else "yes")


def _guarded(name: str, check: Callable[[], ReadinessCheck]) -> ReadinessCheck:
    try:
        return check()
    except Exception as error:
        return ReadinessCheck(name, is_ok=False, words=f"could not be checked ({type(error).__name__})")
