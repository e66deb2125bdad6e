"""What a conversation is: the messages of one channel, paired into turns; a turn exists once it was answered.

A question without an answer (failed, refused, withdrawn) never becomes history. So roles alternate by construction, and
the prompt of the next question always continues the prompt of the last answer.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Role(StrEnum):
    """Who speaks, in the words that chat templates use."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


@dataclass(frozen=True, slots=True)
class ConversationKey:
    """One channel (or thread, direct message, terminal) is one conversation, or has one for each person."""

    platform: str
    channel_id: int
    guild_id: int | None = None
    """The Discord server; None in direct messages and at the terminal."""
    parent_channel_id: int | None = None
    """A thread's channel, whose persona the thread inherits."""
    person_id: int | None = None
    """Whose conversation it is, where the channel's people don't share one."""

    @property
    def cache_owner(self) -> str:
        """The name under which the engine keeps this conversation's KV cache blocks."""
        shared = f"{self.platform}:{self.channel_id}"
        return shared if self.person_id is None else f"{shared}:{self.person_id}"

    @property
    def accounts(self) -> str:
        """Where its people have their accounts: "discord-interaction" is a place apart for those of "discord"."""
        return self.platform.partition("-")[0]

    @property
    def identity(self) -> tuple[str, int, int | None]:
        """What makes it this conversation and no other; where it belongs to may become known later."""
        return self.platform, self.channel_id, self.person_id


@dataclass(frozen=True, slots=True)
class Question:
    """What a person asked, as a front end (Discord, the terminal) hands it in.

    `message_id` is the platform's own id of the message, unique per platform. `is_direct` is True where only one
    person speaks (a direct message, the terminal), so that no name is put before the text.
    """

    conversation: ConversationKey
    message_id: int
    author_id: int
    author_name: str
    content: str
    created_at: datetime
    is_direct: bool = False
    more_ids: tuple[int, ...] = ()
    """The messages in which it goes on, where it came in several; `content` has their words."""


@dataclass(frozen=True, slots=True)
class Turn:
    """An answered question. `id` grows with time inside a conversation.

    `author_name` is None in a direct conversation; elsewhere the prompt shows `NAME: question`.
    """

    id: int
    question: str
    answer: str
    author_name: str | None = None
    author_id: int | None = None
