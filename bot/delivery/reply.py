"""One answer on its way into a channel: it grows by edits, becomes several messages, and ends exactly as it should.

Writing never waits: text goes into a buffer, and a task of its own shows the newest state at the pace that the sender
allows. So a slow channel never holds up the model, and at most one request per answer is under way.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial

from bot.chat.chat import Exchange
from bot.delivery.limits import NoticeLimiter
from bot.delivery.parts import Parts, Place, Purpose
from bot.delivery.refusals import Rejected
from bot.delivery.sender import Sender
from bot.delivery.shown_text import ShownText
from bot.delivery.transport import ButtonKind
from bot.delivery.typing import REPEAT_SECONDS
from bot.delivery.waiting import LOOK_SECONDS, WaitingLine, waiting_pace
from bot.errors import DiscordError
from bot.words import in_language, phrase

MAX_PAGES = 5
"""A longer answer gets a text file."""
PAUSE_SECONDS = 3.0
"""When nothing more came for so long, it is shown that more does."""
NOTHING_TO_SAY = phrase("nothing_to_say")
WHOLE_IN_FILE = phrase("whole_in_file")


class Reply:
    """Streams the answer of one exchange into the messages `parts`."""

    def __init__(self, exchange: Exchange, sender: Sender, note: str = "", pace: NoticeLimiter | None = None) -> None:
        """`note` is shown as a small line above the answer; `pace` is that of the lines for those who wait."""
        self.exchange = exchange
        self.parts = Parts(exchange, sender)
        self._waiting_line = WaitingLine(exchange, self.parts, pace or waiting_pace())
        self._sender = sender
        self._note = note
        self._text = ShownText()
        self._pieces: list[str] = []
        self._first_notes: list[str] = []
        """Those above the text."""
        self._changed = asyncio.Event()
        self._ended = asyncio.Event()
        self._delivered = asyncio.Event()
        self.begin_anew()

    @property
    def has_text(self) -> bool:
        """Whether anything of the answer was written."""
        return bool(self._pieces)

    def begin_anew(self, text: str = "") -> None:
        """Take back all that was written; the messages that show it will show what is written from now on.

        With a `text` the answer goes on from that, below the notes that stand above it.
        """
        lines = self._first_notes if text else [self._note] if self._note else []
        self._text, self._pieces, self._first_notes = ShownText(), [], []
        for line in lines:
            self.note(line)
        if text:
            self.write(text)

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
        if not self._pieces:
            self._first_notes.append(line)
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

    async def say_done(self) -> None:
        """Mention who asked, once, below an answer that took long."""
        asker_id = self.exchange.asker_id
        said = phrase("done_ping", asker=f"<@{asker_id}>")
        with suppress(DiscordError):  # the answer is there all the same
            await self.parts.show((Purpose.DONE, self.exchange.generation), lambda: said, pings=asker_id)

    async def show_final(self) -> None:
        """Make the channel show exactly what was written, and nothing else."""
        self._text.end()
        if not self._text.pages:
            self.note(NOTHING_TO_SAY)
        num_pages = min(len(self._text.pages), MAX_PAGES)
        has_more = len(self._text.pages) > MAX_PAGES
        places = await self._show_pages(num_pages, is_final=True, buttons=() if has_more else self._last_buttons)
        if has_more:
            places += await self._show_rest()
        await self.parts.keep_only(places)
        if num_pages > 1:
            # Only now, when all of it is there, it isn't marked as growing any more.
            await self.parts.show((Purpose.ANSWER, 0), lambda: self._text.pages[0])

    async def _show_growing(self) -> None:
        await self._show_waiting()
        while not self._ended.is_set():
            await self._wait_for_more()
            self._changed.clear()
            if not self._ended.is_set():
                num_pages = min(len(self._text.pages), MAX_PAGES)
                await self._show_pages(num_pages, is_final=False, buttons=(ButtonKind.STOP,))
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._sender.edit_interval_seconds):
                        await self._ended.wait()
        await self.show_final()
        self._delivered.set()

    async def _show_waiting(self) -> None:
        """Until there is anything to show, tell who asked how it stands."""
        while not self._changed.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._changed.wait()
                    return
            await self._waiting_line.look()

    async def _wait_for_more(self) -> None:
        """Wait for more text; where that takes long, show the typing indicator, for the pause isn't the end."""
        seconds = PAUSE_SECONDS
        while not self._changed.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._changed.wait()
                    return
            await self._sender.show_typing(self.exchange.channel_id)
            seconds = REPEAT_SECONDS

    @property
    def _last_buttons(self) -> tuple[ButtonKind, ...]:
        """What stands below the whole answer: what can be done with it once it is in the history."""
        exchange = self.exchange
        if not exchange.can_be_replaced:
            return ()
        return (ButtonKind.AGAIN, ButtonKind.CONTINUE) if exchange.can_continue else (ButtonKind.AGAIN,)

    async def _show_pages(self, num_pages: int, *, is_final: bool, buttons: tuple[ButtonKind, ...]) -> list[Place]:
        """Show so many pages, with the buttons below the last of them."""
        places: list[Place] = [(Purpose.ANSWER, index) for index in range(num_pages)]
        text = self._text  # all that was written may be taken back meanwhile
        pages = text.pages
        for place in places:
            is_last_edit = is_final and (place[1] > 0 or num_pages == 1)
            latest = partial(text.page, place[1], pages[place[1]])
            borne = buttons if place[1] == num_pages - 1 else ()
            await self.parts.show(place, latest, is_final=is_last_edit, buttons=borne)
        if self.has_text:
            self.exchange.note_shown()
        return places

    async def _show_rest(self) -> list[Place]:
        """Attach the whole answer as a file; where files aren't allowed, show the other pages as messages."""
        # What is attached can't be edited: another answer's file is another message.
        place: Place = (Purpose.FILE, self.exchange.generation)
        try:
            text, buttons = "".join(self._pieces), self._last_buttons
            await self.parts.show(place, lambda: WHOLE_IN_FILE, file_text=text, buttons=buttons)
        except Rejected:
            return await self._show_pages(len(self._text.pages), is_final=True, buttons=self._last_buttons)
        return [place]
