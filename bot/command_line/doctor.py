"""`trinity doctor` and `trinity invite`."""

import asyncio
import json
import logging
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import typer

from bot.app import DEMO_MODEL, check_model, describe_server
from bot.chat.access import AccessRules
from bot.daemon import discord_options
from bot.discord.inspection import open_inspector
from bot.discord.run import DiscordOptions
from bot.doctor.card import look_at_card
from bot.doctor.configuration import look_at_settings
from bot.doctor.database import look_at_database
from bot.doctor.examination import Check, examine, exit_status
from bot.doctor.files import look_at_files
from bot.doctor.finding import Finding, State
from bot.doctor.installation import look_at_installation
from bot.doctor.model import look_at_model, look_at_server, model_folder
from bot.doctor.on_discord import look_at_discord
from bot.errors import ConfigError, DiscordError, DiscordRefused
from bot.logs import escape_control_characters, flush_logs, redact_secrets
from bot.settings.settings import ENV_FILE, Settings, Survey, hand_on_library_variables, survey_settings
from bot.store.files.instance import running_process
from bot.tasks import in_daemon_thread

_SLOW_SECONDS = 120.0
"""Torch is imported, files are read, Discord is asked up to a hundred times."""
_MARKS = {State.OK: "ok", State.NOTE: "note", State.UNKNOWN: "unknown", State.BAD: "BAD"}
_ADVICE = "      mend: "


def examine_all(*, as_json: bool) -> int:
    """Look at everything, tell of each thing as it is known, and end with 78 or 69 where something isn't well."""
    logging.getLogger("discord").setLevel(logging.ERROR)
    hand_on_library_variables()
    status = asyncio.run(_examine(survey_settings(), as_json=as_json))
    if threading.active_count() > 1 and any(thread.name.startswith("looking") for thread in threading.enumerate()):
        flush_logs()
        sys.stdout.flush()
        os._exit(status)  # a disk or a driver hangs, and the interpreter's end would wait for it
    return status


async def _examine(survey: Survey, *, as_json: bool) -> int:
    findings = []
    async for finding in examine(checks_for(survey)):
        findings.append(finding)
        if not as_json:
            _tell(finding)
    status = exit_status(findings)
    if as_json:
        told = [{name: _clean(text) for name, text in asdict(finding).items()} for finding in findings]
        typer.echo(json.dumps({"is_ready": status == 0, "findings": told}, indent=2))
    else:
        typer.echo(_verdict(findings))
    return status


def checks_for(survey: Survey) -> list[Check]:
    """What is looked at with these settings; with such that can't be used, what doesn't need them."""
    settings = survey.settings
    is_server = settings is not None and settings.effective_database_url.startswith("postgresql")
    checks = [
        _in_thread("installation", partial(look_at_installation, needs_postgresql=is_server)),
        _in_thread("settings", partial(look_at_settings, survey)),
    ]
    if settings is None:
        return [
            *checks,
            Check(
                "card", lambda: look_at_card(_asked(Settings.model_validate({}), None), "fp16", "fp16"), _SLOW_SECONDS
            ),
        ]
    hub_token = None if settings.hf_token is None else settings.hf_token.get_secret_value()
    environ = dict(os.environ)
    checks += [
        _in_thread("files", partial(look_at_files, settings.data_dir, _files_with_settings(survey))),
        Check("database", lambda: look_at_database(settings.effective_database_url)),
    ]
    if settings.engine_url is not None:
        checks.append(Check("model", lambda: look_at_server(partial(describe_server, settings)), _SLOW_SECONDS))
    else:
        folder = model_folder(settings.model, DEMO_MODEL, environ, settings.made_models)
        daemon = None
        if settings.discord_bot_token is not None:
            daemon = running_process(settings.discord_bot_token.get_secret_value(), settings.data_dir)
        card = partial(look_at_card, _asked(settings, folder), settings.weights, settings.kv_cache, daemon=daemon)
        model = partial(
            look_at_model, settings.model, DEMO_MODEL, hub_token, environ, settings.made_models,
            chat_format=settings.chat_format, check=partial(check_model, settings),
        )  # fmt: skip
        checks += [Check("model", model, _SLOW_SECONDS), Check("card", card, _SLOW_SECONDS)]
    if settings.discord_bot_token is not None:
        checks.append(Check("Discord", lambda: look_at_discord(_options(settings)), _SLOW_SECONDS))
    return checks


def invite(settings: Settings) -> int:
    """Print the link that invites the bot, and that gives it the permissions that it lacks."""
    typer.echo(asyncio.run(_invite_url(settings)))
    return 0


async def _invite_url(settings: Settings) -> str:
    with outage_in_words():
        async with open_inspector(_options(settings)) as inspector:
            return (await inspector.application()).invite_url


@contextmanager
def outage_in_words() -> Iterator[None]:
    """Say what to look at where Discord doesn't answer a command that can do nothing without it."""
    try:
        yield
    except DiscordRefused:
        raise
    except DiscordError as error:
        raise DiscordError(
            f"Discord can't be asked: {error}. Look at the network, a firewall, and HTTPS_PROXY."
        ) from error


def _options(settings: Settings) -> DiscordOptions:
    if settings.discord_bot_token is None:
        raise ConfigError("DISCORD_BOT_TOKEN", "is not set; trinity setup asks for it and puts it into .env")
    return discord_options(settings, settings.discord_bot_token.get_secret_value(), AccessRules(settings.access))


def _in_thread(topic: str, look: Any) -> Check:
    async def run() -> Sequence[Finding]:
        return await in_daemon_thread(lambda: list(look()), name=f"looking at {topic}")

    return Check(topic, run)


def _files_with_settings(survey: Survey) -> list[Path]:
    named = [Path(survey.given[name].text) for name in ("DISCORD_BOT_TOKEN_FILE",) if name in survey.given]
    return [ENV_FILE, *named]


def _asked(settings: Settings, folder: Path | None) -> dict[str, Any]:
    return {
        "device": settings.device,
        "folder": None if folder is None else str(folder),
        "is_llama_2_7b": "llama-2-7b" in (settings.model or "").lower(),
        "context_window": settings.context_window,
        "gpu_memory_gib": settings.gpu_memory_gib,
        "gpu_memory_fraction": settings.gpu_memory_fraction,
    }


def _tell(finding: Finding) -> None:
    typer.echo(f"{_MARKS[finding.state]:8} {finding.topic}: {_clean(finding.said)}")
    if finding.mend:
        typer.echo(f"{_ADVICE}{_clean(finding.mend)}")


def _verdict(findings: Sequence[Finding]) -> str:
    num_bad = sum(finding.state is State.BAD for finding in findings)
    num_unknown = sum(finding.state is State.UNKNOWN for finding in findings)
    if num_bad:
        return f"\n{num_bad} to be mended before she can answer."
    if num_unknown:
        return f"\nNothing to be mended; {num_unknown} can't be found out just now."
    return "\nShe is ready to start."


def _clean(text: str) -> str:
    return escape_control_characters(redact_secrets(text))
