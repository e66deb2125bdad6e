"""How long a step has been under way."""

from bot.inference.worker import Watchdog


class Clock:
    def __init__(self) -> None:
        self.now = 5.0

    def __call__(self) -> float:
        return self.now


def test_step_is_overdue_once_it_takes_longer_than_it_may() -> None:
    clock = Clock()
    watchdog = Watchdog(30, clock=clock)

    with watchdog.watch():
        clock.now += 30
        assert not watchdog.is_overdue
        clock.now += 1
        assert watchdog.is_overdue


def test_waiting_for_work_is_never_overdue() -> None:
    clock = Clock()
    watchdog = Watchdog(30, clock=clock)
    with watchdog.watch():
        pass

    clock.now += 1000

    assert not watchdog.is_overdue
