"""Coming up, staying connected and being refused, end to end on a loopback Discord."""

import asyncio
import logging
from dataclasses import replace

import pytest

from bot.discord.client import INVITE_PERMISSIONS, TrinityClient, invite_url
from bot.discord.run import DiscordOptions, check_token, run_discord
from bot.errors import DiscordRefused, EngineFailed
from tests.discord.conftest import OpenHouse
from tests.engines import EchoEngine
from tests.loopback import CloudflareBan, LoopbackDiscord, RateLimited, Status, judge, without_waits


async def test_discord_unreachable_at_the_start_is_waited_for(
    server: LoopbackDiscord, enter: OpenHouse, caplog: pytest.LogCaptureFixture
) -> None:
    await server.close_port()

    async with enter(server, waits_until_ready=False) as house:
        await server.wait_until(lambda: "trying again" in caplog.text)
        await server.open_port()
        await server.wait_until(house.is_ready.is_set)

    assert "Traceback" not in caplog.text


async def test_a_gateway_that_refuses_at_first_is_tried_again(server: LoopbackDiscord, enter: OpenHouse) -> None:
    server.gateway.is_refusing = True

    async with enter(server, waits_until_ready=False) as house:
        await server.wait_until(lambda: [call for call in server.journal.calls if call.path.endswith("/commands")])
        await asyncio.sleep(0.1)
        server.gateway.is_refusing = False
        await server.wait_until(house.is_ready.is_set)

    assert server.gateway.counts["identifies"] == 1


@pytest.mark.parametrize("status", [500, 503, 429])
async def test_a_login_that_fails_for_now_is_tried_again(
    server: LoopbackDiscord, enter: OpenHouse, status: int
) -> None:
    fault = CloudflareBan(0.5) if status == 429 else Status(status)
    planned = server.faults.add(fault, method="GET", route="/users/@me", times=1)

    async with enter(server, waits_until_ready=False) as house:
        await server.wait_until(house.is_ready.is_set)

    assert planned.num_hits == 1


async def test_a_refused_token_ends_the_run_at_once_and_is_not_told(
    server: LoopbackDiscord, caplog: pytest.LogCaptureFixture
) -> None:
    options = DiscordOptions("not-the-token", server.api_url, server.gateway_url)

    with caplog.at_level(logging.DEBUG, "bot"), pytest.raises(DiscordRefused, match="DISCORD_BOT_TOKEN"):
        await run_discord(None, options, asyncio.Event())

    assert "not-the-token" not in caplog.text + repr(options)


async def test_a_refused_token_is_found_out_by_the_check(server: LoopbackDiscord) -> None:
    with pytest.raises(DiscordRefused, match="DISCORD_BOT_TOKEN"):
        await check_token(DiscordOptions("not-the-token", server.api_url, server.gateway_url))

    assert server.gateway.counts["connections"] == 0


@pytest.mark.parametrize(("sessions_left", "seconds"), [(1, 0), (0, 7200)])
async def test_the_check_says_how_long_discord_allows_no_session(sessions_left: int, seconds: float) -> None:
    async with LoopbackDiscord(replace(without_waits(), sessions_left=sessions_left)) as server:
        options = DiscordOptions(server.token, server.api_url, server.gateway_url)

        assert await check_token(options) == seconds


@pytest.mark.parametrize("status", [None, 500, 503, 429])
async def test_a_check_that_gets_no_answer_refuses_nothing(server: LoopbackDiscord, status: int | None) -> None:
    if status is None:
        await server.close_port()
    else:
        fault = CloudflareBan(0.5) if status == 429 else Status(status)
        server.faults.add(fault, method="GET", route="/users/@me", times=1)

    await check_token(DiscordOptions(server.token, server.api_url, server.gateway_url))


@pytest.mark.parametrize("code", [4004, 4014])
async def test_a_refusal_by_the_gateway_ends_the_run(server: LoopbackDiscord, enter: OpenHouse, code: int) -> None:
    async with enter(server) as house:
        await server.gateway.close(code)
        problem = await house.end()

    assert isinstance(problem, DiscordRefused)
    assert server.gateway.counts["connections"] == 1


async def test_an_invalid_session_is_replaced_by_a_new_one(server: LoopbackDiscord, enter: OpenHouse) -> None:
    alice, general = server.person("Alice"), server.channel("general")

    async with enter(server) as house:
        server.gateway.invalidate(is_resumable=False)
        await server.wait_until(lambda: server.gateway.counts["identifies"] == 2)
        await server.wait_until(lambda: house.num_ready == 2)
        await house.reaches(await alice.says(general, "hello", mention=True), "answered")

    judge(server).require(turns=1, replies=1)


async def test_a_global_rate_limit_is_waited_out(server: LoopbackDiscord, enter: OpenHouse) -> None:
    alice, general = server.person("Alice"), server.channel("general")

    async with enter(server) as house:
        server.faults.add(RateLimited(0.5, global_=True), method="POST", route="/channels/*/messages", nth=1)
        await house.reaches(await alice.says(general, "hello", mention=True), "answered")
        await house.reaches(await alice.says(general, "still there?", mention=True), "answered")

    judge(server).require(turns=2, replies=2)


async def test_a_deleted_question_under_a_global_rate_limit_leaves_the_others_unharmed(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    alice, general = server.person("Alice"), server.channel("general")

    async with enter(server) as house:
        planned = server.faults.add(RateLimited(0.5, global_=True), method="POST", route="/channels/*/messages", nth=1)
        question = await alice.says(general, "hello", mention=True)
        await server.wait_until(lambda: planned.num_hits)
        await alice.deletes(question)
        await house.reaches(question, "withdrawn")
        await house.reaches(await alice.says(general, "still there?", mention=True), "answered")


async def test_a_lost_engine_ends_the_run_and_leaves_the_question_for_the_next(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    alice, general = server.person("Alice"), server.channel("general")

    async with enter(server, engine=EchoEngine(answer=lambda _: EngineFailed("lost"))) as house:
        question = await alice.says(general, "hello", mention=True)
        problem = await house.end()
    async with enter(server) as house:
        await house.reaches(question, "answered")

    assert isinstance(problem, EngineFailed)
    judge(server).require(turns=1, replies=1)


async def test_a_stop_before_the_login_is_over_ends_the_run(server: LoopbackDiscord, enter: OpenHouse) -> None:
    await server.close_port()

    async with enter(server, waits_until_ready=False) as house:
        await asyncio.sleep(0.1)
        house.stop.set()
        async with asyncio.timeout(60):
            await house.running


def test_the_invitation_asks_for_six_permissions():
    assert INVITE_PERMISSIONS.value == 309237746688
    assert "permissions=309237746688" in invite_url(42)
    assert "client_id=42" in invite_url(42)


@pytest.mark.parametrize("status", [403, 404, 405])
async def test_commands_are_registered_where_discord_does_not_list_them(
    server: LoopbackDiscord, enter: OpenHouse, status: int
) -> None:
    server.faults.add(Status(status), method="GET", route="/applications/*/commands")

    async with enter(server):
        await server.wait_until(lambda: any(call.method == "PUT" for call in server.journal.calls))


async def test_commands_are_registered_once(server: LoopbackDiscord, enter: OpenHouse) -> None:
    async with enter(server):
        await server.wait_until(lambda: any(call.method == "PUT" for call in server.journal.calls))

    async with enter(server):
        await server.wait_until(
            lambda: [call.method for call in server.journal.calls if call.path.endswith("/commands")][2:] == ["GET"]
        )

    assert sum(call.method == "PUT" for call in server.journal.calls) == 1


class LongPause:
    """A gateway's budget that wants another session to be begun much later."""

    async def pause_seconds(self) -> float:
        return 3600.0

    def lose(self) -> None:
        pass


async def test_a_client_that_is_closed_while_it_waits_for_a_session_begins_none() -> None:
    async with TrinityClient(session_starts=LongPause()) as client:
        connecting = asyncio.create_task(client.connect())
        await asyncio.sleep(0)

        await client.close()

        await asyncio.wait_for(connecting, 60)
