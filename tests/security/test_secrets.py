"""No secret and nothing that people said leaves through an error, a log line or the database; one event is one line."""

import asyncio
import logging
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.errors import DiscordRefused, RequestFailed
from bot.logs import MAX_FILE_BYTES, NUM_OLD_FILES, configure_logging
from tests.discord.conftest import OpenHouse
from tests.end_to_end.daemon import environment_for
from tests.engines import EchoEngine
from tests.fork_server import start
from tests.logging_state import logging_as_before
from tests.loopback import LoopbackDiscord, Status, close_with
from tests.settings.test_settings import WRONG_ENVIRONMENTS

TOKEN = "MTA1NTU1NTU1NTU1NTU1NTU1.Gx0aBc.CANARY-a1b2c3d4e5f6g7h8i9j0k1l2m3"
PASSWORD = "canary%2Fpassword"
HF_TOKEN = "hf_canarycanarycanarycanary"
SECRETS = ("CANARY-a1b2c3", "canary%2F", "canary/password", "hf_canary")
WORDS = "pineapple-canary"
BASE = {
    "PATH": os.environ["PATH"],
    "PYTHONPATH": str(Path(__file__).parents[2]),
    "HF_HUB_OFFLINE": "1",
    "OMP_NUM_THREADS": "1",
}


@dataclass
class Case:
    """A start of `trinity` that fails."""

    arguments: tuple[str, ...]
    environ: Mapping[str, str]
    env_file: str = ""


@dataclass
class Ended:
    """How it ended, and all that it said."""

    status: int
    said: str


SECRETIVE = {"DISCORD_BOT_TOKEN": TOKEN, "HF_TOKEN": HF_TOKEN, "TRINITY_LOG_LEVEL": "DEBUG"}


async def run(folder: Path, cases: Sequence[Case]) -> list[Ended]:
    """Run `trinity` for each case, in a process and a folder of its own."""
    return [await run_one(folder / str(number), case) for number, case in enumerate(cases)]


async def run_one(folder: Path, case: Case) -> Ended:
    folder.mkdir()  # noqa: ASYNC240 - nothing else happens meanwhile
    output, env_file = folder.with_suffix(".out"), folder / ".env"
    env_file.write_text(case.env_file)
    env_file.chmod(0o600)
    process = await start("-m", "bot", *case.arguments, env=BASE | case.environ, cwd=folder, output=output)
    async with asyncio.timeout(100):
        return Ended(await process.wait(), output.read_text())


def require_no_secret(*texts: str) -> None:
    for text in texts:
        assert [secret for secret in SECRETS if secret.lower() in text.lower()] == []


UNREACHABLE = {"TRINITY_DISCORD_API_URL": "http://127.0.0.1:9", "TRINITY_DISCORD_GATEWAY_URL": "ws://127.0.0.1:9"}
FAILURES = {
    "token with its word": Case(("run",), {"DISCORD_BOT_TOKEN": f"Bot {TOKEN}"}),
    "two tokens": Case(("run",), {"DISCORD_TOKEN": TOKEN + "2"}),
    "token as a setting's value": Case(("run",), {"TRINITY_SEED": TOKEN}),
    "token as a model": Case(("run",), {"TRINITY_MODEL": HF_TOKEN}),
    "password in the URL of another database": Case(
        ("migrate",), {"TRINITY_DATABASE_URL": f"mysql://me:{PASSWORD}@h/d"}
    ),
    "password in a URL that can't be read": Case(
        ("run",), {"TRINITY_DATABASE_URL": f"postgresql://me:{PASSWORD}@[::/d"}
    ),
    "folder that can't be written": Case(("run",), {"TRINITY_DATA_DIR": "/proc/nowhere"}),
}


async def test_a_failing_start_tells_no_secret_and_ends_with_78(tmp_path: Path) -> None:
    cases = [Case(case.arguments, SECRETIVE | UNREACHABLE | dict(case.environ)) for case in FAILURES.values()]

    ended = await run(tmp_path, cases)

    assert {name: each.status for name, each in zip(FAILURES, ended, strict=True)} == dict.fromkeys(FAILURES, 78)
    require_no_secret(*(each.said for each in ended))
    assert not any("Traceback" in each.said for each in ended)


async def test_a_database_server_that_is_not_there_is_told_without_its_password(tmp_path: Path) -> None:
    url = f"postgresql://me:{PASSWORD}@127.0.0.1:9/d"

    (ended,) = await run(tmp_path, [Case(("migrate",), SECRETIVE | {"TRINITY_DATABASE_URL": url})])

    assert ended.status in (75, 78)  # with the driver it can't be reached, without it says so
    require_no_secret(ended.said)


async def test_refused_token_ends_the_daemon_with_78_and_is_not_told(server: LoopbackDiscord, tmp_path: Path) -> None:
    environ = environment_for(server, tmp_path) | {"DISCORD_BOT_TOKEN": TOKEN}

    ended = await run_one(tmp_path / "data", Case(("run",), environ))

    assert ended.status == 78
    assert ended.said.splitlines()[-1].startswith("trinity: Discord refuses the bot token.")
    require_no_secret(ended.said, *everything_in(tmp_path))


async def test_token_refused_at_the_gateway_is_not_told(
    server: LoopbackDiscord, enter: OpenHouse, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server.bot.token = TOKEN
    server.faults.add_to_gateway(close_with(4004), event="READY")

    async with enter(server, waits_until_ready=False) as house:
        error = await house.end()

    assert isinstance(error, DiscordRefused)
    require_no_secret(str(error), caplog.text, *everything_in(tmp_path))


def everything_in(folder: Path) -> list[str]:
    return [path.read_bytes().decode("utf-8", "replace") for path in folder.rglob("*") if path.is_file()]


async def test_a_token_in_a_wrong_line_of_the_env_file_is_not_told(tmp_path: Path) -> None:
    lines = [TOKEN, HF_TOKEN, f"DISCORD_BOT_TOKEN {TOKEN}", f"{TOKEN}={TOKEN}=x", f'DISCORD_BOT_TOKEN="{TOKEN}']
    cases = [Case(("run",), {}, f"TRINITY_SEED=1\n{line}\nTRINITY_SEEED=2\n") for line in lines]

    ended = await run(tmp_path, cases)

    assert [(each.status, each.said.count("\n")) for each in ended] == [(78, 1)] * len(lines)
    require_no_secret(*(each.said for each in ended))


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
                async with asyncio.timeout(60):
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


async def test_every_wrong_configuration_is_one_line_and_exit_status_78(tmp_path: Path) -> None:
    cases = [Case(("run",), environ) for _, environ in WRONG_ENVIRONMENTS]

    ended = await run(tmp_path, cases)

    assert len(ended) >= 30
    assert {each.status for each in ended} == {78}
    assert all(each.said.startswith("trinity: ") and each.said.count("\n") == 1 for each in ended)
    print(f"{len(ended)} wrong configurations, each one line and exit status 78")
