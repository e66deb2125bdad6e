"""`trinity migrate`, `backup`, `restore`, `copy-database` and `purge`."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import typer
from pydantic import SecretStr
from pydantic_core import PydanticCustomError

from bot.command_line.running import require_asyncpg
from bot.errors import ConfigError
from bot.logs import configure_logging
from bot.settings.checks import check_database_url
from bot.settings.settings import Settings
from bot.store.files.server_url import is_server_url, secrets_in

_LARGE = 10_000
"""Rows of a table that is copied for a while."""


def migrate(settings: Settings) -> int:
    """Bring the database up to date and say from where to where."""
    configure_logging(settings.log_level, settings.log_format, secrets=settings.secrets)
    from bot.store.files.database import migrate as migrate_database  # noqa: PLC0415

    migration = asyncio.run(migrate_database(settings.effective_database_url))
    was = migration.before or "not there"
    typer.echo(f"The database's schema was {was} and is {migration.after} now.")
    return 0


def backup(settings: Settings, file: Path) -> int:
    """Copy the database to `file`."""
    configure_logging(settings.log_level, settings.log_format, secrets=settings.secrets)
    from bot.store.files.backup import backup as back_up  # noqa: PLC0415

    asyncio.run(back_up(settings.effective_database_url, file))
    typer.echo(f"{file} is a whole copy of the database.")
    return 0


def restore(settings: Settings, file: Path) -> int:
    """Put the backup `file` in the database's place."""
    configure_logging(settings.log_level, settings.log_format, secrets=settings.secrets)
    from bot.store.files.backup import restore as put_back  # noqa: PLC0415

    kept = asyncio.run(put_back(file, settings.effective_database_url))
    typer.echo(f"{file} is the database now." + (f" The one before is kept as {kept}." if kept else ""))
    return 0


def copy_database(settings: Settings, source: str, target: str) -> int:
    """Copy everything from one database into another; both are named as TRINITY_DATABASE_URL names one."""
    from bot.store.files.copying import copy_database as copy  # noqa: PLC0415

    secrets = {*settings.secrets, *secrets_in(source), *secrets_in(target)}
    configure_logging(settings.log_level, settings.log_format, secrets=secrets)
    source, target = _as_the_setting("FROM", source), _as_the_setting("TO", target)
    if is_server_url(source) or is_server_url(target):
        require_asyncpg()
    copied = asyncio.run(copy(source, target, _Progress()))
    typer.echo(
        f"{sum(copied.num_rows.values()):,} rows are in TO now, and read the same as in FROM (digest {copied.digest}). "
        "Name TO in TRINITY_DATABASE_URL, and start."
    )
    return 0


def _as_the_setting(which: str, url: str) -> str:
    try:
        return check_database_url(SecretStr(url)).get_secret_value()
    except PydanticCustomError as error:
        raise ConfigError(which, error.message()) from None


class _Progress:
    """Says how far a copy has come: a line for each table, and for each tenth of a large one."""

    def __init__(self) -> None:
        self._said = ("", 0)

    def __call__(self, table: str, done: int, total: int) -> None:
        tenths = 10 * done // total if total else 10
        if done and done < total and (total < _LARGE or self._said == (table, tenths)):
            return
        self._said = (table, tenths)
        if done == total or (total >= _LARGE and done):
            typer.echo(f"{table}: {done:,} of {total:,}")


def purge(settings: Settings, older_than: int | None, *, is_sure: bool) -> int:
    """Delete what is older than so many days, once somebody is sure of it."""
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
