"""Starting again in the same process, really and without any supervisor."""

import os
import subprocess
import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import pytest

from bot.errors import EngineFailed
from bot.operations.reexec import MAX_RESTARTS, RESTARTS_VARIABLE, WINDOW_SECONDS, past_restarts, reexecute

REPOSITORY = Path(__file__).parents[2]


class Executed(Exception):
    """Stands for the process that is gone."""


class Machine:
    """A clock that only sleeping moves, and the environment that each new process gets."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.environ: Mapping[str, str] = {"PATH": "/bin"}
        self.arguments: list[Sequence[str]] = []
        self.pauses: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    def execute(self, program: str, arguments: Sequence[str], environ: Mapping[str, str]) -> NoReturn:
        self.arguments.append([program, *arguments])
        self.environ = environ
        raise Executed

    def lose_the_engine(self) -> None:
        with pytest.raises(Executed):
            self.restart()

    def restart(self) -> None:
        reexecute(
            EngineFailed("lost"),
            environ=self.environ,
            clock=lambda: self.now,
            sleep=self.sleep,
            execute=self.execute,
        )


def test_program_starts_again_with_its_own_arguments_and_environment() -> None:
    machine = Machine()

    machine.lose_the_engine()

    assert machine.arguments == [[sys.executable, sys.executable, *sys.orig_argv[1:]]]
    assert machine.environ["PATH"] == "/bin"


def test_pauses_grow() -> None:
    machine = Machine()

    for _ in range(MAX_RESTARTS):
        machine.lose_the_engine()

    assert machine.pauses == sorted(set(machine.pauses))
    assert len(machine.pauses) == MAX_RESTARTS


def test_too_many_restarts_within_the_window_are_the_end() -> None:
    machine = Machine()
    for _ in range(MAX_RESTARTS):
        machine.lose_the_engine()

    with pytest.raises(EngineFailed, match="Gave up after 5 restarts within 10 minutes: lost") as caught:
        machine.restart()

    assert caught.value.exit_status == 70


def test_restarts_before_the_window_are_forgiven() -> None:
    machine = Machine()
    for _ in range(MAX_RESTARTS):
        machine.lose_the_engine()
    machine.now += WINDOW_SECONDS

    machine.lose_the_engine()

    assert machine.pauses[-1] == machine.pauses[0]
    assert len(past_restarts(machine.environ, machine.now)) == 1


@pytest.mark.parametrize("text", ["", "nonsense", ",,", "nan", "99999999", "-5", "inf"])
def test_unreadable_or_impossible_past_counts_as_none(text: str) -> None:
    assert past_restarts({RESTARTS_VARIABLE: text}, now=1000.0) == []


def test_variable_is_not_taken_for_a_setting() -> None:
    assert not RESTARTS_VARIABLE.startswith("TRINITY_")


def run(program: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    path = tmp_path / "program.py"
    path.write_text(textwrap.dedent(program), encoding="utf-8")
    environ = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    environ.pop(RESTARTS_VARIABLE, None)
    return subprocess.run(
        [sys.executable, str(path), "an argument"], capture_output=True, text=True, timeout=60, env=environ, check=False
    )


def test_process_replaces_itself_five_times_and_then_ends_with_its_status(tmp_path: Path) -> None:
    program = """
        import os, sys, threading
        from bot.errors import EngineFailed
        from bot.operations.reexec import reexecute

        print(os.getpid(), *sys.argv[1:])
        threading.Thread(target=threading.Event().wait, daemon=True).start()  # hangs for ever
        try:
            reexecute(EngineFailed("lost"), pauses_seconds=[0.01])
        except EngineFailed as error:
            print(error)
            sys.exit(error.exit_status)
    """

    done = run(program, tmp_path)

    *starts, last = done.stdout.splitlines()
    assert done.returncode == 70
    assert len(starts) == 6
    assert len(set(starts)) == 1
    assert starts[0].endswith(" an argument")
    assert last == "Gave up after 5 restarts within 10 minutes: lost"


@pytest.mark.parametrize("trigger", ["HANG", "STICKY", "THREAD_DEATH"])
def test_lost_engine_answers_again_after_the_process_replaced_itself(trigger: str, tmp_path: Path) -> None:
    program = f"""
        import asyncio, os
        from contextlib import aclosing
        from bot.errors import EngineFailed
        from bot.inference.engine import Request, SamplingParams
        from bot.inference.local import open_local_engine
        from bot.inference.messages import LoadedModel
        from bot.inference.worker import Watchdog
        from bot.operations.reexec import past_restarts, reexecute
        from tests.inference.fakes import EchoRunner, Trigger
        from tests.inference.vocabulary import build_tokenizer
        import time

        is_first = not past_restarts(os.environ, time.monotonic())

        async def answer():
            model = LoadedModel(EchoRunner(), build_tokenizer(), "echo")
            async with open_local_engine(lambda _: model, watchdog=Watchdog(1.0)) as engine:
                prompt = (30, Trigger.{trigger}) if is_first else (30, 31)
                async with aclosing(engine.generate(Request(prompt, SamplingParams(max_new_tokens=5)))) as deltas:
                    async for delta in deltas:
                        print(os.getpid(), delta.finish_reason, flush=True)

        try:
            asyncio.run(answer())
        except EngineFailed as error:
            print(os.getpid(), "lost", flush=True)
            reexecute(error, pauses_seconds=[0.01])
    """

    done = run(program, tmp_path)

    lines = [line.split() for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stderr
    assert lines[0][1] == "lost"
    assert lines[-1][1] in ("length", "stop")
    assert len({pid for pid, _ in lines}) == 1
