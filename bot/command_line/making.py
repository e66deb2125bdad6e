"""Makes a model that has to be made before somebody talks with it, and says what that takes."""

import asyncio
import os
import sys
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import typer

from bot.inference.loading.hub import STALLED_SECONDS
from bot.inference.loading.made_models import MadeModel, make, to_be_made
from bot.settings.settings import Settings

_LINE_SECONDS = 10.0


def with_made_model(settings: Settings) -> Settings:
    """The same settings, with the folder of a model that had to be made; it is there then.

    Raises:
        ConfigError, EngineUnavailable: it can't be made, or not just now.
    """
    if settings.model is None or settings.engine_url is not None:
        return settings
    model = to_be_made(settings.model, settings.made_models)
    if model is None:
        return settings
    if not model.is_there:
        typer.echo(f"{model.announcement}.", err=True)
        asyncio.run(_make(model))
        typer.echo(f"{model.name} is in {model.folder}.", err=True)
    return settings.model_copy(update={"model": str(model.folder.absolute())})


async def _make(model: MadeModel) -> Path:
    from rich.console import Console  # noqa: PLC0415 - slow to import
    from rich.progress import Progress  # noqa: PLC0415

    making = partial(make, model, environ=dict(os.environ), stalled_seconds=STALLED_SECONDS)
    if not sys.stderr.isatty():
        return await making(on_progress=_Lines())
    with ExitStack() as shown:
        progress = shown.enter_context(Progress(console=Console(stderr=True), transient=True))
        bar = progress.add_task("Fetching and unpacking the model", total=None)
        return await making(on_progress=lambda done, total: progress.update(bar, completed=done, total=total))


class _Lines:
    """A line now and then for a log or a pipe."""

    def __init__(self) -> None:
        self._said_at = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        if time.monotonic() - self._said_at >= _LINE_SECONDS:
            self._said_at = time.monotonic()
            typer.echo(f"  ... {100 * done // max(total, 1)} %", err=True)
