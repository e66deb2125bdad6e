"""Tells Discord the slash commands, and only if it has others: each registration counts against a daily limit."""

import asyncio
import logging
from typing import Any

import discord
from discord import app_commands

from bot.discord.sender import growing_pauses
from bot.discord.wire import NoAccess, Rejected, Unreachable, translated
from bot.errors import DiscordError

log = logging.getLogger(__name__)

_TOLD = (
    "name", "description", "options", "choices", "required", "autocomplete", "min_length", "max_length", "value",
    "nsfw", "contexts", "integration_types", "default_member_permissions",
)  # fmt: skip


async def register_commands(client: discord.Client, tree: app_commands.CommandTree[Any]) -> None:
    """Register the tree's commands, unless Discord has these already; an outage is waited out."""
    for pause in growing_pauses(longest=300.0):
        try:
            await _register_if_changed(client, tree)
        except Unreachable:
            await asyncio.sleep(pause)
        except (DiscordError, app_commands.AppCommandError) as error:
            log.error("the slash commands could not be registered: %s", error)
            return
        else:
            return


async def _register_if_changed(client: discord.Client, tree: app_commands.CommandTree[Any]) -> None:
    known = await _registered(client)
    async with translated():
        if _essence(known) != _essence([command.to_dict(tree) for command in tree.get_commands()]):
            await tree.sync()
            log.info("registered the slash commands")


async def _registered(client: discord.Client) -> Any:
    """The commands that Discord has; none where it doesn't say, so that they are registered."""
    if client.application_id is None:
        raise Rejected("not logged in")
    try:
        async with translated():
            return await client.http.get_global_commands(client.application_id)
    except (NoAccess, Rejected) as error:
        log.info("Discord doesn't tell its slash commands: %s", error)
        return None


def _essence(commands: Any) -> Any:
    """What two lists of commands or options have to share; defaults and what Discord adds are left out."""
    if isinstance(commands, list) and all(isinstance(command, dict) for command in commands):
        shortened = [{key: _essence(command[key]) for key in _TOLD if command.get(key)} for command in commands]
        return sorted(shortened, key=lambda command: str(command.get("name")))
    return sorted(commands) if isinstance(commands, list) else commands
