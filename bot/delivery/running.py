"""One question on its way to an answer: what is known of it, and how it is stopped from outside."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from bot.conversation.messages import Question
from bot.delivery.outcomes import Outcome
from bot.delivery.reply import Reply


@dataclass(eq=False, slots=True)
class Running:
    """One question on its way to an answer."""

    question: Question
    reply: Reply
    is_taken_up: bool
    is_committed: bool
    """Whether the inbox has it, so that what becomes of it can be committed."""
    stop_typing: Callable[[], None] = lambda: None
    is_begun: bool = False
    """Whether the beginning of an answer is in the channel already, although the question is new to us."""
    has_stored_answer: bool = False
    """Whether the answer is in the history already, and only has to be shown."""
    is_expired: bool = False
    has_begun: bool = False
    was_held: bool = False
    """Whether it had to wait for a database that was away."""
    stopped: Outcome | None = None
    scope: asyncio.Timeout | None = None
    task: asyncio.Task[None] | None = None

    @property
    def channel_id(self) -> int:
        """Where it was asked."""
        return self.question.conversation.channel_id

    def end_typing(self) -> None:
        """Words are there: no longer show "Trinity is typing"."""
        self.stop_typing()

    def stop(self, outcome: Outcome) -> bool:
        """End it at once, with this outcome, unless it is ending already; False if it hasn't begun or has ended."""
        self.stopped = self.stopped or outcome
        if self.scope is None:
            return False
        self.scope.reschedule(asyncio.get_running_loop().time())
        return self.stopped is outcome
