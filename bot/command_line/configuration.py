"""`trinity config` and `trinity reload`: what holds and where it comes from; and having a daemon take over changes."""

import json
from dataclasses import asdict

import typer

from bot.errors import ConfigError
from bot.logs import escape_control_characters, redact_secrets
from bot.settings.description import DEFAULT, describe
from bot.settings.settings import Settings, survey_settings

_NO_DAEMON = 69
_NO_ANSWER = 75


def show_config(*, as_json: bool) -> int:
    """Show every setting and all that is wrong; the exit status is that of a start."""
    survey = survey_settings()
    rows, problems = list(describe(survey)), [_clean(str(problem)) for problem in survey.problems]
    if as_json:
        typer.echo(json.dumps({"settings": [asdict(row) for row in rows], "problems": problems}, indent=2))
    else:
        width = max(len(row.name) for row in rows)
        for row in rows:
            value = "not set" if row.value is None else row.value
            source = "" if row.source == DEFAULT else f"   ({row.source})"
            typer.echo(f"{row.name:{width}}  {value}{source}")
        for problem in problems:
            typer.echo(f"trinity: {problem}", err=True)
    return ConfigError.exit_status if problems else 0


def reload(settings: Settings) -> int:
    """Have the daemon that runs with these settings read them anew, and say what it took over."""
    from bot.operations.reload_report import ReloadReport  # noqa: PLC0415
    from bot.store.files.instance import running_process  # noqa: PLC0415

    token = settings.discord_bot_token
    process = None if token is None else running_process(token.get_secret_value(), settings.data_dir)
    if process is None:
        typer.echo("trinity: no daemon runs here with this token and data folder", err=True)
        return _NO_DAEMON
    try:
        reloaded = ReloadReport(settings.data_dir).ask(process, on_silence=_say_waiting)
    except ProcessLookupError:
        typer.echo(f"trinity: the daemon (process {process}) has just ended", err=True)
        return _NO_DAEMON
    except PermissionError:
        typer.echo(f"trinity: the daemon (process {process}) is another user's; ask as that user", err=True)
        return _NO_DAEMON
    if reloaded is None:
        typer.echo("trinity: the daemon doesn't say what came of it; its log will", err=True)
        return _NO_ANSWER
    if reloaded.problem is not None:
        typer.echo(f"trinity: {_clean(reloaded.problem)} (the daemon goes on as it is)", err=True)
        return ConfigError.exit_status
    for name in reloaded.live:
        typer.echo(f"{name}  taken over")
    for name in reloaded.after_restart:
        typer.echo(f"{name}  takes a restart")
    if not reloaded.live and not reloaded.after_restart:
        typer.echo("Nothing has changed. (What its environment sets stays as it was at its start.)")
    return 0


def _say_waiting() -> None:
    typer.echo("The daemon hasn't said yet; while it loads its model, it can't. Waiting for up to a minute.", err=True)


def _clean(text: str) -> str:
    return escape_control_characters(redact_secrets(text))
