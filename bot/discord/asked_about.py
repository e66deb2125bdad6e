"""The messages about which a form is open: what a menu handed over can't be read again without a privileged intent."""

import time
from collections.abc import Callable

import discord

_SECONDS = 30 * 60.0
_MOST = 200


class AskedAbout:
    """Keeps the newest of these messages for half an hour, in memory alone, each for who picked the menu entry."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._messages: dict[tuple[int, str], tuple[float, discord.Message]] = {}

    def note(self, person_id: int, message: discord.Message) -> None:
        """Keep a message that this person asks about."""
        now = self._clock()
        name = (person_id, str(message.id))
        self._messages.pop(name, None)
        kept = [(each, noted) for each, noted in self._messages.items() if now - noted[0] < _SECONDS]
        self._messages = dict(kept[-_MOST + 1 :])
        self._messages[name] = (now, message)

    def find(self, person_id: int, message_id: str) -> discord.Message | None:
        """A message that this person asks about; None where it isn't here any more."""
        noted_at, message = self._messages.get((person_id, message_id), (0.0, None))
        return message if self._clock() - noted_at < _SECONDS else None

    def forget(self, person_id: int) -> None:
        """Forget what a person wrote, and what they ask about."""
        self._messages = {
            name: noted for name, noted in self._messages.items() if person_id not in {name[0], noted[1].author.id}
        }
