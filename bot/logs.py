r"""One event is one line on stderr or in one file, as text or JSON, without secrets and without what people said.

Control characters are written out (`\n`, `\x1b`), so that no name or message can forge a line or steer a terminal.
Libraries are never heard below INFO, whatever level is set: discord.py's and aiosqlite's DEBUG lines hold messages.
"""

import json
import logging
import os
import re
import sys
import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType

MAX_FILE_BYTES = 10 * 1024 * 1024
NUM_OLD_FILES = 4
_OWN = ("bot", "__main__")
# SQLAlchemy's INFO lines hold statements with their values, so only discord.py may speak at INFO.
_LIBRARIES_AT_INFO = ("discord",)

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_SECRET_SHAPES = re.compile(
    r"\b(?:Bot|Bearer)\s+[\w.~+/=-]{8,}"  # an Authorization header
    r"|\bhf_\w{16,}"  # a Hugging Face token
    r"|\b[\w-]{23,30}\.[\w-]{5,8}\.[\w-]{25,}"  # a Discord token: user id, time, signature
    r"|(?<=://)[^\s/@:]*:[^\s/@]+(?=@)"  # user and password in a URL
)
_REDACTED = "[redacted]"
_MIN_SECRET_LENGTH = 6


def configure_logging(level: str, log_format: str, *, secrets: Iterable[str] = (), file: Path | None = None) -> None:
    """Send every log record, warning and uncaught error through one handler.

    Args:
        level: for our own loggers; libraries get WARNING, discord.py INFO, or `level` where that is quieter.
        log_format: `text` or `json`.
        secrets: strings (of 6 characters or more) that no line may hold, beside whatever looks like a secret.
        file: None is stderr. A file is made for its owner alone, and at most five of 10 MiB are kept.
    """
    handler: logging.Handler = logging.StreamHandler() if file is None else _PrivateRotatingFile(file)
    handler.setFormatter((_JsonLine if log_format == "json" else _TextLine)(tuple(secrets)))
    handler.addFilter(_may_be_heard)
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    number = logging.getLevelNamesMapping()[level]
    root.setLevel(max(number, logging.WARNING))
    for name in _OWN:
        logging.getLogger(name).setLevel(number)
    for name in _LIBRARIES_AT_INFO:
        logging.getLogger(name).setLevel(max(number, logging.INFO))
    logging.captureWarnings(capture=True)
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_in_thread


def redact_secrets(text: str) -> str:
    """Black out whatever looks like a token or a password."""
    return _SECRET_SHAPES.sub(_REDACTED, text)


def escape_control_characters(text: str) -> str:
    """Write out whatever could end a line, steer a terminal or reorder what is shown."""
    return _UNPRINTABLE.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape", "surrogatepass").decode("ascii")


def _may_be_heard(record: logging.LogRecord) -> bool:
    """Hold libraries to INFO even where somebody set a logger of theirs to DEBUG."""
    return record.levelno >= logging.INFO or record.name.split(".", 1)[0] in _OWN


class _Line(logging.Formatter):
    def __init__(self, secrets: tuple[str, ...]) -> None:
        super().__init__()
        # The longest first: one secret may be a part of another. A very short one would black out half of every line.
        long_enough = (secret for secret in secrets if len(secret) >= _MIN_SECRET_LENGTH)
        self._secrets = sorted(long_enough, key=len, reverse=True)

    def _clean(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, _REDACTED)
        return escape_control_characters(redact_secrets(text))

    def _parts(self, record: logging.LogRecord) -> dict[str, str]:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        parts = {
            "time": time.replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": _message(record),
        }
        if record.exc_info:
            parts["traceback"] = self.formatException(record.exc_info)
        elif record.stack_info:
            parts["traceback"] = record.stack_info
        return {name: self._clean(text) for name, text in parts.items()}


class _TextLine(_Line):
    def format(self, record: logging.LogRecord) -> str:
        return " ".join(self._parts(record).values())


class _JsonLine(_Line):
    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(self._parts(record))


def _message(record: logging.LogRecord) -> str:
    """Logging itself would print a broken record's arguments to stderr, past every redaction."""
    try:
        return record.getMessage()
    except Exception as error:  # whatever an argument's __str__ raises
        return f"{record.msg} (this record could not be formatted: {type(error).__name__})"


class _PrivateRotatingFile(RotatingFileHandler):
    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        super().__init__(path, maxBytes=MAX_FILE_BYTES, backupCount=NUM_OLD_FILES, encoding="utf-8")

    def _open(self) -> TextIOWrapper:
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.fchmod(descriptor, 0o600)  # the file may be there already, made by somebody less careful
        return os.fdopen(descriptor, "a", encoding=self.encoding)


def _log_uncaught(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    logging.getLogger("bot").critical("uncaught error", exc_info=(kind, error, traceback))


def _log_uncaught_in_thread(arguments: threading.ExceptHookArgs) -> None:
    if arguments.exc_value is not None:
        name = arguments.thread.name if arguments.thread else "?"
        where = (arguments.exc_type, arguments.exc_value, arguments.exc_traceback)
        logging.getLogger("bot").critical("uncaught error in thread %s", name, exc_info=where)
