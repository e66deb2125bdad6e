"""`trinity setup`, against the loopback Discord. It runs in a thread: a command has an event loop of its own."""

import asyncio
import os
import stat
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from bot.command_line.setup import set_up
from bot.errors import ConfigError, DiscordError, DiscordRefused
from bot.settings.env_file import set_in_env_file
from bot.settings.settings import load_settings
from bot.words import phrase
from tests.loopback import LoopbackDiscord, without_waits


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LoopbackDiscord]:
    for name in [name for name in os.environ if name.startswith(("TRINITY_", "DISCORD_", "HF_"))]:
        monkeypatch.delenv(name)
    async with LoopbackDiscord(without_waits()) as running:
        monkeypatch.setenv("TRINITY_DISCORD_API_URL", running.api_url)
        monkeypatch.setenv("TRINITY_DISCORD_GATEWAY_URL", running.gateway_url)
        yield running


@pytest.fixture
def env_file(tmp_path: Path) -> Path:
    return tmp_path / ".env"


async def run(env_file, token: str = "", waiting_seconds: float = 60.0) -> int:
    work = partial(set_up, env_file=env_file, ask=lambda _: token, waiting_seconds=waiting_seconds, look_seconds=0.01)
    return await asyncio.to_thread(work)


async def test_from_a_token_to_hello(server: LoopbackDiscord, env_file, capsys: pytest.CaptureFixture[str]) -> None:
    env_file.write_text("# mine\nTRINITY_SEED=1\n\n  DISCORD_BOT_TOKEN=\n# the end")
    env_file.chmod(0o644)
    member = server.guild.members.pop(server.bot.id)

    told: list[str] = []
    running = asyncio.create_task(run(env_file, server.token))
    await server.wait_until(lambda: told.append(capsys.readouterr().out) or "Waiting until" in "".join(told))
    server.guild.members[server.bot.id] = member
    status = await running

    assert status == 0
    assert env_file.read_text() == f"# mine\nTRINITY_SEED=1\n\n  DISCORD_BOT_TOKEN={server.token}\n# the end"
    assert stat.S_IMODE(env_file.stat().st_mode) == 0o600
    assert load_settings({}, env_file).discord_bot_token.get_secret_value() == server.token
    assert [message.content for message in server.channel("general").messages] == [phrase("hello")]
    assert "has said hello in #general" in capsys.readouterr().out
    assert not server.violations


async def test_the_link_is_shown_and_the_token_is_not(
    server: LoopbackDiscord, env_file, capsys: pytest.CaptureFixture[str]
) -> None:
    await run(env_file, server.token)

    told = capsys.readouterr()
    assert f"client_id={server.bot.id}" in told.out
    assert server.token not in told.out + told.err


@pytest.mark.parametrize("token", ["", "MTA1.no.token", 'Bot "x"'])
async def test_a_token_that_does_not_work_is_not_kept(server: LoopbackDiscord, env_file, token: str) -> None:
    with pytest.raises((ConfigError, DiscordRefused)):
        await run(env_file, token)

    assert not env_file.exists()


async def test_without_discord_nothing_is_kept(server: LoopbackDiscord, env_file) -> None:
    await server.close_port()

    with pytest.raises(DiscordError, match="Look at the network") as raised:
        await run(env_file, server.token)

    assert raised.value.exit_status == 69
    assert not env_file.exists()


async def test_discord_is_asked_through_the_proxy_that_the_file_names(
    server: LoopbackDiscord, env_file, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "NO_PROXY"):
        monkeypatch.setenv(name, "so that it is as before in the end")
        monkeypatch.delenv(name)
    env_file.write_text("HTTP_PROXY=http://127.0.0.1:1\n")

    with pytest.raises(DiscordError, match="the proxy can't be connected to"):
        await run(env_file, server.token)


async def test_a_token_that_is_there_may_be_kept(server: LoopbackDiscord, env_file) -> None:
    written = f"DISCORD_TOKEN={server.token}\n"
    env_file.write_text(written)
    env_file.chmod(0o600)

    assert await run(env_file) == 0
    assert env_file.read_text() == written


async def test_a_token_takes_the_place_of_the_one_that_was_there_whatever_that_is_called(
    server: LoopbackDiscord, env_file
) -> None:
    env_file.write_bytes(b"DISCORD_BOT_TOKEN=\r\nDISCORD_TOKEN=MTA1.an.older\r\n# the end\r\n")

    assert await run(env_file, server.token) == 0
    assert env_file.read_bytes() == f"DISCORD_BOT_TOKEN=\r\nDISCORD_TOKEN={server.token}\n# the end\r\n".encode()
    assert load_settings({}, env_file).discord_bot_token.get_secret_value() == server.token


async def test_nobody_who_invites_her_is_waited_for_without_end(
    server: LoopbackDiscord, env_file, capsys: pytest.CaptureFixture[str]
) -> None:
    del server.guild.members[server.bot.id]

    assert await run(env_file, server.token, waiting_seconds=0.05) == 0
    assert "Nobody has invited her yet" in capsys.readouterr().out


async def test_another_token_of_the_environment_is_told(
    server: LoopbackDiscord,
    env_file,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DISCORD_TOKEN", "MTA1.an.other")

    await run(env_file, server.token)

    assert "the environment sets another token" in capsys.readouterr().err


def test_a_value_goes_below_everything_where_it_was_not_set(env_file) -> None:
    set_in_env_file(env_file, "A", "1")
    env_file.write_text(env_file.read_text() + "export B='2'  # two")
    set_in_env_file(env_file, "C", "3")
    set_in_env_file(env_file, "B", "4")

    assert env_file.read_text() == "A=1\nB=4\nC=3\n"
    assert [path.name for path in env_file.parent.iterdir()] == [".env"]


def test_a_link_leads_to_the_file_that_is_written(env_file, tmp_path: Path) -> None:
    (tmp_path / "real").touch()
    env_file.symlink_to(tmp_path / "real")

    set_in_env_file(env_file, "A", "1")

    assert env_file.is_symlink()
    assert (tmp_path / "real").read_text() == "A=1\n"


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="can't be written"):
        set_in_env_file(tmp_path / "nowhere" / ".env", "A", "1")
