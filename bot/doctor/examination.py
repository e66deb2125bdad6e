"""Runs the checks beside one another: each has its time, and none that fails or hangs keeps the others from ending."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from bot.doctor.finding import Finding, State, Topic
from bot.errors import TrinityError

CHECK_SECONDS = 30.0
_LEAVING_SECONDS = 1.0

BAD_STATUS = 78
UNKNOWN_STATUS = 69


@dataclass(frozen=True, slots=True)
class Check:
    """A topic, and what finds out about it."""

    topic: str
    run: Callable[[], Awaitable[Sequence[Finding]]]
    seconds: float = CHECK_SECONDS


async def examine(checks: Sequence[Check]) -> AsyncIterator[Finding]:
    """Run all checks at once, and yield what they find in the order of the checks."""
    tasks = [asyncio.create_task(_findings(check)) for check in checks]
    try:
        for task in tasks:
            for finding in await task:
                yield finding
    finally:
        for task in tasks:
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.wait(tasks, timeout=_LEAVING_SECONDS)


def exit_status(findings: Sequence[Finding]) -> int:
    """0 where all is well, 78 where something has to be mended, 69 where something can't be found out just now."""
    states = {finding.state for finding in findings}
    if State.BAD in states:
        return BAD_STATUS
    return UNKNOWN_STATUS if State.UNKNOWN in states else 0


async def _findings(check: Check) -> Sequence[Finding]:
    topic = Topic(check.topic)
    try:
        async with asyncio.timeout(check.seconds):
            return await check.run()
    except TimeoutError:
        return [topic.unknown(f"no answer within {check.seconds:g} s", "try again, and look at what is asked")]
    except TrinityError as error:
        return [topic.bad(str(error))]
    except OSError as error:  # what is looked at can't be: that is what there is to tell
        where = f"{error.filename}: " if error.filename else ""
        return [topic.bad(f"{where}{error.strerror or error}", "let this user look there, or run it as another one")]
    except Exception as error:  # a mistake in one check is no reason to keep the others' words back
        return [topic.unknown(f"the check itself failed: {type(error).__name__}: {error}", "please report this")]
