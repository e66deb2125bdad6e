"""The buttons below an answer go as soon as there is a newer one in its conversation: they could only refuse.

That costs a request for each answer, so it is made when nothing else waits, and only once. What it misses (an answer of
an earlier process, one that is old, a request that fails) is told in words to who clicks.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Hashable
from typing import NamedTuple

from bot.delivery.reply import Reply
from bot.delivery.sender import Sender

EDITABLE_SECONDS = 3000.0
"""Discord allows few edits of messages that are older than an hour, and lets those of newer ones wait for them."""
_MAX_CONVERSATIONS = 10_000


class _Bearer(NamedTuple):
    question_id: int
    channel_id: int
    message_id: int
    shown_at: float


class LastButtons:
    """Knows for each conversation which message bears the buttons of its last answer."""

    def __init__(self, sender: Sender, tasks: asyncio.TaskGroup) -> None:
        self._sender = sender
        self._tasks = tasks
        self._bearers: OrderedDict[Hashable, _Bearer] = OrderedDict()

    def note(self, reply: Reply) -> None:
        """Take the buttons off the answer before this one, if this one bears buttons."""
        message_id = reply.parts.with_buttons
        if message_id is None:
            return
        exchange, conversation = reply.exchange, reply.exchange.question.conversation.identity
        now = asyncio.get_running_loop().time()
        before = self._bearers.pop(conversation, None)
        self._bearers[conversation] = _Bearer(exchange.message_id, exchange.channel_id, message_id, now)
        while len(self._bearers) > _MAX_CONVERSATIONS:
            self._bearers.popitem(last=False)
        if before is None or before.question_id == exchange.message_id:  # a newer answer to the same question
            return
        if now - before.shown_at < EDITABLE_SECONDS:
            self._tasks.create_task(self._sender.take_buttons_off(before.channel_id, before.message_id))
