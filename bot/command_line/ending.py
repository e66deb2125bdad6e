"""How a command ends: here, and nowhere else, an error becomes a line on stderr and an exit status."""

import errno
import logging
import sys
from collections.abc import Callable
from typing import NoReturn, TextIO

import typer

from bot.errors import ConfigError, TrinityError
from bot.logs import FLUSH_SECONDS, escape_control_characters, flush_logs, redact_secrets
from bot.streams import forsake_standard_streams, has_lost_its_reader, write_within

INTERRUPTED = 130
UNEXPECTED = 70
PASSING = 75
# What a person has to mend: rights, and paths that can't be.
_LASTING_ERRNOS = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG)
# A disk that is full, or one that fails; too many open files; too little memory.
PASSING_ERRNOS = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM)

log = logging.getLogger("bot")


def end_with(action: Callable[[], int]) -> NoReturn:
    """Run a command and turn whatever comes of it into an exit status."""
    try:
        status = action()
        sys.stdout.flush()  # what can't be written is said here, and not by the interpreter at its end
    except (KeyboardInterrupt, typer.Abort):  # the latter where it was asked for something: Ctrl-C, or Ctrl-D
        status = INTERRUPTED
    except TrinityError as error:
        _complain(str(error))
        status = error.exit_status
    except OSError as error:
        status = end_after(error)
    except Exception as error:  # a mistake of ours: one line for people, and the traceback in the log
        status = _end_unexpectedly(error)
    raise typer.Exit(status)


def end_after(error: OSError) -> int:
    """What the operating system refused somewhere: most of all, a disk that is full just now."""
    if isinstance(error, BrokenPipeError) and has_lost_its_reader(sys.stdout):  # whoever read has seen enough
        forsake_standard_streams([sys.stdout.fileno()])
        return 0
    if error.errno in _LASTING_ERRNOS and error.filename:
        _complain(f"{error.filename}: {error.strerror}. Name another place, or let this user have it.")
        return ConfigError.exit_status
    if error.errno not in PASSING_ERRNOS:
        return _end_unexpectedly(error)
    _forsake_full(sys.stdout)
    _complain(f"{error.strerror}{f': {error.filename}' if error.filename else ''}. Make room, then start again.")
    return PASSING


def _forsake_full(stream: TextIO) -> None:
    """Throw away what is still to be written where it can't be: the interpreter would try, and complain, once more."""
    try:
        stream.flush()
    except OSError:
        forsake_standard_streams([stream.fileno()])


def _end_unexpectedly(error: Exception) -> int:
    log.critical("unexpected error", exc_info=error)
    _complain(f"unexpected {type(error).__name__}; this is a mistake in Trinity, and the log holds the traceback")
    return UNEXPECTED


def _complain(problem: str) -> None:
    # A token that was pasted into the wrong place is a name or a value that nothing else knows to be secret.
    flush_logs()
    write_within(sys.stderr, f"trinity: {escape_control_characters(redact_secrets(problem))}\n", FLUSH_SECONDS)
