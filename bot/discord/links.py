"""The links that Discord gives to messages."""

import re
from typing import NamedTuple

from bot.conversation.messages import ConversationKey

_LINK = re.compile(
    r"<?https?://(?:(?:www|ptb|canary)\.)?discord(?:app)?\.com/channels/(?:\d{1,20}|@me)/(\d{1,20})/(\d{1,20})/?"
    r"(?:[?#]\S*)?>?"
)


class LinkedMessage(NamedTuple):
    """Where a link leads."""

    channel_id: int
    message_id: int


def message_link(key: ConversationKey, message_id: int) -> str:
    """Where a message stands."""
    return f"https://discord.com/channels/{key.guild_id or '@me'}/{key.channel_id}/{message_id}"


def read_message_link(text: str) -> LinkedMessage | None:
    """The message that a link leads to, from whichever of Discord's programs it is; None where it is no such link."""
    found = _LINK.fullmatch(text.strip())
    return None if found is None else LinkedMessage(int(found[1]), int(found[2]))
