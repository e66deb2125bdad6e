"""Where the terminal's messages come from: somebody who types (`keyboard`), a pipe, or a script for a demonstration.

A pipe or a file is read by a thread of its own, since no way of reading without blocking works for both alike. It is a
daemon thread: nothing waits for it at the end, however long it waits for a line.
"""

import asyncio
import codecs
import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import Protocol

PROMPT = "You: "
_READ_BYTES = 64 * 1024
_MAX_CHARACTERS = 1 << 18


class Lines(Protocol):
    """A source of messages. What comes from elsewhere than a keyboard has to be echoed."""

    is_interactive: bool

    async def next(self) -> str | None:
        """Wait for the next line; None is the end."""
        ...

    def opened(self) -> AbstractContextManager[None]:
        """Have the source until the end of the block; a terminal is given back as it was found."""
        ...

    def quiet(self, stop: Callable[[], None], leave: Callable[[], None]) -> AbstractContextManager[None]:
        """Keep what is typed meanwhile for the next line, unseen: it would stand between an answer's words.

        Args:
            stop: called when Ctrl-C is pressed.
            leave: called when there is no more to wait for: Ctrl-backslash was pressed, or the terminal has gone.
        """
        ...

    def forget(self) -> None:
        """Keep none of the lines so far, such as for the arrow keys."""
        ...


class PipedLines:
    """Lines of a pipe or a file, as they come; blank ones are passed over."""

    is_interactive = False

    def __init__(self, descriptor: int) -> None:
        self._lines = (line for line in _read_lines(descriptor) if line.strip())
        self._peeked: list[str | None] = []

    def peek(self) -> str | None:
        """Wait, blocking, for the first line without taking it; None is the end."""
        if not self._peeked:
            self._peeked.append(next(self._lines, None))
        return self._peeked[0]

    async def next(self) -> str | None:
        """Wait for the next line."""
        if self._peeked:
            return self._peeked.pop()
        return await _in_daemon_thread(lambda: next(self._lines, None))

    def opened(self) -> AbstractContextManager[None]:
        """There is nothing to give back."""
        return nullcontext()

    def quiet(self, stop: Callable[[], None], leave: Callable[[], None]) -> AbstractContextManager[None]:  # noqa: ARG002
        """Nothing is typed here."""
        return nullcontext()

    def forget(self) -> None:
        """Nothing is kept."""


class ScriptedLines:
    """Lines known beforehand."""

    is_interactive = False

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)

    async def next(self) -> str | None:
        """Return the next line at once."""
        return next(self._lines, None)

    def opened(self) -> AbstractContextManager[None]:
        """There is nothing to give back."""
        return nullcontext()

    def quiet(self, stop: Callable[[], None], leave: Callable[[], None]) -> AbstractContextManager[None]:  # noqa: ARG002
        """Nothing is typed here."""
        return nullcontext()

    def forget(self) -> None:
        """Nothing is kept."""


def open_standard_input(
    on_waiting: Callable[[], object] = lambda: None,
    *,
    waiting_seconds: float = 3.0,
    history_file: Path | None = None,
    retention_days: int | None = None,
) -> Lines | None:
    """Find out who is at the other end; None is nobody: no terminal, and not a line in what was piped.

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
    lines = PipedLines(sys.stdin.fileno())
    return lines if lines.peek() is not None else None


def _read_lines(descriptor: int) -> Iterator[str]:
    # A line that has no end must not take all memory; one this long is refused further on in any case.
    # os.read and not sys.stdin: a thread that waits inside sys.stdin makes the interpreter abort when it ends.
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    rest = ""
    while content := _read(descriptor):
        *lines, rest = (rest + decoder.decode(content)).split("\n")
        yield from lines
        rest = rest[:_MAX_CHARACTERS]
    rest += decoder.decode(b"", final=True)
    if rest:
        yield rest


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, _READ_BYTES)
    except OSError:  # closed, a folder, or the terminal has gone
        return b""


async def _in_daemon_thread(function: Callable[[], str | None]) -> str | None:
    loop = asyncio.get_running_loop()
    line: asyncio.Future[str | None] = loop.create_future()

    def settle(outcome: str | None, error: Exception | None) -> None:
        if line.done():
            return
        if error is None:
            line.set_result(outcome)
        else:
            line.set_exception(error)

    def run() -> None:
        # Ctrl-C is for the event loop's thread.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        outcome, caught = None, None
        try:
            outcome = function()
        except Exception as error:  # handed on to whoever waits
            caught = error
        with suppress(RuntimeError):  # the loop was closed meanwhile
            loop.call_soon_threadsafe(settle, outcome, caught)

    threading.Thread(target=run, name="standard input", daemon=True).start()
    return await line
