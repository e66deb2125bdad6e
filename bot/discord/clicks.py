"""What following a click takes, whatever the button: its custom id, the acknowledgement, and words for who clicked."""

import logging
from dataclasses import replace
from typing import Any

import discord

from bot.discord.access import may_interact
from bot.discord.command_replies import CommandReply, reply_to
from bot.discord.components import is_answer_button, is_reply_button
from bot.discord.forms import sent_form
from bot.discord.interaction_requests import follow_up, respond, until_taken
from bot.errors import DiscordError
from bot.words import in_language, phrase

log = logging.getLogger(__name__)

_WITH_CUSTOM_ID = frozenset({discord.InteractionType.component, discord.InteractionType.modal_submit})


def custom_id_of_click(interaction: discord.Interaction[Any]) -> str:
    """What the button that was clicked says; nothing where an interaction is no click."""
    data: Any = interaction.data
    is_click = interaction.type is discord.InteractionType.component and isinstance(data, dict)
    return str(data.get("custom_id")) if is_click else ""


async def acknowledge(interaction: discord.Interaction[Any]) -> bool:
    """Tell Discord that the click has come; False where it isn't taken any more, so that nothing is to be done."""
    try:
        await respond(interaction, interaction.response.defer)
    except (DiscordError, discord.DiscordException) as error:
        log.info("a click in channel %s came too late, or twice: %s", interaction.channel_id, error)
        return False
    return True


async def refuse(interaction: discord.Interaction[Any], words: str) -> None:
    """Tell who clicked, as the answer to the click, why nothing happens."""

    async def work() -> CommandReply:
        return CommandReply(words)

    await reply_to(interaction, work(), is_private=True)


async def refuse_unknown(interaction: discord.Interaction[Any]) -> None:
    """Tell who used a button, a menu or a form that is none of this version's; else Discord says that it failed."""
    data: Any = interaction.data
    custom_id = str(data.get("custom_id")) if isinstance(data, dict) else ""
    is_known = is_answer_button(custom_id) or is_reply_button(custom_id) or sent_form(interaction) is not None
    if interaction.type in _WITH_CUSTOM_ID and not is_known and await may_interact(interaction):
        is_form = interaction.type is discord.InteractionType.modal_submit
        await refuse(interaction, phrase("form_gone") if is_form else phrase("button_gone"))


async def say_privately(interaction: discord.Interaction[Any], words: str) -> None:
    """Tell who clicked why nothing happens, when the click is acknowledged already."""
    try:
        await follow_up(
            lambda: interaction.followup.send(
                in_language(words, interaction.locale),
                ephemeral=True,
                suppress_embeds=True,
                allowed_mentions=discord.AllowedMentions.none(),
            )
        )
    except (DiscordError, discord.DiscordException) as error:
        log.info("who clicked in channel %s isn't told why nothing happens: %s", interaction.channel_id, error)


async def show_instead(interaction: discord.Interaction[Any], reply: CommandReply | None) -> None:
    """Let the message below which was clicked, and which is acknowledged, show this, without its buttons.

    None leaves the text as it is.
    """
    said = None if reply is None else replace(reply, text=in_language(reply.text, interaction.locale))

    async def edit() -> None:
        fields: dict[str, Any] = {} if said is None else {"content": said.content}
        if said is not None and (file := said.file()):
            fields["attachments"] = [file]
        await interaction.edit_original_response(view=None, allowed_mentions=discord.AllowedMentions.none(), **fields)

    try:
        await until_taken(edit)
    except (DiscordError, discord.DiscordException) as error:
        log.info("a message in channel %s keeps its buttons: %s", interaction.channel_id, error)
