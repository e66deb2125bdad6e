"""No secret and nothing that people said leaves through an error, a log line or the database; one event is one line."""

import asyncio
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from bot.errors import RequestFailed
from bot.logs import MAX_FILE_BYTES, NUM_OLD_FILES, configure_logging
from tests.discord.conftest import OpenHouse
from tests.end_to_end.daemon import environment_for
from tests.engines import EchoEngine
from tests.logging_state import logging_as_before
from tests.loopback import LoopbackDiscord, Status, close_with
from tests.test_settings import WRONG_ENVIRONMENTS

TOKEN = "MTA1NTU1NTU1NTU1NTU1NTU1.Gx0aBc.CANARY-a1b2c3d4e5f6g7h8i9j0k1l2m3"
PASSWORD = "canary%2Fpassword"
HF_TOKEN = "hf_canarycanarycanarycanary"
SECRETS = ("CANARY-a1b2c3", "canary%2F", "canary/password", "hf_canary")
WORDS = "pineapple-canary"


def run(folder: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run `trinity` with every secret set, as loudly as it goes."""
    settings = {
        "PATH": os.environ["PATH"],
        "DISCORD_BOT_TOKEN": TOKEN,
        "HF_TOKEN": HF_TOKEN,
        "TRINITY_LOG_LEVEL": "DEBUG",
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    return subprocess.run(
        [sys.executable, "-m", "bot", *arguments],
        env={name: value for name, value in (settings | environ).items() if value},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def require_no_secret(*texts: str) -> None:
    for text in texts:
        assert [secret for secret in SECRETS if secret.lower() in text.lower()] == []


UNREACHABLE = {"TRINITY_DISCORD_API_URL": "http://127.0.0.1:9", "TRINITY_DISCORD_GATEWAY_URL": "ws://127.0.0.1:9"}
FAILURES: dict[str, tuple[tuple[str, ...], Mapping[str, str], int]] = {
    "token with its word": (("run",), {"DISCORD_BOT_TOKEN": f"Bot {TOKEN}"}, 78),
    "two tokens": (("run",), {"DISCORD_TOKEN": TOKEN + "2"}, 78),
    "token as a setting's value": (("run",), {"TRINITY_SEED": TOKEN}, 78),
    "token as a model": (("run",), {"TRINITY_MODEL": HF_TOKEN}, 78),
    "password in the URL of another database": (
        ("migrate",), {"TRINITY_DATABASE_URL": f"mysql://me:{PASSWORD}@h/d"}, 78),
    "password in a URL that can't be read": (
        ("run",), {"TRINITY_DATABASE_URL": f"postgresql://me:{PASSWORD}@[::/d"}, 78),
    "database server that isn't there": (
        ("migrate",), {"TRINITY_DATABASE_URL": f"postgresql://me:{PASSWORD}@127.0.0.1:9/d"}, 78),
    "model that isn't in the cache": (("run",), {"TRINITY_MODEL": "owner/private"}, 78),
    "folder that can't be written": (("run",), {"TRINITY_DATA_DIR": "/proc/nowhere"}, 78),
}  # fmt: skip


@pytest.mark.parametrize("name", FAILURES)
def test_failing_start_tells_no_secret(name: str, tmp_path: Path) -> None:
    arguments, environ, status = FAILURES[name]

    ended = run(tmp_path, *arguments, **{**UNREACHABLE, **environ})

    if "isn't there" not in name:  # with the driver it waits for the server, without it says so
        assert ended.returncode == status, ended.stderr
    require_no_secret(ended.stdout, ended.stderr)
    assert "Traceback" not in ended.stderr


async def test_refused_token_ends_the_daemon_with_78_and_is_not_told(server: LoopbackDiscord, tmp_path: Path) -> None:
    environ = environment_for(server, tmp_path) | {"DISCORD_BOT_TOKEN": TOKEN}

    ended = await run_beside(tmp_path, environ)

    assert ended.returncode == 78
    assert ended.stderr.splitlines()[-1].startswith("trinity: Discord refuses the bot token.")
    require_no_secret(ended.stderr, *everything_in(tmp_path))


async def test_refused_gateway_ends_the_daemon_with_78_and_tells_no_token(
    server: LoopbackDiscord, tmp_path: Path
) -> None:
    server.bot.token = TOKEN
    server.faults.add_to_gateway(close_with(4004), event="READY")

    ended = await run_beside(tmp_path, environment_for(server, tmp_path))

    assert ended.returncode == 78
    require_no_secret(ended.stderr, *everything_in(tmp_path))


async def run_beside(folder: Path, environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """`run` for a daemon that the loopback Discord in this process has to serve."""
    return await asyncio.to_thread(run, folder, "run", **environ)


def everything_in(folder: Path) -> list[str]:
    return [path.read_bytes().decode("utf-8", "replace") for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    "line", [TOKEN, HF_TOKEN, f"DISCORD_BOT_TOKEN {TOKEN}", f"{TOKEN}={TOKEN}=x", f'DISCORD_BOT_TOKEN="{TOKEN}']
)
def test_a_token_in_a_wrong_line_of_the_env_file_is_not_told(line: str, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"TRINITY_SEED=1\n{line}\nTRINITY_SEEED=2\n")

    ended = run(tmp_path, "run", DISCORD_BOT_TOKEN="", HF_TOKEN="")

    assert ended.returncode == 78
    assert ended.stderr.count("\n") == 1
    require_no_secret(ended.stderr)


async def test_what_people_say_is_in_no_log_line_whatever_goes_wrong(
    server: LoopbackDiscord, enter: OpenHouse, tmp_path: Path
) -> None:
    answers = iter([f"I heard {WORDS}", RequestFailed(), ValueError(f"boom {TOKEN}"), "a", "b", "c"])
    engine = EchoEngine(answer=lambda _: next(answers))
    alice = server.person(f"Alice\n2026-11-22T00:00:00.000Z CRITICAL bot {WORDS}\x1b[2J")
    general = server.channel("general")
    server.faults.add(Status(500), method="PATCH", times=2)
    server.faults.add(Status(503), method="POST", route="/channels/*/messages", times=1)

    with logging_as_before():
        configure_logging("DEBUG", "text", secrets=[TOKEN], file=tmp_path / "logs" / "all.log")
        for name in ("discord", "discord.http", "discord.gateway", "aiosqlite", "sqlalchemy.engine", "asyncio"):
            logging.getLogger(name).setLevel(logging.DEBUG)
        async with enter(server, engine=engine) as house:
            await server.wait_until(lambda: server.bot.commands)
            for number in range(4):
                question = await alice.says(general, f"{WORDS} {number}\n2026 CRITICAL forged", mention=True)
                async with asyncio.timeout(20):
                    while await house.state(question) not in ("answered", "failed"):  # noqa: ASYNC110 - a database
                        await asyncio.sleep(0.01)
            for command, options in (("/persona use", {"name": WORDS}), ("/reset", {})):
                await (await alice.uses(command, general, **options)).answered()
    text = (tmp_path / "logs" / "all.log").read_text()

    require_no_secret(text, *everything_in(tmp_path))
    assert WORDS not in text
    assert "boom" in text
    whole_line = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z (DEBUG|INFO|WARNING|ERROR) \S+ ")
    assert [line for line in text.splitlines() if not whole_line.match(line)] == []
    assert "\x1b" not in text


def test_a_log_file_takes_at_most_100_mib() -> None:
    assert MAX_FILE_BYTES * (NUM_OLD_FILES + 1) <= 100 * 2**20


WRONG_IN_TURN = """
import json, os, sys
from bot import __main__ as command
configurations = json.loads(sys.stdin.read())
for number, environ in enumerate(configurations):
    child = os.fork()
    if child == 0:
        os.environ.update(environ)
        out = os.open(f"{number}.out", os.O_WRONLY | os.O_CREAT)
        os.dup2(out, 1)
        os.dup2(out, 2)
        sys.argv = ["trinity", "run"]
        command.main()
        os._exit(99)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def test_every_wrong_configuration_is_one_line_and_exit_status_78(tmp_path: Path) -> None:
    configurations = [environ for _, environ in WRONG_ENVIRONMENTS]

    ended = subprocess.run(
        [sys.executable, "-c", WRONG_IN_TURN],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[2])},
        cwd=tmp_path, input=json.dumps(configurations), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert ended.stdout.split() == ["78"] * len(configurations), ended.stderr
    lines = [(tmp_path / f"{number}.out").read_text() for number in range(len(configurations))]
    assert all(line.startswith("trinity: ") and line.count("\n") == 1 for line in lines)
    print(f"{len(configurations)} wrong configurations, each one line and exit status 78")
    assert len(configurations) >= 30
