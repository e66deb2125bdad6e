"""Which guilds were left: by Discord's word alone, never because one isn't there."""

import sqlite3
from contextlib import closing

import pytest

from tests.discord.conftest import OpenHouse
from tests.discord.house import House, ask
from tests.loopback import Guild, LoopbackDiscord, Status


def left(house: House) -> dict[int, bool]:
    """Each guild that is known, and whether it was left."""
    with closing(sqlite3.connect(house.database_path)) as database:
        return dict(database.execute("SELECT guild_id, left_at IS NOT NULL FROM guilds"))


async def comes_to(house: House, guild: Guild, was_left: bool) -> None:
    await house.server.wait_until(lambda: left(house).get(guild.id) == was_left)


async def test_a_removal_is_noted_and_a_return_takes_it_back(server: LoopbackDiscord, enter: OpenHouse) -> None:
    other = server.add_guild("Other")
    async with enter(server) as house:
        await comes_to(house, other, False)
        server.world.remove_bot(other, server.bot)
        await comes_to(house, other, True)
        server.invite(server.bot, other)
        await comes_to(house, other, False)
        server.world.delete_guild(other)
        await comes_to(house, other, True)

    assert left(house)[server.guild.id] == 0


async def test_an_outage_is_no_farewell(server: LoopbackDiscord, enter: OpenHouse) -> None:
    other = server.add_guild("Other")
    async with enter(server) as house:
        await comes_to(house, other, False)
        server.world.set_availability(other, is_available=False)
        await ask(house)
        assert not left(house)[other.id]
        server.world.set_availability(other, is_available=True)

    async with enter(server) as house:
        server.world.set_availability(other, is_available=False)
        await ask(house)

    assert left(house) == {server.guild.id: 0, other.id: 0}


@pytest.mark.parametrize("is_announced", [True, False], ids=["Discord says so", "Discord doesn't say"])
async def test_a_removal_while_the_bot_was_off_counts_once_discord_says_so(
    server: LoopbackDiscord, enter: OpenHouse, is_announced: bool
) -> None:
    other, third = server.add_guild("Other"), server.add_guild("Third")
    async with enter(server) as house:
        await comes_to(house, third, False)
    server.world.remove_bot(other, server.bot)
    fault = None
    if not is_announced:
        fault = server.faults.add(Status(403), method="GET", route=f"/guilds/{other.id}")

    async with enter(server) as house:
        if fault is None:
            await comes_to(house, other, True)
        else:
            await server.wait_until(lambda: fault.num_hits)
            await ask(house)

    assert left(house) == {server.guild.id: 0, other.id: int(is_announced), third.id: 0}
