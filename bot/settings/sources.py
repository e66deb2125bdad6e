"""Where settings come from: the environment over `.env` over the TOML file, and what each of them gave."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic_core import PydanticCustomError

from bot.errors import ConfigError
from bot.settings.checks import expand_home
from bot.settings.env_file import read_env_file
from bot.settings.names import EMPTY_IS_OFF, HUB_TOKEN_NAMES, TOKEN_NAMES, near_names, unknown_names
from bot.settings.toml_file import problem_with_key, read_toml_file, toml_key

ENVIRONMENT = "environment"
CONFIG_NAME = "TRINITY_CONFIG"
_MAX_TOKEN_FILE_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Given:
    """A setting's value as it was written, and where."""

    text: str
    source: str
    """The environment, or a file's path."""
    written: str
    """What to call the setting in a message: its name, or its key with the TOML file's path."""


@dataclass(slots=True)
class Sources:
    """All that was given, and everything about it that is wrong."""

    given: dict[str, Given] = field(default_factory=dict)
    """By the settings' names."""
    problems: list[ConfigError] = field(default_factory=list)


def read_sources(environ: Mapping[str, str], env_file: Path, known: tuple[str, ...]) -> Sources:
    """Read the three of them. A source that can't be read is a problem, and gives nothing."""
    sources = Sources()
    from_env_file: dict[str, str] = {}
    try:
        from_env_file = read_env_file(env_file, environ)
    except ConfigError as error:
        sources.problems.append(error)
    below = {name: Given(text.strip(), str(env_file), name) for name, text in from_env_file.items()}
    above = {name: Given(_unquoted(text), ENVIRONMENT, name) for name, text in environ.items()}
    layers = [above, below]
    path = next((layer[CONFIG_NAME].text for layer in layers if layer.get(CONFIG_NAME, Given("", "", "")).text), "")
    if path:
        layers.append(_from_toml(path, known, environ, sources))
    named = from_env_file | dict(environ)
    sources.problems.extend(unknown_names(named, known))
    sources.problems.extend(near_names(named, known))
    sources.given = _on_top(layers, known)
    for given in sources.given.values():
        if not given.text.isprintable():
            sources.problems.append(ConfigError(given.written, "holds a control character"))
    return sources


def _from_toml(path: str, known: tuple[str, ...], environ: Mapping[str, str], sources: Sources) -> dict[str, Given]:
    known = tuple(name for name in known if name != CONFIG_NAME)
    try:
        file = expand_home(Path(path))
        values, unknown = read_toml_file(file, known, environ)
    except PydanticCustomError as error:
        sources.problems.append(ConfigError(CONFIG_NAME, error.message()))
    except ConfigError as error:
        sources.problems.append(error)
    else:
        sources.problems.extend(problem_with_key(file, key, known) for key in unknown)
        return {name: Given(text, path, f"{toml_key(name)} in {path}") for name, text in values.items()}
    return {}


def _on_top(layers: list[dict[str, Given]], known: tuple[str, ...]) -> dict[str, Given]:
    """What counts of several layers, the first over the others. The names of one token are one setting in this."""
    groups = [next((names for names in (TOKEN_NAMES, HUB_TOKEN_NAMES) if name in names), (name,)) for name in known]
    chosen: dict[str, Given] = {}
    for group in dict.fromkeys(groups):
        for layer in layers:
            off = {name: replace(layer[name], text="off") for name in group if name in layer and name in EMPTY_IS_OFF}
            found = {name: layer[name] for name in group if name in layer and layer[name].text}
            if found := off | found:
                chosen.update(found)
                break
    return chosen


def _unquoted(value: str) -> str:
    """`value` without the quotes that docker's --env-file, unlike a shell, leaves around it."""
    value = value.strip()
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1].strip()
    return value


def one_token(given: Mapping[str, Given]) -> str | None:
    """The Discord token, by whichever of its names it was given.

    Raises:
        ConfigError: they hold different ones, or the file with it can't be read.
    """
    tokens = {given[name].written: _token(name, given[name]) for name in TOKEN_NAMES if name in given}
    if len(set(tokens.values())) > 1:
        raise ConfigError(" and ".join(tokens), "hold different tokens; keep one of them")
    return next(iter(tokens.values()), None)


def _token(name: str, given: Given) -> str:
    if name != "DISCORD_BOT_TOKEN_FILE":
        return given.text
    try:
        with expand_home(Path(given.text)).open("rb") as file:
            token = _unquoted(file.read(_MAX_TOKEN_FILE_BYTES).decode("utf-8-sig"))
    except PydanticCustomError as error:
        raise ConfigError(given.written, error.message()) from None
    except OSError as error:
        raise ConfigError(given.written, f"the file it names can't be read ({error.strerror})") from None
    except ValueError:
        raise ConfigError(given.written, "the file it names is not a text file") from None
    if not token:
        raise ConfigError(given.written, "the file it names is empty; put the bot's token into it")
    return token
