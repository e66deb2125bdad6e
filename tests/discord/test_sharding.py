"""A bot of several shards: each question comes by one of them, and belongs to it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.conversation.chat_format import TurnEncoder
from bot.conversation.shard import WHOLE, Shard
from bot.discord.identify_turns import OPENING_POLL_SECONDS, LocalTurns
from bot.discord.sharding import AllShards
from bot.errors import DatabaseBusy
from bot.observer import GatewayChange, ShardsRecord
from bot.operations.overview import Overview
from bot.operations.readiness import Readiness
from bot.store.rows.shards import Held
from tests.discord.conftest import OpenHouse
from tests.discord.house import House, open_house
from tests.engines import EchoEngine
from tests.loopback import Channel, LoopbackDiscord, judge, without_waits
from tests.loopback.sharding import guild_of_shard

COUNT = 4


async def general_of(server: LoopbackDiscord, shard_id: int) -> Channel:
    guild = await guild_of_shard(server, shard_id, COUNT)
    return server.channel("general", guild)


@pytest.fixture
async def channels(server: LoopbackDiscord) -> list[Channel]:
    return [await general_of(server, shard_id) for shard_id in range(COUNT)]


@pytest.fixture
async def sharded(server: LoopbackDiscord, enter: OpenHouse, channels: list[Channel]) -> AsyncIterator[House]:
    async with enter(server, shard_count=COUNT) as house:
        yield house


def test_every_guild_is_one_shards_and_direct_messages_are_the_firsts() -> None:
    shards = [Shard(number, COUNT) for number in range(COUNT)]

    for guild_id in (None, 81384788765712384, 81384788765712384 + (1 << 22), 197038439483310086):
        assert sum(shard.has(guild_id) for shard in shards) == 1
        assert WHOLE.has(guild_id)
    assert shards[0].has(None)
    assert shards[(197038439483310086 >> 22) % COUNT].has(197038439483310086)


async def test_each_guild_is_answered_by_its_shard_and_direct_messages_by_the_first(
    server: LoopbackDiscord, sharded: House, channels: list[Channel]
) -> None:
    alice = server.person("Alice")

    questions = [await alice.says(channel, "hello", mention=True) for channel in channels]
    questions.append(await alice.dms("hello in private"))
    for question in questions:
        await sharded.reaches(question, "answered")
    asking = await alice.uses("about", channels[2])
    await server.wait_until(lambda: asking.responses)

    shards = sorted(session.shard for session in server.gateway.connected())
    assert shards == [(number, COUNT) for number in range(COUNT)]
    assert server.gateway.counts["MESSAGE_CREATE"] == 2 * len(questions)
    assert server.bot.num_command_syncs == 1
    judge(server).require(turns=COUNT + 1, replies=COUNT + 1)


async def test_what_is_left_unfinished_is_resumed_once_and_by_its_shard(
    server: LoopbackDiscord, enter: OpenHouse, channels: list[Channel]
) -> None:
    alice = server.person("Alice")
    async with enter(server, engine=EchoEngine(is_held=True), shard_count=COUNT, drain_seconds=0.0) as house:
        questions = [await alice.says(channel, "hello", mention=True) for channel in channels]
        for question in questions:
            await house.reaches(question, "answering")

    async with enter(server, shard_count=COUNT) as house:
        for question in questions:
            await house.reaches(question, "answered")

    judge(server).require(turns=COUNT, replies=COUNT)


async def test_a_shards_new_session_takes_no_other_shards_guild_for_one_that_was_left(
    server: LoopbackDiscord, sharded: House, channels: list[Channel]
) -> None:
    guilds = {channel.guild.id for channel in channels} | {server.guild.id}

    async def are_noted() -> bool:
        return await sharded.chat.departures.note_present([]) == guilds

    await sharded.comes_true(are_noted)

    assert [call.path for call in server.journal.calls if call.path.startswith("/guilds/")] == []


class Leases(AllShards):
    """Shards that a test takes away."""

    def __init__(self) -> None:
        super().__init__(COUNT, COUNT)
        self.held = set(range(COUNT))
        self.num_surplus = 0
        self.is_valid = True
        self.released: list[int] = []

    def are_valid(self) -> bool:
        return self.is_valid

    async def renew(self, may_claim: int) -> Held:
        if not self.is_valid:
            raise DatabaseBusy("The database is away.")
        return Held(frozenset(self.held), self.num_surplus)

    async def release(self, shard_id: int) -> None:
        self.held.discard(shard_id)
        self.num_surplus = 0
        self.released.append(shard_id)


def connected(server: LoopbackDiscord) -> list[int]:
    return sorted(session.shard[0] for session in server.gateway.connected())


async def test_a_shard_that_another_process_has_ends_at_once_and_the_others_go_on(
    server: LoopbackDiscord, enter: OpenHouse, channels: list[Channel]
) -> None:
    alice, leases, engine = server.person("Alice"), Leases(), EchoEngine(is_held=True, words_before_gate=1)
    async with enter(server, engine=engine, shard_count=COUNT, leases=leases) as house:
        lost, kept = [await alice.says(channel, "hello there", mention=True) for channel in channels[2:]]
        await server.wait_until(lambda: server.answer_to(lost) and server.answer_to(kept))

        leases.held.discard(2)
        await server.wait_until(lambda: connected(server) == [0, 1, 3])
        num_calls = len(server.journal.calls)
        engine.gate.set()
        await house.reaches(kept, "answered")

        assert await house.state(lost) == "answering"
        assert not any(str(channels[2].id) in call.path for call in server.journal.calls[num_calls:])


async def test_nothing_is_asked_of_discord_once_a_lease_may_be_over(
    server: LoopbackDiscord, enter: OpenHouse, channels: list[Channel]
) -> None:
    alice, leases, engine = server.person("Alice"), Leases(), EchoEngine(is_held=True, words_before_gate=1)
    async with enter(server, engine=engine, shard_count=COUNT, leases=leases) as house:
        question = await alice.says(channels[1], "hello there", mention=True)
        await server.wait_until(lambda: server.answer_to(question))

        leases.is_valid, num_calls = False, len(server.journal.calls)
        engine.gate.set()
        await server.wait_until(lambda: connected(server) == [])
        asked_meanwhile = server.journal.calls[num_calls:]
        leases.is_valid = True
        await house.reaches(question, "answered")
        await server.wait_until(lambda: connected(server) == [0, 1, 2, 3])

    assert asked_meanwhile == []
    judge(server).require(turns=1, replies=1)


async def test_a_shard_that_is_one_too_many_lets_its_answers_finish_and_is_given_up(
    server: LoopbackDiscord, enter: OpenHouse, channels: list[Channel]
) -> None:
    alice, leases, engine = server.person("Alice"), Leases(), EchoEngine(is_held=True, words_before_gate=1)
    async with enter(server, engine=engine, shard_count=COUNT, leases=leases, drain_seconds=60.0) as house:
        question = await alice.says(channels[3], "hello there", mention=True)
        await server.wait_until(lambda: server.answer_to(question))

        leases.num_surplus = 1
        engine.gate.set()
        await house.reaches(question, "answered")
        await server.wait_until(lambda: leases.released)

        assert (leases.released, connected(server)) == ([3], [0, 1, 2])
        judge(server).require(turns=1, replies=1)


async def test_shards_of_one_group_log_in_one_after_the_other() -> None:
    now = [100.0]
    turns = LocalTurns(2, lambda: now[0])

    assert await turns.claim(0, 10, is_opening=True) == 0
    assert await turns.claim(1, 10, is_opening=True) == 0
    assert await turns.claim(2, 10, is_opening=True) == OPENING_POLL_SECONDS
    assert await turns.claim(0, 5, is_opening=False) == 0
    assert await turns.claim(0, 5, is_opening=False) == 5
    assert await turns.claim(0, 5, is_opening=False, is_again=True) == 0
    now[0] += 5
    assert await turns.claim(2, 5, is_opening=False) == 0


async def test_identifies_keep_discords_pause_for_each_group(tmp_path: Path, encoder: TurnEncoder) -> None:
    rules = replace(without_waits(), identify_interval_seconds=0.19, max_concurrency=2)
    async with LoopbackDiscord(rules) as server:
        async with open_house(server, tmp_path, encoder, shard_count=3, waits_until_ready=False):
            await server.wait_until(lambda: len(server.gateway.connected()) == 3)

        assert server.violations == []
        assert server.gateway.counts["identifies"] == 3


async def test_readiness_tells_of_the_shards_that_are_held() -> None:
    overview = Overview(lambda: False)

    async def gateway() -> tuple[bool, str]:
        check = (await Readiness(overview).checks())[0]
        return check.is_ok, check.words

    overview.on_shards(ShardsRecord(frozenset(), 16))
    stands_by = await gateway()
    overview.on_shards(ShardsRecord(frozenset({3, 4}), 16))
    overview.on_gateway(GatewayChange.CONNECTED, 3)
    opening = await gateway()
    overview.on_gateway(GatewayChange.CONNECTED, 4)
    connected = await gateway()
    overview.on_gateway(GatewayChange.LOST, 3)
    overview.on_gateway(GatewayChange.LOST, 4)

    assert stands_by == (True, "other processes hold all shards; I would take over")
    assert opening == (False, "1 of my 2 shards up, of 16")
    assert connected == (True, "2 of my 2 shards up, of 16")
    assert not overview.is_gateway_up
