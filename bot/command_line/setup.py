"""`trinity setup`: from a token to a bot that has said hello in a server. A token is tried before it is kept."""

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path

import typer

from bot.chat.access import AccessRules
from bot.command_line.doctor import outage_in_words
from bot.daemon import discord_options
from bot.discord.inspection import Application, Inspector, open_inspector
from bot.discord.run import DiscordOptions
from bot.doctor.on_discord import PORTAL
from bot.errors import ConfigError, DiscordError, DiscordRefused
from bot.settings.env_file import read_env_file, set_in_env_file
from bot.settings.names import TOKEN_NAMES
from bot.settings.settings import ENV_FILE, Settings, hand_on_library_variables, load_settings
from bot.words import phrase

_TOKEN = "DISCORD_BOT_TOKEN"  # noqa: S105 - the setting's name
_FILE = "DISCORD_BOT_TOKEN_FILE"
_ANYBODYS = {"TRINITY_ALLOW_READABLE_ENV_FILE": "true"}
_TRIES = 3
WAITING_SECONDS = 900.0
_LOOK_SECONDS = 3.0
_STEPS = f"""\
To be on Discord she needs a token.

  1. Open {PORTAL} and choose New Application; its name is hers.
  2. On the page Bot choose Reset Token, and copy the token. Whoever has it is the bot: show it to nobody.
"""


def set_up(
    *,
    env_file: Path = ENV_FILE,
    ask: Callable[[bool], str] | None = None,
    waiting_seconds: float = WAITING_SECONDS,
    look_seconds: float = _LOOK_SECONDS,
) -> int:
    """Ask for the token until Discord takes one, keep it, and wait until the bot is in a server.

    Args:
        env_file: where the token is kept.
        ask: asks for a token, and is told whether there is one that may be kept; None asks at the terminal.
        waiting_seconds: how long it is waited for an invitation.
        look_seconds: how often it is looked for one.

    Raises:
        ConfigError: something else is wrong with the settings.
        DiscordError: Discord refuses the token, or can't be asked.
    """
    settings = _settings(env_file)
    hand_on_library_variables(env_file)
    options, application = _token_that_works(settings, ask or _ask)
    typer.echo(f"Discord knows it: it is {application.name}'s.")
    if settings.discord_bot_token is None or options.token != settings.discord_bot_token.get_secret_value():
        set_in_env_file(env_file, _name_in(env_file), options.token)
        typer.echo(f"It stands in {env_file} now, which you alone can read.")
    _warn_of_another(options.token, env_file)
    typer.echo(f"\nInvite her with this link:\n\n  {application.invite_url}\n")
    return asyncio.run(_wait_for_guild(options, waiting_seconds, look_seconds))


def _name_in(env_file: Path) -> str:
    """What the file calls the token: under the other name, a second one would contradict the first."""
    written = read_env_file(env_file, _ANYBODYS)
    return next((name for name in TOKEN_NAMES if written.get(name, "").strip() and name != _FILE), _TOKEN)


def _settings(env_file: Path) -> Settings:
    """The settings as they are; a file that others can read is no reason to stop, since it is written for one alone."""
    return load_settings({**os.environ, **_ANYBODYS}, env_file)


def _token_that_works(settings: Settings, ask: Callable[[bool], str]) -> tuple[DiscordOptions, Application]:
    kept = None if settings.discord_bot_token is None else settings.discord_bot_token.get_secret_value()
    typer.echo(_STEPS if kept is None else "There is a token already; press Enter to keep it.")
    num_tries = _TRIES if sys.stdin.isatty() else 1
    for _ in range(num_tries - 1):
        try:
            return _tried(settings, ask(kept is not None) or kept)
        except (ConfigError, DiscordRefused) as error:
            typer.echo(f"{str(error).rstrip('.')}. Once more:", err=True)
    return _tried(settings, ask(kept is not None) or kept)


def _tried(settings: Settings, token: str | None) -> tuple[DiscordOptions, Application]:
    options = discord_options(settings, _checked(token or ""), AccessRules(settings.access))
    return options, asyncio.run(_application(options))


async def _application(options: DiscordOptions) -> Application:
    with outage_in_words():
        async with open_inspector(options) as inspector:
            return await inspector.application()


def _checked(token: str) -> str:
    checked = load_settings({_TOKEN: token}, Path(os.devnull)).discord_bot_token
    if checked is None:
        raise ConfigError(_TOKEN, "nothing was entered")
    return checked.get_secret_value()


def _ask(_has_one: bool) -> str:
    """Ask without showing what is typed; from a pipe, its first line is taken."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().strip()
    return str(typer.prompt("Token (it isn't shown)", default="", hide_input=True, show_default=False)).strip()


def _warn_of_another(token: str, env_file: Path) -> None:
    """Say where the environment, or another line, would have another token used."""
    try:
        used = _settings(env_file).discord_bot_token
    except ConfigError as error:
        typer.echo(f"But {error}.", err=True)
        return
    if used is not None and used.get_secret_value() != token:
        typer.echo("But the environment sets another token, which goes before the file: unset it there.", err=True)


async def _wait_for_guild(options: DiscordOptions, seconds: float, look_seconds: float) -> int:
    async with open_inspector(options) as inspector:
        try:
            async with asyncio.timeout(seconds):
                guild_id, name = await _first_guild(inspector, look_seconds)
        except TimeoutError:
            typer.echo("Nobody has invited her yet. The link stays good: trinity invite shows it again.")
            return 0
        try:
            channel = await inspector.say_hello(guild_id, phrase("hello"))
        except DiscordError as error:
            typer.echo(f"She is in {name}, and couldn't say hello: {error}", err=True)
            channel = None
    if channel is None:
        typer.echo(f"She is in {name}, but may write in none of its channels: trinity doctor says what is missing.")
    else:
        typer.echo(f"She is in {name}, and has said hello in #{channel}.")
    typer.echo("Start her with: make run (or trinity run). What she lacks, trinity doctor finds.")
    return 0


async def _first_guild(inspector: Inspector, look_seconds: float) -> tuple[int, str]:
    is_told = False
    while True:
        try:
            guilds = await inspector.guilds()
        except DiscordError as error:
            typer.echo(f"Discord can't be asked just now: {error}", err=True)
            guilds = []
        if guilds:
            return guilds[0]
        if not is_told:
            typer.echo("Waiting until she is in a server (Ctrl-C ends the waiting) ...")
            is_told = True
        await asyncio.sleep(look_seconds)
