"""The daemon on a PostgreSQL server behind a proxy that falls silent: it forwards nothing and closes nothing."""

import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import URL

from bot.app import DEMO_MODEL
from bot.delivery.outcomes import MEMORY_AWAY, NO_MEMORY
from tests.end_to_end.daemon import open_daemon
from tests.loopback import LoopbackDiscord, Message
from tests.store.postgresql_server import new_database, on_postgresql
from tests.store.silence import SilentProxy, open_proxy

pytestmark = [
    pytest.mark.soak,  # it waits for limits of ten seconds, and asserts the time that the end takes
    *on_postgresql(),
    pytest.mark.skipif(not (DEMO_MODEL / "model.safetensors").is_file(), reason="the demo model isn't there"),
]

ASK = "What is my favourite colour?"
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
            await answered(server, await alice.says(channel, "My favourite colour is teal.", mention=True))
        proxy.fall_silent()
        reset = await (await alice.uses("/reset", random)).answered(timeout=60)
        asked = await alice.says(general, ASK, mention=True)
        await server.wait_until(lambda: MEMORY_AWAY in {message.content for message in general.visible_messages()})
        server.gateway.is_refusing = True
        server.gateway.abort()
        await server.wait_until(lambda: not server.gateway.connected())
        missed = await alice.says(random, ASK, mention=True)
        server.gateway.forget_sessions()
        server.gateway.is_refusing = False
        await server.wait_until(lambda: "fetched when the database is back" in daemon.log, timeout=120)
        live = await alice.says(random, ASK, mention=True)
        proxy.speak()
        for question in (asked, missed, live):
            await answered(server, question)
        proxy.fall_silent()
        await alice.says(general, ASK, mention=True)
        began_at = time.monotonic()
        status = await daemon.stop()
        seconds = time.monotonic() - began_at

    assert reset.text == NO_MEMORY
    assert status == 0
    assert seconds < DRAIN_SECONDS + CLOSING_SECONDS + SLACK_SECONDS
    assert "Traceback" not in daemon.log


async def answered(server: LoopbackDiscord, question: Message) -> None:
    """Wait for an answer that knows the colour."""
    await server.wait_until(lambda: (answer := server.answer_to(question)) and "teal" in answer.text, timeout=120)
