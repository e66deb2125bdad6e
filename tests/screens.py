"""A terminal for tests: a program on one end of a pty, and on the other a keyboard and a screen that can be read."""

import fcntl
import multiprocessing
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pyte

ROOT = Path(__file__).parents[1]
LIMIT_SECONDS = 60.0
"""Ten times and more of what anything here takes on a quiet machine."""
# The program becomes the one that the terminal sends its signals to, as a login's shell is.
_OWNER = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])"


class Terminal:
    """Keyboard and screen of a running program."""

    def __init__(self) -> None:
        self._descriptor, self._theirs = pty.openpty()
        fcntl.ioctl(self._theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))
        self.process_id = 0
        self.name = os.ttyname(self._theirs)
        self.modes_before = self.modes
        self._screen = pyte.Screen(80, 40)
        self._stream = pyte.ByteStream(self._screen)
        self.is_frozen = False
        """Whether it takes no more of what is written to it."""
        self.written = b""
        """Everything that was written to the screen, with what steers it."""

    @property
    def modes(self) -> list:
        return termios.tcgetattr(self._theirs)

    @property
    def lines(self) -> list[str]:
        """What stands on the screen, without blank lines at its end."""
        return "\n".join(line.rstrip() for line in self._screen.display).rstrip("\n").split("\n")

    def press(self, keys: str | bytes) -> None:
        os.write(self._descriptor, keys.encode() if isinstance(keys, str) else keys)

    def paste(self, text: str) -> None:
        """As a terminal does it that was asked to mark what is pasted: line ends are what Enter sends."""
        self.press("\x1b[200~" + text.replace("\n", "\r") + "\x1b[201~")

    def resize(self, columns: int) -> None:
        self._screen.resize(40, columns)
        fcntl.ioctl(self._theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        self.send(signal.SIGWINCH)

    def wait_for(self, pattern: str) -> None:
        """Wait until the pattern is found in the screen's lines."""
        self.wait_until(lambda: bool(re.search(pattern, "\n".join(self.lines), re.MULTILINE)), pattern)

    def wait_until(self, is_so: Callable[[], bool], wanted: str = "") -> None:
        until = time.monotonic() + LIMIT_SECONDS
        while not is_so():
            assert time.monotonic() < until, f"waited in vain {wanted!r}: {self.lines}"
            self._read()
        self._read()

    def send(self, number: signal.Signals) -> None:
        os.kill(self.process_id, number)

    def close_window(self) -> None:
        if self._descriptor >= 0:
            os.close(self._theirs)
            os.close(self._descriptor)
            self._descriptor = self._theirs = -1

    def freeze(self) -> None:
        """Read no more, and wait until the program can write no more."""
        self.is_frozen = True
        self.wait_until(lambda: select.select([], [self._theirs], [], 0)[1] == [], "a full terminal")

    def _read(self) -> None:
        if self._descriptor < 0 or self.is_frozen:
            time.sleep(0.01)
        elif select.select([self._descriptor], [], [], 0.02)[0]:
            with suppress(OSError):
                content = os.read(self._descriptor, 65536)
                self.written += content
                self._stream.feed(content)


@contextmanager
def terminal_with(*command: str, **environ: str) -> Iterator[Terminal]:
    """Run a command in a terminal of its own, until the end of the block."""
    terminal = Terminal()
    with (
        os.fdopen(os.open(terminal.name, os.O_RDWR | os.O_NOCTTY), "r+b", buffering=0) as device,
        subprocess.Popen(
            [sys.executable, "-c", _OWNER, *command],
            env=_environment(environ),
            stdin=device,
            stdout=device,
            stderr=device,
            start_new_session=True,
        ) as process,
    ):
        terminal.process_id = process.pid
        try:
            yield terminal
        finally:
            terminal.close_window()
            process.kill()


@contextmanager
def terminal_for(function: Callable[..., None], *arguments: object, **environ: str) -> Iterator[Terminal]:
    """Run a function of a module in a terminal of its own, in a process forked where its imports are done already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([function.__module__, "bot.terminal.keyboard", "pyte"])
    terminal = Terminal()
    process = context.Process(target=_run, args=(terminal.name, _environment(environ), function, arguments))
    process.start()
    terminal.process_id = process.pid
    terminal.wait_for_end = lambda: terminal.wait_until(lambda: process.exitcode is not None) or process.exitcode
    try:
        yield terminal
    finally:
        terminal.close_window()
        process.kill()
        process.join()
        process.close()


def _environment(changes: dict[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TRINITY_", "COV_"))}
    return kept | {"TERM": "xterm-256color", "PYTHONPATH": str(ROOT)} | changes


def _run(name: str, environ: dict[str, str], function: Callable[..., None], arguments: tuple[object, ...]) -> None:
    os.setsid()
    device = os.open(name, os.O_RDWR)  # the first that a session's leader opens is the session's terminal
    for descriptor in (0, 1, 2):
        os.dup2(device, descriptor)
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115
    os.environ.clear()
    os.environ.update(environ)
    function(*arguments)
