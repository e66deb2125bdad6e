"""Every kind of planned failure, as the unmodified discord.py meets it."""

import asyncio
import time

import aiohttp
import discord
import pytest

from tests.loopback import CloudflareBan, Delay, Hang, LoopbackDiscord, RateLimited, Reset, Status
from tests.loopback_selftest.conftest import PlainClient

CREATE = {"method": "POST", "route": "/channels/*/messages"}


@pytest.fixture
def channel(server: LoopbackDiscord, client: PlainClient) -> discord.TextChannel:
    return client.get_channel(server.channel("general").id)


async def test_a_502_after_the_effect_is_retried_without_a_double(
    server: LoopbackDiscord, channel: discord.TextChannel
):
    fault = server.faults.add(Status(502, after_effect=True), **CREATE, nth=1)

    await channel.send("once", suppress_embeds=True)

    assert fault.num_hits == 1
    assert server.transcript(server.channel("general")) == ["Trinity: once"]
    assert [call.status for call in server.journal.calls if call.method == "POST"] == [502, 200]


async def test_a_503_and_a_403_are_raised_at_once(server: LoopbackDiscord, channel: discord.TextChannel):
    server.faults.add(Status(503), **CREATE, nth=1)
    server.faults.add(Status(403, code=50013), **CREATE, nth=2)

    with pytest.raises(discord.DiscordServerError):
        await channel.send("one")
    with pytest.raises(discord.Forbidden) as refusal:
        await channel.send("two")

    assert refusal.value.code == 50013
    assert server.channel("general").messages == []


@pytest.mark.parametrize("is_hard", [True, False])
async def test_a_reset_leaves_the_caller_in_doubt(server: LoopbackDiscord, channel: discord.TextChannel, is_hard: bool):
    server.faults.add(Reset(is_hard=is_hard), **CREATE, nth=1)
    server.faults.add(Reset(after_effect=True, is_hard=is_hard), **CREATE, nth=2)

    for text in ("lost", "kept"):
        with pytest.raises((aiohttp.ClientError, OSError)):
            await channel.send(text, nonce=text, suppress_embeds=True)
    await channel.send("again", nonce="kept", suppress_embeds=True)

    assert server.transcript(server.channel("general")) == ["Trinity: kept"]
    assert [call.refusal for call in server.journal.calls if call.method == "POST"] == ["cut", "cut", None]


async def test_a_delay_holds_one_channel_only(server: LoopbackDiscord, client: PlainClient):
    slow, fast = server.channel("slow"), server.channel("fast")
    await server.wait_until(lambda: client.get_channel(fast.id))
    server.faults.add(Delay(0.1), channel=slow)
    server.faults.add(Hang(), channel=slow, method="GET")

    late = asyncio.create_task(client.get_channel(slow.id).send("late", suppress_embeds=True))
    await client.get_channel(fast.id).send("soon", suppress_embeds=True)
    assert slow.messages == []
    await late
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(client.fetch_channel(slow.id), 0.2)

    assert [channel.visible_messages()[0].content for channel in (fast, slow)] == ["soon", "late"]


async def test_a_planned_429_is_waited_out(server: LoopbackDiscord, channel: discord.TextChannel):
    server.faults.add(RateLimited(0.1), **CREATE, nth=1)
    server.faults.add(RateLimited(0.1, global_=True), **CREATE, nth=3)

    began = time.monotonic()
    await channel.send("one", suppress_embeds=True)
    await channel.send("two", suppress_embeds=True)

    assert time.monotonic() - began >= 0.2
    assert server.journal.statuses()[429] == 2
    assert server.limits.num_invalid_requests == 2
    assert server.violations == []


async def test_cloudflares_429_is_raised_at_once_and_stays_a_while(
    server: LoopbackDiscord, channel: discord.TextChannel
):
    server.faults.add(CloudflareBan(0.2), **CREATE, nth=1)

    for _ in range(2):
        with pytest.raises(discord.HTTPException) as banned:
            await channel.send("one")
        assert banned.value.status == 429
    await asyncio.sleep(0.2)
    await channel.send("two", suppress_embeds=True)

    assert [call.refusal for call in server.journal.calls if call.method == "POST"] == ["fault", "cloudflare", None]


async def test_random_faults_repeat_with_their_seed(server: LoopbackDiscord, channel: discord.TextChannel):
    patterns = []
    for _ in range(2):
        fault = server.faults.add(Status(503), **CREATE, probability=0.3, seed=7, times=4)
        outcome = []
        for _ in range(20):
            try:
                await channel.send("try", suppress_embeds=True)
            except discord.DiscordServerError:
                outcome.append(False)
            else:
                outcome.append(True)
        patterns.append(outcome)
        assert fault.num_hits == 4
        server.faults.remove(fault)

    assert patterns[0] == patterns[1]


async def test_a_closed_port_refuses_and_opens_again(server: LoopbackDiscord, client: PlainClient):
    alice, general = server.person("Alice"), server.channel("general")
    channel = client.get_channel(general.id)

    await server.close_port()
    for _ in range(2):
        with pytest.raises((aiohttp.ClientError, OSError)):
            await channel.send("nobody hears this")
    await alice.says(general, "anybody?", mention=True)
    await server.open_port()
    await server.wait_until(lambda: client.heard)
    await channel.send("back", suppress_embeds=True)

    assert server.transcript(general)[-1] == "Trinity: back"
    assert server.gateway.counts["resumes"] == 1
