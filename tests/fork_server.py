"""Processes that begin with everything imported: one Python for each pytest process imports it, and forks.

A daemon takes five seconds of a core for its imports, and the tests start dozens. What is forked runs from the first
line of its `__main__` to the exit functions. What comes before and after that, and what the environment tells libraries
while they are imported, is tried by those that are started as operators start them (tests/end_to_end/test_daemon.py).
"""

import asyncio
import atexit
import functools
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
IMPORT_SECONDS = 180.0
"""A machine that is busy with other work imports torch for a minute."""
PRELOADING = ("LD_PRELOAD", "CLOCK_OFFSET_FILE")
"""What is read before the first line of Python: a process is forked from one that began with the same."""
UMASK = 0o022
"""Of somebody whose files everybody may read by default."""
IMPORTED = (
    "bot.daemon",
    "bot.inference.loading.build",
    "bot.inference.local",
    "tests.conversation.vocabularies",
    "tests.engines",
    "tests.scenarios.gauges",
    "typer",
)


class ForkedProcess:
    """A running program, with what is used of asyncio's own `Process`."""

    def __init__(self, pid: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._ending = asyncio.create_task(self._end(reader, writer))

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.returncode is None:
            with suppress(ProcessLookupError):  # it has, and that isn't told yet
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    async def wait(self) -> int:
        """Wait for its end; returns the exit status, or a signal's number below zero."""
        return await asyncio.shield(self._ending)

    async def _end(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
        self.returncode = int(await reader.readline())
        writer.close()
        return self.returncode


async def start(
    *arguments: str, env: Mapping[str, str], cwd: Path, output: Path, anew: bool = False
) -> ForkedProcess | asyncio.subprocess.Process:
    """Start what `python ARGUMENTS` would (`-m MODULE`, `-c CODE` or a file first); what it says goes to `output`.

    With `anew` it begins as any process does.
    """
    if anew:
        with output.open("ab") as stream:
            return await asyncio.create_subprocess_exec(
                *(sys.executable, *arguments), env=env, cwd=cwd, stdout=stream, stderr=stream, umask=UMASK
            )
    async with asyncio.timeout(IMPORT_SECONDS):
        reader, writer = await asyncio.open_unix_connection(
            _server(*((name, env[name]) for name in PRELOADING if name in env))
        )
        order = {"arguments": arguments, "env": dict(env), "cwd": str(cwd), "output": str(output)}
        writer.write(json.dumps(order).encode() + b"\n")
        return ForkedProcess(int(await reader.readline()), reader, writer)


@functools.cache
def _server(*preloading: tuple[str, str]) -> str:
    """Start the Python that forks, once; it listens at once, and ends with this process."""
    folder = tempfile.TemporaryDirectory(prefix="fork-")
    path = str(Path(folder.name, "socket"))
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    environment.update(preloading)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", __file__, str(listener.fileno())],
            env=environment, stdin=subprocess.PIPE, pass_fds=[listener.fileno()],
        )  # fmt: skip

    def end() -> None:
        process.communicate()
        folder.cleanup()

    atexit.register(end)
    return path


def serve(listener: socket.socket) -> dict[str, Any] | None:
    """Fork for each order. Returns None at the end, and in each forked process its order."""
    sys.path[0] = str(ROOT)
    for name in IMPORTED:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # what all share is not copied just because a process looks for garbage
    while True:
        ready, _, _ = select.select([listener, sys.stdin], [], [])
        if listener not in ready:
            return None
        connection, _ = listener.accept()
        with connection:
            if os.fork():
                os.waitpid(-1, os.WNOHANG)  # the end of some earlier one
                continue
            listener.close()
            with connection.makefile("r", encoding="utf-8") as orders:
                order = json.loads(orders.readline())
            program = os.fork()
            if program == 0:
                return order
            connection.sendall(f"{program}\n".encode())
            _, status = os.waitpid(program, 0)
            connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
            os._exit(0)


def become(order: dict[str, Any]) -> None:
    """Be the program that was ordered; at its end the interpreter doesn't take down a second long what all share."""
    nothing, output = os.open(os.devnull, os.O_RDONLY), os.open(order["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for source, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    os.environ.clear()
    os.environ.update(order["env"])
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # tests that run under nohup would pass its being ignored on
    os.umask(UMASK)
    os.chdir(order["cwd"])
    status: int | str | None = 1
    try:
        status = run(*order["arguments"])
    except SystemExit as error:
        status = error.code
    except BaseException:
        traceback.print_exc()
    if isinstance(status, str):
        print(status, file=sys.stderr)
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(status if isinstance(status, int) else int(status is not None))


def run(first: str, *rest: str) -> None:
    """Run a module, code or a file, as the interpreter would for these arguments."""
    sys.orig_argv = [sys.executable, first, *rest]
    if first == "-m":
        sys.argv, sys.path[0] = list(rest), str(Path.cwd())
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    elif first == "-c":
        sys.argv, sys.path[0] = ["-c", *rest[1:]], ""
        exec(compile(rest[0], "<string>", "exec"), {"__name__": "__main__"})
    else:
        sys.argv, sys.path[0] = [first, *rest], str(Path(first).parent)
        runpy.run_path(first, run_name="__main__")


if __name__ == "__main__":
    wanted = serve(socket.socket(fileno=int(sys.argv[1])))
    if wanted is not None:
        become(wanted)
