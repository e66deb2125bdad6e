"""What a program that `child_program` runs reports with; nothing is imported here that takes time."""

import json
import os
import signal
import sys
import threading
from typing import Any

Event = dict[str, Any]

_telling = threading.Lock()


def begin_as_child() -> None:
    """Keep stdout for events, and end with who started this program."""
    sys.stdout = sys.stderr  # `tell` writes to what it was
    threading.Thread(target=_end_with_standard_input, daemon=True).start()


def tell(event: Event) -> None:
    """Report an event; any thread may."""
    with _telling:
        print(json.dumps(event), file=sys.__stdout__, flush=True)


def _end_with_standard_input() -> None:
    while sys.stdin.buffer.read(4096):
        pass
    if os.getpgrp() == os.getpid():  # what this program started is in its group, and ends with it
        os.killpg(0, signal.SIGKILL)
    os._exit(1)
