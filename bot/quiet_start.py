"""Imported before everything that is slow to import: Ctrl-C meanwhile ends the process without a traceback."""

import sys
from types import TracebackType


def _leave(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)


sys.excepthook = _leave
