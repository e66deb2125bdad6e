"""Which of a bot's messages answer which question, and waiting until such an answer is finished."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.loopback.entities import Channel, Message, User
from tests.loopback.rules import MessageKind
from tests.loopback.waiting import came_true

_NONCE = re.compile(r"(?P<question>[0-9a-f]{15,16})(?P<purpose>[a-z])(?P<generation>[0-9a-f]+)\.(?P<part>[0-9a-f]+)")

INVISIBLE_MARK = "\u2060"


@dataclass(frozen=True, slots=True)
class Label:
    """What Trinity's nonce says: the question's id, the purpose's first letter, the attempt, the number of the part."""

    question_id: int
    purpose: str
    generation: int
    part: int


def label_of(message: Message) -> Label | None:
    """The label in a message's nonce; None for other bots' nonces and for an unknown question."""
    match = _NONCE.fullmatch(message.nonce or "")
    if match is None:
        return None
    question = message.channel.world.messages.get(int(match["question"], 16))
    if question is None or question.channel is not message.channel:
        return None
    return Label(question.id, match["purpose"], int(match["generation"], 16), int(match["part"], 16))


@dataclass(frozen=True, slots=True)
class Answer:
    """A bot's messages to one question, in the order in which they were sent."""

    question: Message
    parts: tuple[Message, ...]

    @property
    def text(self) -> str:
        """What people read, one part below the other, without the mark that nobody sees."""
        return "\n".join(part.content.removesuffix(INVISIBLE_MARK) for part in self.parts)

    @property
    def is_marked(self) -> bool:
        """Whether a part ends with the mark of an answer that grows."""
        return any(part.content.endswith(INVISIBLE_MARK) for part in self.parts)

    @property
    def changed_at(self) -> float:
        """When the last part was last written."""
        return max(part.changed_at for part in self.parts)


def answers_in(channel: Channel, bot: User, *, with_deleted: bool = False) -> dict[int, list[Message]]:
    """A bot's messages by the id of the question that each belongs to; 0 for those that belong to none.

    The label in the nonce decides, then a message reference. A message with neither goes with the part before it, or,
    if a person spoke in between, to the first person's message that has no answer yet.
    """
    found: dict[int, list[Message]] = {}
    current = 0
    unanswered: list[int] = []
    for message in channel.messages if with_deleted else channel.visible_messages():
        if message.author is not bot:
            unanswered.append(message.id)
        elif message.kind != MessageKind.COMMAND_RESPONSE:
            current = _question_of(message, current, unanswered)
            found.setdefault(current, []).append(message)
            unanswered = [kept for kept in unanswered if kept != current]
    return found


def _question_of(message: Message, current: int, unanswered: list[int]) -> int:
    label = label_of(message)
    if label is not None:
        return label.question_id
    if message.replies_to is not None:
        return message.replies_to
    takes_next = bool(unanswered) and (current == 0 or message.channel.is_dm)
    return unanswered[0] if takes_next else current


def answer_to(message: Message, bot: User | None = None) -> Answer | None:
    """What answers this message now."""
    for account in message.channel.world.bots.values():
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
    timeout: float = 60.0,  # noqa: ASYNC109 - the wait is the point
) -> Answer:
    """Waits until the answer's text satisfies `until`, or, without it, is complete and unchanged for `quiet_seconds`.

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
    return not answer.is_marked and time.monotonic() - answer.changed_at >= quiet_seconds
