"""Follows forms that were sent: a persona's, and that of the menu entry "Ask Trinity".

What may not be done with a form is checked when it comes back, as if it had been a command. Whoever is refused gets
what they wrote given back, because Discord has closed the form by then.
"""

from typing import Any

import discord

from bot.discord.access import may_interact
from bot.discord.command_replies import CommandReply, reply_to
from bot.discord.commands import asking, persona_form
from bot.discord.commands.shared import ready
from bot.discord.forms import sent_form, written_text
from bot.errors import NotAllowed, UserError
from bot.words import joined, phrase

RESTARTING = phrase("restarting")
GONE = phrase("form_gone")


async def take_form(interaction: discord.Interaction[Any]) -> None:
    """Follow an interaction if it is a form of ours that was sent."""
    form = sent_form(interaction)
    if form is None:
        return
    client = interaction.client
    client.receivers.sender.pacer.spend()
    if not await may_interact(interaction):
        return
    kind, subject = form
    if client.is_draining:
        await _give_back(interaction, RESTARTING)
    elif kind == persona_form.KIND:
        await _keep_persona(interaction, subject)
    elif kind == asking.KIND and (message := asking.message_of_form(interaction, subject)) is not None:
        await asking.ask_in_form(interaction, message)
    else:
        await _give_back(interaction, asking.MESSAGE_FORGOTTEN if kind == asking.KIND else GONE)


async def _keep_persona(interaction: discord.Interaction[Any], name: str) -> None:
    async def work() -> CommandReply:
        try:
            return await persona_form.keep_persona(interaction, name)
        except (UserError, NotAllowed) as error:
            return given_back(interaction, str(error))

    await reply_to(interaction, work(), is_private=False)


async def _give_back(interaction: discord.Interaction[Any], why: str) -> None:
    await reply_to(interaction, ready(given_back(interaction, why)), is_private=True)


def given_back(interaction: discord.Interaction[Any], why: str) -> CommandReply:
    """Why nothing comes of a form, with what was written into it."""
    text = written_text(interaction)
    return CommandReply(why) if text is None else CommandReply(joined([why, phrase("form_text_back")]), attached=text)
