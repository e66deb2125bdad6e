"""What Discord says of the sessions that a bot may begin: in how many shards, how many at once, how many in a day."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import discord
from discord.http import Route

from bot.delivery.refusals import Unreadable
from bot.delivery.sender import growing_pauses
from bot.discord.client import TrinityClient
from bot.discord.rest import translated
from bot.discord.run import DiscordOptions, log_in, pointed_at
from bot.errors import DiscordError, DiscordRefused

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class GatewayLimits:
    """The answer to GET /gateway/bot."""

    num_shards: int
    """How many Discord recommends."""
    max_concurrency: int
    """How many groups of shards may log in without waiting for each other."""
    sessions_per_day: int
    sessions_left: int


async def ask_gateway_limits(client: discord.Client) -> GatewayLimits:
    """Ask by a client that is logged in.

    Raises:
        DiscordError: Discord doesn't say.
    """
    async with translated():
        answer: Mapping[str, Any] = await client.http.request(Route("GET", "/gateway/bot"))
    try:
        starts = answer["session_start_limit"]
        limits = GatewayLimits(
            int(answer["shards"]), int(starts.get("max_concurrency", 1)), int(starts["total"]), int(starts["remaining"])
        )
    except (LookupError, TypeError, ValueError, AttributeError):
        raise Unreadable("Discord's answer about its gateway can't be read") from None
    if min(limits.num_shards, limits.max_concurrency, limits.sessions_per_day) < 1:
        raise Unreadable("Discord's answer about its gateway makes no sense")
    return limits


async def wait_for_gateway_limits(options: DiscordOptions) -> GatewayLimits:
    """Ask until Discord says so.

    Raises:
        DiscordRefused: the token was refused.
    """
    for seconds in growing_pauses():
        try:
            async with TrinityClient(proxy=options.proxy, clock=options.clock) as client:
                with pointed_at(options):
                    await log_in(client, options.token)
                    return await ask_gateway_limits(client)
        except DiscordRefused:
            raise
        except DiscordError as error:
            log.warning("Discord doesn't say how many shards there may be (%s); asked again in %.0f s", error, seconds)
        await asyncio.sleep(seconds)
    raise AssertionError("pauses never end")
