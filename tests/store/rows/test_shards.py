"""Which process holds which shard, on a real PostgreSQL: its clock and its locks are what is tested."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from bot.conversation.messages import ConversationKey
from bot.conversation.shard import Shard
from bot.errors import DatabaseUnusable
from bot.store.files.database import migrate, open_database
from bot.store.files.timeouts import Purpose
from bot.store.rows.inbox import Inbox
from bot.store.rows.shards import Division, Held, Shards, open_shards
from tests.store.postgresql_server import new_database, on_postgresql
from tests.store.said import ask

pytestmark = [*on_postgresql(), pytest.mark.no_cover]

SIX = Division(6)
Open = Callable[..., Awaitable[Shards]]


@pytest.fixture
async def url(postgresql_server: str) -> AsyncIterator[str]:
    async with new_database(postgresql_server, "shards") as address:
        url = address.set(drivername="postgresql+asyncpg").render_as_string(hide_password=False)
        await migrate(url)
        yield url


@pytest.fixture
async def open_process(url: str) -> AsyncIterator[Open]:
    async with AsyncExitStack() as processes:

        async def enter(division: Division = SIX, lease_seconds: float = 60.0, **options: bool) -> Shards:
            return await processes.enter_async_context(
                open_shards(url, division, lease_seconds=lease_seconds, **options)
            )

        yield enter


def held(*shard_ids: int, num_surplus: int = 0) -> Held:
    return Held(frozenset(shard_ids), num_surplus)


async def test_shards_are_divided_evenly_and_given_up_to_who_comes_later(open_process: Open) -> None:
    first, second = await open_process(), await open_process()

    assert await first.renew(0) == held()
    assert await first.renew(4) == held(0, 1, 2, 3)
    assert await second.renew(0) == held()
    assert await first.renew(6) == held(0, 1, 2, 3)
    assert await second.renew(6) == held(4, 5)
    assert await first.renew(6) == held(0, 1, 2, 3, num_surplus=1)
    await first.release(3)
    assert await second.renew(6) == held(3, 4, 5)
    assert await first.renew(6) == held(0, 1, 2)


async def test_what_a_dead_process_held_is_free_when_its_lease_is_over(open_process: Open) -> None:
    dead, alive = await open_process(lease_seconds=3.0), await open_process()
    await dead.renew(6)

    before = await alive.renew(6)
    while not (after := await alive.renew(6)).held:  # noqa: ASYNC110 - another process gives no event
        await asyncio.sleep(0.1)

    assert before == held()
    assert after == held(0, 1, 2, 3, 4, 5)
    assert not dead.are_valid()
    assert await dead.renew(0) == held()


async def test_who_leaves_lets_others_have_all_at_once(open_process: Open) -> None:
    first, second = await open_process(), await open_process()
    await first.renew(6)

    await first.leave()

    assert await second.renew(6) == held(0, 1, 2, 3, 4, 5)


async def test_of_many_that_ask_at_once_each_shard_is_ones(open_process: Open) -> None:
    processes = [await open_process(Division(12)) for _ in range(4)]
    await asyncio.gather(*(each.renew(0) for each in processes))

    found = await asyncio.gather(*(each.renew(12) for each in processes))

    assert sorted(shard_id for each in found for shard_id in each.held) == [*range(12)]
    assert {len(each.held) for each in found} == {3}


async def test_who_names_its_shards_gets_these_alone(open_process: Open) -> None:
    named, other = await open_process(replace(SIX, wanted=frozenset({2, 5}))), await open_process()

    assert await named.renew(6) == held(2, 5)
    assert await other.renew(6) == held(0, 1, 3, 4)


async def test_what_is_left_by_who_names_its_shards_is_the_others(open_process: Open) -> None:
    anybody = await open_process()
    await anybody.renew(6)
    named = await open_process(replace(SIX, wanted=frozenset({0, 1})))
    assert await named.renew(6) == held()

    assert await anybody.renew(6) == held(*range(6))  # it would give up what nobody else takes
    await anybody.leave()
    assert await named.renew(6) == held(0, 1)
    assert await anybody.renew(6) == held(2, 3, 4, 5)


async def test_another_number_of_shards_is_refused_or_adopted(open_process: Open) -> None:
    first = await open_process()
    await first.renew(6)

    with pytest.raises(DatabaseUnusable, match="into 6 shards, this one into 8"):
        await open_process(Division(8))
    adopting = await open_process(Division(8), adopts_count=True)
    assert adopting.count == 6


async def test_who_deletes_much_costs_nobody_a_shard(url: str, open_process: Open) -> None:
    shards = await open_process()
    await shards.renew(6)

    async with open_database(url) as database, database.transaction(Purpose.WRITE_ALONE):
        assert await shards.renew(0) == held(*range(6))
        assert await shards.claim(0, 5, is_opening=False) == 0
        await shards.release(5)
        await shards.leave()


async def test_open_questions_and_known_channels_are_told_by_shard(url: str) -> None:
    here = ConversationKey("discord", 1, 197038439483310086)
    direct, elsewhere = ConversationKey("discord", 2), ConversationKey("discord", 3, here.guild_id + (1 << 22))
    async with open_database(url) as database:
        inbox = Inbox(database)
        for number, key in enumerate((here, direct, elsewhere), start=10):
            await inbox.receive(ask(number, key=key))

        for key in (here, direct, elsewhere):
            [shard] = [each for each in (Shard(number, 4) for number in range(4)) if each.has(key.guild_id)]
            assert key in [left.question.conversation for left in await inbox.unfinished(shard)]
            assert key in [known.key for known in await inbox.known_channels("discord", shard=shard)]
        each = [await inbox.unfinished(Shard(number, 4)) for number in range(4)]
        assert sum(len(found) for found in each) == 3


async def test_processes_take_turns_to_log_in(open_process: Open) -> None:
    two_groups = replace(SIX, max_concurrency=2)
    first, second = await open_process(two_groups), await open_process(two_groups)

    assert await first.claim(0, 60, is_opening=True) == 0
    assert 0 < await second.claim(2, 60, is_opening=True) < 1
    assert await second.claim(1, 60, is_opening=True) == 0
    assert await first.claim(0, 0.2, is_opening=False) == 0
    while await second.claim(2, 60, is_opening=True) > 0:  # noqa: ASYNC110 - another process gives no event
        await asyncio.sleep(0.05)
    assert await first.claim(0, 5, is_opening=False) > 0
    assert await second.claim(2, 60, is_opening=False) == 0
    assert await second.claim(2, 60, is_opening=False, is_again=True) == 0
    assert 50 < await second.claim(2, 60, is_opening=False) <= 60


async def test_the_sessions_of_a_day_are_counted_for_all_processes(open_process: Open) -> None:
    few = replace(SIX, sessions_per_day=10)
    processes = [await open_process(few), await open_process(few)]

    pauses = [await processes[number % 2].claim(number, 0, is_opening=False) for number in range(4)]

    assert pauses[:3] == [0, 0, 0]
    assert 3600 < pauses[3] < 24 * 3600
