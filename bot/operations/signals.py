"""What the daemon does at a signal: shut down, read its settings anew, or log its status.

SIGTERM, SIGINT and SIGQUIT end it: running answers may finish, and a second such signal ends it at once. SIGHUP does
the same where it was started at a terminal, whose window was closed; elsewhere it has the settings read
anew. So does SIGUSR2 everywhere, which `trinity reload` sends. SIGUSR1 logs the status in one line.
"""

import asyncio
import logging
import os
import signal
from collections.abc import Callable
from typing import NoReturn

log = logging.getLogger(__name__)

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
STATUS_SIGNAL = signal.SIGUSR1
RELOAD_SIGNAL = signal.SIGUSR2
"""Means a reload and nothing else: SIGHUP ends what was started at a terminal, and nohup has it ignored."""


class StopRequest:
    """Whether the process was asked to stop."""

    def __init__(self) -> None:
        self.signalled = asyncio.Event()
        """A signal came; opening parts may be given up."""
        self.stop = asyncio.Event()
        """Set by a signal, or because the engine is lost: no new answers, and the running ones finish."""


def exit_when_signalled(*, is_at_terminal: bool | None = None) -> None:
    """Exit with status 0 at a signal that comes before `handle_signals` is called, while there is no event loop.

    By default the signal would kill the process, which some supervisors take for a crash. A SIGHUP that has the
    settings read anew has nothing to do yet, and ends nothing.
    """
    on_hang_up = _exit if _is_at_terminal(is_at_terminal) else _let_pass
    for number, action in ((signal.SIGTERM, _exit), (signal.SIGQUIT, _exit), (signal.SIGHUP, on_hang_up)):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, action)
    ignore_user_signals()


def ignore_user_signals() -> None:
    """Ignore SIGUSR1 and SIGUSR2 until there is somebody to heed them; by default, they would end the process."""
    for number in (STATUS_SIGNAL, RELOAD_SIGNAL):
        signal.signal(number, signal.SIG_IGN)


def report_status_on_signal(status: Callable[[], str]) -> None:
    """From now until the loop is closed, log `status()` at SIGUSR1."""
    asyncio.get_running_loop().add_signal_handler(STATUS_SIGNAL, lambda: log.info("how I am: %s", status()))


def _exit(_number: int, _frame: object) -> NoReturn:
    raise SystemExit(0)


def _let_pass(_number: int, _frame: object) -> None:
    log.warning("SIGHUP: I'm only starting, with the settings as they were a moment ago")


def _is_at_terminal(is_said: bool | None) -> bool:
    return is_said if is_said is not None else os.isatty(0) or os.isatty(2)


def handle_signals(
    stop_request: StopRequest,
    *,
    on_stopping: Callable[[], object],
    on_reload: Callable[[], object],
    status: Callable[[], str],
    is_at_terminal: bool | None = None,
) -> None:
    """Handle signals from now until the loop is closed.

    Args:
        stop_request: what a signal asked for is noted in it.
        on_stopping: called at the first signal that ends the process.
        on_reload: called at SIGUSR2, and at SIGHUP unless a terminal's window was closed.
        status: the status in one line.
        is_at_terminal: None looks whether standard input or error is one.
    """
    loop = asyncio.get_running_loop()
    at_terminal = _is_at_terminal(is_at_terminal)

    def end(number: signal.Signals) -> None:
        log.info("%s: running answers may finish, then I stop; a second signal ends me at once", number.name)
        on_stopping()
        stop_request.signalled.set()
        stop_request.stop.set()
        for each in STOP_SIGNALS:
            loop.remove_signal_handler(each)
            signal.signal(each, signal.SIG_DFL)

    def hang_up_or_reload(number: signal.Signals) -> None:
        if stop_request.signalled.is_set():
            log.info("%s: I'm stopping already", number.name)
        elif at_terminal and number == signal.SIGHUP:
            end(number)
        else:
            on_reload()

    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, end, number)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup wants it
        loop.add_signal_handler(signal.SIGHUP, hang_up_or_reload, signal.SIGHUP)
    loop.add_signal_handler(RELOAD_SIGNAL, hang_up_or_reload, RELOAD_SIGNAL)
    report_status_on_signal(status)
