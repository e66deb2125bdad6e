"""`trinity bench`: measures the machine with the settings that hold, and says what people would notice."""

import asyncio
import json
import os
import platform
import sys
import time
from dataclasses import asdict
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bot import __version__
from bot.app import open_engine_alone
from bot.errors import ConfigError
from bot.logs import configure_logging
from bot.operations.bench import Bench, Row
from bot.operations.bench_picture import draw
from bot.operations.top import show_once
from bot.settings.settings import Settings


def bench(settings: Settings, *, as_json: bool, picture: Path | None, scale: float = 1.0) -> int:
    """Measure, show the rows, and draw them into `picture`."""
    configure_logging("WARNING", settings.log_format, secrets=settings.secrets)
    if picture is not None:
        _refuse_unwritable(picture)
    return asyncio.run(_bench(settings, as_json=as_json, picture=picture, scale=scale))


def _refuse_unwritable(picture: Path) -> None:
    """Said before a minute is spent on what couldn't be kept."""
    if os.path.isdir(picture) or not os.access(picture if os.path.lexists(picture) else picture.parent, os.W_OK):  # noqa: PTH112
        raise ConfigError("--picture", f"{picture} can't be written; name a file in a folder that is there")


async def _bench(settings: Settings, *, as_json: bool, picture: Path | None, scale: float) -> int:
    progress = Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())
    bar = progress.add_task("Loading the model", total=None)

    def show(done: int, total: int) -> None:
        progress.update(bar, completed=done, total=total)

    began_at = time.monotonic()
    with progress:
        async with open_engine_alone(settings, on_progress=show) as opened:
            loading = Row("from nothing to a loaded model", time.monotonic() - began_at, "s")
            tell = lambda doing: progress.update(bar, description=doing, completed=0, total=None)  # noqa: E731
            bench = Bench(opened.engine, opened.encoder, opened.num_cache_tokens, tell)
            rows = [*await bench.measure(scale=scale), loading]
            device = opened.device
    where = f"{settings.model or 'the demonstration model'} on {device}"
    _show(where, rows, as_json=as_json)
    if picture is not None:
        await asyncio.to_thread(picture.write_bytes, draw(where, rows))
    return 0


def _show(where: str, rows: list[Row], *, as_json: bool) -> None:
    if as_json:
        told = {"version": __version__, "where": where, "machine": platform.platform(), "at": time.time()}
        typer.echo(json.dumps(told | {"rows": [asdict(row) for row in rows]}, indent=2))
        return
    table = Table(title=where, title_justify="left", box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    for row in rows:
        table.add_row(row.name, f"{row.shown} {row.unit}".strip(), row.note)
    show_once(Console(), table)
