"""Pastes that arrive in several messages: one near Discord's limit, with what follows at once, is one question.

Discord's own client makes a file of a long paste; other programs, and people by hand, cut it into messages.
"""

import asyncio
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, field, replace

from bot.conversation.messages import Question
from bot.delivery.split import utf16_length
from bot.words import Phrase

NEAR_LIMIT_UNITS = 1900
FOLLOWS_SECONDS = 2.0
MAX_MESSAGES = 5
_MAX_REMEMBERED = 1000
_MAX_EDITABLE = 100


def may_go_on(content: str) -> bool:
    """Whether a message is so long that it may be the beginning of something."""
    return utf16_length(content) >= NEAR_LIMIT_UNITS


@dataclass(eq=False, slots=True)
class _Paste:
    """One that is being waited for: its question's message, and the messages that followed."""

    message_id: int
    words: dict[int, str]
    """By message, in their order: an edit of one of them is an edit of the question."""
    following: "asyncio.Queue[str]" = field(default_factory=asyncio.Queue)


class Pastes:
    """Joins the messages of one paste, by its channel and author."""

    def __init__(self) -> None:
        self._awaited: dict[tuple[int, int], _Paste] = {}
        self._first_of: OrderedDict[int, int] = OrderedDict()  # a later message's id -> the first one's
        self._joined: OrderedDict[int, _Paste] = OrderedDict()  # by the first message's id

    def begin(self, question: Question) -> None:
        """Await what follows a question that `may_go_on`; `completed` has to be called for it."""
        self._awaited[_place(question)] = _Paste(question.message_id, {question.message_id: question.content})

    def awaits(self, channel_id: int, author_id: int) -> bool:
        """Whether what somebody writes there now may belong to their paste."""
        return (channel_id, author_id) in self._awaited

    def takes(self, question: Question) -> bool:
        """Whether this message belongs to a paste that is awaited; if so, it is put to it."""
        paste = self._awaited.get(_place(question))
        if paste is None or paste.message_id >= question.message_id:
            return False
        paste.following.put_nowait(question.content)
        paste.words[question.message_id] = question.content
        self._first_of[question.message_id] = paste.message_id
        self._joined[paste.message_id] = paste
        while len(self._first_of) > _MAX_REMEMBERED:
            self._first_of.popitem(last=False)
        while len(self._joined) > _MAX_EDITABLE:
            self._joined.popitem(last=False)
        return True

    def edited(self, question: Question) -> Question:
        """The question that an edited message belongs to, with its other messages as they are; by default itself."""
        first = self.first_of(question.message_id)
        paste = self._joined.get(first)
        if paste is None:
            return question
        paste.words[question.message_id] = question.content
        return replace(question, message_id=first, content="\n".join(filter(None, paste.words.values())))

    def forget(self, message_id: int) -> None:
        """Hold no more words of the paste that begins with this message."""
        self._joined.pop(message_id, None)

    def first_of(self, message_id: int) -> int:
        """The message whose paste a message belongs to: by default itself."""
        return self._first_of.get(message_id, message_id)

    async def completed(self, question: Question) -> tuple[Question, list[Phrase]]:
        """The question with all of its messages; waits for a moment behind each that may go on."""
        place = _place(question)
        paste = self._awaited.get(place)
        if paste is None or paste.message_id != question.message_id:
            return question, []
        messages = [question.content]
        try:
            with suppress(TimeoutError):
                while may_go_on(messages[-1]) and len(messages) < MAX_MESSAGES:
                    async with asyncio.timeout(FOLLOWS_SECONDS):
                        messages.append(await paste.following.get())
        finally:
            if self._awaited.get(place) is paste:
                del self._awaited[place]
        return replace(question, content="\n".join(messages)), []


def _place(question: Question) -> tuple[int, int]:
    return question.conversation.channel_id, question.author_id
