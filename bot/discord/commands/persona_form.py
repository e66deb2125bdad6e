"""The form in which a persona is written: a name, and a prompt of several lines. It needs a process that stays alive.

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
from bot.discord.access import may_interact
from bot.discord.command_replies import CommandReply, reply_to
from bot.discord.commands.shared import Right, chat_of, key_of, may, ready, require
from bot.discord.markdown import escape_markdown
from bot.discord.rest import translated
from bot.errors import BuiltInPersona, DiscordError, NotAllowed, TrinityError, UserError
from bot.words import Phrase, in_language, joined, phrase

log = logging.getLogger(__name__)

_LONGEST_PROMPT = 4000  # Discord's limit for a field
_OPEN_SECONDS = 900.0  # an interaction can be answered for so long
_READING_SECONDS = 2.0  # a form can't be deferred, and Discord waits for three


class PersonaForm(discord.ui.Modal):
    """Asks for a persona, and keeps it."""

    def __init__(self, locale: discord.Locale, persona: Persona | None) -> None:
        super().__init__(title=in_language(phrase("form_title"), locale), timeout=_OPEN_SECONDS)
        self._old_name = None if persona is None else persona.name
        self._name: discord.ui.TextInput[PersonaForm] = discord.ui.TextInput(
            label=in_language(phrase("form_name"), locale), custom_id="name", max_length=MAX_PERSONA_NAME_LENGTH
        )
        self._prompt: discord.ui.TextInput[PersonaForm] = discord.ui.TextInput(
            label=in_language(phrase("form_prompt"), locale), custom_id="prompt", style=discord.TextStyle.paragraph,
            max_length=_LONGEST_PROMPT, default=persona.prompt if persona else None,
        )  # fmt: skip
        if persona is None:
            self.add_item(self._name)
        self.add_item(self._prompt)

    async def interaction_check(self, interaction: discord.Interaction, /) -> bool:
        """The operator's lists hold for forms as for commands."""
        client: Any = interaction.client
        client.receivers.sender.pacer.spend()
        return await may_interact(interaction)

    async def on_submit(self, interaction: discord.Interaction, /) -> None:
        """Keep the persona; everybody sees it, because it concerns everybody."""

        async def work() -> CommandReply:
            require(interaction, Right.CHANGE_PERSONAS)
            chat, name = chat_of(interaction), self._old_name or self._name.value
            persona = await chat.personas.set(key_of(interaction), name, self._prompt.value, interaction.user.id)
            return CommandReply(kept_words(chat, persona), is_private=False)

        await reply_to(interaction, work(), is_private=False)

    async def on_error(  # type: ignore[override]  # discord.py hands a form over without an item
        self, interaction: discord.Interaction, error: Exception, /
    ) -> None:
        """What `reply_to` didn't catch is a bug; the person is told all the same."""
        log.error("a persona's form failed", exc_info=error)
        if not interaction.response.is_done():
            await reply_to(interaction, ready(CommandReply(phrase("not_possible_now"))), is_private=True)


async def open_form(interaction: discord.Interaction, name: str | None) -> None:
    """Show an empty form, or that of a persona made here; what speaks against it is said in words."""
    try:
        persona = await _persona_to_edit(interaction, name)
    except (TrinityError, TimeoutError) as error:
        await reply_to(interaction, _refusal(error), is_private=True)
        return
    try:
        async with translated():
            await interaction.response.send_modal(PersonaForm(interaction.locale, persona))
    except (DiscordError, InteractionGone, discord.DiscordException) as error:
        log.warning("a form was not opened in channel %s: %s", interaction.channel_id, error)


async def _persona_to_edit(interaction: discord.Interaction, name: str | None) -> Persona | None:
    if not may(interaction, Right.CHANGE_PERSONAS):
        raise NotAllowed(phrase("may_not_change"))
    if name is None:
        return None
    async with asyncio.timeout(_READING_SECONDS):
        persona = await chat_of(interaction).personas.find(key_of(interaction), name)
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
