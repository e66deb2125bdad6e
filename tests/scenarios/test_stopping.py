"""SIGTERM: what runs is finished, what waits is answered by the next process, and nothing is lost in between."""

import signal
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.end_to_end.daemon import open_daemon
from tests.loopback import Hang, LoopbackDiscord
from tests.scenarios.processes import open_echo_daemon
from tests.scenarios.verdicts import report, require_all


class Stopping(NamedTuple):
    num_waiting: int
    drain_seconds: float
    is_in_time: bool
    """Whether the running answers can finish within the drain."""


@pytest.mark.parametrize(
    "stopping",
    [
        Stopping(3, 20.0, is_in_time=True),
        pytest.param(Stopping(20, 20.0, is_in_time=True), marks=pytest.mark.soak),
        pytest.param(Stopping(20, 0.5, is_in_time=False), marks=pytest.mark.soak),
    ],
    ids=str,
)
async def test_sigterm_loses_nothing_that_runs_or_waits(
    server: LoopbackDiscord, tmp_path: Path, stopping: Stopping
) -> None:
    slow = {
        "num_words": (60 if stopping.num_waiting == 20 else 25,),
        "seconds_per_word": 0.03,
        "drain_seconds": stopping.drain_seconds,
    }
    channels = [server.channel(f"channel-{number}") for number in range(3)]
    num_questions = 3 + stopping.num_waiting
    async with open_echo_daemon(server, tmp_path, **slow) as daemon:
        running = [await server.person("Alice").says(channel, "hello", mention=True) for channel in channels]
        await server.wait_until(lambda: all(server.answer_to(question) for question in running))
        for number in range(stopping.num_waiting):
            await server.person(f"Person {number}").says(channels[number % 3], "me too", mention=True)
        await server.wait_until(lambda: sum(daemon.states().values()) == num_questions)
        asked_at = time.monotonic()
        status = await daemon.stop()
        seconds = time.monotonic() - asked_at
        states = daemon.states()
        while_off = await server.person("Bob").says(channels[0], "are you there?", mention=True)
        await daemon.start()
        await daemon.ready()
        await daemon.settled(num_questions + 1, 120)
        await server.wait_until(lambda: server.answer_to(while_off))
        assert await daemon.stop() == 0

    require_all(server, daemon.database, turns=num_questions + 1, replies=num_questions + 1)
    report(
        "SIGTERM", running=3, waiting=stopping.num_waiting, drain_seconds=stopping.drain_seconds, exit_status=status,
        ended_after=f"{seconds:.1f} s", answered_before=states.get("answered", 0), lost=0, doubled=0,
    )  # fmt: skip
    assert status == 0
    assert states.get("answered", 0) >= (3 if stopping.is_in_time else 0)
    assert states.get("answered", 0) < num_questions
    if stopping.num_waiting == 20:
        assert seconds <= stopping.drain_seconds + 2


@pytest.mark.soak
async def test_a_second_sigterm_ends_the_real_daemon_at_once(server: LoopbackDiscord, tmp_path: Path) -> None:
    server.faults.add(Hang(after_effect=False), route="/channels/*/messages", method="POST")
    async with open_daemon(server, tmp_path) as daemon:
        await server.person("Alice").says(server.channel("general"), "Hello!", mention=True)
        await server.wait_until(lambda: any(fault.num_hits for fault in server.faults.planned))
        daemon.process.send_signal(signal.SIGTERM)
        await server.wait_until(lambda: "a second signal ends me at once" in daemon.log)
        daemon.process.send_signal(signal.SIGTERM)

        assert await daemon.ended(seconds=2) == -signal.SIGTERM
