"""A page of a channel's messages, parsed one by one: what can't be read costs itself, not the page."""

import logging
from collections.abc import Iterable, Iterator
from typing import Any

import discord

from bot.discord import payloads
from bot.discord.gateway import described
from bot.discord.shapes import OutOfShape

log = logging.getLogger(__name__)


def parsed_page(client: discord.Client, channel: Any, page: Iterable[Any]) -> Iterator[discord.Message]:
    """The messages of a page as discord.py has them, in the page's order; a line is logged for each that can't be read.

    Args:
        client: whose caches know the guild and its members.
        channel: where the messages are.
        page: Discord's answer.
    """
    for item in page:
        try:
            yield discord.Message(state=client._connection, channel=channel, data=payloads.message(item))  # type: ignore[arg-type]
        except OutOfShape as error:
            log.warning("a message of a page is skipped, %s: %s", described("a message", item), error)
        except Exception as error:
            log.error(
                "a message of a page is skipped, %s: discord.py stumbled over it (%s)",
                described("a message", item), type(error).__name__,
            )  # fmt: skip
