"""Runs a program of its own for what takes minutes, since a download inside a process can't be ended.

The program writes one JSON object a line on stdout: `done` and `total` (bytes), `log` (what a library warns of), and at
the end anything else, `problem` in words with `is_passing` where it failed. What a library prints goes to stderr. It
ends as soon as its standard input does: with who started it, and so do the programs that it started.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from bot.errors import ConfigError, EngineUnavailable
from bot.inference.loading.child_reports import Event
from bot.inference.loading.files import SETTING
from bot.inference.messages import ReportProgress

_MOST_LINE_BYTES = 16 * 1024**2


async def run_to_last_event(
    module: str,
    arguments: Sequence[str],
    *,
    doing: str,
    environ: Mapping[str, str],
    on_progress: ReportProgress,
    on_log: Callable[[str], None],
    stalled_seconds: float,
) -> Event:
    """Run `python -m module` and hand on what it tells; returns its last event. Cancelled, it takes the program along.

    Raises:
        ConfigError: it failed for a reason that stays.
        EngineUnavailable: it failed for one that passes, stood still for so long, or broke off.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *arguments),
        stdin=asyncio.subprocess.PIPE,  # its end is what ends the program when this process is killed
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        start_new_session=True,  # Ctrl-C is for us
        limit=_MOST_LINE_BYTES,
    )
    async with asyncio.TaskGroup() as tasks:
        complaining = tasks.create_task(process.stderr.read())  # type: ignore[union-attr]
        try:
            last = await _follow(process, doing, on_progress, on_log, stalled_seconds)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    if last is None:
        lines = complaining.result().decode(errors="replace").strip().splitlines() or ["no reason given"]
        raise EngineUnavailable(f"{SETTING}: {doing} broke off: {lines[-1]}")
    problem = last.get("problem")
    if problem is not None and last.get("is_passing"):
        raise EngineUnavailable(f"{SETTING}: {problem}")
    if problem is not None:
        raise ConfigError(SETTING, problem)
    return last


async def _follow(
    process: asyncio.subprocess.Process,
    doing: str,
    on_progress: ReportProgress,
    on_log: Callable[[str], None],
    stalled_seconds: float,
) -> Event | None:
    """Hand on what the program tells, up to its last event; None where it ended without."""
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    while True:
        try:
            async with asyncio.timeout(stalled_seconds):
                line = await process.stdout.readline()
        except TimeoutError:
            minutes = stalled_seconds / 60
            return {"problem": f"{doing} stood still for {minutes:g} minutes", "is_passing": True}
        if not line:
            return None
        event: Event = json.loads(line)
        if "log" in event:
            on_log(event["log"])
        elif "done" in event:
            on_progress(int(event["done"]), int(event["total"]))
        else:
            return event
