"""All of Trinity, as a process: a loopback Discord, the real discord.py, SQLite, the engine and the demo model."""

import asyncio
import signal
import sys
import textwrap
import time
from pathlib import Path

import pytest

from bot.app import DEMO_MODEL
from bot.store.files.migrate import Migration, prepare_file
from bot.store.tables import SCHEMA_VERSION
from tests.end_to_end.daemon import START_SECONDS, Daemon, environment_for, open_daemon
from tests.fork_server import start
from tests.loopback import Channel, Expectation, LoopbackDiscord, Person, judge, judge_database
from tests.loopback.hub import open_hub

pytestmark = pytest.mark.skipif(
    not (DEMO_MODEL / "model.safetensors").is_file(), reason="the demo model's weights are not there"
)

ASK = "What is my favourite colour?"
UNKNOWN = "haven't told me"


async def ask(daemon: Daemon, person: Person, channel: Channel, text: str) -> str:
    """Ask and wait until the answer has ended."""
    return await daemon.answer(await person.says(channel, text, mention=True))


async def test_the_bot_remembers_per_channel_over_a_restart_and_until_a_reset(
    server: LoopbackDiscord, tmp_path: Path
) -> None:
    alice = server.person("Alice")
    general, random, other = (server.channel(name) for name in ("general", "random", "other"))

    async with open_daemon(server, tmp_path, anew=True) as daemon:
        await ask(daemon, alice, general, "My favourite colour is teal.")
        told_here, told_elsewhere = await ask(daemon, alice, general, ASK), await ask(daemon, alice, random, ASK)
        await ask(daemon, alice, other, "My favourite colour is xanthic.")
        await (await alice.uses("/reset", other)).answered()
        assert await daemon.stop() == 0
    async with open_daemon(server, tmp_path) as daemon:
        after_restart = await ask(daemon, alice, general, ASK)
        reset = await alice.uses("/reset", general)
        await reset.answered()
        after_reset = await ask(daemon, alice, general, ASK)
        daemon.process.send_signal(signal.SIGQUIT)
        assert await daemon.ended() == 0

    assert "teal" in told_here
    assert UNKNOWN in told_elsewhere
    assert "teal" in after_restart
    assert UNKNOWN in after_reset
    assert b"xanthic" not in (tmp_path / "trinity.db").read_bytes()  # hidden before the restart, gone after it
    judge(server).require(turns=6, replies=6)
    judge_database(tmp_path / "trinity.db").require(answered=6)


async def test_a_killed_daemon_answers_after_its_restart_what_it_was_asked(
    server: LoopbackDiscord, tmp_path: Path
) -> None:
    alice, general = server.person("Alice"), server.channel("general")

    async with open_daemon(server, tmp_path) as daemon:
        question = await alice.says(general, "Please count to 100.", mention=True)
        await general.answer_to(question, until=lambda text: "12" in text)
        await daemon.kill()
    async with open_daemon(server, tmp_path) as daemon:
        answer = await general.answer_to(question, until=lambda text: "100" in text)
        assert await daemon.stop() == 0

    assert "98" in answer.text
    judge(server, Expectation(allowed_violations=frozenset({"identify_too_soon"}))).require(turns=1, replies=1)


SIGNALLED_WHILE_LOADING = """
    import logging, os, signal, sys
    class AtLoading(logging.Handler):
        def emit(self, record):
            if record.msg.startswith("loading the model in"):
                os.kill(os.getpid(), signal.SIGTERM)
    logging.getLogger("bot.app").addHandler(AtLoading())
    from bot.__main__ import main
    sys.argv = ["trinity", "run"]
    main()
"""


async def test_a_signal_ends_the_loading_of_the_model(server: LoopbackDiscord, tmp_path: Path) -> None:
    log_file, environment = tmp_path / "log", environment_for(server, tmp_path)

    async with asyncio.timeout(START_SECONDS):
        program = textwrap.dedent(SIGNALLED_WHILE_LOADING)
        process = await start("-c", program, env=environment, cwd=tmp_path, output=log_file)
        status = await process.wait()

    assert status == 0, log_file.read_text()
    assert "stopped while starting" in log_file.read_text()
    assert server.gateway.counts["connections"] == 0


SIGNALLED_WHILE_MIGRATING = """
    import os, signal, sys
    from sqlalchemy import event
    from sqlalchemy.engine import Engine
    HOURS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1e12) SELECT max(i) FROM n"
    def hold_up(connection, cursor, statement, *_):
        if statement.startswith("ALTER TABLE parts") and connection.engine.url.database:
            os.kill(os.getpid(), signal.SIGTERM)
            cursor.execute(HOURS)
    event.listen(Engine, "before_cursor_execute", hold_up)
    from bot.__main__ import main
    sys.argv = ["trinity", "run"]
    main()
"""


async def test_a_signal_ends_a_migration_of_hours_and_leaves_the_database_as_it_was(
    server: LoopbackDiscord, tmp_path: Path
) -> None:
    file, log_file, environment = tmp_path / "trinity.db", tmp_path / "log", environment_for(server, tmp_path)
    prepare_file(file, version="0003")
    program = textwrap.dedent(SIGNALLED_WHILE_MIGRATING)
    process = await start("-c", program, env=environment, cwd=tmp_path, output=log_file)
    try:
        async with asyncio.timeout(START_SECONDS):
            status = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()

    assert status == 0, log_file.read_text()
    assert "the migration is not finished" in log_file.read_text()
    assert "stopped while starting" in log_file.read_text()
    assert prepare_file(file) == Migration("0003", SCHEMA_VERSION)


async def test_a_signal_ends_the_first_download(server: LoopbackDiscord, tmp_path: Path) -> None:
    files = {"config.json": b"{}", "model.safetensors": b"x" * 4096, "tokenizer.json": b"{}"}
    async with open_hub(files, silent_files=frozenset({"model.safetensors"})) as hub:
        settings = {
            "TRINITY_MODEL": "someone/model",
            "HF_ENDPOINT": hub.url,
            "HF_HOME": str(tmp_path / "hub"),
            "HF_HUB_OFFLINE": "0",
            "HF_HUB_DISABLE_XET": "1",
        }
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot", "run"),
            env=environment_for(server, tmp_path) | settings,
            cwd=tmp_path,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(60):
            await hub.fell_silent.wait()
            started = time.monotonic()
            process.send_signal(signal.SIGTERM)
            _, errors = await process.communicate()

    assert process.returncode == 0, errors.decode()
    assert time.monotonic() - started < 20  # a tenth of a second on a quiet machine; the hub's library waits 10 s
    assert b"stopped while starting" in errors
    assert all(line.startswith(b"20") for line in errors.splitlines())  # no progress bar between the lines


async def test_a_refused_token_ends_the_start_before_a_model_is_looked_for(
    server: LoopbackDiscord, tmp_path: Path
) -> None:
    settings = {"DISCORD_BOT_TOKEN": "not-the-token", "TRINITY_MODEL": "/nowhere/at/all"}

    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "run"),
        env=environment_for(server, tmp_path) | settings,
        cwd=tmp_path,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        _, errors = await process.communicate()

    assert process.returncode == 78
    assert errors.decode().splitlines()[-1].startswith("trinity: Discord refuses the bot token.")
