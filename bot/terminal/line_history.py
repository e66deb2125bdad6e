"""The lines typed at the terminal, kept between starts for the arrow keys in a file for its owner alone.

They are what somebody said, so they are forgotten like the conversation: by a reset, and by age where a retention is
set. The file holds a JSON object a line.
"""

import json
import logging
import os
import time
from collections.abc import Iterable
from pathlib import Path

from prompt_toolkit.history import History

log = logging.getLogger(__name__)

MAX_LINES = 1000
_MAX_CHARACTERS = 1 << 16
_DAY = 86_400.0


class LineHistory(History):
    """The library's history, in a file of our own.

    Args:
        file: made when the first line is kept; None keeps lines until the end of this start only.
        retention_days: older lines are dropped at the start; None keeps the newest `MAX_LINES`.
    """

    def __init__(self, file: Path | None = None, *, retention_days: int | None = None) -> None:
        super().__init__()
        self._file = file
        self._oldest = 0.0 if retention_days is None else time.time() - retention_days * _DAY

    def load_history_strings(self) -> Iterable[str]:
        """Every line that is kept, the newest first; what is too old or too much leaves the file."""
        if self._file is None:
            return []
        try:
            content = self._file.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return []
        kept = [entry for entry in map(_parse, content) if entry and entry[0] >= self._oldest][-MAX_LINES:]
        if len(kept) < len(content):
            self._write(kept, os.O_TRUNC)
        return [text for _, text in reversed(kept)]

    def store_string(self, string: str) -> None:
        """Keep a line; where that can't be done, it is kept until the end of this start."""
        if len(string) <= _MAX_CHARACTERS:
            self._write([(time.time(), string)], os.O_APPEND)

    def forget(self) -> None:
        """Keep nothing of what there is."""
        self._loaded_strings.clear()
        if self._file is not None and self._file.exists():
            self._write([], os.O_TRUNC)

    def _write(self, entries: list[tuple[float, str]], how: int) -> None:
        if self._file is None:
            return
        content = "".join(json.dumps({"at": at, "text": text}) + "\n" for at, text in entries).encode()
        try:
            descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | how, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(descriptor, 0o600)  # the file may be there already, made by somebody less careful
                file.write(content)
        except OSError as error:
            log.warning("typed lines can't be kept in %s (%s)", self._file, error.strerror)


def _parse(line: str) -> tuple[float, str] | None:
    try:
        entry = json.loads(line)
        return float(entry["at"]), str(entry["text"])
    except (ValueError, TypeError, KeyError):
        return None
