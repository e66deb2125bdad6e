"""Where the terminal's messages come from: somebody who types (`keyboard`), a pipe, or a script for a demonstration.

A pipe or a file is read by a thread of its own, since no way of reading without blocking works for both alike. It is a
daemon thread: nothing waits for it at the end, however long it waits for a line.
"""

import codecs
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from bot.tasks import in_daemon_thread

PROMPT = "You: "
_READ_BYTES = 64 * 1024
_MAX_CHARACTERS = 1 << 18


class Input(Protocol):
    """A source of messages. Those that nobody typed have to be echoed."""

    is_interactive: bool

    async def next(self) -> str | None:
        """Wait for the next line; None is the end."""
        ...

    def opened(self) -> AbstractContextManager[None]:
        """Use the source until the end of the block, which restores the terminal's modes."""
        ...

    def quiet(self, stop: Callable[[], None], leave: Callable[[], None]) -> AbstractContextManager[None]:
        """Keep what is typed during the block for the next line, without echo: it would appear inside an answer.

        Args:
            stop: called when Ctrl-C is pressed.
            leave: called when Ctrl-backslash was pressed or the terminal has gone.
        """
        ...

    def forget(self) -> None:
        """Delete the lines so far, which the arrow keys would show."""
        ...


class PipedInput:
    """Each line of a pipe or a file, blank ones left out."""

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
        if self._peeked:
            return self._peeked.pop()
        return await in_daemon_thread(lambda: _read_without_interrupt(self._lines), name="standard input")

    def opened(self) -> AbstractContextManager[None]:
        return nullcontext()  # there is nothing to restore

    def quiet(self, stop: Callable[[], None], leave: Callable[[], None]) -> AbstractContextManager[None]:  # noqa: ARG002
        return nullcontext()  # nothing is typed here

    def forget(self) -> None:
        """Nothing is kept."""


class ScriptedInput:
    """Lines known beforehand."""

    is_interactive = False

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)

    async def next(self) -> str | None:
        return next(self._lines, None)

    def opened(self) -> AbstractContextManager[None]:
        return nullcontext()  # there is nothing to restore

    def quiet(self, stop: Callable[[], None], leave: Callable[[], None]) -> AbstractContextManager[None]:  # noqa: ARG002
        return nullcontext()  # nothing is typed here

    def forget(self) -> None:
        """Nothing is kept."""


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


def _read_without_interrupt(lines: Iterator[str]) -> str | None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # Ctrl-C is for the event loop's thread
    return next(lines, None)
