"""An event loop without waiting: its clock jumps to the next timer, and everything on it happens in one order.

It has no selector, no threads and no sockets. Sets of tasks and futures iterate in the same order in every process, for
they are hashed by a number in place of their address.

What belongs to one life of the daemon carries it in its context. A life ends as by `kill -9`: nothing of it runs any
more, not even a `finally`, and what the world does to it meets nobody.
"""

import asyncio
import heapq
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from itertools import count
from typing import Any

from tests.simulation.universe import universe

LIFE: ContextVar["Life | None"] = ContextVar("life", default=None)
OUTSIDE = Context()
"""The context of what belongs to no life."""
ROUND_SECONDS = 2e-6
"""What a round of the loop takes, so that time goes by for whoever spins, too."""
_numbers = count()


class Stuck(Exception):
    """Everything waits for something else."""


class RanAway(Exception):
    """It went on for longer than anything may."""


class Life:
    """One life of the daemon, from its start to its end or its death."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.is_dead = False
        self.when_killed: list[Callable[[], None]] = []
        """What its machine does about its death: files are closed, connections break."""
        self.remains: list[Any] = []
        """What would clean up after itself if it went."""


class _Numbered:
    """Hashed by a number that is drawn when it is first asked for."""

    def __hash__(self) -> int:
        try:
            return self._number  # type: ignore[has-type]
        except AttributeError:
            self._number = next(_numbers)
            return self._number


class SimulatedTask(_Numbered, asyncio.Task):  # type: ignore[type-arg]
    """A task with a number."""

    life: Life | None


class SimulatedFuture(_Numbered, asyncio.Future):  # type: ignore[type-arg]
    """A future with a number."""


class SimulatedHandle:
    """What is to be called; a timer's says when."""

    __slots__ = ("_arguments", "_callback", "_context", "_when", "is_cancelled")

    def __init__(self, callback: Any, arguments: tuple[Any, ...], context: Context | None, when: float = 0.0) -> None:
        self._callback = callback
        self._arguments = arguments
        self._context = copy_context() if context is None else context
        self._when = when
        self.is_cancelled = False

    def cancel(self) -> None:
        """Never call it."""
        self.is_cancelled = True
        self._callback = self._arguments = None

    def cancelled(self) -> bool:
        """Whether it is never called."""
        return self.is_cancelled

    def when(self) -> float:
        """By the loop's clock."""
        return self._when

    def life(self) -> Life | None:
        """Which it belongs to."""
        return self._context.get(LIFE)

    def run(self, loop: asyncio.AbstractEventLoop) -> None:
        """Call it."""
        try:
            self._context.run(self._callback, *self._arguments)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            said = f"Exception in callback {self._callback}"
            loop.call_exception_handler({"message": said, "exception": error})


class SimulatedLoop(asyncio.BaseEventLoop):
    """The loop; see the module."""

    def __init__(self, *, max_rounds: int = 20_000_000) -> None:
        super().__init__()
        self._now = 0.0
        self._max_rounds = max_rounds
        self.num_steps = 0
        self.step_of_death = 0
        """The step before which the running life is killed; 0 for none."""
        self.life: Life | None = None
        self._has_dead = False
        self._num_timers = 0
        self._timers: list[tuple[float, int, SimulatedHandle]] = []
        """A heap of tuples: they are compared without asking a handle."""
        self.set_task_factory(_new_task)

    def time(self) -> float:
        return self._now

    def get_debug(self) -> bool:
        return False

    def create_future(self) -> SimulatedFuture:
        return SimulatedFuture(loop=self)

    def call_soon(self, callback: Any, *arguments: Any, context: Context | None = None) -> Any:
        handle = SimulatedHandle(callback, arguments, context)
        if self._has_dead and _is_dead(handle):
            return handle
        self._ready.append(handle)  # type: ignore[attr-defined]
        return handle

    call_soon_threadsafe = call_soon

    def call_at(self, when: float, callback: Any, *arguments: Any, context: Context | None = None) -> Any:
        handle = SimulatedHandle(callback, arguments, context, when)
        if self._has_dead and _is_dead(handle):
            return handle
        self._num_timers += 1
        heapq.heappush(self._timers, (when, self._num_timers, handle))
        return handle

    def call_later(self, delay: float, callback: Any, *arguments: Any, context: Context | None = None) -> Any:
        return self.call_at(self._now + delay, callback, *arguments, context=context)

    def run_in_executor(self, _executor: Any, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run it at one moment a little later."""
        future = self.create_future()

        def run() -> None:
            if future.done():
                return
            try:
                result = function(*arguments)
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)

        self.call_later(universe.chance.expovariate(1000), run)
        return future

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - asyncio's signature
        """There are no threads."""

    def start_thread(self, work: Callable[[], None]) -> None:
        self.call_later(universe.chance.expovariate(1000), work)

    def kill(self, life: Life) -> None:
        """End a life where it stands."""
        life.is_dead = self._has_dead = True
        for handle in (*self._ready, *(handle for _, _, handle in self._timers)):  # type: ignore[attr-defined]
            if not handle.is_cancelled and handle.life() is life:
                handle.cancel()
        for task in asyncio.all_tasks(self):
            if task.life is life:  # type: ignore[attr-defined]
                task._log_destroy_pending = False  # type: ignore[attr-defined]
                life.remains.append(task)
        for act in life.when_killed:
            act()

    def _run_once(self) -> None:
        ready, timers = self._ready, self._timers  # type: ignore[attr-defined]
        while timers and timers[0][2].is_cancelled:
            heapq.heappop(timers)
        if not ready:
            if not timers:
                raise Stuck("everything waits, and no timer is set")
            if timers[0][0] > self._now:
                self._now = timers[0][0]
        self._now += ROUND_SECONDS
        while timers and timers[0][0] <= self._now:
            _, _, handle = heapq.heappop(timers)
            if not handle.is_cancelled:
                ready.append(handle)
        self._max_rounds -= 1
        if self._max_rounds < 0:
            raise RanAway
        for _ in range(len(ready)):
            handle = ready.popleft()
            if handle.is_cancelled:
                continue
            self.num_steps += 1
            if self.num_steps == self.step_of_death and self.life is not None:
                self.kill(self.life)
                if handle.life() is self.life:
                    continue
            handle.run(self)

    def _write_to_self(self) -> None:
        pass

    def _process_events(self, _events: Any) -> None:
        pass


def _is_dead(handle: SimulatedHandle) -> bool:
    """Whether it belongs to a life that has ended; then it is never called."""
    life = handle.life()
    if life is None or not life.is_dead:
        return False
    handle.cancel()
    return True


def _new_task(loop: Any, coroutine: Any, *, context: Context | None = None, **named: Any) -> SimulatedTask:
    task = SimulatedTask(coroutine, loop=loop, context=context, **named)
    task.life = LIFE.get() if context is None else context.get(LIFE)
    return task


def run_in_simulation(seed: int, work: Callable[[SimulatedLoop], Coroutine[Any, Any, Any]], **options: Any) -> Any:
    """Run `work` on a loop of its own; nothing of it is left afterwards."""
    global _numbers  # noqa: PLW0603 - all that is counted begins anew
    _numbers = count()
    loop = SimulatedLoop(**options)
    universe.begin(seed, loop.time)
    universe.start_thread = loop.start_thread
    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(work(loop))
    finally:
        for task in asyncio.all_tasks(loop):
            task._log_destroy_pending = False  # type: ignore[attr-defined]
        loop._ready.clear()  # type: ignore[attr-defined]
        loop._timers.clear()
        loop.close()
        asyncio.set_event_loop(None)
