"""Lines typed at a terminal: prompt_toolkit edits them, and the terminal's modes are restored at the end.

From the first prompt to the end the terminal stays in prompt_toolkit's raw mode, also while an answer is shown: Ctrl-C,
Ctrl-Z and Ctrl-backslash are keys then and reach this program alone, not `make` above it. What is typed in an answer
is read at once, kept unseen, and is the beginning of the next line. A terminal that can't place its cursor (TERM=dumb)
is left to edit its lines itself.
"""

import asyncio
import codecs
import os
import select
import signal
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from prompt_toolkit import PromptSession
from prompt_toolkit.input.posix_utils import PosixStdinReader
from prompt_toolkit.input.typeahead import store_typeahead
from prompt_toolkit.input.vt100 import Vt100Input
from prompt_toolkit.key_binding import KeyBindings, KeyPress, KeyPressEvent
from prompt_toolkit.keys import Keys
from prompt_toolkit.output import Output
from prompt_toolkit.output.vt100 import Vt100_Output

from bot.terminal.input import PROMPT, PipedInput
from bot.terminal.line_history import LineHistory

_LOCAL_MODES = 3  # their place in what termios returns
_DUMB = ("", "dumb", "unknown")


class _LeaveRequested(Exception):
    """Ctrl-backslash was pressed: leave, whatever is typed."""


class _Terminal:
    """The modes of the terminal on a descriptor, and what has to happen when this process is stopped or continued."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._found = termios.tcgetattr(descriptor)
        self._wanted = self._found
        self.on_stop: Callable[[], None] = lambda: None
        self.on_continue: Callable[[], None] = lambda: None

    @contextmanager
    def controlled(self) -> Iterator[None]:
        """Handle the signals that stop and continue the process; restore the modes at the end."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTSTP, self.stop)
        loop.add_signal_handler(signal.SIGCONT, self._continue)
        try:
            yield
        finally:
            loop.remove_signal_handler(signal.SIGTSTP)
            loop.remove_signal_handler(signal.SIGCONT)
            self._set(self._found)

    def keep_modes(self) -> None:
        """Remember the modes set now as those that this program needs."""
        with suppress(termios.error):
            self._wanted = termios.tcgetattr(self._descriptor)

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Echo no key."""
        before, self._wanted = self._wanted, [*self._wanted]
        self._wanted[_LOCAL_MODES] &= ~termios.ECHO
        self._set(self._wanted)
        try:
            yield
        finally:
            self._wanted = before
            self._set(before)

    def stop(self, *, is_key: bool = False) -> None:
        """Restore the modes and stop, as Ctrl-Z does; returns when continued. A key stops the whole job."""
        self.on_stop()
        self._set(self._found)
        loop = asyncio.get_running_loop()
        # By default SIGTSTP stops the process, unless no shell could continue it, and SIGCONT only continues it:
        # a handler would run later and show the prompt twice.
        loop.remove_signal_handler(signal.SIGTSTP)
        loop.remove_signal_handler(signal.SIGCONT)
        os.kill(0 if is_key else os.getpid(), signal.SIGTSTP)
        loop.add_signal_handler(signal.SIGTSTP, self.stop)
        loop.add_signal_handler(signal.SIGCONT, self._continue)
        self._continue()

    def _continue(self) -> None:
        # Another program may have changed the modes meanwhile.
        self._set(self._wanted)
        self.on_continue()

    def _set(self, modes: "list[int | list[bytes | int]]") -> None:
        # Not TCSADRAIN: where the terminal takes no more, Linux would wait in there, and no signal would end that.
        with suppress(termios.error):  # the terminal has gone
            termios.tcsetattr(self._descriptor, termios.TCSANOW, modes)


class KeyboardInput:
    """Lines typed at a terminal, with line editing, lines pasted as one, and earlier ones on the arrow keys."""

    is_interactive = True

    def __init__(self, history: LineHistory) -> None:
        self._history = history
        self._terminal = _Terminal(sys.stdin.fileno())
        self._terminal.on_stop, self._terminal.on_continue = self._hide_prompt, self._show_prompt
        self._keyboard = _Keyboard(sys.stdin)
        self._screen: Output = _screen()
        self._prompt: PromptSession[str] = PromptSession(
            PROMPT,
            input=self._keyboard,
            output=self._screen,
            history=history,
            key_bindings=self._keys(),
            prompt_continuation=" " * len(PROMPT),
            reserve_space_for_menu=0,
        )

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Use the terminal until the end of the block."""
        with self._terminal.controlled(), self._keyboard.raw_mode():
            self._terminal.keep_modes()
            yield

    async def next(self) -> str | None:
        """Show the prompt and wait for a line, or several pasted ones; None is Ctrl-D, Ctrl-C, or a closed terminal."""
        try:
            line = await self._prompt.prompt_async(handle_sigint=False, set_exception_handler=False)
        except (EOFError, KeyboardInterrupt, _LeaveRequested, OSError):
            return None
        return line.encode("utf-8", "surrogateescape").decode("utf-8", "replace")  # bytes that are no letters

    @contextmanager
    def quiet(self, stop: Callable[[], None], leave: Callable[[], None]) -> Iterator[None]:
        """Keep what is typed for the next line, without echo. Ctrl-C stops; Ctrl-backslash or a lost terminal leave."""
        kept: list[KeyPress] = []
        calls: dict[Keys | str, Callable[[], None]] = {
            Keys.ControlC: stop,
            Keys.ControlBackslash: leave,
            Keys.ControlZ: lambda: self._terminal.stop(is_key=True),
        }

        def read() -> None:
            for press in self._keyboard.read_keys():
                if call := calls.get(press.key):
                    call()
                else:
                    kept.append(press)
            if self._keyboard.closed:
                leave()

        self._accept_pasting()
        try:
            with self._keyboard.attach(read):
                yield
        finally:
            store_typeahead(self._keyboard, kept)

    def forget(self) -> None:
        """Delete the lines that were typed so far."""
        self._history.forget()

    def _keys(self) -> KeyBindings:
        keys = KeyBindings()

        @keys.add("c-z")
        def _(_event: KeyPressEvent) -> None:
            self._terminal.stop(is_key=True)

        @keys.add("c-\\")
        def _(event: KeyPressEvent) -> None:
            event.app.exit(exception=_LeaveRequested())

        @keys.add("escape", "enter")
        def _(event: KeyPressEvent) -> None:
            event.current_buffer.insert_text("\n")

        return keys

    def _accept_pasting(self) -> None:
        """Ask the terminal to mark what is pasted, which prompt_toolkit does for the time of a prompt only."""
        with suppress(OSError):
            self._screen.enable_bracketed_paste()
            self._screen.flush()

    def _hide_prompt(self) -> None:
        with suppress(OSError):
            if self._prompt.app.is_running:
                self._prompt.app.renderer.erase()
            self._screen.disable_bracketed_paste()
            self._screen.flush()

    def _show_prompt(self) -> None:
        if self._prompt.app.is_running:
            self._prompt.app.renderer.reset()
            self._prompt.app.invalidate()
        else:
            self._accept_pasting()


class PlainKeyboardInput(PipedInput):
    """Lines typed at a terminal that edits them itself."""

    is_interactive = True

    def __init__(self) -> None:
        super().__init__(sys.stdin.fileno())
        self._terminal = _Terminal(sys.stdin.fileno())

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Use the terminal until the end of the block."""
        with self._terminal.controlled():
            yield

    async def next(self) -> str | None:
        """Show the prompt and wait for a line; None is Ctrl-D, or a closed terminal."""
        try:
            sys.stdout.write(PROMPT)
            sys.stdout.flush()
        except OSError:
            return None
        return await super().next()

    @contextmanager
    def quiet(self, stop: Callable[[], None], leave: Callable[[], None]) -> Iterator[None]:  # noqa: ARG002 - signals come
        """Leave what is typed to the next line, without echo."""
        with self._terminal.silent():
            yield


def open_keyboard(history_file: Path | None, retention_days: int | None) -> KeyboardInput | PlainKeyboardInput:
    """Read lines in the way that this terminal supports; without a file, they are kept until the end only."""
    if os.environ.get("TERM", "").lower() in _DUMB:
        return PlainKeyboardInput()
    return KeyboardInput(LineHistory(history_file, retention_days=retention_days))


class _Keyboard(Vt100Input):
    """The library's input, mended: it would take a terminal that has gone for one where nothing is typed."""

    def __init__(self, stdin: TextIO) -> None:
        super().__init__(stdin)
        if codecs.lookup(stdin.encoding).name == "ascii":  # what Python makes of a locale that it doesn't know
            self.stdin_reader = PosixStdinReader(stdin.fileno(), encoding="utf-8")

    def read_keys(self) -> list[KeyPress]:
        keys = super().read_keys()
        poll = select.poll()
        poll.register(self.fileno(), select.POLLIN)
        if not keys and any(events & (select.POLLHUP | select.POLLERR) for _, events in poll.poll(0)):
            self.stdin_reader.closed = True
        return keys


def _screen() -> Output:
    screen = Vt100_Output.from_pty(sys.stdout, term=os.environ.get("TERM"))
    # Asking where the cursor is serves menus, of which there are none; a late reply would be taken for typed keys.
    screen.enable_cpr = False
    return screen
