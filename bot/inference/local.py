"""The in-process engine: one thread owns the GPU, the event loop owns everything else.

The thread lives in `worker`; this is the loop's side. Commands go over in a queue, messages come back by one
`call_soon_threadsafe` per step, and only immutable values cross. The thread is a daemon: a step that hangs inside a
driver can't be ended from here, so neither shutting down nor the end of the process may wait for it for ever.
"""

import asyncio
import itertools
import logging
import sys
import threading
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from bot.errors import EngineError, EngineFailed, EngineOverloaded, EngineUnavailable
from bot.inference.engine import Delta, Request, Weight
from bot.inference.idle import IdleLimits
from bot.inference.messages import (
    Abort,
    Ended,
    Forget,
    Loaded,
    LoadedModel,
    LoadProgress,
    Message,
    ReportProgress,
    StepResults,
    Submit,
    Weigh,
    Weighed,
)
from bot.inference.scheduling.core import check_request
from bot.inference.scheduling.scheduler import SchedulerLimits
from bot.inference.worker import Watchdog, Worker
from bot.observer import Observer, Observers


class Stream:
    """Deltas of one request, from the engine's thread (by way of the loop) to whoever iterates."""

    def __init__(self) -> None:
        self.is_over = False
        """The engine is done with the request: its last delta or its error has arrived."""
        self._deltas: list[Delta] = []
        self._error: Exception | None = None
        self._has_news = asyncio.Event()

    def push(self, delta: Delta) -> None:
        self._deltas.append(delta)
        self.is_over = delta.finish_reason is not None
        self._has_news.set()

    def fail(self, error: Exception) -> None:
        """End the stream with an error, after what has arrived; a stream that is over stays as it is."""
        if self.is_over:
            return
        self._error = error
        self.is_over = True
        self._has_news.set()

    async def take(self) -> Delta:
        """Everything since the last call, as one delta.

        Raises:
            TrinityError: whatever the stream failed with.
        """
        await self._has_news.wait()
        deltas, self._deltas = self._deltas, []
        if deltas:
            if not self._error:
                self._has_news.clear()
            return _merged(deltas)
        assert self._error is not None  # noqa: S101  (news is a delta or an error)
        raise self._error


def _merged(deltas: list[Delta]) -> Delta:
    if len(deltas) == 1:
        return deltas[0]
    token_ids = tuple(token_id for delta in deltas for token_id in delta.token_ids)
    counters = next((delta.counters for delta in reversed(deltas) if delta.counters), None)
    return Delta("".join(delta.text for delta in deltas), token_ids, deltas[-1].finish_reason, counters)


log = logging.getLogger(__name__)


WATCHDOG_SECONDS = 30.0


STOP_SECONDS = 10.0


_LOOKS_PER_LIMIT = 10


# While another thread is busy with Python, ours waits for the interpreter this long at a time (default 5 ms, more than
# a decode step takes).
_SWITCH_INTERVAL_SECONDS = 0.0005


class LocalEngine:
    """An `Engine` on this machine's card or CPU. Made by `open_local_engine`; every method is for the event loop."""

    def __init__(
        self,
        load: Callable[[ReportProgress], LoadedModel],
        *,
        on_progress: ReportProgress | None = None,
        limits: SchedulerLimits | None = None,
        watchdog: Watchdog | None = None,
        on_running: Callable[[tuple[str, ...]], None] = lambda _names: None,
        observer: Observer | None = None,
        idle_limits: IdleLimits | None = None,
    ) -> None:
        self._observer: Observer = observer or Observers()
        self._failed = asyncio.Event()
        self._on_progress = on_progress or (lambda _done, _total: None)
        self._watchdog = watchdog or Watchdog(WATCHDOG_SECONDS)
        self._loop = asyncio.get_running_loop()
        self._worker = Worker(load, self._post, self._watchdog, limits or SchedulerLimits(), on_running, idle_limits)
        self._thread = threading.Thread(target=self._worker.run, name="engine", daemon=True)
        self._ids = itertools.count()
        self._streams: dict[int, Stream] = {}
        self._forgetting: dict[int, asyncio.Event] = {}
        self._weighing: dict[int, asyncio.Future[tuple[Weight, ...]]] = {}
        self._is_open = False
        self._is_asleep = False
        self._loaded: asyncio.Future[Loaded] = self._loop.create_future()
        self._ended = asyncio.Event()
        self._error: EngineError | None = None
        self._next_look: asyncio.TimerHandle | None = None

    @property
    def max_sequence_tokens(self) -> int:
        """The most tokens, prompt plus completion, that one request may take."""
        return self._loaded.result().max_sequence_tokens

    @property
    def model_hash(self) -> str:
        """Identifies weights and vocabulary."""
        return self._loaded.result().model_hash

    @property
    def is_asleep(self) -> bool:
        """Nobody has asked for long, and the card is given back."""
        return self._is_asleep

    @property
    def problem(self) -> str | None:
        """None: what this process has can be used, or is lost."""
        return None

    @property
    def failure(self) -> EngineError | None:
        """Why the engine is lost, or None while it isn't."""
        return self._error if self._failed.is_set() else None

    @property
    def step_seconds(self) -> float:
        """How long the step under way has taken; 0 where none is."""
        return self._watchdog.step_seconds

    async def wait_failed(self) -> None:
        """Return once the engine is lost; `failure` then says why."""
        await self._failed.wait()

    async def generate(self, request: Request) -> AsyncGenerator[Delta, None]:
        """Stream the completion of `request`; leaving the iterator in any way aborts it. Raises as `Engine` says."""
        if self._error:
            raise _again(self._error)
        if not self._is_open:
            raise EngineUnavailable("The engine is not running.")
        check_request(request, self.max_sequence_tokens)
        if len(self._streams) >= self._loaded.result().max_open_requests:
            raise EngineOverloaded
        request_id, stream = next(self._ids), Stream()
        self._streams[request_id] = stream
        self._worker.inbox.put(Submit(request_id, request, time.monotonic()))
        try:
            while True:
                delta = await stream.take()
                yield delta
                if delta.finish_reason:
                    return
        finally:
            del self._streams[request_id]
            if not stream.is_over:
                self._worker.inbox.put(Abort(request_id))

    async def forget(self, cache_owner: str) -> None:
        """Drop every KV cache block that belongs to `cache_owner` alone, and return when it is done."""
        if not self._is_open:
            return  # the blocks went with the engine
        ticket, done = next(self._ids), asyncio.Event()
        self._forgetting[ticket] = done
        self._worker.inbox.put(Forget(ticket, cache_owner))
        try:
            await done.wait()
        finally:
            self._forgetting.pop(ticket, None)

    async def weigh(self, request: Request, token_ids: tuple[int, ...]) -> tuple[Weight, ...]:
        """How near tokens are to being the first of `request`'s completion; see `Weighing`."""
        if not self._is_open:
            return ()
        ticket = next(self._ids)
        weights: asyncio.Future[tuple[Weight, ...]] = self._loop.create_future()
        self._weighing[ticket] = weights
        self._worker.inbox.put(Weigh(ticket, request, token_ids))
        try:
            return await weights
        finally:
            del self._weighing[ticket]

    async def start(self) -> None:
        """Load the model; raises whatever loading raises."""
        self._thread.start()
        await asyncio.shield(self._loaded)
        self._is_open = True
        self._look_later()

    async def stop(self) -> None:
        """End the thread; requests under way get `EngineUnavailable`. Returns in seconds, whatever the thread does."""
        self._close(EngineUnavailable("The engine is shutting down."))
        self._worker.stop()
        if self._next_look:
            self._next_look.cancel()
        if self._failed.is_set() and self._thread.is_alive() and self._watchdog.is_overdue:
            return  # it hangs
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._ended.wait()
                # Its last message sent, the thread still frees tensors. If the interpreter ended meanwhile, it would
                # stop the thread inside torch's C++ and take the whole process down with SIGABRT.
                await asyncio.to_thread(self._thread.join, STOP_SECONDS)
        except TimeoutError:
            log.warning("the engine's thread did not end within %s seconds and is left behind", STOP_SECONDS)

    def _look_later(self) -> None:
        self._next_look = self._loop.call_later(self._watchdog.limit_seconds / _LOOKS_PER_LIMIT, self._look)

    def _look(self) -> None:
        """See whether the thread still moves."""
        if self._watchdog.is_overdue:
            self._fail(EngineFailed(f"A step of the engine took more than {self._watchdog.limit_seconds:g} seconds."))
        elif not self._thread.is_alive() and not self._ended.is_set():
            self._fail(EngineFailed("The engine's thread is gone."))
        else:
            self._look_later()

    def _post(self, message: Message) -> None:
        """Called by the thread."""
        try:
            self._loop.call_soon_threadsafe(self._receive, message)
        except RuntimeError:
            log.debug("the event loop is closed; a message of the engine is lost")

    def _receive(self, message: Message) -> None:
        match message:
            case StepResults():
                self._is_asleep = message.snapshot.is_asleep
                self._observer.on_step(message.snapshot)
                for request_id, delta in message.deltas:
                    if stream := self._streams.get(request_id):
                        stream.push(delta)
                for request_id, error in message.errors:
                    if stream := self._streams.get(request_id):
                        stream.fail(error)
                for ticket in message.forgotten:
                    if done := self._forgetting.get(ticket):
                        done.set()
            case Weighed():
                if (weights := self._weighing.get(message.ticket)) and not weights.done():
                    weights.set_result(message.weights)
            case LoadProgress():
                self._on_progress(message.done, message.total)
            case Loaded():
                self._observer.on_step(message.snapshot)
                self._loaded.set_result(message)
            case Ended():
                self._ended.set()
                self._end(message.error)

    def _end(self, error: BaseException | None) -> None:
        if not self._loaded.done():
            self._loaded.set_exception(error if isinstance(error, Exception) else EngineFailed("Loading was ended."))
            self._loaded.exception()  # seen, even if nobody waits any more
        elif error is not None:
            failure = error if isinstance(error, EngineFailed) else EngineFailed(f"The engine's thread died: {error!r}")
            if failure is not error:
                failure.__cause__ = error
            self._fail(failure)

    def _fail(self, failure: EngineFailed) -> None:
        if self._failed.is_set():
            return
        log.critical("the engine is lost: %s", failure, exc_info=failure)
        self._failed.set()
        self._close(failure)

    def _close(self, error: EngineError) -> None:
        """Take nothing more in, and let nobody wait."""
        self._is_open = False
        self._error = self._error or error
        for stream in self._streams.values():
            stream.fail(_again(error))
        for done in self._forgetting.values():
            done.set()
        for weights in self._weighing.values():
            if not weights.done():
                weights.set_result(())


@asynccontextmanager
async def open_local_engine(
    load: Callable[[ReportProgress], LoadedModel],
    *,
    on_progress: ReportProgress | None = None,
    limits: SchedulerLimits | None = None,
    watchdog: Watchdog | None = None,
    on_running: Callable[[tuple[str, ...]], None] = lambda _names: None,
    observer: Observer | None = None,
    idle_limits: IdleLimits | None = None,
) -> AsyncGenerator[LocalEngine, None]:
    """Run an engine on its own thread, from the loading of the model to the end of the block.

    Args:
        load: builds everything that owns tensors; runs on the engine's thread and reports its progress in bytes.
        on_progress: called on the event loop.
        limits: how much is taken on at once.
        watchdog: how long a step may take.
        on_running: called on the engine's thread with the names of the requests that the next steps run, whenever
            these change.
        observer: hears of every step, on the event loop.
        idle_limits: when the card is given back; None keeps it.

    Raises:
        Exception: whatever `load` raises.
    """
    engine = LocalEngine(
        load,
        on_progress=on_progress,
        limits=limits,
        watchdog=watchdog,
        on_running=on_running,
        observer=observer,
        idle_limits=idle_limits,
    )
    switch_interval = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_INTERVAL_SECONDS)
    try:
        await engine.start()
        yield engine
    finally:
        sys.setswitchinterval(switch_interval)
        await engine.stop()


def _again(error: EngineError) -> EngineError:
    """A copy to raise elsewhere: one exception object raised in many tasks would collect all their tracebacks."""
    copy = type(error)(*error.args)
    copy.__cause__ = error.__cause__
    return copy
