"""Replaces this process by a fresh one, for failures that can't be repaired inside it: a lost GPU, a hung step.

`exec` keeps the process id, so a supervisor, a container or a terminal sees no restart; it ends every thread, even a
hung one. The past restarts travel in an environment variable, as readings of the monotonic clock, which goes on across
an `exec`. Pauses grow, and a process that was lost `MAX_RESTARTS` times within `WINDOW_SECONDS` gives up.
"""

import logging
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn

from bot.errors import EngineFailed

log = logging.getLogger(__name__)

# No setting: its name must not begin like one, since unknown settings are refused at the next start.
RESTARTS_VARIABLE = "_TRINITY_RESTARTS"
MAX_RESTARTS = 5
WINDOW_SECONDS = 600.0
PAUSES_SECONDS = (1.0, 2.0, 5.0, 15.0, 30.0)
"""Before the first, second, ... restart within the window."""

Execute = Callable[[str, list[str], dict[str, str]], NoReturn]


def past_restarts(environ: Mapping[str, str], now: float) -> list[float]:
    """When this process was restarted within the window, oldest first; what can't be read counts as never."""
    moments = []
    for field in environ.get(RESTARTS_VARIABLE, "").split(","):
        try:
            moment = float(field)
        except ValueError:
            continue
        if 0 <= now - moment < WINDOW_SECONDS:
            moments.append(moment)
    return sorted(moments)


def reexecute(
    reason: BaseException,
    *,
    environ: Mapping[str, str] = os.environ,
    pauses_seconds: Sequence[float] = PAUSES_SECONDS,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    execute: Execute = os.execve,
) -> NoReturn:
    """Start this program again in this process, after a pause. Call it when everything else is closed.

    Args:
        reason: what was lost.
        environ: what the new process gets, the restarts added.
        pauses_seconds: before the first, second, ... restart within the window.
        clock: monotonic, and the same for all processes since the machine's start.
        sleep: waits.
        execute: replaces the process; `os.execve`.

    Raises:
        EngineFailed: this was tried too often within the window; exit status 70.
    """
    restarts = past_restarts(environ, clock())
    if len(restarts) >= MAX_RESTARTS:
        minutes = WINDOW_SECONDS / 60
        raise EngineFailed(f"Gave up after {len(restarts)} restarts within {minutes:g} minutes: {reason}") from reason
    pause_seconds = pauses_seconds[min(len(restarts), len(pauses_seconds) - 1)]
    log.error("%s; starting again in %g s (restart %d)", reason, pause_seconds, len(restarts) + 1)
    sleep(pause_seconds)
    restarts = [*restarts, clock()]
    _replace({**environ, RESTARTS_VARIABLE: ",".join(f"{moment:.3f}" for moment in restarts)}, execute=execute)


def _replace(environ: Mapping[str, str], *, execute: Execute) -> NoReturn:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()  # an `exec` throws away what isn't written
    execute(sys.executable, [sys.executable, *sys.orig_argv[1:]], dict(environ))
