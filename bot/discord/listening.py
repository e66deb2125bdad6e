"""What a channel may choose where Discord sends the bot everything that is written, the message content intent.

There a message may be a question without mentioning the bot, a new post in a forum too, and what others said before a
question may be read along. Without the intent none of this happens, whatever was chosen.
"""

from collections import OrderedDict
from datetime import datetime, timedelta

import discord

from bot.chat.chat import Chat
from bot.conversation.channel_settings import ChannelSettings
from bot.conversation.sanitize import has_visible_text
from bot.discord.messages import Address, address_of, is_by_person, key_of, words_in

CALLED_FOR = timedelta(minutes=1)
"""For so long after somebody said the bot's name alone, what they say next is their question."""
_MOST_CALLS = 1000


class Listening:
    """Says whom messages are for, by what their channels chose."""

    def __init__(self, chat: Chat, own_id: int, *, reads_all: bool) -> None:
        self._chat = chat
        self._own_id = own_id
        self._reads_all = reads_all
        self._calls: OrderedDict[tuple[int, int], datetime] = OrderedDict()
        """When somebody said the bot's name alone, by channel and person, until they say what they want."""
        self._called_by: OrderedDict[int, None] = OrderedDict()
        """Messages that are questions because of such a call."""

    def address_of(self, message: discord.Message) -> Address:
        """How a message concerns the bot."""
        address = address_of(message, self._own_id)
        if address is not Address.NOT_FOR_US or not self._reads_all or not is_by_person(message):
            return address
        settings = self._settings(message)
        is_asked = (
            self._was_called(message)
            or (settings.answers_forum_posts and opens_forum_post(message))
            or (settings.talks_without_mention and not _is_for_somebody(message))
        )
        return Address.QUESTION if is_asked and has_visible_text(message.content) else Address.NOT_FOR_US

    def note_call(self, message: discord.Message) -> bool:
        """Expect a question after a message that says the bot's name alone; False where it couldn't be read."""
        if not self._reads_all:
            return False
        self._calls[message.channel.id, message.author.id] = message.created_at
        while len(self._calls) > _MOST_CALLS:
            self._calls.popitem(last=False)
        return True

    def _was_called(self, message: discord.Message) -> bool:
        """Whether its author said the bot's name alone a moment ago; a question that was found is one for good."""
        if message.id in self._called_by:
            return True
        place = message.channel.id, message.author.id
        called_at = self._calls.get(place)
        if called_at is None or not has_visible_text(message.content) or _is_for_somebody(message):
            return False
        del self._calls[place]
        if not timedelta() <= message.created_at - called_at <= CALLED_FOR:
            return False
        self._called_by[message.id] = None
        while len(self._called_by) > _MOST_CALLS:
            self._called_by.popitem(last=False)
        return True

    def is_read_along(self, message: discord.Message) -> bool:
        """Whether a message that isn't for the bot is to be read along."""
        return (
            self._reads_all
            and message.guild is not None
            and is_by_person(message)
            and self._settings(message).reads_others > 0
            and has_visible_text(message.content)
        )

    def read_along(self, message: discord.Message) -> None:
        """Remember for a while what somebody said to others."""
        text = words_in(message, self._own_id)
        author = message.author
        self._chat.overheard.note(key_of(message), message.id, author.id, author.display_name, text)

    def _settings(self, message: discord.Message) -> ChannelSettings:
        return self._chat.settings.now(key_of(message))


def opens_forum_post(message: discord.Message) -> bool:
    """Whether a message is the first of a post in a forum: Discord gives both the same id."""
    channel = message.channel
    return (
        isinstance(channel, discord.Thread)
        and channel.id == message.id
        and isinstance(channel.parent, discord.ForumChannel)
    )


def _is_for_somebody(message: discord.Message) -> bool:
    """Whether a message mentions people or roles, or replies to somebody: then it is said to them."""
    return bool(message.mentions or message.role_mentions or message.mention_everyone or message.reference)
