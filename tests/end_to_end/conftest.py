"""What the end-to-end tests share: a loopback Discord without waits."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.loopback import LoopbackDiscord, without_waits
from tests.store.postgresql_server import some_server


@pytest.fixture
async def server() -> AsyncIterator[LoopbackDiscord]:
    """A Discord without rate limits and pauses."""
    async with LoopbackDiscord(without_waits()) as running:
        yield running


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """The URL of a PostgreSQL server on which databases may be made."""
    with some_server() as url:
        yield url
