"""What is said at a terminal or into a pipe, in order.

A thread writes it, so that a reader that is slow, or reads no more, holds up neither the event loop nor a signal.
"""

import asyncio
import io
from typing import TextIO, cast

from rich.console import Console

from bot.streams import write_past_buffers
from bot.tasks import in_daemon_thread


class TerminalOutput:
    """Takes text without waiting; `written` is where one waits for the reader, and can be cancelled."""

    def __init__(self, console: Console) -> None:
        """`console` is for this alone from now on; what it was to write to is written to here."""
        self._stream = cast("TextIO", console.file)
        self._console = console
        self._console.file = self._waiting = io.StringIO()
        self._writing: asyncio.Task[None] | None = None

    def add(self, text: str, *, style: str | None = None, end: str = "\n") -> None:
        """Have `text` written next; unlike `Console.print` this leaves it as it is."""
        self._console.out(text, style=style, end=end, highlight=False)

    async def written(self) -> None:
        """Wait until whoever reads has taken everything, however long that takes, as one waits for who types.

        Raises:
            OSError: nobody reads any more, or the disk is full.
        """
        while self._writing or self._waiting.tell():
            if self._writing is None:
                self._writing = asyncio.create_task(self._write(self._take_waiting()), name="standard output")
            await asyncio.wait({self._writing})  # goes on where this is cancelled: the next one waits for it
            writing, self._writing = self._writing, None
            writing.result()

    def _take_waiting(self) -> str:
        text = self._waiting.getvalue()
        self._waiting.seek(0)
        self._waiting.truncate()
        return text

    async def _write(self, text: str) -> None:
        await in_daemon_thread(lambda: write_past_buffers(self._stream, text), name="standard output")
