"""What came of a reload: a file in the data folder, by which the daemon tells `trinity reload`, which sent a signal."""

import json
import logging
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bot.operations.signals import RELOAD_SIGNAL

log = logging.getLogger(__name__)

ANSWER_SECONDS = 60.0
_SILENT_SECONDS = 2.0
"""Longer than that, and whoever asked is told that the daemon takes its time."""
_LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What came of it."""

    live: tuple[str, ...]
    """The settings that were taken over."""
    after_restart: tuple[str, ...]
    """Those that take a restart."""
    problem: str | None
    """What is wrong with the settings, so that nothing was taken over."""


class ReloadReport:
    """The file, as the daemon writes it and the command reads it."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "reload.json"

    def write(self, live: Sequence[str] = (), after_restart: Sequence[str] = (), problem: str | None = None) -> None:
        """Say what came of a reload, to whoever waits for it; a disk that is full keeps nobody from going on."""
        draft = self._file.with_suffix(".new")
        try:
            draft.write_text(json.dumps({"live": live, "after_restart": after_restart, "problem": problem}))
            draft.chmod(0o600)
            draft.replace(self._file)
        except OSError as error:
            log.warning("what came of the reload can't be written down: %s", error.strerror)

    def ask(
        self,
        process: int,
        seconds: float = ANSWER_SECONDS,
        send: Callable[[int, int], None] = os.kill,
        *,
        on_silence: Callable[[], None] = lambda: None,
    ) -> Reloaded | None:
        """Have the daemon read its settings anew and wait for what comes of it; None where it doesn't say in time.

        `on_silence` is called once, where it hasn't said so after two seconds: it may be loading its model.

        Raises:
            OSError: it can't be asked.
        """
        with suppress(FileNotFoundError):
            self._file.unlink()
        send(process, RELOAD_SIGNAL)
        asked_at = time.monotonic()
        is_told = False
        while (waited := time.monotonic() - asked_at) < seconds:
            if not is_told and waited >= min(_SILENT_SECONDS, seconds / 2):
                is_told = True
                on_silence()
            with suppress(FileNotFoundError):
                said = json.loads(self._file.read_text())
                return Reloaded(tuple(said["live"]), tuple(said["after_restart"]), said["problem"])
            time.sleep(_LOOK_SECONDS)
        return None
