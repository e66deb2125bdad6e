"""What a process takes from outside without being handed it: time, chance and threads. Here one seed gives them all.

`install` is called before anything of Trinity is imported, in a process that does nothing but simulate: what reads a
clock, draws a number or starts a thread from then on does so in the simulation that runs.
"""

import datetime as datetime_module
import random
import secrets
import threading
import time
from collections.abc import Callable
from typing import Any

BEGINNING = 1_790_000_000.0
"""When each simulation begins, by the wall clock: a day in September 2026."""
_RealDatetime = datetime_module.datetime
_RealThread = threading.Thread
real_process_time = time.process_time
real_monotonic = time.monotonic


class Universe:
    """The simulation that runs: its clocks and its chance."""

    def __init__(self) -> None:
        self.chance = random.Random(0)
        self.elapsed: Callable[[], float] = lambda: 0.0
        """Seconds since the beginning, by which the event loop goes."""
        self.wall_offset = 0.0
        """How wrong the machine's wall clock is."""
        self.start_thread: Callable[[Callable[[], None]], None] = lambda work: work()

    def begin(self, seed: int, elapsed: Callable[[], float]) -> None:
        """Begin anew: whatever is drawn from now on follows from the seed."""
        self.chance = random.Random(f"universe {seed}")
        random.seed(f"library {seed}")
        self.elapsed = elapsed
        self.wall_offset = 0.0

    @property
    def true_time(self) -> float:
        """The time of day as it is, and as Discord has it."""
        return BEGINNING + self.elapsed()


universe = Universe()


def install() -> None:
    """Have clocks, chance and threads of this process come out of `universe`."""
    time.monotonic = time.perf_counter = lambda: 1000.0 + universe.elapsed()
    time.time = lambda: universe.true_time + universe.wall_offset
    time.monotonic_ns = time.perf_counter_ns = lambda: int(1e9 * time.monotonic())
    time.time_ns = lambda: int(1e9 * time.time())
    datetime_module.datetime = _Datetime  # type: ignore[misc]
    threading.Thread = _Thread  # type: ignore[misc]
    secrets.randbits, secrets.randbelow, secrets.token_bytes = _randbits, _randbelow, _token_bytes


def _randbits(k: int) -> int:
    return universe.chance.getrandbits(k)


def _randbelow(exclusive_upper_bound: int) -> int:
    return universe.chance.randrange(exclusive_upper_bound)


def _token_bytes(nbytes: int | None = None) -> bytes:
    return universe.chance.randbytes(nbytes or 32)


class _Clocked(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _RealDatetime)

    def __subclasscheck__(cls, other: type) -> bool:
        return issubclass(other, _RealDatetime)


class _Datetime(_RealDatetime, metaclass=_Clocked):
    """`datetime` whose present is the simulation's; all it makes are plain datetimes."""

    def __new__(cls, *arguments: Any, **named: Any) -> Any:
        return _RealDatetime(*arguments, **named)

    @classmethod
    def now(cls, tz: datetime_module.tzinfo | None = None) -> Any:
        return _RealDatetime.fromtimestamp(time.time(), tz)

    @classmethod
    def today(cls) -> Any:
        return cls.now()

    @classmethod
    def utcnow(cls) -> Any:
        return cls.now(datetime_module.UTC).replace(tzinfo=None)

    @classmethod
    def fromtimestamp(cls, *arguments: Any, **named: Any) -> Any:
        return _RealDatetime.fromtimestamp(*arguments, **named)

    @classmethod
    def fromisoformat(cls, text: str) -> Any:
        return _RealDatetime.fromisoformat(text)

    @classmethod
    def strptime(cls, *arguments: Any) -> Any:
        return _RealDatetime.strptime(*arguments)

    @classmethod
    def combine(cls, *arguments: Any, **named: Any) -> Any:
        return _RealDatetime.combine(*arguments, **named)


class _Thread(_RealThread):
    """A thread that runs on the event loop, all of it at one moment: there is nothing that it could race with."""

    def start(self) -> None:
        universe.start_thread(self.run)

    def is_alive(self) -> bool:
        return False

    def join(self, timeout: float | None = None) -> None:
        pass
