"""Defects that Trinity really had, brought back one by one: the simulation has to find each of them again.

Each function puts the code of before a fix in its place, in a process that does nothing but simulate.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from bot.delivery import outcomes, parts
from bot.delivery.limits import Urgency
from bot.delivery.outcomes import Outcomes
from bot.delivery.parts import Parts, is_waiting
from bot.delivery.refusals import MessageGone
from bot.delivery.sender import Sender
from bot.store.rows import history, own_words
from bot.store.rows.deletion import withdraw
from bot.store.rows.history import History
from bot.store.rows.questions import IS_OPEN


def answers_go_on_in_anothers_message() -> None:
    """After a restart, whatever message stood behind a line for who waits was taken for the answer's second one."""

    async def unrecorded(self: Any, own: list[Any]) -> Any:
        known = {part.message_id for part in self.exchange.parts.values()}
        if self._num_answers() == 0:
            unknown = (posted for posted in own if posted.message_id not in known)
            return next((posted for posted in unknown if posted.reply_to == self.exchange.message_id), None)
        last, ids = self._last_message_id(), [posted.message_id for posted in own]
        later = own[ids.index(last) + 1 :] if last in ids else []
        following = [each for each in later if each.message_id not in known and not is_waiting(each.content)]
        return following[0] if following and following[0].reply_to is None else None

    Parts._unrecorded = unrecorded  # type: ignore[method-assign]


def creates_are_left_behind() -> None:
    """What was being created when its question was deleted, or failed, stayed as the beginning of an answer."""

    async def settle(_: Any) -> None:
        pass

    Parts.settle = settle  # type: ignore[method-assign]


def the_rest_of_a_deleted_answer_stays() -> None:
    """Somebody deleted one message of an answer that was being written, and the others stayed as growing."""
    say = Outcomes._say

    async def say_as_before(self: Any, reply: Any, outcome: Any) -> None:
        is_it = outcome is outcomes.REPLY_DELETED
        await say(self, reply, replace(outcome, discards=False) if is_it else outcome)

    Outcomes._say = say_as_before  # type: ignore[method-assign]


def what_is_shown_outlives_its_question() -> None:
    """A question that was deleted while the process ended was withdrawn, and its line stayed."""
    delete = History.delete_message

    async def delete_all(self: Any, platform: str, message_id: int, **_: Any) -> Any:
        return await delete(self, platform, message_id, leaves_shown=False)

    History.delete_message = delete_all  # type: ignore[method-assign]


def surplus_is_forgotten_first() -> None:
    """A surplus part was forgotten before it was deleted: a death in between left it in the channel."""

    async def keep_only(self: Any, places: Any) -> None:
        for place in [place for place in self._shown if place not in places]:
            part = await self.exchange.parts.mark_surplus(place)
            del self._shown[place]
            await self.exchange.parts.remove(place)
            try:
                await self.sender.delete(self._channel_id, part.message_id)
            except MessageGone:
                continue

    Parts.keep_only = keep_only  # type: ignore[method-assign]


def questions_are_withdrawn_first() -> None:
    """A deleted question was withdrawn before its half answer was taken out: a death in between left that there."""
    say = Outcomes._say

    async def withdraw_and_say(self: Any, reply: Any, outcome: Any) -> None:
        if outcome is outcomes.WITHDRAWN:
            await self._chat.withdraw(reply.exchange.question.conversation.platform, reply.exchange.message_id)
        await say(self, reply, outcome)

    Outcomes._say = withdraw_and_say  # type: ignore[method-assign]


def deleted_questions_are_answered() -> None:
    """A question that was deleted while the process was off was answered all the same."""

    async def exists(_self: Any, _channel_id: int, _message_id: int) -> bool:
        return True

    Sender.exists = exists  # type: ignore[method-assign]


def answers_go_on_in_the_line_about_an_outage() -> None:
    """After a restart, the line that says that the memory is away was taken for an answer's second message."""
    parts._ASIDES = frozenset()


def edits_overtake_each_other() -> None:
    """The last growing state of an answer, whose asker was stopped, could arrive after the words that end it."""

    async def edit(
        self: Any, channel_id: int, message_id: int, latest: Any, urgency: Any = None, buttons: Any = ()
    ) -> Any:
        async def request() -> str:
            content = latest()
            await self._transport.edit(channel_id, message_id, content, buttons)
            return str(content)

        return await self._repeat("edit", channel_id, urgency or Urgency.FIRST, request)

    Sender.edit = edit  # type: ignore[method-assign]


def resets_withdraw_what_waits() -> None:
    """A reset withdrew what waited at once: a death just then left the lines that tell to wait."""

    async def withdraw_at_once(connection: Any, condition: Any, **_: Any) -> Any:
        return await withdraw(connection, condition)

    history.empty = withdraw_at_once  # type: ignore[assignment]


def erasures_withdraw_what_is_answered() -> None:
    """Erasing somebody's words withdrew their questions at once: a death just then left half an answer."""

    async def withdraw_at_once(connection: Any, condition: Any, **_: Any) -> Any:
        return await withdraw(connection, condition & IS_OPEN)

    own_words.empty = withdraw_at_once  # type: ignore[assignment]


FOUND = {
    answers_go_on_in_anothers_message: 133,
    creates_are_left_behind: 21,
    erasures_withdraw_what_is_answered: 99,
}
"""The seed that finds each again, as the code and the faults stand now."""
NOT_FOUND_YET = (
    the_rest_of_a_deleted_answer_stays,
    what_is_shown_outlives_its_question,
    surplus_is_forgotten_first,
    questions_are_withdrawn_first,
    deleted_questions_are_answered,
    answers_go_on_in_the_line_about_an_outage,
    edits_overtake_each_other,
    resets_withdraw_what_waits,
)
"""Wait for a seed that has all that they need, or for people and faults that meet them more often."""
DEFECTS: dict[str, Callable[[], None]] = {defect.__name__: defect for defect in (*FOUND, *NOT_FOUND_YET)}
