"""What a process costs and how long its event loop stands still, written to a file that another process reads."""

import asyncio
import contextlib
import json
import os
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

SAMPLE_SECONDS = 0.01
WRITE_SECONDS = 0.5


@dataclass(slots=True)
class Reading:
    """`max_lag_seconds` is the longest that the loop was late, `max_busy_seconds` the most CPU time between two turns.

    The lag holds what other processes took; the CPU time is this process's own.
    """

    resident_mib: float = 0.0
    num_files: int = 0
    num_threads: int = 0
    num_tasks: int = 0
    max_lag_seconds: float = 0.0
    max_busy_seconds: float = 0.0


def read_costs() -> Reading:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return Reading(
        resident_mib=pages * os.sysconf("SC_PAGE_SIZE") / 2**20,
        num_files=len(os.listdir("/proc/self/fd")),  # noqa: PTH208 - only the number counts
        num_threads=threading.active_count(),
        num_tasks=len(asyncio.all_tasks()),
    )


class Gauges:
    """Measures from its beginning to its end, twice a second into `file`."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lag = self._busy = 0.0

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._measure())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._write()

    async def _measure(self) -> None:
        write_at = 0.0
        while True:
            before, spent = time.monotonic(), time.thread_time()
            await asyncio.sleep(SAMPLE_SECONDS)
            self._lag = max(self._lag, time.monotonic() - before - SAMPLE_SECONDS)
            self._busy = max(self._busy, time.thread_time() - spent)
            if time.monotonic() > write_at:
                self._write()
                write_at = time.monotonic() + WRITE_SECONDS

    def _write(self) -> None:
        reading = read_costs()
        reading.max_lag_seconds, reading.max_busy_seconds = self._lag, self._busy
        self._lag = self._busy = 0.0
        scratch = self._file.with_suffix(".new")
        scratch.write_text(json.dumps(asdict(reading)))
        scratch.replace(self._file)
