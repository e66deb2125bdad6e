from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from bot.chat.access import Access, AccessList, AccessRules
from bot.discord.gateway_limits import GatewayLimits
from bot.discord.inspection import Application, open_inspector
from bot.discord.run import DiscordOptions
from bot.doctor.finding import State
from bot.doctor.on_discord import judge_application, judge_limits, look_at_discord
from bot.words import phrase
from tests.loopback import LoopbackDiscord, without_waits
from tests.loopback.entities import Overwrite
from tests.loopback.faults import Status
from tests.loopback.rules import NO_PERMISSION, Intent, Permission

LIMITS = GatewayLimits(1, 1, 1000, 900)
APPLICATION = Application(5, "Trinity", False, True, False, LIMITS, 0.1)


@pytest.fixture
async def server() -> AsyncIterator[LoopbackDiscord]:
    async with LoopbackDiscord(without_waits()) as running:
        yield running


def options(server, **more):
    return DiscordOptions(server.token, server.api_url, server.gateway_url, **more)


def told(findings, state):
    return [finding.said for finding in findings if finding.state is state]


async def test_all_is_well_where_she_may_answer(server):
    findings = await look_at_discord(options(server))

    assert {finding.state for finding in findings} == {State.OK}
    assert findings[-1].said.endswith("she can answer in 1 channels")
    assert server.gateway.counts.get("READY", 0) == 0


async def test_a_token_that_is_refused_is_bad_and_an_outage_unknown(server):
    refused = await look_at_discord(replace(options(server), token="MTA1.no.token"))
    await server.close_port()
    away = await look_at_discord(options(server))

    assert [finding.state for finding in (*refused, *away)] == [State.BAD, State.UNKNOWN]
    assert "Reset Token" in refused[0].mend


async def test_what_a_channel_takes_from_her_is_named(server):
    general, hidden, quiet = (server.channel(name) for name in ("general", "hidden", "quiet"))
    hidden.overwrites[server.guild.id] = Overwrite(deny=Permission.VIEW_CHANNEL)
    quiet.overwrites[server.guild.id] = Overwrite(deny=Permission.SEND_MESSAGES | Permission.ATTACH_FILES)
    general.overwrites[server.guild.id] = Overwrite(deny=Permission.SEND_MESSAGES)
    general.overwrites[server.bot.id] = Overwrite(allow=Permission.SEND_MESSAGES)

    findings = await look_at_discord(options(server))

    assert [said.partition(", #")[2] for said in told(findings, State.NOTE)] == [
        "quiet takes Send Messages, Attach Files from her"
    ]
    assert findings[-1].said.endswith("she can answer in 1 channels, 1 she doesn't see")


async def test_permissions_that_her_roles_lack_come_with_the_link_that_gives_them(server):
    for role in server.guild.roles.values():
        role.permissions = NO_PERMISSION | Permission.VIEW_CHANNEL

    bad = [finding for finding in await look_at_discord(options(server)) if finding.state is State.BAD]

    assert len(bad) == 1
    assert "lack Send Messages, Send Messages in Threads, Read Message History" in bad[0].said
    assert f"client_id={server.bot.id}" in bad[0].mend


async def test_a_guild_that_cannot_be_asked_about_keeps_no_other_from_being_told(server):
    other = server.add_guild("Other")
    server.faults.add(Status(403), method="GET", route=f"/guilds/{other.id}")

    findings = await look_at_discord(options(server))

    assert len(told(findings, State.UNKNOWN)) == 1
    assert findings[-1].state in (State.OK, State.UNKNOWN)
    assert any("she can answer" in said for said in told(findings, State.OK))


async def test_guilds_that_are_allowed_and_missing_are_named(server):
    access = AccessRules(Access(allowed=AccessList(guilds=frozenset({123456789012345678}))))

    notes = told(await look_at_discord(options(server, access=access)), State.NOTE)

    assert notes == ["TRINITY_ALLOWED_GUILDS names 123456789012345678, where she isn't"]


async def test_in_no_guild_the_link_is_given(server):
    del server.guild.members[server.bot.id]

    notes = [finding for finding in await look_at_discord(options(server)) if finding.state is State.NOTE]

    assert [finding.said for finding in notes] == ["she is in no server yet"]
    assert "permissions=309237746688" in notes[0].mend


async def test_the_intent_that_the_settings_ask_for_has_to_be_there(server):
    without = await look_at_discord(options(server, reads_all_messages=True))
    server.bot.privileged_intents = Intent.MESSAGE_CONTENT
    with_it = await look_at_discord(options(server, reads_all_messages=True))
    unused = await look_at_discord(options(server))

    assert len(told(without, State.BAD)) == 1
    assert {finding.state for finding in with_it} == {State.OK}
    assert told(unused, State.NOTE) == ["the application has the Message Content Intent, which isn't used"]


@pytest.mark.parametrize(
    ("application", "state", "words"),
    [
        (replace(APPLICATION, wants_code_grant=True), State.BAD, "Code Grant"),
        (replace(APPLICATION, limits=replace(LIMITS, sessions_left=3)), State.BAD, "3 more sessions"),
        (replace(APPLICATION, is_public=False), State.NOTE, "only the application's owner"),
        (replace(APPLICATION, seconds_ahead=90.0), State.NOTE, "90 s ahead of"),
        (replace(APPLICATION, seconds_ahead=-90.0), State.NOTE, "90 s behind"),
        (replace(APPLICATION, seconds_ahead=None), State.UNKNOWN, "what time it is"),
    ],
)
def test_flags_and_clocks_are_judged(application, state, words):
    assert [words in said for said in told(judge_application(application, reads_all=False), state)] == [True]


@pytest.mark.parametrize(
    ("shard_count", "state", "words"),
    [
        (None, State.NOTE, "set TRINITY_SHARD_COUNT=4"),
        (2, State.NOTE, "set TRINITY_SHARD_COUNT=4"),
        (0, State.OK, "recommends 4 shards"),
        (16, State.OK, "16 shards are enough"),
    ],
)
def test_the_number_of_shards_is_held_against_what_discord_recommends(shard_count, state, words):
    limits = replace(LIMITS, num_shards=4)

    [finding] = judge_limits(limits, shard_count)

    assert finding.state is state
    assert words in finding.said + (finding.mend or "")


async def test_hello_is_said_where_she_may_write(server):
    server.channel("general").overwrites[server.guild.id] = Overwrite(deny=Permission.SEND_MESSAGES)
    lounge = server.channel("lounge")
    server.guild.preferred_locale = "de"

    async with open_inspector(options(server)) as inspector:
        name = await inspector.say_hello(server.guild.id, phrase("hello"))
        lounge.overwrites[server.guild.id] = Overwrite(deny=Permission.SEND_MESSAGES)
        nowhere = await inspector.say_hello(server.guild.id, phrase("hello"))

    assert (name, nowhere) == ("lounge", None)
    assert [message.content for message in lounge.messages] == [phrase("hello").to("de")]
    assert not server.violations
