"""What signals ask of the daemon: to end in order, to begin anew, or to say how it is.

SIGTERM, SIGINT and SIGQUIT end it: running answers may finish. The next one of them ends it at once. SIGHUP does the
same where it was started at a terminal, whose window was closed; elsewhere it asks for a fresh start with the settings
of now, answers first. SIGUSR1 and SIGUSR2 ask for a line in the log.
"""

import asyncio
import logging
import os
import signal
from collections.abc import Callable
from typing import NoReturn

log = logging.getLogger(__name__)

STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
ASKING = (signal.SIGUSR1, signal.SIGUSR2)


class Orders:
    """What was asked so far."""

    def __init__(self) -> None:
        self.told = asyncio.Event()
        """A signal came; whatever is being opened needn't be any more."""
        self.stop = asyncio.Event()
        """Answers come to their end, for a signal's sake or another's."""
        self.begins_anew = False
        """After that, the process replaces itself."""


def leave_when_signalled() -> None:
    """Until `listen` is called: end quietly, with exit status 0, where somebody asks for an end before there is a loop.

    Python's own way would be a death by the signal, which some supervisors take for a crash.
    """
    for number in (signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _leave)
    ignore_questions()


def ignore_questions() -> None:
    """Let SIGUSR1 and SIGUSR2 do nothing until there is a state to tell; by default, they would end the process."""
    for number in ASKING:
        signal.signal(number, signal.SIG_IGN)


def answer_questions(state: Callable[[], str]) -> None:
    """From now until the loop is closed, log `state()` at SIGUSR1 and SIGUSR2."""
    for number in ASKING:
        asyncio.get_running_loop().add_signal_handler(number, lambda: log.info("how I am: %s", state()))


def _leave(_number: int, _frame: object) -> NoReturn:
    raise SystemExit(0)


def listen(
    orders: Orders,
    *,
    on_stopping: Callable[[], object],
    why_not_anew: Callable[[], str | None],
    state: Callable[[], str],
    is_at_terminal: bool | None = None,
) -> None:
    """Turn signals into `orders`, from now until the loop is closed.

    Args:
        orders: filled in.
        on_stopping: called at the first signal that ends the process.
        why_not_anew: what is wrong with the settings of now, so that SIGHUP is better ignored.
        state: how the daemon is, in a line.
        is_at_terminal: None looks whether standard input or error is one.
    """
    loop = asyncio.get_running_loop()
    at_terminal = is_at_terminal if is_at_terminal is not None else os.isatty(0) or os.isatty(2)

    def end(number: signal.Signals) -> None:
        log.info("%s: running answers may finish, then I stop; a second signal ends me at once", number.name)
        orders.begins_anew = False
        on_stopping()
        orders.told.set()
        orders.stop.set()
        for each in STOPPING:
            loop.remove_signal_handler(each)
            signal.signal(each, signal.SIG_DFL)

    def begin_anew(number: signal.Signals) -> None:
        if orders.told.is_set():
            log.info("%s: I'm stopping already", number.name)
        elif problem := why_not_anew():
            log.error("%s: I go on as I am, since a fresh start would fail: %s", number.name, problem)
        else:
            log.info("%s: running answers may finish, then I start anew with the settings of now", number.name)
            orders.begins_anew = True
            orders.told.set()
            orders.stop.set()

    def hang_up(number: signal.Signals) -> None:
        if not at_terminal:
            begin_anew(number)
        elif not orders.told.is_set():
            end(number)

    for number in STOPPING:
        loop.add_signal_handler(number, end, number)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup wants it
        loop.add_signal_handler(signal.SIGHUP, hang_up, signal.SIGHUP)
    answer_questions(state)
