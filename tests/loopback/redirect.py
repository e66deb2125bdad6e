"""Points the unmodified discord.py of this process at a loopback server, and back."""

import contextlib
from collections.abc import Iterator

import yarl
from discord.gateway import DiscordWebSocket
from discord.http import Route

from tests.loopback.server import LoopbackDiscord


@contextlib.contextmanager
def redirect(server: LoopbackDiscord) -> Iterator[None]:
    """Inside it every client of this process talks to the server; before login, so that nothing goes elsewhere."""
    api, gateway = Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY
    Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY = server.api_url, yarl.URL(server.gateway_url)
    try:
        yield
    finally:
        Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY = api, gateway
