"""Character cards that come with a command: fetched from Discord's own hosts, so many bytes, in limited time.

What Discord says of a file is not believed: no more is read than a card may have, nothing compressed is taken, and no
redirect is followed.
"""

import asyncio
import logging

import aiohttp
import discord
import yarl
from discord.http import Route

from bot.conversation.cards import MAX_CARD_BYTES, TOO_LARGE, Card, read_card
from bot.errors import UnreadableCard
from bot.words import phrase

log = logging.getLogger(__name__)

_HOSTS = ("https://cdn.discordapp.com", "https://media.discordapp.net")
_FETCH_SECONDS = 20.0
_CHUNK_BYTES = 65_536


async def read_card_file(attachment: discord.Attachment) -> Card:
    """The card in an attached file.

    Raises:
        UnreadableCard: it can't be fetched, or there is none in it.
    """
    if attachment.size > MAX_CARD_BYTES:
        raise UnreadableCard(TOO_LARGE)
    try:
        async with asyncio.timeout(_FETCH_SECONDS):
            content = await _fetched(yarl.URL(attachment.url))
    except (aiohttp.ClientError, OSError, ValueError) as error:  # a TimeoutError is an OSError
        log.info("a character card can't be fetched: %s", type(error).__name__)
        raise UnreadableCard(phrase("card_not_fetched")) from None
    return await asyncio.to_thread(read_card, content)


async def _fetched(url: yarl.URL) -> bytes:
    own = yarl.URL(Route.BASE).origin()  # another server in Discord's place keeps its files itself
    if url.user is not None or url.origin() not in {own, *(yarl.URL(host) for host in _HOSTS)}:
        raise ValueError("not on one of Discord's hosts")
    session = aiohttp.ClientSession(auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar(), trust_env=True)
    headers = {"Accept-Encoding": "identity"}
    async with session, session.get(url, allow_redirects=False, headers=headers) as response:
        if response.status != 200 or response.headers.get("Content-Encoding", "identity") != "identity":
            raise ValueError(f"status {response.status}")
        content = bytearray()
        async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
            content += chunk
            if len(content) > MAX_CARD_BYTES:
                raise UnreadableCard(TOO_LARGE)
        return bytes(content)
