"""The three standard streams, made fit to use whatever the process was started with."""

import io
import os
import select
import sys
import threading
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import TextIO


def mend_standard_streams() -> None:
    """Open what was closed, and let a terminal that lacks a letter show "?" for it."""
    if sys.stdin is None:  # else the next file to be opened would become standard input
        os.open(os.devnull, os.O_RDONLY)
    sys.stdout = sys.stdout or _nowhere()
    sys.stderr = sys.stderr or _nowhere()
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def forsake_standard_streams(descriptors: Sequence[int] = (0, 1, 2)) -> None:
    """Let what is still written go nowhere: whoever could read it has left."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in descriptors:
        os.dup2(nowhere, descriptor)
    os.close(nowhere)


def has_lost_its_reader(stream: TextIO) -> bool:
    """Whether `stream` is a pipe that nobody reads any more, as `head` leaves one behind."""
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError, AttributeError):  # a stand-in, or closed
        return False
    poll = select.poll()
    poll.register(descriptor, 0)
    return any(events & select.POLLERR for _, events in poll.poll(0))


def write_past_buffers(stream: TextIO, text: str) -> None:
    """Write `text` to what `stream` leads to, and wait as long as that takes.

    Nothing of Python's is held meanwhile: a thread that waits in here for a reader stops neither another write nor the
    end of the process.

    Raises:
        OSError, ValueError: nobody reads any more, the disk is full, the stream is closed.
    """
    try:
        descriptor = stream.fileno()
    except (io.UnsupportedOperation, AttributeError):  # a stand-in, as tests have
        stream.write(text)
        stream.flush()
        return
    errors = "replace" if stream.errors == "replace" else "backslashreplace"  # no letter may cost the whole text
    rest = memoryview(text.encode(stream.encoding or "utf-8", errors))
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:  # somebody who shares the terminal has set it so
            _wait_until_writable(descriptor)


def write_within(stream: TextIO, text: str, seconds: float) -> bool:
    """Write `text` unless that takes longer than `seconds`; False where nobody reads it."""
    is_written = threading.Event()

    def write() -> None:
        try:
            write_past_buffers(stream, text)
        except (OSError, ValueError):
            return
        is_written.set()

    writing = threading.Thread(target=write, name="last words", daemon=True)
    writing.start()
    writing.join(seconds)
    return is_written.is_set()


def _wait_until_writable(descriptor: int) -> None:
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    poll.poll(1000)


def _nowhere() -> TextIOWrapper:
    return Path(os.devnull).open("w", encoding="utf-8")
