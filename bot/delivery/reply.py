"""One answer on its way into a channel: it grows by edits, becomes several messages, and ends exactly as it should.

Writing never waits: text goes into a buffer, and a task of its own shows the newest state at the pace that the sender
allows. So a slow channel never holds up the model, and at most one request per answer is under way.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial

from bot.chat.chat import Exchange
from bot.delivery.parts import Parts, Place, Purpose
from bot.delivery.refusals import Rejected
from bot.delivery.sender import Sender
from bot.delivery.split import Splitter
from bot.delivery.tables import Tables
from bot.words import in_language, phrase

MAX_PARTS = 5
"""A longer answer gets a text file."""
NOTHING_TO_SAY = phrase("nothing_to_say")
WHOLE_IN_FILE = phrase("whole_in_file")


class _Text:
    """What is written, as messages: tables first become what can be shown, then all of it is cut."""

    def __init__(self) -> None:
        self._tables = Tables()
        self._splitter = Splitter()

    @property
    def parts(self) -> list[str]:
        """The messages so far."""
        return self._splitter.parts_with(self._tables.tail)

    def part(self, index: int, otherwise: str) -> str:
        """The message of that number; `otherwise` where a table takes fewer messages than it took before."""
        parts = self.parts
        return parts[index] if index < len(parts) else otherwise

    def write(self, text: str) -> None:
        self._splitter.feed(self._tables.feed(text))

    def end(self) -> None:
        """Nothing more comes, so what may have become a table is what it is."""
        self._splitter.feed(self._tables.finish())

    def note(self, line: str) -> None:
        self.end()
        closing = "\n```" if self._splitter.ends_in_code_block else ""
        start = closing + "\n" if self._splitter.parts else ""
        self._splitter.feed(f"{start}-# {line}\n")


class Reply:
    """Streams the answer of one exchange into the messages `parts`."""

    def __init__(self, exchange: Exchange, sender: Sender, note: str = "") -> None:
        """`note` is shown as a small line above the answer."""
        self.exchange = exchange
        self.parts = Parts(exchange, sender)
        self._sender = sender
        self._note = note
        self._text = _Text()
        self._pieces: list[str] = []
        self._changed = asyncio.Event()
        self._ended = asyncio.Event()
        self._delivered = asyncio.Event()
        self.begin_anew()

    @property
    def has_text(self) -> bool:
        """Whether anything of the answer was written."""
        return bool(self._pieces)

    def begin_anew(self) -> None:
        """Take back all that was written; the messages that show it will show what is written from now on."""
        self._text, self._pieces = _Text(), []
        if self._note:
            self.note(self._note)

    def restore(self, text: str, line: str = "") -> None:
        """Write an older answer in place of all that was written, and `line` below it as a small one."""
        self.begin_anew()
        self.write(text)
        if line:
            self.note(line)

    def write(self, text: str) -> None:
        """Add text to the answer."""
        self._pieces.append(text)
        self._text.write(text)
        self._changed.set()

    def note(self, line: str) -> None:
        """Add a small line that is not a part of the answer, in the channel's language."""
        self._text.note(in_language(line, self.parts.language))
        self._changed.set()

    @asynccontextmanager
    async def growing(self) -> AsyncIterator[None]:
        """Show what is written while the body runs; an error in showing it ends the body and is raised."""
        try:
            with self._sender.streaming():
                async with asyncio.TaskGroup() as tasks:
                    showing = tasks.create_task(self._show_growing())
                    yield
                    showing.cancel()
        except ExceptionGroup as group:
            raise group.exceptions[0] from None

    async def finish(self) -> None:
        """Let the channel show the final state; returns when it does. Only inside `growing`."""
        self._ended.set()
        self._changed.set()
        await self._delivered.wait()

    async def show_final(self) -> None:
        """Make the channel show exactly what was written, and nothing else."""
        self._text.end()
        if not self._text.parts:
            self.note(NOTHING_TO_SAY)
        num_parts = min(len(self._text.parts), MAX_PARTS)
        places = await self._show_parts(num_parts, is_final=True)
        if len(self._text.parts) > MAX_PARTS:
            places += await self._show_rest()
        await self.parts.keep_only(places)
        if num_parts > 1:
            # Only now, when all of it is there, it isn't marked as growing any more.
            await self.parts.show((Purpose.ANSWER, 0), lambda: self._text.parts[0])

    async def _show_growing(self) -> None:
        while not self._ended.is_set():
            await self._changed.wait()
            self._changed.clear()
            if not self._ended.is_set():
                await self._show_parts(min(len(self._text.parts), MAX_PARTS), is_final=False)
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._sender.edit_interval_seconds):
                        await self._ended.wait()
        await self.show_final()
        self._delivered.set()

    async def _show_parts(self, num_parts: int, *, is_final: bool) -> list[Place]:
        places: list[Place] = [(Purpose.ANSWER, index) for index in range(num_parts)]
        text = self._text  # all that was written may be taken back meanwhile
        parts = text.parts
        for place in places:
            is_last_edit = is_final and (place[1] > 0 or num_parts == 1)
            latest = partial(text.part, place[1], parts[place[1]])
            await self.parts.show(place, latest, is_final=is_last_edit)
        return places

    async def _show_rest(self) -> list[Place]:
        """Attach the whole answer as a file; where files aren't allowed, show the other parts as messages."""
        # What is attached can't be edited: another answer's file is another message.
        place: Place = (Purpose.FILE, self.exchange.generation)
        try:
            await self.parts.show(place, lambda: WHOLE_IN_FILE, file_text="".join(self._pieces))
        except Rejected:
            return await self._show_parts(len(self._text.parts), is_final=True)
        return [place]
