"""`/memory`: what the bot remembers in a channel beyond what was said last."""

import discord
from discord import app_commands

from bot.conversation.channel_settings import RECALL, SUMMARY, WINDOW
from bot.discord.command_replies import CommandReply, reply_to
from bot.discord.commands.settings import HERE, SCOPES, place_of, said_of_choice
from bot.discord.commands.shared import chat_of
from bot.words import phrase

_MODES = [
    app_commands.Choice(name=phrase("memory_mode_recall"), value=RECALL),
    app_commands.Choice(name=phrase("memory_mode_summary"), value=SUMMARY),
    app_commands.Choice(name=phrase("memory_mode_window"), value=WINDOW),
]


class MemoryCommands(app_commands.Group):
    """`/memory`: what becomes of what was said earlier."""

    def __init__(self) -> None:
        super().__init__(name="memory", description=phrase("memory_description"))

    @app_commands.command(description=phrase("memory_mode_description"))
    @app_commands.describe(mode=phrase("memory_mode_option"), scope=phrase("setting_scope_option"))
    @app_commands.choices(mode=_MODES, scope=SCOPES)
    async def mode(self, interaction: discord.Interaction, mode: str, scope: str = HERE) -> None:
        """The setting `memory`, which `/settings set` changes as well."""

        async def work() -> CommandReply:
            key, chosen_for = place_of(interaction, scope)
            shown = await chat_of(interaction).settings.set(key, chosen_for, "memory", mode, interaction.user.id)
            return CommandReply(said_of_choice(shown, chosen_for), is_private=False)

        await reply_to(interaction, work(), is_private=False)
