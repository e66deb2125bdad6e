"""`trinity top` and `trinity status`: what the daemon says of itself at its operations address."""

import asyncio

from rich.console import Console

from bot.errors import ConfigError
from bot.operations.top import show_status, url_of, watch
from bot.settings.settings import Settings


def top(settings: Settings) -> int:
    """Show what the daemon does as it changes, until Ctrl-C; where nobody looks at a terminal, once."""
    console = Console()
    if not console.is_terminal:
        return status(settings)
    try:
        asyncio.run(watch(_url(settings), console))
    except KeyboardInterrupt:
        return 0
    return 0


def status(settings: Settings, *, as_json: bool = False) -> int:
    """Show what the daemon does, once."""
    return asyncio.run(show_status(_url(settings), Console(), as_json=as_json))


def _url(settings: Settings) -> str:
    if settings.operations_at is None:
        raise ConfigError("TRINITY_OPERATIONS_ADDRESS", "is off, so the daemon can't be asked how it is")
    return url_of(settings.operations_at)
