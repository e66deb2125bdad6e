"""Waiting for a condition; the only place that polls, because conditions look at anything."""

import asyncio
import time
from collections.abc import Callable

_PAUSE_SECONDS = 0.01


async def came_true(condition: Callable[[], object], seconds: float) -> bool:
    """Whether a condition came true within some seconds; it is looked at once more at their end."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(_PAUSE_SECONDS)
    return True
