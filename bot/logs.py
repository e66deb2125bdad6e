r"""One event is one line on stderr or in one file, as text or JSON, without secrets and without what people said.

Lines are written by a thread of their own: where nobody reads them (a full pipe, Ctrl-S at a terminal), at most
`MAX_WAITING_LINES` wait, later ones are dropped and counted, and nothing else waits.

Control characters are written out (`\n`, `\x1b`), so that no name or message can forge a line or steer a terminal.
Libraries are never logged below INFO, whatever level is set: discord.py's and aiosqlite's DEBUG lines hold messages.
"""

import json
import logging
import os
import re
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType
from typing import TextIO

from bot.streams import write_past_buffers

MAX_FILE_BYTES = 10 * 1024 * 1024
NUM_OLD_FILES = 4
MAX_WAITING_LINES = 10_000
MAX_WAITING_CHARACTERS = 8 * 1024 * 1024
FLUSH_SECONDS = 2.0
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
_CLEAR_LINE = "\r\x1b[2K"
_MIN_SECRET_LENGTH = 6


def configure_logging(level: str, log_format: str, *, secrets: Iterable[str] = (), file: Path | None = None) -> None:
    """Send every log record, warning and uncaught error through one handler.

    Args:
        level: for our own loggers; libraries get WARNING, discord.py INFO, or `level` where that is quieter.
        log_format: `text` or `json`.
        secrets: strings (of 6 characters or more) that no line may hold, beside whatever looks like a secret.
        file: None is stderr. A file is made for its owner alone, and at most five of 10 MiB are kept.
    """
    handler = _QueuedHandler(_Stream(sys.stderr) if file is None else _PrivateRotatingFile(file))
    handler.setFormatter((_JsonLine if log_format == "json" else _TextLine)(tuple(secrets)))
    handler.addFilter(_is_allowed)
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
        if isinstance(old, _QueuedHandler):
            old.close()
    root.addHandler(handler)
    set_log_level(level)
    logging.captureWarnings(capture=True)
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_in_thread


def set_log_level(level: str) -> None:
    """Log from `level` on; libraries from WARNING on, discord.py from INFO, or from `level` where that is quieter."""
    number, root = logging.getLevelNamesMapping()[level], logging.getLogger()
    root.setLevel(max(number, logging.WARNING))
    for name in _OWN:
        logging.getLogger(name).setLevel(number)
    for name in _LIBRARIES_AT_INFO:
        logging.getLogger(name).setLevel(max(number, logging.INFO))


@contextmanager
def lines_above_bar() -> Iterator[None]:
    """While the block shows a progress bar on stderr, let each line of the log take its place instead of joining it."""
    targets = [handler.target for handler in logging.getLogger().handlers if isinstance(handler, _QueuedHandler)]
    streams = [target for target in targets if isinstance(target, _Stream)]
    for stream in streams:
        stream.has_bar = True
    try:
        yield
    finally:
        for stream in streams:
            stream.has_bar = False


def flush_logs(seconds: float = FLUSH_SECONDS) -> bool:
    """Wait until all lines are written, but no longer than `seconds`; False where some are still waiting."""
    handlers = [handler for handler in logging.getLogger().handlers if isinstance(handler, _QueuedHandler)]
    return all(handler.wait_until_written(seconds) for handler in handlers)


def redact_secrets(text: str) -> str:
    """Black out whatever looks like a token or a password."""
    return _SECRET_SHAPES.sub(_REDACTED, text)


def escape_control_characters(text: str) -> str:
    """Write out whatever could end a line, steer a terminal or reorder what is shown."""
    return _UNPRINTABLE.sub(_escape, text)


def cleaned(record: logging.LogRecord, secrets: tuple[str, ...]) -> str:
    """A record's message as its line has it."""
    return _Line(secrets).clean(_message(record))


def _escape(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape", "surrogatepass").decode("ascii")


def _is_allowed(record: logging.LogRecord) -> bool:
    """Hold libraries to INFO even where somebody set a logger of theirs to DEBUG."""
    return record.levelno >= logging.INFO or record.name.split(".", 1)[0] in _OWN


class _Line(logging.Formatter):
    def __init__(self, secrets: tuple[str, ...]) -> None:
        super().__init__()
        # The longest first: one secret may be a part of another. A very short one would black out half of every line.
        long_enough = (secret for secret in secrets if len(secret) >= _MIN_SECRET_LENGTH)
        self._secrets = sorted(long_enough, key=len, reverse=True)

    def clean(self, text: str) -> str:
        """`text` without secrets and control characters."""
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
        return {name: self.clean(text) for name, text in parts.items()}


class _TextLine(_Line):
    def format(self, record: logging.LogRecord) -> str:
        return " ".join(self._parts(record).values())


class _JsonLine(_Line):
    """An object with what the text has, and with the numbers of an event (`extra={"event": {...}}`)."""

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(self._parts(record) | getattr(record, "event", {}))


def _message(record: logging.LogRecord) -> str:
    """Logging itself would print a broken record's arguments to stderr, past every redaction."""
    try:
        return record.getMessage()
    except Exception as error:  # whatever an argument's __str__ raises
        return f"{record.msg} (this record could not be formatted: {type(error).__name__})"


class _QueuedHandler(logging.Handler):
    """Formats where a record comes up, and writes in a thread that nobody has to wait for.

    Args:
        target: writes finished lines; it may block or fail.
    """

    def __init__(self, target: logging.Handler) -> None:
        super().__init__()
        self.target = target
        self._waiting: deque[str] = deque()
        self._num_characters = 0
        self._num_dropped = 0
        self._is_closed = False
        self._is_writing = False
        self._moved = threading.Condition()
        self._thread = threading.Thread(target=self._write_all, name="log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        line = self.format(record)
        with self._moved:
            is_full = len(self._waiting) >= MAX_WAITING_LINES or self._num_characters > MAX_WAITING_CHARACTERS
            if is_full or self._is_closed:
                self._num_dropped += 1
                return
            self._waiting.append(line)
            self._num_characters += len(line)
            self._moved.notify_all()

    def wait_until_written(self, seconds: float) -> bool:
        """Whether all lines are written within `seconds`."""
        with self._moved:
            return self._moved.wait_for(lambda: not self._waiting and not self._is_writing, seconds)

    def flush(self) -> None:
        """Wait a moment for the lines that wait; `logging` calls this at the end of the process."""
        if not self._is_closed:
            self.wait_until_written(FLUSH_SECONDS)

    def close(self) -> None:
        """Write what waits, for a moment, and end the thread."""
        self.flush()
        with self._moved:
            self._is_closed = True
            self._moved.notify_all()
        self._thread.join(FLUSH_SECONDS if not self._is_writing else 0)
        super().close()

    def _write_all(self) -> None:
        while (line := self._next()) is not None:
            is_written = self._write(line)
            with self._moved:
                self._num_dropped += not is_written
                num_dropped = self._num_dropped if is_written and len(self._waiting) < MAX_WAITING_LINES // 2 else 0
            if num_dropped and self._write(self._words_for_dropped(num_dropped)):
                with self._moved:
                    self._num_dropped -= num_dropped
            with self._moved:
                self._is_writing = False
                self._moved.notify_all()
        self.target.close()

    def _next(self) -> str | None:
        """The line that waits longest; None once there is none and there won't be any."""
        with self._moved:
            self._moved.wait_for(lambda: self._waiting or self._is_closed)
            if not self._waiting:
                return None
            line = self._waiting.popleft()
            self._num_characters -= len(line)
            self._is_writing = True
            return line

    def _write(self, line: str) -> bool:
        try:
            self.target.emit(logging.makeLogRecord({"msg": line}))
        except (OSError, ValueError):  # nobody reads any more, the disk is full, the stream is closed
            return False
        return True

    def _words_for_dropped(self, number: int) -> str:
        words = "%d lines of this log were dropped here: they could not be written, or not fast enough"
        return self.format(logging.LogRecord(__name__, logging.WARNING, __file__, 0, words, (number,), None))


class _Stream(logging.Handler):
    """Writes to a standard stream, past its buffer."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self.has_bar = False
        """A progress bar stands in the line that is written to; it is drawn anew below."""

    def emit(self, record: logging.LogRecord) -> None:
        write_past_buffers(self._stream, f"{_CLEAR_LINE if self.has_bar else ''}{record.msg}\n")


class _PrivateRotatingFile(RotatingFileHandler):
    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        super().__init__(path, maxBytes=MAX_FILE_BYTES, backupCount=NUM_OLD_FILES, encoding="utf-8")

    def emit(self, record: logging.LogRecord) -> None:
        if self.shouldRollover(record):
            self.doRollover()
        self.stream = self.stream or self._open()
        write_past_buffers(self.stream, record.msg + "\n")

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
