"""Requests about an interaction that a failing connection doesn't cost: its first answer, and edits of that.

Discord takes one first answer, within three seconds. So one of which nothing was heard is sent again: where it was
taken, Discord says that the interaction was answered already. An edit does no harm if it is repeated.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import discord

from bot.delivery.refusals import (
    ACKNOWLEDGED_ALREADY,
    ConnectionClosed,
    InteractionGone,
    RateLimited,
    Unclear,
    Unreachable,
    Unreadable,
)
from bot.delivery.sender import TRIES_OF_UNCLEAR, growing_pauses
from bot.discord.rest import translated

_TRIES = 3
_PAUSE_SECONDS = 0.2
_TRY_SECONDS = 10.0
_REPEATED_AFTER_SECONDS = 0.9
"""discord.py sends again what met a server's error, a second later."""
_REPEATED_SECONDS = 60.0

Result = TypeVar("Result")


async def respond(interaction: discord.Interaction[Any], request: Callable[[], Awaitable[Result]]) -> Result | None:
    """Give an interaction its first answer; None where Discord has it, but its own answer got lost.

    Raises:
        DiscordError: it isn't taken.
    """
    loop = asyncio.get_running_loop()
    began_at = loop.time()
    for number in range(1, _TRIES + 1):
        try:
            async with translated(), asyncio.timeout(_TRY_SECONDS):
                with empty_acknowledgements_read(interaction):
                    return await request()
            return None
        except Unreadable:
            return None  # what is done next will show whether it was taken
        except InteractionGone as error:
            # It may be an earlier try that was taken, one of ours or of discord.py's; else it was another process.
            is_ours = number > 1 or loop.time() - began_at > _REPEATED_AFTER_SECONDS
            if error.code != ACKNOWLEDGED_ALREADY or not is_ours:
                raise
            return None
        except (Unreachable, Unclear):
            if number == _TRIES:
                raise
        await asyncio.sleep(_PAUSE_SECONDS)
    raise AssertionError("the last try returns or raises")


async def until_taken(request: Callable[[], Awaitable[Result]], seconds: float = _REPEATED_SECONDS) -> Result:
    """Make a request that may be repeated, with growing pauses, for as long as what refuses it may pass.

    Raises:
        DiscordError: it isn't taken, or not within so many seconds.
    """
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + seconds
    num_unclear = 0
    for pause in growing_pauses():
        try:
            async with translated():
                return await request()
        except ConnectionClosed:
            raise
        except Unreachable as error:
            wanted = max(pause, error.seconds) if isinstance(error, RateLimited) else pause
            if loop.time() + wanted > give_up_at:
                raise
        except Unclear:
            num_unclear, wanted = num_unclear + 1, pause
            if num_unclear == TRIES_OF_UNCLEAR:
                raise
        await asyncio.sleep(wanted)
    raise AssertionError("pauses never end")


async def follow_up(send: Callable[[], Awaitable[object]]) -> None:
    """Send a message besides the first answer: said twice does less harm than never.

    Raises:
        DiscordError: it isn't taken.
    """

    async def send_once() -> None:
        with suppress(Unreadable):  # an answer that can't be read is no refusal
            async with translated():
                await send()

    await until_taken(send_once)


@contextmanager
def empty_acknowledgements_read(interaction: discord.Interaction[Any]) -> Iterator[None]:
    """A server that took an answer may say nothing more than that; discord.py then stumbles over what isn't there."""
    try:
        yield
    except TypeError:
        if not interaction.response.is_done():
            raise
