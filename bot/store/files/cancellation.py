"""Work that a cancel doesn't interrupt: its end is waited for, and the cancellation says what became of it."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

COMMITTED = "cancelled; the transaction was committed"
ROLLED_BACK = "cancelled; nothing was written"
UNKNOWN = "cancelled; it isn't known whether the transaction was committed"


def was_committed(cancelled: asyncio.CancelledError) -> bool:
    """Whether the transaction that a cancel interrupted was committed nevertheless."""
    return cancelled.args[:1] == (COMMITTED,)


async def outlast_cancel(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` to its end, come what may; a cancel is raised after it, and `was_committed` tells how it ended."""
    task = asyncio.create_task(work)
    try:
        await wait_for_end(task)
    except asyncio.CancelledError:
        raise asyncio.CancelledError(ROLLED_BACK if task.exception() else COMMITTED) from None
    return task.result()


async def wait_for_end(task: asyncio.Task[Any], *, seconds_after_cancel: float = float("inf")) -> None:
    """Wait for the end of a task; a cancel is raised after it, or when so much time has passed since."""
    loop, leave_at = asyncio.get_running_loop(), float("inf")
    is_cancelled = False
    while not task.done() and loop.time() < leave_at:
        try:
            await asyncio.wait({task}, timeout=None if leave_at == float("inf") else leave_at - loop.time())
        except asyncio.CancelledError:
            is_cancelled, leave_at = True, min(leave_at, loop.time() + seconds_after_cancel)
    if is_cancelled:
        raise asyncio.CancelledError
