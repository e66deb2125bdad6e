"""Reads the TOML file that TRINITY_CONFIG names: the same settings, by their names in small letters without `TRINITY_`.

Its values become text and are checked as if the environment had given them, so a setting means the same everywhere. The
file is only read, never written: whoever wrote it keeps their comments.
"""

import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path

from bot.errors import ConfigError
from bot.settings.env_file import read_bounded, refuse_bared_secrets
from bot.settings.names import PREFIX


def toml_key(name: str) -> str:
    """What a setting is called in the file: `temperature` for TRINITY_TEMPERATURE."""
    return name.removeprefix(PREFIX).lower()


def read_toml_file(path: Path, known: tuple[str, ...], environ: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Return what `path` sets, by the settings' names and as text, and the keys that are none.

    Args:
        path: the file; unlike `.env`, it has to be there.
        known: the names of all settings.
        environ: may hold the override that allows a file with a secret to be readable by others.

    Raises:
        ConfigError: the file can't be read, a value is of a kind that no setting has, or a secret is bared.
    """
    names = {toml_key(name): name for name in known}
    try:
        content, status = read_bounded(path)
        written = tomllib.loads(content.decode("utf-8-sig"))
        values = {names[key]: _as_text(path, key, value) for key, value in written.items() if key in names}
    except OSError as error:
        raise ConfigError("TRINITY_CONFIG", f"the file it names can't be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise ConfigError(str(path), "is not UTF-8 text; save it again as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(str(path), f"is no TOML: {_place(str(error))}") from None
    except (ValueError, RecursionError):
        raise ConfigError(str(path), "can't be read: a number is too long in it, or brackets lie too deep") from None
    refuse_bared_secrets(path, status, values, environ)
    return values, [key for key in written if key not in names]


def problem_with_key(path: Path, key: str, known: tuple[str, ...]) -> ConfigError:
    """The words for a key that is no setting's."""
    plain = toml_key(key.upper().replace("-", "_"))
    near = get_close_matches(plain, [toml_key(name) for name in known], n=1)
    advice = f" (did you mean {near[0]}?)" if near else ""
    return ConfigError(f"{key} in {path}", f"there is no such setting{advice}; .env.example lists them all")


def _place(error: str) -> str:
    """Where the file can't be read any more, without what stands there: it may be a token."""
    _, bracket, place = error.rpartition("(at ")
    return f"it can't be read at {place.removesuffix(')')}" if bracket else "it can't be read"


def _as_text(path: Path, key: str, value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float | str):
        return str(value).strip()
    if isinstance(value, list) and all(isinstance(each, int | str) and not isinstance(each, bool) for each in value):
        return ", ".join(str(each) for each in value)
    problem = "has to be a number, a text in quotes, true or false, or a list of ids; there are no [tables]"
    raise ConfigError(f"{key} in {path}", problem)
