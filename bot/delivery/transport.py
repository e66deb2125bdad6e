"""What an answer needs of a chat platform: messages to create, edit, delete and find, as plain values."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol


class DraftKey(NamedTuple):
    """What a message is created for: the same in every try, also after a restart."""

    question_id: int
    purpose: str
    generation: int = 0
    part: int = 0


class ButtonKind(StrEnum):
    """What a button below an answer does."""

    STOP = "stop"
    AGAIN = "again"
    CONTINUE = "continue"


class Button(NamedTuple):
    """A button below an answer. It names the question and which answer to it, so that it outlives the process."""

    kind: ButtonKind
    question_id: int
    generation: int


@dataclass(frozen=True, slots=True)
class Draft:
    """A message to be created.

    The platform makes a nonce of `key`, so that a repeated create does no harm for some minutes. `after` is the message
    behind which it has to be found, if it isn't sure whether it was created. `file_text` is attached as a text file. A
    silent message notifies nobody, wherever they asked to be notified of all that is said. `pings` is whom it rings.
    """

    channel_id: int
    guild_id: int | None
    content: str
    key: DraftKey
    after: int
    reply_to: int | None = None
    file_text: str | None = None
    is_silent: bool = False
    pings: int | None = None
    buttons: tuple[Button, ...] = ()


@dataclass(frozen=True, slots=True)
class Posted:
    """A message of the bot's as the platform has it."""

    message_id: int
    content: str
    reply_to: int | None = None
    buttons: tuple[Button, ...] = ()


class Transport(Protocol):
    """What the sender needs of a chat platform; it raises what stands in refusals.py. See `DiscordTransport`.

    An id is a name: nothing is read from it, and which message is the later one is said by `own_messages` alone.
    """

    async def create(self, draft: Draft) -> Posted:
        """Create a message, or return the one that was created for the same key a short while ago."""
        ...

    async def edit(self, channel_id: int, message_id: int, content: str, buttons: tuple[Button, ...]) -> None:
        """Give a message another text, and these buttons in place of those that it bears."""
        ...

    async def take_buttons_off(self, channel_id: int, message_id: int) -> None:
        """Leave a message its text, and none of its buttons."""
        ...

    async def delete(self, channel_id: int, message_id: int) -> None:
        """Delete a message of the bot's."""
        ...

    async def show_typing(self, channel_id: int) -> None:
        """Show for some seconds that the bot is typing."""
        ...

    async def own_messages(self, channel_id: int, after: int) -> list[Posted]:
        """The bot's own messages among the next hundred behind a message, oldest first."""
        ...

    async def look_at(self, channel_id: int, message_id: int) -> None:
        """Raise `MessageGone` where a message was deleted."""
        ...

    def language_of(self, channel_id: int) -> str:
        """The language that is spoken in a channel, as a locale of Discord's; English where that isn't known."""
        ...

    def muted_seconds(self, channel_id: int) -> float:
        """For how long a moderator has muted the bot there; 0 where none has."""
        ...
