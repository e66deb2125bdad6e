"""Clicks on the buttons below replies to commands: Undo below a reset, Erase and Keep below `/privacy erase`.

As with the buttons below answers, a click is read from its custom id alone, so it works in any process. What it may do
is checked anew, as if the command had been used.
"""

from dataclasses import replace
from typing import Any

import discord

from bot.chat.chat import TOO_LATE_TO_UNDO
from bot.discord.access import may_interact
from bot.discord.clicks import acknowledge, custom_id_of_click, refuse, say_privately, show_instead
from bot.discord.command_replies import CommandReply, reply_or_error
from bot.discord.commands.conversation import said_of_undo
from bot.discord.commands.privacy import erase_words
from bot.discord.commands.shared import Right, channel_of, chat_of, has_buttons, moment_of, require
from bot.discord.components import ReplyButton, ReplyButtonKind, is_reply_button, reply_button_of
from bot.errors import NotAllowed
from bot.words import phrase

GONE = phrase("button_gone")
RESTARTING = phrase("restarting")
NOT_YOUR_CONVERSATION = phrase("not_your_conversation")


async def take_click(interaction: discord.Interaction[Any]) -> None:
    """Follow an interaction if it is such a click; whoever may not click, or comes too late, is told privately."""
    custom_id = custom_id_of_click(interaction)
    if not is_reply_button(custom_id):
        return
    client = interaction.client
    client.receivers.sender.pacer.spend()
    if not await may_interact(interaction):
        return
    button = reply_button_of(custom_id) if has_buttons(interaction) else None
    if client.is_draining or button is None:
        await refuse(interaction, GONE if button is None else RESTARTING)
    elif await acknowledge(interaction):
        await _follow(interaction, button)


async def _follow(interaction: discord.Interaction[Any], button: ReplyButton) -> None:
    match button.kind:
        case ReplyButtonKind.UNDO:
            reply = await reply_or_error(interaction, _undo(interaction, button))
            if reply.is_private:
                if reply.text == TOO_LATE_TO_UNDO:  # nor will it ever be possible again: the button goes
                    await show_instead(interaction, None)
                await say_privately(interaction, reply.text)
                return
        case ReplyButtonKind.ERASE:
            await show_instead(interaction, CommandReply(phrase("privacy_erasing")))
            reply = await reply_or_error(interaction, erase_words(interaction))
        case ReplyButtonKind.KEEP:
            reply = CommandReply(phrase("privacy_kept"))
    await show_instead(interaction, reply)


async def _undo(interaction: discord.Interaction[Any], button: ReplyButton) -> CommandReply:
    """Bring back what that reset hid; all see it, where it succeeds."""
    if button.person_id not in (0, interaction.user.id):
        raise NotAllowed(NOT_YOUR_CONVERSATION)
    if not button.person_id:
        require(interaction, Right.RESET_SHARED)
    key = replace(channel_of(interaction), person_id=button.person_id or None)
    await chat_of(interaction).undo_reset(key, at=moment_of(button.act_id))
    return CommandReply(said_of_undo(key), is_private=False)
