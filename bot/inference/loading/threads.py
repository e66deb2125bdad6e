"""How many threads a model on the CPU is computed by: one for a small model, the physical cores for a large one.

Every operation is shared out among the threads and waits for the slowest. An operation of a small model takes less
time than a thread waits for its turn on a busy machine, so that a second thread makes it slower, not faster.
"""

import logging
import os
from pathlib import Path

import torch

log = logging.getLogger(__name__)

SMALL_MODEL_PARAMETERS = 200_000_000
"""Below this a decode step's operations take well under a millisecond each on one core."""
_CHOSEN_BY_OTHERS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
_CPUS = Path("/sys/devices/system/cpu")
_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def settle_threads(num_parameters: int) -> None:
    """Let torch use as many threads as suit a model of that size, unless the environment says how many."""
    if any(os.environ.get(name) for name in _CHOSEN_BY_OTHERS):
        return
    num_threads = choose_num_threads(num_parameters, count_cores())
    torch.set_num_threads(num_threads)
    log.info("computing on the CPU with %d threads (OMP_NUM_THREADS sets another number)", num_threads)


def choose_num_threads(num_parameters: int, num_cores: int) -> int:
    """One thread for a small model, and a thread a core for any other."""
    return 1 if num_parameters < SMALL_MODEL_PARAMETERS else max(num_cores, 1)


def count_cores(cpus: Path = _CPUS, quota: Path = _QUOTA) -> int:
    """The physical cores that this process may run on: two hardware threads of a core share its arithmetic.

    A container's share of the machine's time (`docker run --cpus`) counts as so many cores.
    """
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))
    cores = {_read(cpus / f"cpu{number}/topology/thread_siblings_list") or str(number) for number in allowed}
    return min(len(cores), _whole_cores(_read(quota)) or len(cores))


def _whole_cores(limit: str) -> int:
    """What cgroup's cpu.max allows, rounded up ("150000 100000" is one and a half); 0 is no limit."""
    time, _, period = limit.partition(" ")
    if not time.isdecimal() or not period.isdecimal() or int(period) == 0:
        return 0
    return max(-(-int(time) // int(period)), 1)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""
