"""What Discord says of the sessions that a bot may begin: in how many shards, how many at once, how many in a day."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import discord
from discord.http import Route

from bot.delivery.refusals import Unreadable
from bot.discord.rest import translated
from bot.discord.session_starts import DAY_SECONDS


@dataclass(frozen=True, slots=True)
class GatewayLimits:
    """The answer to GET /gateway/bot."""

    num_shards: int
    """How many Discord recommends."""
    max_concurrency: int
    """How many groups of shards may log in without waiting for each other."""
    sessions_per_day: int
    sessions_left: int
    reset_seconds: float = 0.0
    """After so long there are all of them again."""

    @property
    def wait_seconds(self) -> float:
        """How long no session may be begun: Discord resets the token of a bot that begins one more."""
        return 0.0 if self.sessions_left > 0 else min(max(1.0, self.reset_seconds), DAY_SECONDS)


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
            int(answer["shards"]),
            int(starts.get("max_concurrency", 1)),
            int(starts["total"]),
            int(starts["remaining"]),
            int(starts.get("reset_after", 0)) / 1000,
        )
    except (LookupError, TypeError, ValueError, OverflowError, AttributeError):
        raise Unreadable("Discord's answer about its gateway can't be read") from None
    if min(limits.num_shards, limits.max_concurrency, limits.sessions_per_day) < 1:
        raise Unreadable("Discord's answer about its gateway makes no sense")
    return limits
