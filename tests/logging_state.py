"""Logging is the process's: a test that configures it puts it back."""

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_NAMES = ("", "bot", "__main__", "discord")


@contextmanager
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers = root.handlers[:]
    levels = {name: logging.getLogger(name).level for name in _NAMES}
    hooks = sys.excepthook, threading.excepthook
    try:
        yield
    finally:
        for handler in set(root.handlers) - set(handlers):
            root.removeHandler(handler)
            handler.close()
        for handler in handlers:
            root.addHandler(handler)
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
        logging.captureWarnings(capture=False)
        sys.excepthook, threading.excepthook = hooks
