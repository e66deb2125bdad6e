"""Character cards that come with a command: fetched as all files are, and read beside the event loop.

What Discord says of a file is not believed: no more is read than a card may have.
"""

import asyncio
import logging

import aiohttp
import discord

from bot.conversation.cards import MAX_CARD_BYTES, TOO_LARGE, Card, read_card
from bot.discord.attachments import AttachmentReader
from bot.errors import UnreadableCard
from bot.words import phrase

log = logging.getLogger(__name__)


async def read_card_file(attachment: discord.Attachment, reader: AttachmentReader) -> Card:
    """The card in an attached file.

    Raises:
        UnreadableCard: it can't be fetched, or there is none in it.
    """
    if attachment.size > MAX_CARD_BYTES:
        raise UnreadableCard(TOO_LARGE)
    try:
        content = await reader.fetched(attachment.url, MAX_CARD_BYTES)
    except (aiohttp.ClientError, OSError, ValueError) as error:  # a TimeoutError is an OSError
        log.info("a character card can't be fetched: %s", type(error).__name__)
        raise UnreadableCard(phrase("card_not_fetched")) from None
    if content is None:
        raise UnreadableCard(TOO_LARGE)
    return await asyncio.to_thread(read_card, content)
