"""Where the terminal's messages come from: somebody who types, a pipe, or a script for a demonstration.

Standard input is read by a thread of its own, since no way of reading it without blocking works for terminals, pipes
and files alike. It is a daemon thread: nothing waits for it at the end, however long it waits for a line.
"""

import asyncio
import codecs
import os
import select
import signal
import sys
import termios
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from importlib import import_module
from typing import Any, Protocol

PROMPT = "You: "
_READ_BYTES = 64 * 1024
_MAX_CHARACTERS = 1 << 18
_LOCAL_MODES = 3  # their place in what termios returns


class Lines(Protocol):
    """A source of messages. What comes from elsewhere than a keyboard has to be echoed."""

    is_interactive: bool

    async def next(self) -> str | None:
        """Wait for the next line; None is the end."""
        ...

    def quiet(self) -> AbstractContextManager[None]:
        """Keep what is typed meanwhile for the next line, unseen: it would stand between an answer's words."""
        ...


class TypedLines:
    """Lines typed at a terminal, with line editing and this session's lines on the arrow keys."""

    is_interactive = True

    def __init__(self) -> None:
        with suppress(ImportError):
            import_module("readline")  # being imported is what gives input() its line editing
        self._settings = termios.tcgetattr(sys.stdin)

    async def next(self) -> str | None:
        """Show the prompt and wait for a line; None is Ctrl-D."""
        try:
            return await _in_daemon_thread(_type_line)
        finally:
            # Whoever leaves while readline still waits finds the terminal as it was.
            self._set(self._settings)

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Don't echo keys. They are left to readline whole: it is what edits the line, and reads Ctrl-D."""
        silent = self._settings.copy()
        silent[_LOCAL_MODES] &= ~(termios.ECHO | termios.ICANON)
        self._set(silent)
        try:
            yield
        finally:
            self._set(self._settings)

    def _set(self, settings: list[Any]) -> None:
        with suppress(termios.error):  # the terminal has gone
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, settings)


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

    def quiet(self) -> AbstractContextManager[None]:
        """Nothing is typed here."""
        return nullcontext()


class ScriptedLines:
    """Lines known beforehand."""

    is_interactive = False

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)

    async def next(self) -> str | None:
        """Return the next line at once."""
        return next(self._lines, None)

    def quiet(self) -> AbstractContextManager[None]:
        """Nothing is typed here."""
        return nullcontext()


def open_standard_input(
    on_waiting: Callable[[], object] = lambda: None, *, waiting_seconds: float = 3.0
) -> TypedLines | PipedLines | None:
    """Find out who is at the other end; None is nobody: no terminal, and not a line in what was piped.

    Waits, blocking, for the first line of a pipe; `on_waiting` is called if that takes longer than `waiting_seconds`.
    """
    if sys.stdin is None or sys.stdin.closed:
        return None
    if sys.stdin.isatty() and sys.stdout.isatty():
        return TypedLines()
    if not select.select([sys.stdin], [], [], waiting_seconds)[0]:
        on_waiting()
    lines = PipedLines(sys.stdin.fileno())
    return lines if lines.peek() is not None else None


def _type_line() -> str | None:
    try:
        return input(PROMPT)
    except EOFError:
        return None


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
