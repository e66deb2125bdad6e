"""`/persona`: who the bot is in a channel."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import discord
from discord import app_commands

from bot.chat.chat import Chat, PersonaChange
from bot.conversation.cards import card_of, unread_note
from bot.conversation.messages import ConversationKey, Question
from bot.conversation.persona import MAX_PERSONA_NAME_LENGTH, Persona, normal_name
from bot.conversation.sanitize import has_visible_text
from bot.discord.card_files import read_card_file
from bot.discord.command_replies import CommandReply, ReplyFile, reply_to
from bot.discord.commands.persona_form import kept_words, open_persona_form
from bot.discord.commands.shared import (
    MAY_NOT,
    Right,
    TextOption,
    channel_of,
    chat_of,
    key_of,
    may_change_personas_in,
    require,
)
from bot.discord.markdown import escape_markdown
from bot.errors import TrinityError
from bot.words import Phrase, joined, phrase

MAY_NOT_CHANGE = MAY_NOT[Right.CHANGE_PERSONAS]
_PREVIEW_LENGTH = 80
_MAX_CHANGES = 15
_MAX_CHOICES = 25  # Discord's limit
_CHOICE_SECONDS = 2.0  # Discord waits for three


async def suggest_names(interaction: discord.Interaction, typed: str) -> list[app_commands.Choice[str]]:
    """The names of personas that have `typed` in them."""
    return _choices(await _personas_here(interaction), typed)


async def suggest_own_names(interaction: discord.Interaction, typed: str) -> list[app_commands.Choice[str]]:
    """The same of those that were made here, and so can be changed and deleted."""
    return _choices([each for each in await _personas_here(interaction) if not each.is_built_in], typed)


async def _personas_here(interaction: discord.Interaction) -> list[Persona]:
    try:
        async with asyncio.timeout(_CHOICE_SECONDS):
            return await chat_of(interaction).personas.list(channel_of(interaction))
    except (TimeoutError, TrinityError):
        return []


def _choices(personas: Iterable[Persona], typed: str) -> list[app_commands.Choice[str]]:
    wanted = normal_name(typed)
    names = [persona.name for persona in personas if wanted in normal_name(persona.name)]
    return [app_commands.Choice(name=name, value=name) for name in names[:_MAX_CHOICES]]


_Name = app_commands.Transform[str, TextOption(MAX_PERSONA_NAME_LENGTH)]
_Question = app_commands.Transform[str, TextOption(1000)]
_Prompt = app_commands.Transform[str, TextOption(6000)]  # Discord's own limit for a text option


class PersonaCommands(app_commands.Group):
    """`/persona`: the persona of a channel."""

    def __init__(self) -> None:
        super().__init__(name="persona", description=phrase("persona_description"))
        self._one_card_at_a_time = asyncio.Semaphore(1)

    @app_commands.command(description=phrase("persona_show_description"))
    async def show(self, interaction: discord.Interaction) -> None:
        await reply_to(interaction, _show(chat_of(interaction), key_of(interaction)), is_private=True)

    @app_commands.command(name="list", description=phrase("persona_list_description"))
    async def list_all(self, interaction: discord.Interaction) -> None:
        await reply_to(interaction, _list(chat_of(interaction), key_of(interaction)), is_private=True)

    @app_commands.command(description=phrase("persona_use_description"))
    @app_commands.describe(name=phrase("name_option"))
    @app_commands.autocomplete(name=suggest_names)
    async def use(self, interaction: discord.Interaction, name: _Name) -> None:
        async def work() -> str:
            persona = await chat_of(interaction).personas.use(key_of(interaction), name, interaction.user.id)
            return phrase("persona_used", name=escape_markdown(persona.name))

        await _change(interaction, work)

    @app_commands.command(name="set", description=phrase("persona_set_description"))
    @app_commands.describe(name=phrase("new_name_option"), prompt=phrase("prompt_option"))
    async def set_prompt(self, interaction: discord.Interaction, name: _Name, prompt: _Prompt) -> None:
        async def work() -> str:
            chat = chat_of(interaction)
            may_change_in = may_change_personas_in(interaction)
            persona = await chat.personas.set(key_of(interaction), name, prompt, interaction.user.id, may_change_in)
            return kept_words(chat, persona)

        await _change(interaction, work)

    @app_commands.command(description=phrase("persona_delete_description"))
    @app_commands.describe(name=phrase("name_option"))
    @app_commands.autocomplete(name=suggest_own_names)
    async def delete(self, interaction: discord.Interaction, name: _Name) -> None:
        async def work() -> str:
            may_change_in = may_change_personas_in(interaction)
            await chat_of(interaction).personas.delete(key_of(interaction), name, interaction.user.id, may_change_in)
            return phrase("persona_deleted", name=escape_markdown(name))

        await _change(interaction, work)

    @app_commands.command(description=phrase("persona_clear_description"))
    async def clear(self, interaction: discord.Interaction) -> None:
        async def work() -> str:
            persona = await chat_of(interaction).personas.clear(key_of(interaction), interaction.user.id)
            return phrase("persona_used", name=escape_markdown(persona.name))

        await _change(interaction, work)

    @app_commands.command(description=phrase("persona_create_description"))
    async def create(self, interaction: discord.Interaction) -> None:
        await open_persona_form(interaction, None)

    @app_commands.command(description=phrase("persona_edit_description"))
    @app_commands.describe(name=phrase("name_option"))
    @app_commands.autocomplete(name=suggest_own_names)
    async def edit(self, interaction: discord.Interaction, name: _Name) -> None:
        await open_persona_form(interaction, name)

    @app_commands.command(description=phrase("persona_preview_description"))
    @app_commands.describe(prompt=phrase("prompt_option"), question=phrase("question_option"))
    async def preview(self, interaction: discord.Interaction, prompt: _Prompt, question: _Question = "") -> None:
        async def work() -> CommandReply:
            words = question if has_visible_text(question) else phrase("preview_question").to(interaction.locale)
            asked = Question(
                key_of(interaction), interaction.id, interaction.user.id, interaction.user.display_name, words,
                interaction.created_at, is_direct=True,
            )  # fmt: skip
            answer = await chat_of(interaction).preview(asked, prompt)
            cost, limit = chat_of(interaction).personas.cost(Persona("", prompt))
            said = [answer, phrase("persona_previewed", n=cost, limit=limit)]
            return CommandReply(joined(said, "\n\n"), file_name="preview.txt")

        await reply_to(interaction, work(), is_private=True)

    @app_commands.command(description=phrase("persona_history_description"))
    async def history(self, interaction: discord.Interaction) -> None:
        async def work() -> CommandReply:
            changes = await chat_of(interaction).personas.changes(key_of(interaction), _MAX_CHANGES)
            lines = [phrase("persona_changes" if changes else "no_persona_changes"), *map(_said_of_change, changes)]
            return CommandReply(joined(lines), file_name="changes.txt")

        await reply_to(interaction, work(), is_private=True)

    @app_commands.command(description=phrase("persona_undo_description"))
    async def undo(self, interaction: discord.Interaction) -> None:
        async def work() -> str:
            key, may_change_in = key_of(interaction), may_change_personas_in(interaction)
            change = await chat_of(interaction).personas.undo(key, interaction.user.id, may_change_in)
            now = await chat_of(interaction).personas.show(key)
            used = phrase("persona_used", name=escape_markdown(now.name))
            return joined([phrase("persona_undone"), _said_of_change(change), used])

        await _change(interaction, work)

    @app_commands.command(description=phrase("persona_export_description"))
    @app_commands.describe(name=phrase("name_option"))
    @app_commands.autocomplete(name=suggest_names)
    async def export(self, interaction: discord.Interaction, name: _Name) -> None:
        async def work() -> CommandReply:
            persona = await chat_of(interaction).personas.find(key_of(interaction), name)
            said = phrase("persona_exported", name=escape_markdown(persona.name))
            return CommandReply(said, attached=ReplyFile(f"{persona.name}.json", card_of(persona)))

        await reply_to(interaction, work(), is_private=True)

    @app_commands.command(name="import", description=phrase("persona_import_description"))
    @app_commands.describe(file=phrase("card_option"), name=phrase("new_name_option"))
    async def import_card(self, interaction: discord.Interaction, file: discord.Attachment, name: _Name = "") -> None:
        async def work() -> str:
            async with self._one_card_at_a_time:
                client: Any = interaction.client
                card = await read_card_file(file, client.receivers.reader)
            chat, key, may_change_in = chat_of(interaction), key_of(interaction), may_change_personas_in(interaction)
            persona = await chat.personas.from_card(key, card, name or None, interaction.user.id, may_change_in)
            return joined([kept_words(chat, persona), *(note for note in [unread_note(card)] if note)])

        await _change(interaction, work)


def _said_of_change(change: PersonaChange) -> Phrase:
    when, who = f"<t:{int(change.changed_at.timestamp())}:f>", f"<@{change.author_id}>" if change.author_id else "–"
    name = escape_markdown(change.name or "")
    match change.action:
        case "set":
            return phrase("change_set", when=when, who=who, name=name)
        case "use":
            return phrase("change_use", when=when, who=who, name=name, channel=f"<#{change.channel_id}>")
        case "clear":
            return phrase("change_clear", when=when, who=who, channel=f"<#{change.channel_id}>")
        case _:
            return phrase("change_delete", when=when, name=name)


async def _change(interaction: discord.Interaction, work: Callable[[], Awaitable[str]]) -> None:
    """Change the persona, if the person may; everybody sees it, because it concerns everybody."""

    async def checked() -> CommandReply:
        require(interaction, Right.CHANGE_PERSONAS)
        return CommandReply(await work(), is_private=False)

    await reply_to(interaction, checked(), is_private=False)


async def _show(chat: Chat, key: ConversationKey) -> CommandReply:
    persona = await chat.personas.show(key)
    origin = phrase("built_in" if persona.is_built_in else "made_here")
    name = escape_markdown(persona.name)
    return CommandReply(phrase("persona_shown", name=name, origin=origin, prompt=persona.prompt))


async def _list(chat: Chat, key: ConversationKey) -> CommandReply:
    current = await chat.personas.show(key)
    lines = [phrase("personas_listed")]
    for persona in await chat.personas.list(key):
        is_in_use = normal_name(persona.name) == normal_name(current.name)
        preview = " ".join(persona.prompt.split())
        short = preview if len(preview) <= _PREVIEW_LENGTH else preview[: _PREVIEW_LENGTH - 1] + "…"
        name, beginning = escape_markdown(persona.name), escape_markdown(short)
        lines.append(phrase("persona_line_in_use" if is_in_use else "persona_line", name=name, beginning=beginning))
    return CommandReply(joined(lines))
