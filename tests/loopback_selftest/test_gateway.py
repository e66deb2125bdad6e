"""The gateway's failures as the unmodified discord.py meets them."""

import asyncio

import aiohttp
import discord
import pytest

from tests.loopback import ABORT, OP7, LoopbackDiscord, Permission, Rules, close_with
from tests.loopback_selftest.conftest import PlainClient, connected


async def test_what_was_said_during_a_gap_is_replayed_once(server: LoopbackDiscord, client: PlainClient):
    alice, general = server.person("Alice"), server.channel("general")
    failures = [
        server.gateway.abort,
        server.gateway.reconnect,
        lambda: server.gateway.invalidate(is_resumable=True),
    ]

    for number, fail in enumerate(failures, start=1):
        fail()
        await alice.says(general, f"during {number}", mention=True)
        await server.wait_until(lambda expected=number: len(client.heard) == expected)
        await server.wait_until(lambda expected=number: server.gateway.counts["resumes"] == expected)
    await server.gateway.close(4000)
    await alice.says(general, "last", mention=True)
    await server.wait_until(lambda: len(client.heard) == 4)

    assert [message.content.split()[-1] for message in client.heard] == ["1", "2", "3", "last"]
    assert server.gateway.counts["identifies"] == 1
    assert server.violations == []


async def test_a_planned_failure_strikes_after_the_nth_frame(server: LoopbackDiscord, client: PlainClient):
    alice, general = server.person("Alice"), server.channel("general")
    server.faults.add_to_gateway(ABORT, nth=2, event="MESSAGE_CREATE")
    server.faults.add_to_gateway(OP7, nth=4, event="MESSAGE_CREATE")
    server.faults.add_to_gateway(close_with(4009), nth=6, event="MESSAGE_CREATE")

    for number in range(8):
        await alice.says(general, str(number), mention=True)
        await server.wait_until(lambda expected=number + 1: len(client.heard) == expected)
        await asyncio.sleep(0.03)  # the connection is to fail between two messages
        await server.wait_until(server.gateway.connected)

    assert len({message.id for message in client.heard}) == 8
    assert server.gateway.counts["resumes"] == 3


class HastyClient(PlainClient):
    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Leaves out discord.py's five seconds between two logins."""


async def test_an_unknown_session_has_to_identify_again(server: LoopbackDiscord):
    async with connected(server, HastyClient()) as client:
        alice, general = server.person("Alice"), server.channel("general")
        server.gateway.is_refusing = True
        server.gateway.abort()
        await server.wait_until(lambda: not server.gateway.connected())
        server.gateway.forget_sessions()
        await alice.says(general, "never told", mention=True)
        server.gateway.is_refusing = False
        await server.wait_until(lambda: server.gateway.counts["refused resumes"] == 1)
        await server.wait_until(lambda: client.events.count("GUILD_CREATE") == 2)
        await alice.says(general, "told", mention=True)
        await server.wait_until(lambda: client.heard)

        assert [message.content.split()[-1] for message in client.heard] == ["told"]
        assert server.gateway.counts["identifies"] == 2


@pytest.mark.parametrize("spoil", ["token", "intents"])
async def test_a_refused_token_or_intent_is_final(server: LoopbackDiscord, spoil: str):
    client = PlainClient(discord.Intents.all() if spoil == "intents" else None)

    expected = discord.LoginFailure if spoil == "token" else discord.PrivilegedIntentsRequired
    with pytest.raises(expected):
        async with connected(server, client, token="wrong" if spoil == "token" else None):
            pass


async def test_a_session_hears_only_what_its_intents_and_permissions_allow(server: LoopbackDiscord):
    quiet = PlainClient(discord.Intents(guilds=True, dm_messages=True))
    async with connected(server, quiet):
        alice, general = server.person("Alice"), server.channel("general")

        await alice.says(general, "not asked for", mention=True)
        await alice.dms("asked for")
        await server.wait_until(lambda: quiet.heard)

        assert [message.content for message in quiet.heard] == ["asked for"]


async def test_two_bots_share_a_guild(server: LoopbackDiscord):
    second = server.add_bot("Morpheus")
    alice, general = server.person("Alice"), server.channel("general")
    async with connected(server) as trinity, connected(server, token=second.token) as morpheus:
        await alice.says(general, "both?", mention=second)
        await server.wait_until(lambda: trinity.heard and morpheus.heard)

        assert morpheus.heard[0].content == f"{second.mention} both?"
        assert trinity.heard[0].content == ""


async def test_a_silent_stall_ends_by_the_clients_own_time_limit():
    rules = Rules(heartbeat_interval_seconds=0.1)
    patient = PlainClient(heartbeat_timeout=0.5)
    async with LoopbackDiscord(rules) as server, connected(server, patient) as client:
        server.gateway.stall()
        await server.person("Alice").says(server.channel("general"), "anybody?", mention=True)
        assert client.heard == []
        await server.wait_until(lambda: client.heard)

        assert server.gateway.counts["resumes"] == 1


async def test_what_a_client_does_wrong_on_the_socket_ends_it():
    rules = Rules(heartbeat_interval_seconds=0.1, max_gateway_frames_per_minute=5)
    async with LoopbackDiscord(rules) as server, aiohttp.ClientSession() as session:

        async def code_after(*frames: object) -> int | None:
            async with session.ws_connect(server.gateway_url) as socket:
                for frame in frames:
                    await socket.send_json(frame)
                async for _ in socket:
                    pass
                return socket.close_code

        beat = {"op": 1, "d": None}
        assert await code_after() == 4009
        assert await code_after({"op": 8, "d": {}}) == 4003
        assert await code_after(*[beat] * 6) == 4008
        assert await code_after({"op": 2, "d": {"token": "wrong"}}) == 4004
        assert [violation.rule for violation in server.violations] == ["late_heartbeat", "gateway_flood", "bad_token"]


async def test_two_logins_within_five_seconds_are_held_against_the_bot():
    async with LoopbackDiscord() as server:
        for _ in range(2):
            async with connected(server):
                pass

        assert [violation.rule for violation in server.violations] == ["identify_too_soon"]


async def test_outages_farewells_and_previews_arrive(server: LoopbackDiscord, client: PlainClient):
    moderator = server.person("Mod", permissions=Permission.MANAGE_MESSAGES)
    general = server.channel("general")
    posted = [await moderator.says(general, str(number)) for number in range(3)]

    server.unfurl(posted[2])
    await moderator.deletes_many(posted[:2])
    server.world.set_availability(server.guild, is_available=False)
    await server.wait_until(lambda: "GUILD_DELETE" in client.events)
    assert client.get_guild(server.guild.id).unavailable
    server.world.set_availability(server.guild, is_available=True)
    await server.wait_until(lambda: client.events.count("GUILD_CREATE") == 2)
    server.world.remove_bot(server.guild, server.bot)
    await server.wait_until(lambda: client.get_guild(server.guild.id) is None)

    assert {"MESSAGE_UPDATE", "MESSAGE_DELETE_BULK"} <= set(client.events)
    with pytest.raises(discord.Forbidden):
        await client.fetch_channel(general.id)
