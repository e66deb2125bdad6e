"""Refused questions on their way into the inbox: many of them share one transaction.

Under a flood almost every message is refused, and a commit waits for the disk. So whoever comes while another one's
transaction runs waits for the next, which takes everybody who waits by then.
"""

import asyncio
from dataclasses import dataclass

from bot.conversation.messages import Question
from bot.errors import StoreError
from bot.store.rows.inbox import Inbox

MAX_PER_TRANSACTION = 500


@dataclass(eq=False, slots=True)
class _Entry:
    question: Question
    is_new: bool | None = None
    error: StoreError | None = None

    @property
    def is_settled(self) -> bool:
        return self.is_new is not None or self.error is not None


class RefusedQuestions:
    """Commits refused questions to the inbox."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._writing = asyncio.Lock()
        self._waiting: list[_Entry] = []

    async def commit(self, question: Question) -> bool:
        """Commit a question as refused; False if it was received before, whatever became of it.

        Raises:
            StoreError: it was not committed.
        """
        entry = _Entry(question)
        self._waiting.append(entry)
        try:
            async with self._writing:
                if not entry.is_settled:
                    await self._write(self._waiting[:MAX_PER_TRANSACTION])
        except asyncio.CancelledError:
            if entry in self._waiting:
                self._waiting.remove(entry)
            raise
        if entry.error is not None:
            raise type(entry.error)(*entry.error.args) from entry.error
        return bool(entry.is_new)

    async def _write(self, entries: list[_Entry]) -> None:
        try:
            new = await self._inbox.refuse([entry.question for entry in entries])
        except StoreError as error:
            for entry in entries:
                entry.error = error
        else:
            for entry in entries:
                key = entry.question.conversation.platform, entry.question.message_id
                entry.is_new = key in new
                new.discard(key)  # the same one may be there twice
        self._waiting = [entry for entry in self._waiting if not entry.is_settled]
