"""Reads the text files that are attached to messages: from Discord's own hosts, a limited size, in a limited time.

An attachment's URL comes with the message, so it is Discord's word; all the same nothing else is ever fetched. Where
TRINITY_DISCORD_API_URL names another server, files may lie on that one too. No redirect is followed, nothing compressed
is taken (a small file could become a huge one), and no more is read than the limit, whatever the answer's headers say.
"""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
import discord
import yarl

from bot.conversation.text_files import TextFile, file_name
from bot.discord.markdown import escape_markdown
from bot.discord.text_encodings import decoded
from bot.words import Phrase, phrase

log = logging.getLogger(__name__)

DISCORD_HOSTS = (yarl.URL("https://cdn.discordapp.com"), yarl.URL("https://media.discordapp.net"))
MAX_BYTES = 100_000
FETCH_SECONDS = 10.0
"""For all files of one message."""
_MAX_CONCURRENT = 16
_CHUNK_BYTES = 16_384
_TEXT_TYPES = frozenset(
    f"application/{name}"
    for name in re.findall(
        r"\S+",
        "ecmascript graphql javascript json jsonl ld+json rtf sql toml typescript x-httpd-php x-javascript "
        "x-ndjson x-perl x-powershell x-python x-ruby x-sh x-sql x-tex x-toml x-yaml xml yaml",
    )
)
_TEXT_ENDINGS = frozenset(
    re.findall(
        r"\S+",
        "adoc bash bat bib c cc cfg clj cmake conf cpp cs css csv cue cxx dart diff dockerfile elm env erl ex "
        "exs f90 fish fs gd gitignore go gradle graphql groovy h hh hpp hs htm html ics ini java jl js json "
        "jsonc jsonl jsx kt kts less lisp log lua m3u markdown md mjs ml mli mm nim nix org pas patch php pl "
        "pm po properties proto ps1 pxd py pyi pyx r rb rs rst sass scala scm scss sh sol sql srt sv svelte "
        "swift tcl tex tf toml ts tsv tsx txt v vb vhd vim vtt vue xml xsd yaml yml zig zsh",
    )
)


def is_text(attachment: discord.Attachment) -> bool:
    """Whether an attachment is text, by its type where that says so, or by its name's ending."""
    kind = (attachment.content_type or "").partition(";")[0].strip().lower()
    if kind.startswith("text/") or kind in _TEXT_TYPES:
        return True
    if kind.partition("/")[0] in {"image", "video", "audio", "font"} and not attachment.filename.endswith(".ts"):
        return False  # the name of a TypeScript file says video
    return attachment.filename.lower().rpartition(".")[2] in _TEXT_ENDINGS


@dataclass(frozen=True, slots=True)
class Unread:
    """A file that could not be read, and what is said about it."""

    name: str
    note: Phrase


class AttachmentReader:
    """Reads the text files of messages.

    Args:
        api_url: another server in Discord's place.
        proxy: the URL of the proxy that everything goes through.
    """

    def __init__(self, api_url: str | None = None, proxy: str | None = None) -> None:
        own = [] if api_url is None else [yarl.URL(api_url).origin()]
        self._origins = frozenset(url.origin() for url in (*DISCORD_HOSTS, *own))
        self._proxy = proxy
        self._slots = asyncio.Semaphore(_MAX_CONCURRENT)

    async def read(self, attachments: Sequence[discord.Attachment]) -> list[TextFile | Unread]:
        """Read the files of one message, all at once, in their order."""
        results: list[TextFile | Unread] = [_not_fetched(each) for each in attachments]

        async def read(index: int) -> None:
            results[index] = await self._read(attachments[index])

        try:
            async with asyncio.timeout(FETCH_SECONDS), asyncio.TaskGroup() as tasks:
                for index in range(len(attachments)):
                    tasks.create_task(read(index))
        except TimeoutError:
            log.info("the files of a message didn't come within %.0f s", FETCH_SECONDS)
        return results

    async def _read(self, attachment: discord.Attachment) -> TextFile | Unread:
        if attachment.size > MAX_BYTES:
            return _too_large(attachment)
        try:
            async with self._slots:
                content = await self.fetched(attachment.url, MAX_BYTES)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            log.info("an attached file can't be fetched: %s", type(error).__name__)
            return _not_fetched(attachment)
        if content is None:
            return _too_large(attachment)
        found = await asyncio.to_thread(decoded, content)
        if found is None:
            return Unread(file_name(attachment.filename), phrase("file_not_text", name=_shown_name(attachment)))
        return TextFile(attachment.filename, found.text, found.guess)

    async def fetched(self, address: str, max_bytes: int) -> bytes | None:
        """What lies there; None where that is too much. Nothing else in the bot fetches files.

        Raises:
            ValueError: nothing is fetched from there, or it isn't there.
            aiohttp.ClientError, OSError: it can't be reached, or didn't come in time.
        """
        url = yarl.URL(address)
        if url.user is not None or url.password is not None or url.origin() not in self._origins:
            raise ValueError("not on one of Discord's hosts")
        async with self._answer(url) as response:
            if response.status != 200 or response.headers.get("Content-Encoding", "identity") != "identity":
                raise ValueError(f"status {response.status}")
            content = bytearray()
            async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
                content += chunk
                if len(content) > max_bytes:
                    return None
            return bytes(content)

    @asynccontextmanager
    async def _answer(self, url: yarl.URL) -> AsyncIterator[aiohttp.ClientResponse]:
        # A session of its own for each file: no cookie, and nothing of the bot's token, ever goes there.
        session = aiohttp.ClientSession(
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=FETCH_SECONDS),
        )
        headers = {"Accept-Encoding": "identity"}
        async with session, session.get(url, allow_redirects=False, headers=headers, proxy=self._proxy) as response:
            yield response


def _not_fetched(attachment: discord.Attachment) -> Unread:
    return Unread(file_name(attachment.filename), phrase("file_not_fetched", name=_shown_name(attachment)))


def _too_large(attachment: discord.Attachment) -> Unread:
    why = phrase("file_too_large", name=_shown_name(attachment), limit=MAX_BYTES // 1000)
    return Unread(file_name(attachment.filename), why)


def _shown_name(attachment: discord.Attachment) -> str:
    return escape_markdown(file_name(attachment.filename))
