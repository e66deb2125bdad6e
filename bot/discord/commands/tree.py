"""The slash commands: `/reset`, `/stop`, `/persona ...`, `/settings ...`, `/memory ...` and the others.

Who may change something is checked here, for every command by itself: Discord keeps permissions for whole commands
only, and an administrator can widen those. `interaction.permissions` is what Discord says the person may do in the
channel at that moment.
"""

import logging
from contextlib import suppress
from typing import Any

import discord
from discord import app_commands

from bot.discord.access import came_too_late, may_interact
from bot.discord.command_replies import CommandReply, reply_to
from bot.discord.commands.about import about, show_help, stats
from bot.discord.commands.asking import ask, ask_about
from bot.discord.commands.conversation import reset, stop
from bot.discord.commands.memory import context, export
from bot.discord.commands.personas import PersonaCommands
from bot.discord.commands.privacy import PrivacyCommands
from bot.discord.commands.remembering import MemoryCommands, forget, remember
from bot.discord.commands.settings import SettingsCommands
from bot.discord.commands.shared import ready
from bot.discord.commands.threads import thread
from bot.discord.receivers import ReceivingClient
from bot.discord.rest import translated
from bot.errors import DiscordError
from bot.words import phrase

log = logging.getLogger(__name__)

GONE = phrase("command_gone")
OUTDATED = phrase("command_outdated")
UNREADABLE = phrase("command_unreadable")
FAILED = phrase("command_failed")
RESTARTING = phrase("restarting")


class TrinityTree(app_commands.CommandTree[ReceivingClient]):
    """All commands, for guilds and for direct messages with the bot; elsewhere only those that ask."""

    def __init__(self, client: ReceivingClient) -> None:
        super().__init__(
            client,
            allowed_contexts=app_commands.AppCommandContext(guild=True, dm_channel=True, private_channel=False),
            allowed_installs=app_commands.AppInstallationType(guild=True, user=False),
        )
        self.add_command(reset)
        self.add_command(stop)
        self.add_command(PersonaCommands())
        self.add_command(SettingsCommands())
        self.add_command(MemoryCommands())
        self.add_command(remember)
        self.add_command(forget)
        self.add_command(PrivacyCommands())
        self.add_command(ask)
        self.add_command(ask_about)
        others: tuple[app_commands.Command[Any, ..., Any], ...] = (thread, context, export, stats, about, show_help)
        for command in others:
            self.add_command(command)

    async def interaction_check(self, interaction: discord.Interaction[Any], /) -> bool:
        """Count the reply against the rate of requests; refuse who may not use the bot here, and all while it ends."""
        if came_too_late(interaction):
            log.info("%s in channel %s came too late to be answered", _name_of(interaction), interaction.channel_id)
            return False
        self.client.receivers.sender.pacer.spend()
        if not await may_interact(interaction):
            return False
        if self.client.is_draining and interaction.type is discord.InteractionType.application_command:
            await reply_to(interaction, ready(CommandReply(RESTARTING)), is_private=True)
        return not self.client.is_draining

    async def on_error(self, interaction: discord.Interaction[Any], error: app_commands.AppCommandError, /) -> None:
        """Explain what `reply_to` didn't catch: an old command that Discord still shows, or a bug."""
        words = next((words for kind, words in _OLD_COMMANDS.items() if isinstance(error, kind)), FAILED)
        what = "failed" if words is FAILED else "isn't one of ours, or an old form of one"
        exc_info = error if words is FAILED else None
        log.log(
            logging.ERROR if words is FAILED else logging.WARNING,
            "the command %s in channel %s %s (%s)",
            _name_of(interaction),
            interaction.channel_id,
            what,
            type(error).__name__,
            exc_info=exc_info,
        )
        await _explain(interaction, words)

    async def _call(self, interaction: discord.Interaction[Any]) -> None:
        """Explain a command that discord.py can't read, with one line in the log."""
        try:
            await super()._call(interaction)
        except app_commands.AppCommandError:
            raise
        except Exception as error:
            log.warning(
                "the command %s in channel %s can't be read (%s)",
                _name_of(interaction),
                interaction.channel_id,
                type(error).__name__,
            )
            await _explain(interaction, UNREADABLE)


_OLD_COMMANDS: dict[type[app_commands.AppCommandError], str] = {
    app_commands.CommandNotFound: GONE,
    app_commands.CommandSignatureMismatch: OUTDATED,
    app_commands.TransformerError: OUTDATED,
}


async def _explain(interaction: discord.Interaction[Any], words: str) -> None:
    """Say why a command has no other reply; suggestions while one types are just empty."""
    if interaction.response.is_done():
        return
    if interaction.type is discord.InteractionType.autocomplete:
        with suppress(DiscordError, discord.DiscordException):
            async with translated():
                await interaction.response.autocomplete([])
        return
    await reply_to(interaction, ready(CommandReply(words)), is_private=True)


def _name_of(interaction: discord.Interaction[Any]) -> str:
    """The command as it was used: its name and those of its sub-commands, none of what was typed."""
    data: Any = interaction.data
    names = []
    while isinstance(data, dict) and isinstance(data.get("name"), str):
        names.append(data["name"])
        options = data.get("options")
        data = next((o for o in options if isinstance(o, dict) and o.get("type") in (1, 2)), None) if options else None
    return "/" + " ".join(names)
