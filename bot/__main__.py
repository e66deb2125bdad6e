"""The `trinity` command. Here, and nowhere else, an error becomes a line on stderr and an exit status.

Whatever needs torch is imported by the command that needs it: `--help` and a wrong setting answer at once.
"""

import asyncio
import errno
import logging
import os
import sys
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from bot import __version__
from bot.chat.about import LLAMA_2_NOTICE
from bot.errors import ConfigError, TrinityError
from bot.logs import FLUSH_SECONDS, configure_logging, escape_control_characters, flush_logs, redact_secrets
from bot.settings.settings import Settings, library_variables, load_settings
from bot.streams import forsake_standard_streams, has_lost_its_reader, mend_standard_streams, write_within

if TYPE_CHECKING:
    from bot.terminal.input import Input

INTERRUPTED = 130
UNEXPECTED = 70
PASSING = 75
# A disk that is full, or one that fails; too many open files; too little memory.
_PASSING_ERRNOS = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM)

log = logging.getLogger("bot")

cli = typer.Typer(
    name="trinity",
    help="A Discord chat bot that runs Llama-2 in its own process. Without a command: `run` if a Discord token is set, "
    "else `chat`.",
    epilog="Settings come from the environment and from .env; .env.example lists them. " + LLAMA_2_NOTICE,
    add_completion=False,
    pretty_exceptions_enable=False,  # they print local variables, secrets among them
    rich_markup_mode=None,
)


def main() -> None:
    """Run the command line, and end the process with its exit status."""
    # Database and logs hold what people said: they are for their owner alone.
    os.umask(0o077)
    mend_standard_streams()
    configure_logging("WARNING", "text")
    try:
        cli(prog_name="trinity")
    finally:
        flush_logs()


def _show_version(is_wanted: bool) -> None:
    if is_wanted:
        end_with(_echo_version)


def _echo_version() -> int:
    typer.echo(f"trinity {__version__}\n{LLAMA_2_NOTICE}")
    return 0


@cli.callback(invoke_without_command=True)
def start(
    context: typer.Context,
    _version: Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True)] = False,
) -> None:
    """Do what the settings suggest where no command is named."""
    if context.invoked_subcommand is None:
        end_with(_run_or_chat)


@cli.command()
def run() -> None:
    """Answer on Discord until SIGTERM or Ctrl-C."""
    end_with(lambda: _run(_load()))


@cli.command()
def chat() -> None:
    """Talk at this terminal.

    Each line of a pipe is a message. With neither a terminal nor a pipe, a demonstration is played.
    """
    end_with(lambda: _chat(_load()))


@cli.command()
def migrate() -> None:
    """Bring the database up to date.

    Every start does so by itself.
    """
    end_with(lambda: _migrate(_load()))


@cli.command()
def backup(file: Annotated[Path, typer.Argument(help="Where to; a backup of that name is replaced.")]) -> None:
    """Copy the SQLite database to FILE.

    Trinity may be running. The copy is checked before it takes that name.
    """
    end_with(lambda: _backup(_load(), file))


@cli.command()
def restore(file: Annotated[Path, typer.Argument(help="A backup.")]) -> None:
    """Put the backup FILE in the database's place.

    Stop Trinity first. What was there is kept under another name.
    """
    end_with(lambda: _restore(_load(), file))


@cli.command()
def purge(
    older_than: Annotated[
        int | None, typer.Option(min=1, max=36_500, help="Days; TRINITY_RETENTION_DAYS where it isn't said.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
) -> None:
    """Delete for good what is older than so many days, all at once.

    By itself Trinity deletes a day's worth at a time. It says first what would go; Trinity may be running.
    """
    end_with(lambda: _purge(_load(), older_than, is_sure=yes))


def end_with(action: Callable[[], int]) -> NoReturn:
    """Run a command and turn whatever comes of it into an exit status."""
    try:
        status = action()
    except KeyboardInterrupt:
        status = INTERRUPTED
    except TrinityError as error:
        _complain(str(error))
        status = error.exit_status
    except OSError as error:
        status = _end_after(error)
    except Exception as error:  # a mistake of ours: one line for people, and the traceback in the log
        status = _end_unexpectedly(error)
    raise typer.Exit(status)


def _end_after(error: OSError) -> int:
    """What the operating system refused somewhere: most of all, a disk that is full just now."""
    if isinstance(error, BrokenPipeError) and has_lost_its_reader(sys.stdout):  # whoever read has seen enough
        forsake_standard_streams([sys.stdout.fileno()])
        return 0
    if error.errno not in _PASSING_ERRNOS:
        return _end_unexpectedly(error)
    _complain(f"{error.strerror}{f': {error.filename}' if error.filename else ''}. Make room, then start again.")
    return PASSING


def _end_unexpectedly(error: Exception) -> int:
    log.critical("unexpected error", exc_info=error)
    _complain(f"unexpected {type(error).__name__}; this is a mistake in Trinity, and the log holds the traceback")
    return UNEXPECTED


def _complain(problem: str) -> None:
    # A token that was pasted into the wrong place is a name or a value that nothing else knows to be secret.
    flush_logs()
    write_within(sys.stderr, f"trinity: {escape_control_characters(redact_secrets(problem))}\n", FLUSH_SECONDS)


def _run_or_chat() -> int:
    settings = _load()
    if settings.discord_bot_token is not None:
        return _run(settings)
    typer.echo("No DISCORD_BOT_TOKEN is set, so this is a chat right here; README.md says how to get one.", err=True)
    return _chat(settings)


def _load() -> Settings:
    settings = load_settings()
    for name, value in library_variables().items():
        os.environ.setdefault(name, value)
    if settings.effective_database_url.startswith("postgresql") and find_spec("asyncpg") is None:
        problem = "PostgreSQL needs a package more: .venv/bin/python -m pip install 'asyncpg>=0.31,<1'"
        raise ConfigError("TRINITY_DATABASE_URL", problem)
    return settings


def _run(settings: Settings) -> int:
    if settings.discord_bot_token is None:
        raise ConfigError("DISCORD_BOT_TOKEN", "is not set; put the bot's token into .env (README.md says how)")
    configure_logging(settings.log_level, settings.log_format, secrets=settings.secrets)
    from bot.operations.signals import exit_when_signalled  # noqa: PLC0415

    exit_when_signalled()
    from bot.daemon import run_daemon  # noqa: PLC0415 - see the module's docstring

    return run_daemon(settings)


def _chat(settings: Settings) -> int:
    from bot.operations.signals import ignore_status_signals  # noqa: PLC0415
    from bot.terminal.input import ScriptedInput  # noqa: PLC0415
    from bot.terminal.session import DEMONSTRATION  # noqa: PLC0415
    from bot.terminal.standard_input import open_standard_input  # noqa: PLC0415

    ignore_status_signals()
    history_file = settings.data_dir / "chat.history" if settings.line_history else None
    source = open_standard_input(_say_waiting, history_file=history_file, retention_days=settings.retention_days)
    if source is not None:
        _log_beside_the_talk(settings)
        return asyncio.run(_talk(settings, source))
    try:
        tempfile.gettempdir()
    except FileNotFoundError:  # it tries each of them by writing
        raise OSError(errno.ENOSPC, "nothing can be written into any folder for passing files") from None
    typer.echo("Nobody is at the keyboard, so here is a demonstration, in a conversation that is thrown away.")
    with tempfile.TemporaryDirectory(prefix="trinity-") as folder:
        passing = settings.model_copy(update={"data_dir": Path(folder), "database_url": None})
        configure_logging("WARNING", settings.log_format, secrets=settings.secrets)
        return asyncio.run(_talk(passing, ScriptedInput(DEMONSTRATION)))


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

    progress = Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())
    bar = progress.add_task("Loading the model", total=None)

    def show(done: int, total: int) -> None:
        progress.update(bar, completed=done, total=total)

    with progress:
        async with open_chat(settings, platform=TERMINAL.platform, time_limits=ALONE, on_progress=show) as chat:
            progress.stop()
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
        if error.errno in _PASSING_ERRNOS:
            raise
        raise ConfigError("TRINITY_DATA_DIR", f"nothing can be written into that folder ({error.strerror})") from None


def _migrate(settings: Settings) -> int:
    configure_logging(settings.log_level, settings.log_format, secrets=settings.secrets)
    from bot.store.files.database import migrate as migrate_database  # noqa: PLC0415

    migration = asyncio.run(migrate_database(settings.effective_database_url))
    was = migration.before or "not there"
    typer.echo(f"The database's schema was {was} and is {migration.after} now.")
    return 0


def _backup(settings: Settings, file: Path) -> int:
    configure_logging(settings.log_level, settings.log_format, secrets=settings.secrets)
    from bot.store.files.backup import backup as back_up  # noqa: PLC0415

    asyncio.run(back_up(settings.effective_database_url, file))
    typer.echo(f"{file} is a whole copy of the database.")
    return 0


def _restore(settings: Settings, file: Path) -> int:
    configure_logging(settings.log_level, settings.log_format, secrets=settings.secrets)
    from bot.store.files.backup import restore as put_back  # noqa: PLC0415

    kept = asyncio.run(put_back(file, settings.effective_database_url))
    typer.echo(f"{file} is the database now." + (f" The one before is kept as {kept}." if kept else ""))
    return 0


def _purge(settings: Settings, older_than: int | None, *, is_sure: bool) -> int:
    configure_logging(settings.log_level, settings.log_format, secrets=settings.secrets)
    days = older_than or settings.retention_days
    if days is None:
        raise ConfigError(
            "TRINITY_RETENTION_DAYS", "is not set; say how many days are kept: trinity purge --older-than 30"
        )
    from bot.operations.purge import purge_older_than  # noqa: PLC0415

    return asyncio.run(purge_older_than(settings.effective_database_url, days, typer.echo, _confirm(is_sure)))


def _confirm(is_sure: bool) -> Callable[[str], bool]:
    """Ask at the terminal; where there is none, nobody says yes."""
    return lambda question: is_sure or (sys.stdin.isatty() and typer.confirm(question))


if __name__ == "__main__":
    main()
