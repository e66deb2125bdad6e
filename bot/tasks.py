"""Supervised background work: no failure goes unnoticed; the work starts again, or ends what depends on it.

`keep_running` is for what nothing else depends on, such as housekeeping: a failure costs a line in the log and a pause.
`in_background` is for a block that makes no sense without the work: if the work fails, the block ends with its error.
Both together are work that lasts as long as a block and starts again when it fails. `in_daemon_thread` is for calls
that block the thread, and `limit_threads` bounds the threads of the others that do.
"""

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar, cast

log = logging.getLogger(__name__)

T = TypeVar("T")

PAUSES_SECONDS = (1.0, 5.0, 15.0, 60.0, 300.0)
"""Before work that failed is started again the first, second, ... time in a row."""
_HEALTHY_SECONDS = 600.0
_NUM_THREADS = 6


def limit_threads() -> None:
    """Let what blocks (`asyncio.to_thread`, looking up names) have six threads, on any machine.

    By itself the loop would start, one after another, as many as the machine has cores and four more, and keep each
    with memory of its own.
    """
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_NUM_THREADS, thread_name_prefix="blocking"))


async def keep_running(
    name: str,
    work: Callable[[], Awaitable[None]],
    *,
    fatal: tuple[type[Exception], ...] = (),
    pauses_seconds: Sequence[float] = PAUSES_SECONDS,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Run `work()` until it returns; when it raises, log that and start it again after a growing pause.

    Args:
        name: what the log calls the work.
        work: makes the coroutine to run, a fresh one for each try.
        fatal: errors that are raised instead, since no new try mends them.
        pauses_seconds: before the first, second, ... new try; after ten minutes of work, the first again.
        sleep: waits.
        clock: monotonic.
    """
    num_failures = 0
    while True:
        started = clock()
        try:
            return await work()
        except fatal:
            raise
        except Exception:
            num_failures = 1 if clock() - started >= _HEALTHY_SECONDS else num_failures + 1
            pause_seconds = pauses_seconds[min(num_failures, len(pauses_seconds)) - 1]
            log.exception("%s failed; it begins anew in %g s", name, pause_seconds)
        await sleep(pause_seconds)


@asynccontextmanager
async def in_background(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run `work` as long as the block lasts: it is cancelled at the block's end, and waited for.

    Raises:
        Exception: `work` failed; the block was cancelled where it stood. An error of the block's own goes before it.
    """
    is_over = False

    def end_block(ended: "asyncio.Task[None]") -> None:
        if not is_over and not ended.cancelled() and ended.exception() is not None:
            block.reschedule(asyncio.get_running_loop().time())

    task = asyncio.create_task(work)
    task.add_done_callback(end_block)
    try:
        async with asyncio.timeout(None) as block:
            try:
                yield
            finally:
                is_over = True
                task.cancel()
                await asyncio.wait({task})
    except TimeoutError:
        error = None if not block.expired() or task.cancelled() else task.exception()
        if error is None:
            raise
        raise error from None
    except BaseException:
        _log_failure(task)
        raise
    else:
        _log_failure(task)


async def in_daemon_thread(work: Callable[[], T], *, name: str) -> T:
    """Run `work` beside the loop, in a thread of its own that the end of the process doesn't wait for."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if ended.done():
            return
        if error is not None:
            ended.set_exception(error)
        else:
            ended.set_result(cast("T", result))

    def run() -> None:
        result, error = None, None
        try:
            result = work()
        except BaseException as raised:  # raised where it is awaited
            error = raised
        with suppress(RuntimeError):  # the loop is closed, and nobody waits
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=run, name=name, daemon=True).start()
    return await ended


def _log_failure(task: "asyncio.Task[None]") -> None:
    """Log a failure that came while the block ended; it would be lost otherwise."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("what ran in the background failed at its end", exc_info=error)
