"""The daemon on a PostgreSQL server behind a proxy that falls silent: it forwards nothing and closes nothing."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import URL

from bot.app import DEMO_MODEL
from bot.delivery.outcomes import MEMORY_AWAY
from tests.end_to_end.daemon import open_daemon
from tests.loopback import LoopbackDiscord
from tests.store.postgresql_server import new_database, on_postgresql
from tests.store.silence import SilentProxy, open_proxy

pytestmark = [
    *on_postgresql(),
    pytest.mark.skipif(
        not (DEMO_MODEL / "model.safetensors").is_file(), reason="the demo model's weights are not there"
    ),
]

DRAIN_SECONDS = 1.0
# The end of a transaction and of the connections takes 3 s each, whatever hangs; the rest is a busy machine's.
CLOSING_SECONDS = 6.0
SLACK_SECONDS = 20.0


@pytest.fixture
async def address(postgresql_server: str) -> AsyncIterator[URL]:
    async with new_database(postgresql_server, f"trinity_daemon_{os.getpid()}") as address:
        yield address


@pytest.fixture
async def proxy(address: URL) -> AsyncIterator[SilentProxy]:
    async with open_proxy(address.port or 0) as proxy:
        yield proxy


async def test_a_daemon_whose_database_falls_silent_says_so_catches_up_afterwards_and_ends_in_time(
    server: LoopbackDiscord, address: URL, proxy: SilentProxy, tmp_path: Path
) -> None:
    alice, general, random = server.person("Alice"), server.channel("general"), server.channel("random")
    url = address.set(host="127.0.0.1", port=proxy.port).render_as_string(hide_password=False)
    settings = {"TRINITY_DATABASE_URL": url, "TRINITY_DRAIN_SECONDS": str(DRAIN_SECONDS)}

    async with open_daemon(server, tmp_path, settings) as daemon:
        for channel in (general, random):
            told = await alice.says(channel, "My favourite colour is teal.", mention=True)
            await server.wait_until(lambda told=told: server.answer_to(told))
        proxy.fall_silent()
        asked = await alice.says(general, "What is my favourite colour?", mention=True)
        reset = await alice.uses("/reset", random)
        await reset.answered(timeout=60)
        await server.wait_until(lambda: MEMORY_AWAY in {message.content for message in general.visible_messages()})
        server.gateway.is_refusing = True
        server.gateway.abort()
        await server.wait_until(lambda: not server.gateway.connected())
        missed = await alice.says(random, "What is my favourite colour?", mention=True)
        server.gateway.forget_sessions()
        server.gateway.is_refusing = False
        await server.wait_for_login()
        await asyncio.sleep(CATCH)
        proxy.speak()
        answers = [await server.wait_until(lambda q=q: server.answer_to(q)) for q in (asked, missed)]
        proxy.fall_silent()
        late = await alice.says(general, "What is my favourite colour?", mention=True)
        began_at = time.monotonic()
        status = await daemon.stop()
        seconds = time.monotonic() - began_at

    print([r for r in reset.responses], answers, seconds, general.visible_messages(), random.visible_messages())
    print(daemon.log)
    assert status == 0
    assert seconds < DRAIN_SECONDS + CLOSING_SECONDS + SLACK_SECONDS
    assert "Traceback" not in daemon.log


CATCH = 25
