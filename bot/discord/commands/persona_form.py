"""The form in which a persona is written: a name, and a prompt of several lines.

Who may change personas is checked when the form is opened, and again when it comes back.
"""

import asyncio
import logging
from typing import Any

import discord

from bot.chat.chat import Chat
from bot.conversation.persona import MAX_PERSONA_NAME_LENGTH, Persona
from bot.delivery.refusals import InteractionGone
from bot.delivery.split import utf16_length
from bot.discord.command_replies import CommandReply, reply_to
from bot.discord.commands.shared import Right, chat_of, key_of, may, may_change_personas_in, require
from bot.discord.forms import form_id, open_form, written_in
from bot.discord.markdown import escape_markdown
from bot.errors import BuiltInPersona, DiscordError, NotAllowed, TrinityError, UserError
from bot.words import Phrase, in_language, joined, phrase

log = logging.getLogger(__name__)

KIND = "persona"
_LONGEST_PROMPT = 4000  # Discord's limit for a field
_READING_SECONDS = 2.0  # a form can't be deferred, and Discord waits for three


def persona_form(locale: discord.Locale, persona: Persona | None) -> discord.ui.Modal:
    """Asks for a persona; for one that is to be changed, for its prompt."""
    name = "" if persona is None else persona.name
    form = discord.ui.Modal(title=in_language(phrase("form_title"), locale), custom_id=form_id(KIND, name))
    if persona is None:
        label = in_language(phrase("form_name"), locale)
        form.add_item(discord.ui.TextInput(label=label, custom_id="name", max_length=MAX_PERSONA_NAME_LENGTH))
    form.add_item(
        discord.ui.TextInput(
            label=in_language(phrase("form_prompt"), locale), custom_id="prompt", style=discord.TextStyle.paragraph,
            max_length=_LONGEST_PROMPT, default=persona.prompt if persona else None,
        )
    )  # fmt: skip
    return form


async def keep_persona(interaction: discord.Interaction[Any], name: str) -> CommandReply:
    """Keep the persona that was written, that of a `name` if one was to be changed; all see it, as it concerns all."""
    require(interaction, Right.CHANGE_PERSONAS)
    chat, written = chat_of(interaction), written_in(interaction)
    persona = await chat.personas.set(
        key_of(interaction), name or written.get("name", ""), written.get("prompt", ""), interaction.user.id,
        may_change_personas_in(interaction),
    )  # fmt: skip
    return CommandReply(kept_words(chat, persona), is_private=False)


async def open_persona_form(interaction: discord.Interaction, name: str | None) -> None:
    """Show an empty form, or that of a persona made here; what speaks against it is said in words."""
    try:
        persona = await _persona_to_edit(interaction, name)
    except (TrinityError, TimeoutError) as error:
        await reply_to(interaction, _refusal(error), is_private=True)
        return
    try:
        await open_form(interaction, persona_form(interaction.locale, persona))
    except (DiscordError, InteractionGone, discord.DiscordException) as error:
        log.warning("a form was not opened in channel %s: %s", interaction.channel_id, error)


async def _persona_to_edit(interaction: discord.Interaction, name: str | None) -> Persona | None:
    if not may(interaction, Right.CHANGE_PERSONAS):
        raise NotAllowed(phrase("may_not_change"))
    if name is None:
        return None
    personas, key = chat_of(interaction).personas, key_of(interaction)
    async with asyncio.timeout(_READING_SECONDS):
        persona = await personas.find(key, name)
        await personas.refuse_reach(key, name, may_change_personas_in(interaction))
    if persona.is_built_in or persona.is_operators:
        raise BuiltInPersona(phrase("built_in_stays", name=persona.name))
    if utf16_length(persona.prompt) > _LONGEST_PROMPT:
        raise UserError(phrase("form_too_small", name=persona.name))
    return persona


async def _refusal(error: Exception) -> CommandReply:
    raise error


def kept_words(chat: Chat, persona: Persona) -> Phrase:
    """What is said of a persona that was kept, with its cost."""
    cost, limit = chat.personas.cost(persona)
    kept = phrase("persona_set", name=escape_markdown(persona.name), typed=persona.name)
    return joined([kept, phrase("persona_cost", n=cost, limit=limit)])
