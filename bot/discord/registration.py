"""Registers the slash commands with Discord, only if it has others: each registration counts against a daily limit.

Their names and descriptions in other languages belong to what is compared; Discord tells them only where it is asked.
"""

import asyncio
import json
import logging
from typing import Any

import discord
from discord import app_commands
from discord.http import Route

from bot.delivery.refusals import NoAccess, Rejected, Unreachable
from bot.delivery.sender import growing_pauses
from bot.discord.rest import translated
from bot.discord.translator import Translator
from bot.errors import DiscordError

log = logging.getLogger(__name__)

Command = dict[str, Any]
"""A command as Discord gets it."""

_TRANSLATED: dict[str, list[Command]] = {}
"""The last commands in English, as JSON, and the same in every language."""
_LOCALIZATIONS = "_localizations"
_COMPARED_FIELDS = (
    "name", "name_localizations", "description", "description_localizations", "options", "choices", "required",
    "autocomplete", "min_length", "max_length", "value", "nsfw", "contexts", "integration_types",
    "default_member_permissions",
)  # fmt: skip


async def register_commands(client: discord.Client, tree: app_commands.CommandTree[Any]) -> None:
    """Register the tree's commands, unless Discord has these already; and keep trying through an outage.

    A command that Discord refuses is left out, and the log names what it refuses in it. Nothing is raised: the bot can
    do without its commands.
    """
    wanted: list[Command] = []
    for pause in growing_pauses(longest=300.0):
        try:
            wanted = wanted or await _translated(tree)
            await _register_if_changed(client, wanted)
        except Unreachable as error:
            log.debug("the slash commands are registered later: %s", error)
            await asyncio.sleep(pause)
        except (DiscordError, app_commands.AppCommandError) as error:
            log.error("the slash commands could not be registered: %s", error)
            return
        except Exception as error:
            log.error("the slash commands could not be registered", exc_info=error)
            return
        else:
            return


async def _translated(tree: app_commands.CommandTree[Any]) -> list[Command]:
    """The tree's commands with their names and descriptions in every language.

    discord.py asks for each text in each of Discord's 32 languages, thousands of times for one tree: it is done once
    for commands that are alike, and not at each login.
    """
    commands = tree.get_commands()
    english = json.dumps([command.to_dict(tree) for command in commands])
    if english not in _TRANSLATED:
        translator = Translator()
        translated_commands = [await command.get_translated_payload(tree, translator) for command in commands]
        _TRANSLATED.clear()
        _TRANSLATED[english] = translated_commands
    return _TRANSLATED[english]


async def _register_if_changed(client: discord.Client, wanted: list[Command]) -> None:
    if client.application_id is None:
        raise Rejected("not logged in")
    if _comparable(await _registered(client, client.application_id)) == _comparable(wanted):
        return
    taken = await _register(client, client.application_id, wanted)
    if len(taken) == len(wanted):
        log.info("registered the slash commands")
    else:
        log.warning("registered %d of %d slash commands", len(taken), len(wanted))


async def _registered(client: discord.Client, application_id: int) -> Any:
    """The commands that Discord has; none where it doesn't say, so that they are registered."""
    route = Route("GET", "/applications/{application_id}/commands", application_id=application_id)
    try:
        async with translated():
            return await client.http.request(route, params={"with_localizations": "true"})
    except (NoAccess, Rejected) as error:
        log.info("Discord doesn't tell its slash commands: %s", error)
        return None


async def _register(client: discord.Client, application_id: int, wanted: list[Command]) -> list[Command]:
    """Register commands all at once, without what Discord refuses; returns those that it took.

    Where it refuses a translation, the command goes without any; where it refuses something else, the command goes.
    """
    try:
        await _put(client, application_id, wanted)
    except Rejected as error:
        refused = _refused(error, wanted)
        if not refused:
            return await _register_one_by_one(client, application_id, wanted)
        rest = [
            _in_english(command) if number in refused else command
            for number, command in enumerate(wanted)
            if number not in refused or _is_only_translated_wrong(command, refused[number])
        ]
        return await _register(client, application_id, rest) if rest else []
    return wanted


async def _register_one_by_one(client: discord.Client, application_id: int, wanted: list[Command]) -> list[Command]:
    """Where Discord doesn't say which command it refuses, each is added to those that it took before."""
    taken: list[Command] = []
    for command in wanted:
        try:
            await _put(client, application_id, [*taken, command])
        except Rejected as error:
            log.error("Discord refuses the command /%s: %s", command.get("name"), _reasons(error))
        else:
            taken.append(command)
    return taken


async def _put(client: discord.Client, application_id: int, commands: list[Command]) -> None:
    async with translated():
        await client.http.bulk_upsert_global_commands(application_id, payload=commands)


def _is_only_translated_wrong(command: Command, fields: list[str]) -> bool:
    return all(_LOCALIZATIONS in field for field in fields) and command != _in_english(command)


def _in_english(command: Command) -> Command:
    """A command, or an option, without its translations."""
    kept = {key: value for key, value in command.items() if not key.endswith(_LOCALIZATIONS)}
    for inner in ("options", "choices"):
        if inner in kept:
            kept[inner] = [_in_english(each) for each in kept[inner]]
    return kept


def _refused(error: Rejected, wanted: list[Command]) -> dict[int, list[str]]:
    """Which commands the refusal names by their number, and what in them; each with a line in the log."""
    reasons: dict[int, list[str]] = {}
    for field in error.fields:
        number, _, rest = field.partition(".")
        if number.isdecimal() and int(number) < len(wanted):
            reasons.setdefault(int(number), []).append(rest)
    for index, fields in reasons.items():
        log.error("Discord refuses the command /%s: %s", wanted[index].get("name"), ", ".join(fields))
    return reasons


def _reasons(error: Rejected) -> str:
    return ", ".join(error.fields) or str(error)


def _comparable(commands: Any) -> Any:
    """The compared fields of commands or options; defaults and what Discord adds are left out."""
    if isinstance(commands, list) and all(isinstance(command, dict) for command in commands):
        shortened = [
            {key: _comparable(command[key]) for key in _COMPARED_FIELDS if command.get(key)} for command in commands
        ]
        return sorted(shortened, key=lambda command: str(command.get("name")))
    return sorted(commands) if isinstance(commands, list) else commands
