"""A plain discord.py client, written without Trinity, that the simulator is tried with."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import discord
import pytest
from discord import app_commands

from tests.loopback import LoopbackDiscord, redirect, without_waits


class PlainClient(discord.Client):
    """Remembers what it hears; a test gives it what it does on a message."""

    def __init__(self, intents: discord.Intents | None = None, **options: object) -> None:
        options.setdefault("allowed_mentions", discord.AllowedMentions.none())
        super().__init__(intents=intents or discord.Intents.default(), **options)
        self.tree = app_commands.CommandTree(self)
        self.heard: list[discord.Message] = []
        self.events: list[str] = []
        self.responder: Callable | None = None
        self.num_ready = 0

    async def on_ready(self) -> None:
        self.num_ready += 1

    async def on_socket_event_type(self, name: str) -> None:
        self.events.append(name)

    async def on_message(self, message: discord.Message) -> None:
        self.heard.append(message)
        if self.responder is not None and message.author != self.user:
            await self.responder(message)


@contextlib.asynccontextmanager
async def connected(
    server: LoopbackDiscord, client: PlainClient | None = None, *, token: str | None = None
) -> AsyncIterator[PlainClient]:
    """The client, logged in and told about its guilds (not yet `on_ready`, which takes two seconds more)."""
    client = client or PlainClient()
    with redirect(server):
        running = asyncio.create_task(client.start(token or server.token))
        try:
            await server.wait_until(lambda: running.done() or client.guilds or "GUILD_CREATE" in client.events)
            if running.done():
                running.result()
            yield client
        finally:
            await client.close()
            with contextlib.suppress(Exception):
                await running
            await asyncio.sleep(0)  # discord.py starts a task per event


@pytest.fixture
async def server() -> AsyncIterator[LoopbackDiscord]:
    """A Discord without rate limits and pauses."""
    async with LoopbackDiscord(without_waits()) as running:
        yield running


@pytest.fixture
async def client(server: LoopbackDiscord) -> AsyncIterator[PlainClient]:
    """A plain client that is connected to it."""
    async with connected(server) as running:
        yield running
