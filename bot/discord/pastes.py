"""Pastes that arrive in several messages: one near Discord's limit, with what follows at once, is one question.

Discord's own client makes a file of a long paste; other programs, and people by hand, cut it into messages.

The question is committed with the ids of all its messages, so what belongs to it is known after a restart, too; until
then none of them is committed, and all are fetched again. Their words are known for a while; after that, who edits one
has the others fetched.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

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
    last_at: datetime
    following: "asyncio.Queue[Question]" = field(default_factory=asyncio.Queue)


class Pastes:
    """Joins the messages of one paste, by its channel and author."""

    def __init__(self) -> None:
        self._awaited: dict[tuple[int, int], _Paste] = {}
        self._first_of: OrderedDict[int, int] = OrderedDict()  # a later message's id -> the first one's
        self._joined: OrderedDict[int, _Paste] = OrderedDict()  # by the first message's id

    def begin(self, question: Question) -> None:
        """Await what follows a question that `may_go_on`; `completed` has to be called for it."""
        words = {question.message_id: question.content}
        self._awaited[_place(question)] = _Paste(question.message_id, words, question.created_at)

    def awaits(self, channel_id: int, author_id: int) -> bool:
        """Whether what somebody writes there now may belong to their paste."""
        return (channel_id, author_id) in self._awaited

    def takes(self, question: Question, *, is_live: bool) -> bool:
        """Whether this message belongs to a paste that is awaited; if so, it is put to it.

        A live one comes in time; of one that is fetched later, its own time tells.
        """
        paste = self._awaited.get(_place(question))
        if paste is None or paste.message_id >= question.message_id:
            return False
        if not is_live and question.created_at - paste.last_at > timedelta(seconds=FOLLOWS_SECONDS):
            return False
        paste.following.put_nowait(question)
        paste.words[question.message_id] = question.content
        paste.last_at = question.created_at
        self._remember(paste)
        return True

    def knows(self, message_id: int) -> bool:
        """Whether the words of a message's paste are known."""
        return self.first_of(message_id) in self._joined

    def recall(self, messages: Sequence[Question]) -> None:
        """Know the messages of a paste again, which come in their order."""
        words = {message.message_id: message.content for message in messages}
        self._remember(_Paste(messages[0].message_id, words, messages[-1].created_at))

    def _remember(self, paste: _Paste) -> None:
        self._first_of |= {message_id: paste.message_id for message_id in paste.words if message_id != paste.message_id}
        self._joined[paste.message_id] = paste
        while len(self._first_of) > _MAX_REMEMBERED:
            self._first_of.popitem(last=False)
        while len(self._joined) > _MAX_EDITABLE:
            self._joined.popitem(last=False)

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
        messages = [question]
        try:
            with suppress(TimeoutError):
                while may_go_on(messages[-1].content) and len(messages) < MAX_MESSAGES:
                    async with asyncio.timeout(FOLLOWS_SECONDS):
                        messages.append(await paste.following.get())
        finally:
            if self._awaited.get(place) is paste:
                del self._awaited[place]
        words = "\n".join(message.content for message in messages)
        return replace(question, content=words, more_ids=tuple(each.message_id for each in messages[1:])), []


def _place(question: Question) -> tuple[int, int]:
    return question.conversation.channel_id, question.author_id
