"""Which of a bot's messages answer which question, and waiting until such an answer is finished."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.loopback.entities import Channel, Message, User
from tests.loopback.rules import MessageKind
from tests.loopback.waiting import came_true


@dataclass(frozen=True, slots=True)
class Answer:
    """A bot's messages to one question, in the order in which they were sent."""

    question: Message
    parts: tuple[Message, ...]

    @property
    def text(self) -> str:
        """What people read, one part below the other."""
        return "\n".join(part.content for part in self.parts)

    @property
    def changed_at(self) -> float:
        """When the last part was last written."""
        return max(part.changed_at for part in self.parts)


def answers_in(channel: Channel, bot: User) -> dict[int, list[Message]]:
    """A bot's visible messages by the id of the question that each belongs to.

    A nonce that begins with the question's id in hex decides; then a message reference; a message with neither goes
    with the part before it, or, if a person spoke in between, to the first person's message without an answer.
    """
    found: dict[int, list[Message]] = {}
    current: int | None = None
    unanswered: list[int] = []
    for message in channel.visible_messages():
        if message.author is not bot:
            unanswered.append(message.id)
            continue
        if message.kind == MessageKind.COMMAND_RESPONSE:
            continue
        question = _by_nonce(channel, message) or message.replies_to
        if question is None:
            question = unanswered[0] if unanswered and (current is None or channel.is_dm) else current
        if question is None:
            continue
        found.setdefault(question, []).append(message)
        unanswered = [kept for kept in unanswered if kept != question]
        current = question
    return found


def _by_nonce(channel: Channel, message: Message) -> int | None:
    nonce = message.nonce or ""
    for length in (16, 15):  # an id of today has fifteen or sixteen hexadecimal digits
        try:
            candidate = int(nonce[:length], 16)
        except ValueError:
            continue
        known = channel.world.messages.get(candidate)
        if known is not None and known.channel is channel:
            return candidate
    return None


def answer_to(message: Message, bot: User | None = None) -> Answer | None:
    """What answers this message now."""
    world = message.channel.world
    for account in world.bots.values():
        if bot in (None, account.user) and account.user is not message.author:
            parts = answers_in(message.channel, account.user).get(message.id)
            if parts:
                return Answer(message, tuple(parts))
    return None


async def wait_for_answer(
    message: Message,
    *,
    until: Callable[[str], bool] | None = None,
    quiet_seconds: float = 0.5,
    timeout: float = 10.0,  # noqa: ASYNC109 - the wait is the point
) -> Answer:
    """Waits until the answer's text satisfies `until`, or, without it, has not changed for `quiet_seconds`.

    A stream that is edited each second wants either `until` or a longer quiet.
    """
    if not await came_true(lambda: _is_finished(answer_to(message), until, quiet_seconds), timeout):
        answer = answer_to(message)
        seen = "nothing" if answer is None else repr(answer.text)
        raise AssertionError(f"no finished answer to {message.content!r} within {timeout} s, only {seen}")
    finished = answer_to(message)
    if finished is None:
        raise AssertionError(f"the answer to {message.content!r} was deleted")
    return finished


def _is_finished(answer: Answer | None, until: Callable[[str], bool] | None, quiet_seconds: float) -> bool:
    if answer is None:
        return False
    if until is not None:
        return until(answer.text)
    return time.monotonic() - answer.changed_at >= quiet_seconds
