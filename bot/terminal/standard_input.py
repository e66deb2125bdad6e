"""Finds out what standard input is: a terminal where somebody types, a pipe or a file, or nothing."""

import select
import sys
from collections.abc import Callable
from pathlib import Path

from bot.terminal.input import Input, PipedInput


def open_standard_input(
    on_waiting: Callable[[], object] = lambda: None,
    *,
    waiting_seconds: float = 3.0,
    history_file: Path | None = None,
    retention_days: int | None = None,
) -> Input | None:
    """Open standard input; None where there is neither a terminal nor a single line in a pipe.

    Waits, blocking, for the first line of a pipe; `on_waiting` is called if that takes longer than `waiting_seconds`.
    What is typed at a terminal is kept in `history_file` for the next start, `retention_days` at most.
    """
    if sys.stdin is None or sys.stdin.closed:
        return None
    if sys.stdin.isatty() and sys.stdout.isatty():
        from bot.terminal.keyboard import open_keyboard  # noqa: PLC0415 - a pipe needs no line editing

        return open_keyboard(history_file, retention_days)
    if not select.select([sys.stdin], [], [], waiting_seconds)[0]:
        on_waiting()
    piped = PipedInput(sys.stdin.fileno())
    return piped if piped.peek() is not None else None
