"""How a message of Discord's is read: whom it is for, the question it asks, and what in it the bot can't read.

A forwarded message may come from a channel that only its sender can see. In a direct message the
sender chose to show it and nobody else reads it; in a guild it isn't read.
"""

from datetime import datetime
from enum import Enum, auto

import discord

from bot.conversation.markup import name_key
from bot.conversation.messages import ConversationKey, Question
from bot.conversation.quotes import quoted
from bot.conversation.sanitize import has_visible_text
from bot.conversation.text_files import attached
from bot.discord.attachments import is_text
from bot.discord.mentions import Names, is_own_role, names_in, readable
from bot.words import Phrase, phrase

PLATFORM = "discord"
_LONGEST_QUOTE = 400
FORWARDED = "Forwarded message:"
POLL = "Poll:"
ATTACHED = phrase("attached")


class Address(Enum):
    """How a message concerns the bot."""

    NOT_FOR_US = auto()
    QUESTION = auto()
    UNPINGED_REPLY = auto()
    """A reply to the bot with the ping switched off: Discord sends it without its text."""
    ROLE_PING = auto()
    """A mention of the role that has the bot's name: Discord sends it without its text."""


def address_of(message: discord.Message, own_id: int) -> Address:
    """How a message concerns the bot. Not for us: bots, webhooks, system messages, pings of everyone or a role."""
    if not is_by_person(message) or message.author.id == own_id:
        return Address.NOT_FOR_US
    if is_direct(message) or any(user.id == own_id for user in message.mentions):
        return Address.QUESTION
    answered = message.reference and message.reference.resolved
    if isinstance(answered, discord.Message) and answered.author.id == own_id:
        return Address.QUESTION if message.content else Address.UNPINGED_REPLY
    if pings_role_of(message, own_id):
        return Address.QUESTION if message.content else Address.ROLE_PING
    return Address.NOT_FOR_US


def is_by_person(message: discord.Message) -> bool:
    """Whether somebody wrote it: no bot, no webhook, and not Discord itself."""
    is_ordinary = message.type in {discord.MessageType.default, discord.MessageType.reply}
    return is_ordinary and not message.author.bot and message.webhook_id is None


def key_of(message: discord.Message) -> ConversationKey:
    """The channel in which it was written, as the conversation that its people share."""
    channel = message.channel
    guild_id = message.guild.id if message.guild else getattr(channel, "guild_id", None)
    parent_id = channel.parent_id if isinstance(channel, discord.Thread) else None
    return ConversationKey(PLATFORM, channel.id, guild_id, parent_id)


def question_in(message: discord.Message, own_id: int, created_at: datetime | None = None) -> Question:
    """The question that a message asks; by default when its id says."""
    words = words_in(message, own_id)
    return Question(
        conversation=key_of(message),
        message_id=message.id,
        author_id=message.author.id,
        author_name=message.author.display_name,
        content="\n\n".join(part for part in (words, named_in(message)) if part and has_visible_text(words)),
        created_at=created_at or message.created_at,
        is_direct=is_direct(message),
    )


def can_speak(message: discord.Message) -> bool:
    """Whether the cached permissions let the bot answer where a message was written; True where they aren't known."""
    me = message.guild.me if message.guild else None
    if me is None or not isinstance(message.channel, discord.abc.GuildChannel | discord.Thread):
        return True
    try:
        allowed = message.channel.permissions_for(me)
    except discord.ClientException:  # a thread whose channel isn't known
        return True
    is_thread = isinstance(message.channel, discord.Thread)
    return allowed.view_channel and (allowed.send_messages_in_threads if is_thread else allowed.send_messages)


def is_direct(message: discord.Message) -> bool:
    """Whether it was written in a direct-message channel. (Without a guild are also guilds that aren't loaded.)"""
    return message.channel.type is discord.ChannelType.private


def pings_role_of(message: discord.Message, bot_id: int) -> bool:
    """Whether it mentions the role that Discord made for the bot, which has the bot's name."""
    return any(is_own_role(role, bot_id) for role in message.role_mentions)


def words_in(message: discord.Message, bot_id: int, reader: discord.abc.User | None = None) -> str:
    """What was written, with names in place of ids, and a poll; in a direct message what was forwarded, too.

    The names are those that `reader` can see, by default who wrote it.
    """
    words = [readable(message.content, names_in(message, bot_id, reader), bot_id)]
    if is_direct(message):
        for snapshot in message.message_snapshots:
            forwarded = readable(snapshot.content or "", Names(), bot_id)
            if has_visible_text(forwarded):
                words.append(f"{FORWARDED}\n{forwarded}")
    words.append(poll_in(message))
    return "\n\n".join(part for part in words if part)


def poll_in(message: discord.Message) -> str:
    """What a poll asks, and its answers; nothing where there is none, or none with words."""
    if message.poll is None:
        return ""
    lines = [message.poll.question, *(f"- {answer.text}" for answer in message.poll.answers)]
    asked = "\n".join(lines)
    return f"{POLL}\n{asked}" if has_visible_text(asked) else ""


def text_files_in(message: discord.Message) -> list[discord.Attachment]:
    """The text files that are attached to it; in a direct message also to what was forwarded."""
    sources: list[discord.Message | discord.MessageSnapshot] = [message]
    sources += message.message_snapshots if is_direct(message) else []
    return [
        attachment
        for source in sources
        if not source.flags.voice
        for attachment in source.attachments
        if is_text(attachment)
    ]


def named_in(message: discord.Message) -> str:
    """What is attached to it and isn't text, as it is described to the model."""
    return attached([attachment.filename for attachment in message.attachments if not is_text(attachment)])


def quote_in(message: discord.Message, own_id: int, newest_own_id: int) -> str:
    """What it replies to, in short, where that is given and isn't the newest message of the bot's, `newest_own_id`."""
    answered = message.reference and message.reference.resolved
    if not isinstance(answered, discord.Message) or answered.id == newest_own_id:
        return ""
    words = words_in(answered, own_id, message.author)
    said = "\n".join(line for line in words.splitlines() if not line.startswith("-# "))
    is_own = answered.author.id == own_id
    if not is_own:
        said = "\n\n".join(filter(None, (said, attached([each.filename for each in answered.attachments]))))
    if not has_visible_text(said):
        return ""
    return quoted(quoted_name(answered.author, message.author), said, longest=_LONGEST_QUOTE, is_own=is_own)


def quoted_name(author: discord.abc.User, asker: discord.abc.User) -> str:
    """The name above somebody's quoted words, which aren't the asker's own although the two are called the same."""
    is_namesake = author.id != asker.id and name_key(author.display_name) == name_key(asker.display_name)
    return f"another {author.display_name}" if is_namesake else author.display_name


def replies_to_unread(message: discord.Message, own_id: int) -> bool:
    """Whether it replies to somebody else's message of which Discord gives nothing, without the content intent."""
    answered = message.reference and message.reference.resolved
    if not isinstance(answered, discord.Message) or answered.author.id == own_id:
        return False
    return not (answered.content or answered.attachments or answered.embeds or answered.stickers or answered.poll)


def unreadable_in(message: discord.Message, own_id: int) -> list[Phrase]:
    """What is in it that the bot can't read, each kind once, as it is called in a sentence.

    So is what is in somebody else's message that it replies to, files included: of that only the words are read.
    """
    found = dict.fromkeys(_kinds(message))
    for snapshot in message.message_snapshots:
        if not is_direct(message):
            found[phrase("a_forwarded_message")] = None
        elif not has_visible_text(snapshot.content or "") and not any(map(is_text, snapshot.attachments)):
            found[phrase("a_forwarded_message_without_text")] = None
        else:
            found |= dict.fromkeys(_kinds(snapshot))
    if message.poll is not None and not poll_in(message):
        found[phrase("a_poll")] = None
    if message.embeds and not found and not has_visible_text(message.content):  # beside a text it is a link's preview
        found[phrase("an_embed")] = None
    answered = message.reference and message.reference.resolved
    if isinstance(answered, discord.Message) and answered.author.id != own_id:
        found |= dict.fromkeys(_kinds(answered))
        if answered.attachments and not answered.flags.voice:
            found[ATTACHED] = None
        if answered.embeds and not has_visible_text(answered.content):
            found[phrase("an_embed")] = None
    return list(found)


def _kinds(message: discord.Message | discord.MessageSnapshot) -> list[Phrase]:
    if message.flags.voice:
        return [phrase("a_voice_message")]
    kinds = [] if all(map(is_text, message.attachments)) else [ATTACHED]
    return [*kinds, phrase("a_sticker")] if message.stickers else kinds
