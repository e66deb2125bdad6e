"""The loopback Discord as a process of its own."""

import asyncio
import contextlib

import discord
import pytest
import yarl

from tests.loopback import RemoteDiscord, separate_process
from tests.loopback.waiting import came_true
from tests.loopback_selftest.conftest import PlainClient


@contextlib.asynccontextmanager
async def client_of(remote: RemoteDiscord):
    client = PlainClient()

    async def respond(message: discord.Message) -> None:
        await message.reply("hello", mention_author=False, suppress_embeds=True)

    client.responder = respond
    discord.http.Route.BASE = remote.environment["TRINITY_DISCORD_API_URL"]
    discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(remote.environment["TRINITY_DISCORD_GATEWAY_URL"])
    running = asyncio.create_task(client.start(remote.environment["DISCORD_BOT_TOKEN"]))
    try:
        yield client
    finally:
        await client.close()
        with contextlib.suppress(Exception):
            await running
        await asyncio.sleep(0)


async def test_a_separate_process_is_driven_through_its_door(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(discord.http.Route, "BASE", "")
    monkeypatch.setattr(discord.gateway.DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL())
    async with separate_process("--without-waits") as remote:
        async with client_of(remote) as client:
            assert await came_true(lambda: client.guilds, 60)
            await remote.ask("fault", action="Delay", arguments={"seconds": 0.05}, route="/channels/*/messages")

            asked = await remote.ask("say", person="Alice", channel="general", text="hi", mention=True)
            assert await remote.wait_for_answer(asked["id"], contains="hello") == "hello"
            await remote.ask("gateway", how="op7")
            asked = await remote.ask("say", person="Alice", text="in private")
            await remote.wait_for_answer(asked["id"], contains="hello")

            transcript = await remote.ask("transcript", channel="general")
            assert [line.split(":")[0] for line in transcript] == ["Alice", "Trinity"]
            verdict = await remote.ask("judge")
            assert (verdict["num_turns"], verdict["num_replies"], verdict["problems"]) == (2, 2, [])

        with pytest.raises(RuntimeError, match="not registered"):
            await remote.ask("use", person="Alice", channel="general", command="/reset")
