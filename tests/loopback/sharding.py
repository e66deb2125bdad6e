"""Guilds where a test of shards wants them."""

import asyncio

from tests.loopback.entities import Guild
from tests.loopback.server import LoopbackDiscord


async def guild_of_shard(server: LoopbackDiscord, shard_id: int, count: int) -> Guild:
    """A new guild whose events come to a shard; which one is told by the millisecond in which it is made."""
    while True:
        await asyncio.sleep(0.0005)
        guild = server.world.add_guild(f"shard {shard_id}", server.owner.user)
        if (guild.id >> 22) % count == shard_id:
            server.invite(server.bot, guild)
            return guild
        del server.world.guilds[guild.id]
