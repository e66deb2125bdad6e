"""Trinity on a loopback Discord with her operations address, for tests that look at her from there."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from bot.conversation.chat_format import TurnEncoder
from bot.operations.address import OperationsOptions, Watch, open_operations
from bot.operations.overview import Overview
from tests.discord.house import House, open_house
from tests.engines import EchoEngine
from tests.loopback import LoopbackDiscord, without_waits

TOKEN = "operators-secret-token"
PORT_OF_ANY_NUMBER = 0


@dataclass
class Operated:
    """Her, and who looks at the address."""

    house: House
    watch: Watch
    url: str
    http: aiohttp.ClientSession
    ends: list[None]
    """An entry for each time that somebody wanted her to drain."""

    async def get(self, path: str, **headers: str) -> tuple[int, str]:
        async with self.http.get(self.url + path, headers=headers) as response:
            return response.status, await response.text()

    async def post(self, path: str, token: str | None = TOKEN) -> tuple[int, str]:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        async with self.http.post(self.url + path, headers=headers) as response:
            return response.status, (await response.json())["said"]


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0.005)


@asynccontextmanager
async def open_address(
    watch: Watch,
    *,
    token: str | None = TOKEN,
    end: Callable[[], None] = lambda: None,
    port: int = PORT_OF_ANY_NUMBER,
    doctor: tuple[str, ...] = ("false",),
) -> AsyncIterator[str]:
    options = OperationsOptions(("127.0.0.1", port), token, secrets=(TOKEN,), end=end, doctor=doctor)
    async with open_operations(options, watch) as url:
        await until(url)
        yield url()


@asynccontextmanager
async def open_operated(
    folder: Path, encoder: TurnEncoder, engine: EchoEngine | None = None, **options: Any
) -> AsyncIterator[Operated]:
    """She answers, and is ready."""
    engine = engine or EchoEngine()
    watch, ends = Watch(Overview(lambda: False)), []
    async with (
        LoopbackDiscord(without_waits()) as server,
        open_house(server, folder, encoder, engine, observers=watch.observers) as house,
        open_address(watch, end=lambda: ends.append(None), **options) as url,
        aiohttp.ClientSession() as http,
    ):
        watch.overview.opened(house.chat, engine)
        yield Operated(house, watch, url, http, ends)
