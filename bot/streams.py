"""The three standard streams, made fit to use whatever the process was started with."""

import os
import sys
from io import TextIOWrapper
from pathlib import Path


def mend_standard_streams() -> None:
    """Open what was closed, and let a terminal that lacks a letter show "?" for it."""
    if sys.stdin is None:  # else the next file to be opened would become standard input
        os.open(os.devnull, os.O_RDONLY)
    sys.stdout = sys.stdout or _nowhere()
    sys.stderr = sys.stderr or _nowhere()
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def forsake_standard_streams() -> None:
    """Let what is still written go nowhere: whoever could read it has left."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    os.close(nowhere)


def _nowhere() -> TextIOWrapper:
    return Path(os.devnull).open("w", encoding="utf-8")
