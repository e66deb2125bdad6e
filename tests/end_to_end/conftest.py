"""What the end-to-end tests share: a loopback Discord without waits."""

from collections.abc import AsyncIterator

import pytest

from tests.loopback import LoopbackDiscord, without_waits
from tests.store.postgresql_server import postgresql_server as postgresql_server


@pytest.fixture
async def server() -> AsyncIterator[LoopbackDiscord]:
    """A Discord without rate limits and pauses."""
    async with LoopbackDiscord(without_waits()) as running:
        yield running
