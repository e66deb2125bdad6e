"""Rate limits, permissions, and places that vanish."""

import asyncio
import time

import aiohttp
import discord
import pytest

from tests.loopback import Limit, LoopbackDiscord, Permission, Rules
from tests.loopback_selftest.conftest import PlainClient, connected


def with_limits(**limits: Limit) -> Rules:
    return Rules(limits=dict(Rules().limits) | limits, identify_interval_seconds=0)


async def test_discord_py_keeps_within_a_bucket_that_it_is_told_of():
    async with LoopbackDiscord(with_limits(create=Limit(3, 0.2))) as server, connected(server) as client:
        channel = client.get_channel(server.channel("general").id)

        began = time.monotonic()
        await asyncio.gather(*(channel.send(str(number), suppress_embeds=True) for number in range(7)))

        assert time.monotonic() - began >= 0.4
        assert server.violations == []
        assert server.journal.statuses()[429] == 0
        assert len(server.channel("general").messages) == 7


async def raw(
    server: LoopbackDiscord, path: str, *, times: int, token: str | None = None
) -> list[aiohttp.ClientResponse]:
    headers = {"Authorization": f"Bot {token or server.token}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        answers = []
        for _ in range(times):
            async with session.get(server.api_url + path) as answer:
                await answer.read()
                answers.append(answer)
        return answers


async def test_who_ignores_a_bucket_gets_429_and_is_accused():
    async with LoopbackDiscord(with_limits(other=Limit(2, 5.0))) as server:
        answers = await raw(server, "/users/@me", times=3)

        refused = await answers[2].json()
        assert [answer.status for answer in answers] == [200, 200, 429]
        assert answers[2].headers["Via"]
        assert refused["global"] is False
        assert 0 < refused["retry_after"] <= 5.0
        assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == ["1", "0", "0"]
        assert [violation.rule for violation in server.violations] == ["rate_limit"]


async def test_more_requests_within_a_second_than_allowed_are_refused_globally():
    async with LoopbackDiscord(Rules(requests_per_second=2)) as server:
        answers = await raw(server, "/users/@me", times=3)

        assert [answer.status for answer in answers] == [200, 200, 429]
        assert (await answers[2].json())["global"] is True
        assert server.journal.busiest_second() == 3
        assert [violation.rule for violation in server.violations] == ["global_rate_limit"]


async def test_too_many_refusals_end_in_a_ban():
    async with LoopbackDiscord(Rules(max_invalid_requests=3)) as server:
        answers = await raw(server, "/users/@me", times=4, token="wrong")

        assert [answer.status for answer in answers] == [401, 401, 401, 429]
        assert "Via" not in answers[3].headers
        assert answers[3].content_type == "text/html"


async def test_lost_permissions_are_refused_by_name(server: LoopbackDiscord, client: PlainClient):
    general = server.channel("general")
    channel = client.get_channel(general.id)
    bot = server.bot.user

    async def code_of_sending() -> int | None:
        try:
            await channel.send("x", suppress_embeds=True)
        except discord.Forbidden as refusal:
            return refusal.code
        return None

    codes = [await code_of_sending()]
    server.world.overwrite(general, bot, deny=Permission.SEND_MESSAGES)
    codes.append(await code_of_sending())
    server.world.overwrite(general, bot, deny=Permission.VIEW_CHANNEL)
    codes.append(await code_of_sending())
    server.world.overwrite(general, bot)
    server.world.time_out(server.guild, bot, 60)
    codes.append(await code_of_sending())
    server.world.time_out(server.guild, bot, 0)
    codes.append(await code_of_sending())

    assert codes == [None, 50013, 50001, 50013, None]
    await server.wait_until(lambda: "GUILD_MEMBER_UPDATE" in client.events)
    assert client.events.count("CHANNEL_UPDATE") == 3


async def test_what_is_deleted_is_told_and_then_unknown(server: LoopbackDiscord, client: PlainClient):
    alice, doomed = server.person("Alice"), server.channel("doomed")
    thread = await alice.opens_thread(doomed, "side talk")
    other = server.add_guild("Elsewhere")
    far = server.channel("far", other)
    await server.wait_until(lambda: client.get_channel(far.id))
    places = [client.get_channel(doomed.id), client.get_channel(far.id)]

    server.world.delete_channel(thread)
    server.world.delete_channel(doomed)
    server.world.delete_guild(other)
    await server.wait_until(lambda: "GUILD_DELETE" in client.events)

    for place in places:
        with pytest.raises(discord.NotFound) as missing:
            await place.send("x")
        assert missing.value.code == 10003
    assert {"THREAD_DELETE", "CHANNEL_DELETE"} <= set(client.events)
    assert client.get_guild(other.id) is None


async def test_an_archived_thread_opens_by_a_message_and_a_locked_one_does_not(
    server: LoopbackDiscord, client: PlainClient
):
    alice, general = server.person("Alice"), server.channel("general")
    thread = await alice.opens_thread(general, "side talk")
    await server.wait_until(lambda: client.get_channel(general.id).get_thread(thread.id))
    place = client.get_channel(general.id).get_thread(thread.id)

    server.world.update_thread(thread, is_archived=True)
    await place.send("one", suppress_embeds=True)
    assert not thread.is_archived
    server.world.update_thread(thread, is_archived=True, is_locked=True)
    with pytest.raises(discord.HTTPException) as refusal:
        await place.send("two")

    assert refusal.value.code == 50083


async def test_unknown_routes_are_held_against_the_bot(server: LoopbackDiscord):
    (answer,) = await raw(server, "/guilds/1/audit-logs", times=1)

    assert answer.status == 404
    assert [violation.rule for violation in server.violations] == ["unknown_route"]
