"""The last warnings and errors of the log, for the operator's page: what a log line holds, and no more."""

import logging
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from bot.logs import cleaned

_NUM_KEPT = 30
_LONGEST_MESSAGE = 500


class LoggedError(NamedTuple):
    """One of them."""

    at: float
    """In seconds since 1970."""
    level: str
    logger: str
    message: str


class LastErrors(logging.Handler):
    """Keeps them, newest last."""

    def __init__(self, secrets: Sequence[str] = ()) -> None:
        super().__init__(logging.WARNING)
        self.kept: deque[LoggedError] = deque(maxlen=_NUM_KEPT)
        self._secrets = tuple(secrets)

    def newest_first(self) -> list[LoggedError]:
        """All of them. A thread may log meanwhile, so they are copied in one go."""
        return list(self.kept)[::-1]

    def emit(self, record: logging.LogRecord) -> None:
        message = cleaned(record, self._secrets)
        if record.exc_info and record.exc_info[0] is not None:
            message = f"{message} ({record.exc_info[0].__name__})"
        self.kept.append(LoggedError(record.created, record.levelname, record.name, message[:_LONGEST_MESSAGE]))


@contextmanager
def errors_kept(secrets: Sequence[str] = ()) -> Iterator[LastErrors]:
    """Keep what is logged while the block lasts."""
    kept, root = LastErrors(secrets), logging.getLogger()
    root.addHandler(kept)
    try:
        yield kept
    finally:
        root.removeHandler(kept)
