"""One daemon, as a process, that several tests talk to, each in a channel of its own: it takes seconds to start.

All tests of this file are among them, since the loopback Discord stands still while a test of another loop runs.
"""

import signal
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from bot.app import DEMO_MODEL
from tests.end_to_end.daemon import START_SECONDS, Daemon, open_daemon, trinity
from tests.loopback import Channel, Expectation, LoopbackDiscord, Person, judge, without_waits
from tests.loopback.forward_proxy import ForwardProxy, open_forward_proxy

pytestmark = [
    pytest.mark.skipif(
        not (DEMO_MODEL / "model.safetensors").is_file(), reason="the demo model's weights are not there"
    ),
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.xdist_group("shared daemon"),
]

ASK = "What is my favourite colour?"


@dataclass
class SharedDaemon:
    """The daemon and what is around it."""

    server: LoopbackDiscord
    proxy: ForwardProxy
    folder: Path
    settings: dict[str, str]
    daemon: Daemon
    log_at_login: str


def free_port() -> int:
    with socket.socket() as once:
        once.bind(("127.0.0.1", 0))
        return int(once.getsockname()[1])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SharedDaemon]:
    """A daemon with a small window, behind a proxy that alone can resolve Discord's names."""
    folder = tmp_path_factory.mktemp("shared")
    async with LoopbackDiscord(without_waits()) as server, open_forward_proxy() as proxy:
        settings = {
            "HTTP_PROXY": proxy.url,
            "TRINITY_DISCORD_API_URL": server.api_url.replace("127.0.0.1", "discord.invalid"),
            "TRINITY_DISCORD_GATEWAY_URL": server.gateway_url.replace("127.0.0.1", "gateway.invalid"),
            "TRINITY_CONTEXT_WINDOW": "1024",
            "TRINITY_MAX_NEW_TOKENS": "384",
            "TRINITY_OPERATIONS_ADDRESS": f"127.0.0.1:{free_port()}",
        }
        async with open_daemon(server, folder, settings) as daemon:
            yield SharedDaemon(server, proxy, folder, settings, daemon, daemon.log)
            assert await daemon.stop() == 0


async def ask(daemon: Daemon, person: Person, channel: Channel, text: str) -> str:
    """Ask and wait until the answer has ended."""
    return await daemon.answer(await person.says(channel, text, mention=True))


async def test_a_proxy_of_the_environment_is_used_for_requests_and_gateway(shared: SharedDaemon) -> None:
    alice, random = shared.server.person("Alice"), shared.server.channel("random")

    answer = await ask(shared.daemon, alice, random, "My favourite colour is teal.")

    assert "teal" in answer
    assert any("//discord.invalid" in line for line in shared.proxy.asked)
    assert any("//gateway.invalid" in line for line in shared.proxy.asked)
    assert shared.log_at_login.count("logging in using static token") == 1


async def test_that_something_was_trimmed_is_told_once_and_nothing_breaks(shared: SharedDaemon) -> None:
    alice, long = shared.server.person("Alice"), shared.server.channel("long")

    await ask(shared.daemon, alice, long, "My favourite colour is teal.")
    for _ in range(4):
        await ask(shared.daemon, alice, long, "I saw a film yesterday. " * 30)
    after_trim = await ask(shared.daemon, alice, long, ASK)

    assert after_trim
    assert sum("look up its older part" in line for line in shared.server.transcript(long)) == 1


async def test_the_operations_address_tells_of_the_real_engine(shared: SharedDaemon) -> None:
    address, general = shared.settings["TRINITY_OPERATIONS_ADDRESS"], shared.server.channel("general")
    await ask(shared.daemon, shared.server.person("Alice"), general, "Please count to 30.")

    async with aiohttp.ClientSession() as http:
        async with http.get(f"http://{address}/readyz") as response:
            ready = await response.text()
        async with http.get(f"http://{address}/metrics") as response:
            lines = (line.rpartition(" ") for line in (await response.text()).splitlines() if line[0] != "#")
            values = {name: float(value) for name, _, value in lines}

    assert ready.endswith("\nready\n")
    assert values["trinity_engine_generated_tokens_total"] >= 30
    assert values["trinity_warm_conversations"] >= 1
    assert values["trinity_batch_size_count"] >= 30
    assert values["trinity_kv_blocks"] >= values["trinity_kv_blocks_available"] > 0


async def test_a_second_daemon_on_the_same_token_and_database_says_so(shared: SharedDaemon) -> None:
    with pytest.raises(AssertionError, match="already"):
        async with open_daemon(shared.server, shared.folder, shared.settings):
            pass

    assert shared.daemon.process.returncode is None


async def test_a_reload_takes_over_what_can_change_while_an_answer_is_written(shared: SharedDaemon) -> None:
    server, daemon, env_file = shared.server, shared.daemon, shared.folder / ".env"
    alice, bob, general = server.person("Alice"), server.person("Bob"), server.channel("general")
    num_logins = server.gateway.counts["READY"]

    question = await alice.says(general, "Please count to 60.", mention=True)
    await general.answer_to(question, until=lambda text: "12" in text)
    env_file.write_text(f"TRINITY_BLOCKED_USERS={bob.id}\nTRINITY_BUTTONS=false\n")
    daemon.process.send_signal(signal.SIGUSR1)
    reload = await trinity(server, shared.folder, "reload")
    ignored = await bob.says(general, "Hello?", mention=True)
    answer = await daemon.answer(question, START_SECONDS)
    env_file.write_text("TRINITY_SEED=one\n")
    daemon.process.send_signal(signal.SIGHUP)
    await server.wait_until(lambda: "I go on as I am: TRINITY_SEED" in daemon.log)
    env_file.unlink()
    daemon.process.send_signal(signal.SIGHUP)
    await server.wait_until(lambda: daemon.log.count("the settings were read anew") == 2)
    heard = await ask(daemon, bob, general, "My favourite colour is teal.")

    assert (reload.status, reload.errors) == (0, "")
    assert reload.output == "TRINITY_BLOCKED_USERS  taken over\nTRINITY_BUTTONS  takes a restart\n"
    assert "60" in answer
    assert "teal" in heard
    assert server.gateway.counts["READY"] == num_logins
    assert "how I am: up" in daemon.log
    assert "1 questions being answered" in daemon.log
    assert "Traceback" not in daemon.log
    judge(server, Expectation(is_excused=lambda message: message.id == ignored.id)).require()


@pytest.mark.slow  # it starts a second engine
async def test_an_answer_is_made_again_beside_the_daemon_by_its_messages_link(shared: SharedDaemon) -> None:
    alice, general = shared.server.person("Alice"), shared.server.channel("general")
    await ask(shared.daemon, alice, general, "My favourite colour is ochre.")
    question = await alice.says(general, ASK, mention=True)
    answer = await shared.daemon.answer(question)
    shown = shared.server.answer_to(question)
    assert shown is not None
    link = f"https://discord.com/channels/1/{general.id}/{shown.parts[-1].id}"

    made_again = await trinity(shared.server, shared.folder, "replay", link)

    assert "ochre" in answer
    assert (made_again.status, made_again.errors.count("\n")) == (0, 1)
    assert "match: all " in made_again.output
