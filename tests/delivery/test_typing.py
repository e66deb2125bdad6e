import asyncio

from bot.delivery.typing import FIRST_SECONDS, REPEAT_SECONDS, TypingIndicator
from tests.discord.virtual_time import in_virtual_time, now


class Sender:
    """Notes when it was asked to show the indicator."""

    def __init__(self):
        self.shown_at = []

    async def show_typing(self, _):
        self.shown_at.append(now())


def shown_while_waiting(seconds):
    async def scenario():
        sender = Sender()
        async with asyncio.TaskGroup() as tasks:
            stop = TypingIndicator(sender, tasks).start(1)
            await asyncio.sleep(seconds)
            stop()
        return sender.shown_at

    return in_virtual_time(scenario())


def test_words_that_come_at_once_are_not_held_up_by_an_indicator_before_them():
    assert shown_while_waiting(FIRST_SECONDS / 2) == []


def test_who_waits_sees_it_soon_and_for_as_long_as_they_wait():
    assert shown_while_waiting(2 * REPEAT_SECONDS) == [FIRST_SECONDS, FIRST_SECONDS + REPEAT_SECONDS]
