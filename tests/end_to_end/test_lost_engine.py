"""The engine's thread dies for real, in a daemon that nobody supervises: the process replaces itself and goes on."""

import asyncio
import socket
import textwrap
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.app import DEMO_MODEL
from bot.operations.reexec import MAX_RESTARTS, RESTARTS_VARIABLE
from tests.end_to_end.daemon import START_SECONDS, open_daemon
from tests.loopback import Channel, Expectation, LoopbackDiscord, Message, judge, judge_database

pytestmark = pytest.mark.skipif(
    not (DEMO_MODEL / "model.safetensors").is_file(), reason="the demo model's weights are not there"
)

REPOSITORY = Path(__file__).parents[2]

# An exception that is thrown into the thread from outside ends it in the middle of a step. The steps are slow, so that
# on a fast machine too the answer isn't over before the engine dies.
PROGRAM = """
    import ctypes, pathlib, sys, threading, time
    sys.path.insert(0, {repository!r})
    marker = pathlib.Path({marker!r})

    def runs_the_model(thread):
        frame = sys._current_frames().get(thread.ident)
        while frame is not None and "/inference/model/" not in frame.f_code.co_filename:
            frame = frame.f_back
        return frame is not None

    def kill():
        while not marker.exists():
            time.sleep(0.005)
        engine = next(thread for thread in threading.enumerate() if thread.name == "engine")
        while not runs_the_model(engine):
            time.sleep(0.0002)
        marker.unlink()
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(engine.ident), ctypes.py_object(SystemExit))

    from bot.inference.model.runner import LlamaRunner
    launch = LlamaRunner.launch

    def launch_slowly(runner, step):
        time.sleep(0.02)
        return launch(runner, step)

    LlamaRunner.launch = launch_slowly
    threading.Thread(target=kill, daemon=True).start()
    from bot.__main__ import main
    main()
"""


@pytest.fixture
def program(tmp_path: Path) -> tuple[str, ...]:
    """`trinity run`, whose engine dies in the next step after the file `die` has appeared."""
    path = tmp_path / "program.py"
    text = textwrap.dedent(PROGRAM).format(repository=str(REPOSITORY), marker=str(tmp_path / "die"))
    path.write_text(text, encoding="utf-8")
    return str(path), "run"


@pytest.fixture
async def told_systemd(tmp_path: Path) -> AsyncIterator[list[str]]:
    """What arrives at the socket that systemd would listen at."""
    states: list[str] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.setblocking(False)
        asyncio.get_running_loop().add_reader(listener, lambda: states.append(listener.recv(1000).decode()))
        yield states
        asyncio.get_running_loop().remove_reader(listener)


async def ask_at_length(server: LoopbackDiscord, channel: Channel) -> Message:
    """Ask for a long answer, and wait until it has begun to show."""
    question = await server.person("Alice").says(channel, "Please count to 100.", mention=True)
    await channel.answer_to(question, until=lambda text: "12" in text)
    return question


async def test_a_daemon_that_lost_its_engine_replaces_itself_and_answers(
    server: LoopbackDiscord, tmp_path: Path, program: tuple[str, ...], told_systemd: list[str]
) -> None:
    general = server.channel("general")
    settings = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "1000000"}

    async with open_daemon(server, tmp_path, settings, program=program) as daemon:
        question = await ask_at_length(server, general)
        (tmp_path / "die").touch()
        answer = await general.answer_to(question, until=lambda text: "100" in text, timeout=START_SECONDS)
        assert await daemon.stop() == 0

    assert "98" in answer.text
    assert "starting again in 1 s (restart 1)" in daemon.log
    assert server.gateway.counts["READY"] == 2
    assert told_systemd.count("READY=1") == 2
    assert told_systemd.count("WATCHDOG=1") > 2
    assert told_systemd[-1] in ("STOPPING=1", "WATCHDOG=1")
    judge(server, Expectation(allowed_violations=frozenset({"identify_too_soon"}))).require(turns=1, replies=1)
    judge_database(tmp_path / "trinity.db").require(answered=1)


@pytest.mark.soak
async def test_a_daemon_that_lost_its_engine_too_often_ends_with_70_and_keeps_the_question(
    server: LoopbackDiscord, tmp_path: Path, program: tuple[str, ...]
) -> None:
    recently = ",".join(f"{time.monotonic() - seconds:.3f}" for seconds in range(MAX_RESTARTS))

    async with open_daemon(server, tmp_path, {RESTARTS_VARIABLE: recently}, program=program) as daemon:
        (tmp_path / "die").touch()
        await server.person("Alice").says(server.channel("general"), "Please count to 100.", mention=True)
        status = await daemon.ended()

    assert status == 70
    assert daemon.log.splitlines()[-1].startswith("trinity: Gave up after 5 restarts within 10 minutes: ")
    judge_database(tmp_path / "trinity.db").require(answering=1)


@pytest.mark.soak
async def test_an_engine_that_is_lost_during_the_stop_does_not_bring_the_daemon_back(
    server: LoopbackDiscord, tmp_path: Path, program: tuple[str, ...]
) -> None:
    async with open_daemon(server, tmp_path, program=program) as daemon:
        await ask_at_length(server, server.channel("general"))
        daemon.process.terminate()
        (tmp_path / "die").touch()
        status = await daemon.ended()

    assert status == 0
    assert "lost while I stopped" in daemon.log
