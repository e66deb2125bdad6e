"""What became of messages lately: Discord's events are followed side by side, and a later one may overtake another."""

from collections import OrderedDict
from collections.abc import Iterable
from datetime import datetime
from typing import Any

_MAX_REMEMBERED = 10_000


class RecentChanges:
    """Which messages were deleted, and when others were edited last; the newest thousands of each."""

    def __init__(self) -> None:
        self._deleted: OrderedDict[int, None] = OrderedDict()
        self._edited: OrderedDict[int, datetime] = OrderedDict()

    def note_deleted(self, message_ids: Iterable[int]) -> None:
        self._deleted |= dict.fromkeys(message_ids)
        _shorten(self._deleted)

    def is_deleted(self, message_id: int) -> bool:
        """Whether a message is gone that may still wait somewhere to be taken in."""
        return message_id in self._deleted

    def note_edit(self, message_id: int, edited_at: datetime | None) -> None:
        if edited_at is not None:
            self._edited[message_id] = max(edited_at, self._edited.get(message_id, edited_at))
            _shorten(self._edited)

    def is_outdated(self, message_id: int, edited_at: datetime | None) -> bool:
        """Whether a later edit of the message has been told since."""
        return edited_at is not None and edited_at < self._edited.get(message_id, edited_at)


def _shorten(remembered: OrderedDict[int, Any]) -> None:
    while len(remembered) > _MAX_REMEMBERED:
        remembered.popitem(last=False)
