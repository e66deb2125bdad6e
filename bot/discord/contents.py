"""What a message holds: the words in it, those of a forwarded one included, and what the bot can't read.

A forwarded message may come from a channel that only its sender can see. In a direct message that is the asker's own
doing and read by nobody else; in a guild it isn't read.
"""

import discord

from bot.conversation.sanitize import has_visible_text
from bot.discord.mentions import Names, names_in, readable

FORWARDED = "Forwarded message:"


def is_direct(message: discord.Message) -> bool:
    """Whether it was written in a direct-message channel. (Without a guild are also guilds that aren't loaded.)"""
    return message.channel.type is discord.ChannelType.private


def pings_role_of(message: discord.Message, bot_id: int) -> bool:
    """Whether it mentions the role that Discord made for the bot, which has the bot's name."""
    return any(role.tags is not None and role.tags.bot_id == bot_id for role in message.role_mentions)


def words_in(message: discord.Message, bot_id: int) -> str:
    """What was written, with names in place of ids; in a direct message what was forwarded, too."""
    content = message.content
    for role in message.role_mentions:
        if role.tags is not None and role.tags.bot_id == bot_id:
            content = content.replace(f"<@&{role.id}>", f"<@{bot_id}>")
    words = [readable(content, names_in(message), bot_id)]
    if is_direct(message):
        for snapshot in message.message_snapshots:
            forwarded = readable(snapshot.content or "", Names(), bot_id)
            if has_visible_text(forwarded):
                words.append(f"{FORWARDED}\n{forwarded}")
    return "\n\n".join(part for part in words if part)


def unreadable_in(message: discord.Message) -> list[str]:
    """What is in it that the bot can't read, each kind once, as it is called in a sentence."""
    found = dict.fromkeys(_kinds(message))
    for snapshot in message.message_snapshots:
        if not is_direct(message):
            found["a forwarded message"] = None
        elif not has_visible_text(snapshot.content or ""):
            found["a forwarded message without text"] = None
        else:
            found |= dict.fromkeys(_kinds(snapshot))
    if message.poll is not None:
        found["a poll"] = None
    if message.embeds and not found and not has_visible_text(message.content):  # beside a text it is a link's preview
        found["an embed"] = None
    return list(found)


def _kinds(message: discord.Message | discord.MessageSnapshot) -> list[str]:
    if message.flags.voice:
        return ["a voice message"]
    kinds = ["what is attached"] if message.attachments else []
    return [*kinds, "a sticker"] if message.stickers else kinds
