"""A loopback Discord without waits, and Trinity running on it."""

import contextlib
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

import pytest

from bot.conversation.chat_format import TurnEncoder
from tests.conversation.vocabularies import load_any_vocabulary
from tests.discord.house import House, open_house
from tests.loopback import LoopbackDiscord, without_waits

OpenHouse = Callable[..., contextlib.AbstractAsyncContextManager[House]]


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> TurnEncoder:
    """A small vocabulary's turn encoder."""
    return TurnEncoder(load_any_vocabulary("small", tmp_path_factory.mktemp("vocabulary")))


@pytest.fixture
async def server() -> AsyncIterator[LoopbackDiscord]:
    """A Discord without rate limits and pauses."""
    async with LoopbackDiscord(without_waits()) as running:
        yield running


@pytest.fixture
def enter(tmp_path: Path, encoder: TurnEncoder) -> OpenHouse:
    """Opens a house on a server; a second one on the same database is a restart."""
    return partial(open_house, folder=tmp_path, encoder=encoder)


@pytest.fixture
async def house(server: LoopbackDiscord, enter: OpenHouse) -> AsyncIterator[House]:
    """Trinity, ready on the server."""
    async with enter(server) as opened:
        yield opened
