"""Defects that the second depth found, brought back one by one: as `tests/simulation/reverted.py`."""

from collections.abc import Callable
from functools import partial
from typing import Any

from bot.chat.recorded_parts import RecordedParts
from bot.delivery.answers import Answers
from bot.delivery.limits import Urgency
from bot.delivery.sender import Sender
from bot.discord import client
from bot.discord.commands import tree
from bot.discord.recent_changes import RecentChanges
from bot.store.rows import history
from bot.store.rows.deletion import withdraw


def edits_overtake_each_other() -> None:
    """An edit that nobody waited for any more could land behind the last one."""

    async def edit(
        self: Any, channel_id: int, message_id: int, latest: Any, urgency: Any = Urgency.FIRST, buttons: Any = ()
    ) -> str:
        async def request() -> str:
            content: str = latest()
            await self._transport.edit(channel_id, message_id, content, buttons)
            return content

        return await self._repeat("edit", channel_id, urgency, request)  # type: ignore[no-any-return]

    Sender.edit = edit  # type: ignore[method-assign]


def lines_about_an_outage_hold_up_the_end() -> None:
    """Whoever was to be told that the database is away held up the end for a quarter of an hour."""
    drain = Answers.drain

    async def drain_as_before(self: Any, seconds: float) -> None:
        self._saying_away = {}
        await drain(self, seconds)

    Answers.drain = drain_as_before  # type: ignore[method-assign]


def what_is_deleted_at_the_gate_is_answered() -> None:
    """A question that was deleted while it waited for what was missed before it was answered all the same."""
    RecentChanges.is_deleted = _never  # type: ignore[method-assign,assignment]


def older_edits_win() -> None:
    """Of several edits that were told at once, any could be the last to be followed."""
    RecentChanges.is_outdated = _never  # type: ignore[method-assign,assignment]


def commands_are_followed_late() -> None:
    """A command was followed that Discord had given up long ago."""
    client.came_too_late = tree.came_too_late = _never  # type: ignore[assignment]


def a_reset_leaves_lines_behind() -> None:
    """A reset was done with questions of which a line still said that they wait; a death left it there."""
    history.empty = partial(withdraw)  # type: ignore[attr-defined]


def what_is_shown_is_read_once() -> None:
    """A resumed question failed where the database couldn't say just then what is shown of it."""

    async def load(self: Any) -> Any:
        parts = await self._inbox.parts(self._question)
        for part in parts:
            self._note(part)
        return parts

    RecordedParts.load = load  # type: ignore[method-assign]


def _never(*_: object) -> bool:
    return False


FOUND = (edits_overtake_each_other, what_is_deleted_at_the_gate_is_answered, what_is_shown_is_read_once)
"""Found again within the first hundred seeds."""
NOT_FOUND_YET = (
    lines_about_an_outage_hold_up_the_end,
    older_edits_win,
    commands_are_followed_late,
    a_reset_leaves_lines_behind,
)
"""Were found in other runs than those of today's first seeds."""
DEFECTS: dict[str, Callable[[], None]] = {defect.__name__: defect for defect in (*FOUND, *NOT_FOUND_YET)}
