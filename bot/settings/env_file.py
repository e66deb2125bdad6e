"""Reads `.env`, and refuses a file whose secrets others could read: the token in it is the whole bot."""

import errno
import io
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from dotenv.parser import Binding, parse_stream

from bot.errors import ConfigError

_SECRET_NAMES = (
    *("DISCORD_BOT_TOKEN", "DISCORD_TOKEN", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "TRINITY_OPERATOR_TOKEN"),
    "TRINITY_ENGINE_API_KEY",
)
_OVERRIDE = "TRINITY_ALLOW_READABLE_ENV_FILE"
_MAX_FILE_BYTES = 1024**2
_TRUE = ("1", "true", "yes", "on", "t", "y")


def read_env_file(path: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Return what `path` sets, `{}` where there is no such file.

    Values are taken as they stand: nothing in them is expanded. `environ` may hold the override that allows a file with
    a secret to be readable by others (so may the file).

    Raises:
        ConfigError: the file or a line of it can't be read, sets a name twice, or bares a secret.
    """
    name = str(path)
    try:
        content, status = read_bounded(path)
        text = content.decode("utf-8-sig")
    except FileNotFoundError:
        if path.is_symlink():  # a disk that isn't mounted is no reason to go on with nothing set
            raise ConfigError(name, "is a link that leads nowhere") from None
        return {}
    except OSError as error:
        raise ConfigError(name, f"can't be read ({error.strerror})") from None
    except ValueError:
        raise ConfigError(name, "is not UTF-8 text; save it again as UTF-8") from None
    values = _values(name, text)
    refuse_bared_secrets(path, status, values, environ)
    return values


def read_bounded(path: Path) -> tuple[bytes, os.stat_result]:
    """What is in a file with settings, and whose it is.

    Raises:
        OSError: it can't be read, or is another kind of file, such as a model's weights.
    """
    with path.open("rb") as file:
        content = file.read(_MAX_FILE_BYTES + 1)
        if len(content) > _MAX_FILE_BYTES:
            raise OSError(errno.EFBIG, "it is far too large for a file with settings")
        return content, os.fstat(file.fileno())


def refuse_bared_secrets(
    path: Path, status: os.stat_result, values: Mapping[str, str], environ: Mapping[str, str]
) -> None:
    """Refuse a file of settings that holds a secret and that others can read, or that is another user's.

    Raises:
        ConfigError: it is, and nothing overrides that.
    """
    override = environ.get(_OVERRIDE) or values.get(_OVERRIDE, "")
    if _holds_secret(values) and override.strip().lower() not in _TRUE:
        _refuse_bared(path, status)


def _values(name: str, text: str) -> dict[str, str]:
    values: dict[str, str] = {}
    for binding in parse_stream(io.StringIO(text)):
        line = _line_number(binding)
        if binding.error:
            raise ConfigError(name, f"line {line} can't be read; it has to be NAME=value")
        if binding.key is None:
            continue
        if binding.value is None:
            raise ConfigError(name, f"line {line} has no =; it has to be NAME=value")
        if binding.key in values:
            raise ConfigError(binding.key, f"is set twice in {name}, the second time in line {line}; keep one")
        values[binding.key] = binding.value
    return values


def _line_number(binding: Binding) -> int:
    blank_lines = binding.original.string[: -len(binding.original.string.lstrip()) or None].count("\n")
    return binding.original.line + blank_lines


def _holds_secret(values: Mapping[str, str]) -> bool:
    if any(values.get(name, "").strip() for name in _SECRET_NAMES):
        return True
    try:
        return bool(urlsplit(values.get("TRINITY_DATABASE_URL", "")).password)
    except ValueError:
        return True


def _refuse_bared(path: Path, status: os.stat_result) -> None:
    """Both the file that was read and, where the name is a symbolic link, the link have to be the user's own."""
    name, user = str(path), os.getuid()
    if status.st_uid != user or path.lstat().st_uid != user:
        problem = f"holds a secret and belongs to another user; mend it with: sudo chown {user} {name}"
        raise ConfigError(name, f"{problem} ({_OVERRIDE}=true overrides)")
    if stat.S_IMODE(status.st_mode) & 0o077:
        problem = f"holds a secret and others can read it; mend it with: chmod 600 {name}"
        raise ConfigError(name, f"{problem} ({_OVERRIDE}=true overrides)")


def set_in_env_file(path: Path, name: str, value: str) -> None:
    """Write `name=value` into `path` for its owner alone; everything else in it stays as it is, comments included.

    The file is complete at every moment: a copy is written beside it, and takes its place.

    Raises:
        ConfigError: the file can't be read or written.
    """
    target = Path(os.path.realpath(path))
    try:
        text = target.read_bytes().decode("utf-8-sig") if target.exists() else ""  # with its lines' own endings
        draft = target.with_name(f"{target.name}.new")
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(_with_value(text, name, value))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
    except OSError as error:
        raise ConfigError(str(path), f"can't be written ({error.strerror})") from None
    except ValueError:
        raise ConfigError(str(path), "is not UTF-8 text; save it again as UTF-8") from None


def _with_value(text: str, name: str, value: str) -> str:
    """`text` with that value in the place of the one that it sets, or else below everything."""
    parts, is_set = [], False
    for binding in parse_stream(io.StringIO(text)):
        original = binding.original.string
        if binding.key == name and not is_set:
            blanks = original[: len(original) - len(original.lstrip())]
            original, is_set = f"{blanks}{name}={value}\n", True
        parts.append(original)
    written = "".join(parts)
    if is_set:
        return written
    gap = "" if not written or written.endswith("\n") else "\n"
    return f"{written}{gap}{name}={value}\n"
