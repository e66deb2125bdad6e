"""How far each channel was read: what the gateway sent, what the inbox knows, and what may have been missed between."""

from collections import OrderedDict
from collections.abc import Mapping

_MAX_REMEMBERED = 20_000


class Seen:
    """By channel, the newest message that was seen, now and when the gateway's session began."""

    def __init__(self) -> None:
        self.session = 0
        self.is_caught_up = True
        """Whether nothing that was missed is left to be fetched."""
        self.before: dict[int, int] = {}
        """The newest message of each channel when something began to be missed."""
        self._newest: OrderedDict[int, int] = OrderedDict()
        self._first: dict[int, int] = {}  # since then

    @property
    def newest(self) -> dict[int, int]:
        """The newest message of each channel until now."""
        return dict(self._newest)

    def note(self, channel_id: int, message_id: int) -> None:
        """Remember a message that the gateway sent."""
        if not self.is_caught_up:
            self._first.setdefault(channel_id, message_id)
        self._newest[channel_id] = max(message_id, self._newest.get(channel_id, 0))
        self._newest.move_to_end(channel_id)
        while len(self._newest) > _MAX_REMEMBERED:
            self._newest.popitem(last=False)

    def begin_session(self) -> None:
        """Discord forgot the last session: what comes from now on says nothing about what was missed before."""
        self.begin_missing()
        self.session += 1

    def begin_missing(self) -> None:
        """From now on something may be missed: remember what was seen until now."""
        if self.is_caught_up:
            self.before, self._first = self.newest, {}
        self.is_caught_up = False

    def read_until(self, seen_before: Mapping[int, int], known: Mapping[int, int]) -> dict[int, int]:
        """By channel, the newest message that nothing was missed before; `known` has the inbox's newest ones."""
        seen = dict(seen_before)
        for channel_id, message_id in known.items():
            # Where a live message was let in meanwhile, the newest one that is known lies behind what was missed.
            if message_id < self._first.get(channel_id, message_id + 1):
                seen[channel_id] = max(message_id, seen.get(channel_id, 0))
        return seen
