"""How soon the first words of an answer stand at the terminal, with every core kept busy by others.

    python -m benchmarks.first_words             # as many processes that spin as there are cores
    python -m benchmarks.first_words --spinning 0

It starts the terminal chat with the demonstration model on a terminal of its own, and types. Trinity has to be
installed (`make run` does that) where it is started.
"""

import argparse
import os
import pty
import re
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
_QUESTIONS = ("Hello, who are you?", "Tell me about the sea.", "And the moon?", "What do you like?", "Why?")
_SEQUENCE = re.compile(rb"\x1b\[[?0-9;]*[A-Za-z]")
_TYPED = b"\x1b[?2004l"
"""What the line editor writes when a line was sent."""
_PROMPT = b"You:"
_LIMIT_SECONDS = 300.0


def main() -> None:
    """Ask, and print how long each first word took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spinning", type=int, default=os.cpu_count() or 1, help="processes that keep a core busy")
    spin = [sys.executable, "-c", "while True: pass"]
    others = [subprocess.Popen(spin) for _ in range(parser.parse_args().spinning)]
    try:
        with tempfile.TemporaryDirectory() as folder:
            _talk(folder)
    finally:
        for other in others:
            other.kill()
            other.wait()


def _talk(folder: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("TRINITY", "DISCORD"))}
    environment |= {"TRINITY_DATA_DIR": folder, "PYTHONPATH": str(ROOT), "TERM": "xterm"}
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(folder)
        os.execve(sys.executable, [sys.executable, "-m", "bot", "chat"], environment)
    began_at = time.perf_counter()
    shown = _read_until(terminal, b"", lambda text: _PROMPT in text)
    print(
        f"load {os.getloadavg()[0]:.1f}; the prompt was there after {time.perf_counter() - began_at:.1f} s", flush=True
    )
    for question in _QUESTIONS:
        time.sleep(1)
        began_at = time.perf_counter()
        os.write(terminal, question.encode() + b"\r")
        shown = _read_until(terminal, b"", _has_words)
        print(f"first words after {time.perf_counter() - began_at:.2f} s", flush=True)
        shown = _read_until(terminal, shown, lambda text: _PROMPT in text.rpartition(_TYPED)[2])
    os.write(terminal, b"\x04")
    os.waitpid(process, 0)


def _has_words(shown: bytes) -> bool:
    """Whether something is said behind the name."""
    _, was_sent, answer = shown.rpartition(_TYPED)
    return bool(was_sent) and bool(re.search(rb"Trinity: *\w", _SEQUENCE.sub(b"", answer)))


def _read_until(terminal: int, shown: bytes, is_there: Callable[[bytes], bool]) -> bytes:
    give_up_at = time.perf_counter() + _LIMIT_SECONDS
    while not is_there(shown):
        if time.perf_counter() > give_up_at:
            raise TimeoutError(f"not seen within {_LIMIT_SECONDS:g} s; the last of what was: {shown[-200:]!r}")
        if select.select([terminal], [], [], 0.02)[0]:
            shown += os.read(terminal, 4096)
    return shown


if __name__ == "__main__":
    main()
