"""What an operator may choose, read once at start: the environment over `.env` over the defaults.

Nothing here is lenient. A name nobody knows, a value of the wrong kind or out of range, a line of `.env` that can't be
read: each is a ConfigError that names the setting, because a default used in silence is found out much later. No
message repeats a value, since people paste tokens into the wrong line.
"""

import os
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from bot.chat.access import Access, AccessList
from bot.conversation.turn_limits import TurnLimits
from bot.conversation.window import MIN_PROMPT_TOKENS
from bot.errors import ConfigError
from bot.inference.engine import SamplingParams
from bot.settings.checks import (
    LOWER,
    UPPER,
    DatabaseUrl,
    DefaultPersona,
    Device,
    Folder,
    FolderOrHubId,
    HttpUrl,
    Ids,
    Number,
    Secret,
    WebsocketUrl,
    expand_home,
    problem_in_words,
    refusal,
)
from bot.settings.env_file import read_env_file
from bot.store.files.server_url import secrets_in

PREFIX = "TRINITY_"
TOKEN_NAMES = ("DISCORD_BOT_TOKEN", "DISCORD_TOKEN", "DISCORD_BOT_TOKEN_FILE")
HUB_TOKEN_NAMES = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
"""The second is the hub's older name."""
_MAX_TOKEN_FILE_BYTES = 4096
_SAMPLING = SamplingParams()
"""Its defaults are the settings' defaults."""
# Kubernetes sets TRINITY_SERVICE_HOST, TRINITY_PORT_80_TCP and the like for a Service that is called trinity.
_FOREIGN_PREFIXES = ("TRINITY_SERVICE_", "TRINITY_PORT")
LIBRARY_NAMES = (
    *("HF_HOME", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "HF_ENDPOINT", "HF_TOKEN_PATH", "HF_XET_CACHE", "HF_ASSETS_CACHE"),
    *("HF_HUB_DOWNLOAD_TIMEOUT", "HF_HUB_ETAG_TIMEOUT", "HF_HUB_DISABLE_XET", "HF_HUB_DISABLE_TELEMETRY"),
    *("HF_HUB_ENABLE_HF_TRANSFER", "HF_XET_HIGH_PERFORMANCE", "HF_HUB_VERBOSITY", "HF_HUB_DISABLE_IMPLICIT_TOKEN"),
)
"""What the hub's library reads from the environment; in `.env` they are handed on to it."""
PROXY_NAMES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE")
_LEAST_NEAR_LENGTH = 6
_CONFUSED_NAMES = {
    "DISCORD_TOKEN_FILE": "DISCORD_BOT_TOKEN_FILE",
    "DISCORD_TOKEN_BOT": "DISCORD_BOT_TOKEN",
    "DISCORD_API_TOKEN": "DISCORD_BOT_TOKEN",
    "HF_HUB_TOKEN": "HF_TOKEN",
}


class Settings(BaseSettings):
    """Every setting, checked. `load_settings` makes it; constructing it reads no environment and no file."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        validate_by_name=True,
        alias_generator=lambda field: PREFIX + field.upper(),
        protected_namespaces=(),
    )

    discord_bot_token: Secret | None = Field(None, validation_alias="DISCORD_BOT_TOKEN")
    hf_token: Secret | None = Field(None, validation_alias="HF_TOKEN")

    model: FolderOrHubId | None = None
    """A folder or a hub id; None is the bundled demonstration model."""
    device: Device = "auto"
    gpu_memory_gib: Annotated[Number, Field(gt=0)] | None = None
    """The most that weights and KV cache may take together; None sets no such limit."""
    gpu_memory_fraction: Annotated[Number, Field(gt=0, le=1)] | None = None
    """The same as a share of the whole card. Without either, all that is free is taken: a 16 GB card needs it."""
    speculation: Annotated[Literal["auto", "off"], LOWER] = "off"
    """Auto proposes tokens that stood in the conversation before, and verifies several at once, where that pays."""

    weights: Annotated[Literal["fp16", "int8"], LOWER] = "fp16"
    """How the model's weights are kept: as they are (on the CPU as FP32), or in eight bits, in half of the memory."""
    kv_cache: Annotated[Literal["fp16", "int8"], LOWER] = "fp16"
    """The same of the keys and values of conversations, so that twice as many fit."""

    data_dir: Folder = Path("data")
    database_url: DatabaseUrl | None = None
    """None is SQLite in the data folder; `effective_database_url` knows."""
    retention_days: Annotated[int, Field(ge=1, le=36_500)] | None = None
    """Messages older than this are deleted; None keeps them."""
    left_guild_days: Annotated[int, Field(ge=1, le=36_500)] = 30
    """How long a guild is kept that the bot was removed from."""
    line_history: bool = True
    """Whether lines typed at the terminal are kept for the next start's arrow keys."""

    context_window: Annotated[int, Field(gt=MIN_PROMPT_TOKENS, le=1_048_576)] | None = None
    """None is the model's own."""
    max_new_tokens: Annotated[int, Field(ge=1, le=1_048_576)] = _SAMPLING.max_new_tokens
    temperature: Annotated[Number, Field(ge=0, le=2)] = _SAMPLING.temperature
    top_p: Annotated[Number, Field(gt=0, le=1)] = _SAMPLING.top_p
    top_k: Annotated[int, Field(ge=0, le=1_000_000)] = _SAMPLING.top_k
    repetition_penalty: Annotated[Number, Field(ge=0.5, le=2)] = _SAMPLING.repetition_penalty
    seed: Annotated[int, Field(ge=0, lt=2**32)] | None = None
    """None draws one for every answer."""

    allowed_guilds: Ids | None = None
    """None, here and in the next seven, is a list without anything in it. `access` has them all together."""
    allowed_channels: Ids | None = None
    allowed_roles: Ids | None = None
    allowed_users: Ids | None = None
    blocked_guilds: Ids | None = None
    blocked_channels: Ids | None = None
    blocked_roles: Ids | None = None
    blocked_users: Ids | None = None
    direct_messages: bool | None = None
    """None is true, unless only certain guilds or channels are allowed."""
    turns_per_hour_person: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    """None, or 0, is no limit; `turn_limits` has both."""
    turns_per_hour_guild: Annotated[int, Field(ge=0, le=1_000_000)] | None = None

    default_persona: DefaultPersona | None = None
    """Who the bot is where nobody chose: a built-in persona's name, or a file with a prompt. None is Trinity."""

    source_url: HttpUrl | None = None
    """Where this version's source can be had, for `/about`; None names no address."""

    discord_api_url: HttpUrl | None = None
    discord_gateway_url: WebsocketUrl | None = None
    message_content_intent: bool = False
    """Whether Discord is asked for what people write without mentioning the bot; channels then choose what it does."""
    edit_interval_seconds: Annotated[Number, Field(ge=0.05, le=60)] = 1.0
    buttons: bool = True
    """Whether there are buttons below answers: Stop, Again, Continue."""
    drain_seconds: Annotated[Number, Field(ge=0, le=3600)] = 20.0

    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], UPPER] = "INFO"
    log_format: Annotated[Literal["text", "json"], LOWER] = "text"
    allow_readable_env_file: bool = False

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature is the library's
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take only what `load_settings` hands in: the library's own sources let unknown names pass."""
        return (init_settings,)

    @model_validator(mode="after")
    def _check_together(self) -> "Settings":
        if (self.discord_api_url is None) != (self.discord_gateway_url is None):
            missing = "GATEWAY" if self.discord_gateway_url is None else "API"
            problem = "set both Discord URLs or neither, so that nothing meant for a test reaches the real Discord"
            raise refusal(problem, setting=f"TRINITY_DISCORD_{missing}_URL")
        if self.context_window is not None and self.context_window - self.max_new_tokens < MIN_PROMPT_TOKENS:
            problem = f"has to leave {MIN_PROMPT_TOKENS} tokens or more of TRINITY_CONTEXT_WINDOW for the conversation"
            raise refusal(problem, setting="TRINITY_MAX_NEW_TOKENS")
        return self

    @property
    def effective_database_url(self) -> str:
        """Where the database is, password included: for the store alone, never for a message."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite+aiosqlite:///{self.data_dir.absolute() / 'trinity.db'}"

    @property
    def access(self) -> Access:
        """Who may talk to the bot, and where."""
        nothing = frozenset[int]()
        allowed = AccessList(
            self.allowed_guilds or nothing, self.allowed_channels or nothing,
            self.allowed_roles or nothing, self.allowed_users or nothing,
        )  # fmt: skip
        blocked = AccessList(
            self.blocked_guilds or nothing, self.blocked_channels or nothing,
            self.blocked_roles or nothing, self.blocked_users or nothing,
        )  # fmt: skip
        return Access(allowed, blocked, self.direct_messages)

    @property
    def turn_limits(self) -> TurnLimits:
        """How many turns people and guilds have in an hour."""
        return TurnLimits(self.turns_per_hour_person or None, self.turns_per_hour_guild or None)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no log line may hold."""
        given = (self.discord_bot_token, self.hf_token)
        tokens = [secret.get_secret_value() for secret in given if secret is not None]
        return (*tokens, *secrets_in(self.effective_database_url))


def load_settings(environ: Mapping[str, str] | None = None, env_file: Path = Path(".env")) -> Settings:
    """Read and check every setting.

    Args:
        environ: the environment; None is the process's own.
        env_file: read where it exists; the environment goes before it. An empty value counts as not set.

    Raises:
        ConfigError: the first thing that is wrong, in one line, without the value.
    """
    environment = dict(os.environ if environ is None else environ)
    from_file = read_env_file(env_file, environment)
    _refuse_unknown_names(environment | from_file)
    _refuse_near_names(environment | from_file)
    values = _known_values(from_file, environment)
    token_name = next((name for name in TOKEN_NAMES if name in values), TOKEN_NAMES[0])
    rest = {name: value for name, value in values.items() if name not in (*TOKEN_NAMES, *HUB_TOKEN_NAMES)}
    hub_token = next((values[name] for name in HUB_TOKEN_NAMES if name in values), None)
    try:
        tokens = {TOKEN_NAMES[0]: _one_token(values), HUB_TOKEN_NAMES[0]: hub_token}
        settings = Settings.model_validate(rest | tokens)
    except ValidationError as error:
        # `from None`: pydantic's error holds what was entered.
        raise _config_error(error, token_name) from None
    _refuse_what_is_no_folder(settings.data_dir)
    return settings


def setting_names() -> tuple[str, ...]:
    """Every name that can be set."""
    names = (str(field.validation_alias) for field in Settings.model_fields.values())
    return (*names, *TOKEN_NAMES[1:], *HUB_TOKEN_NAMES[1:])


def library_variables(env_file: Path = Path(".env")) -> dict[str, str]:
    """What `.env` sets for libraries that read the environment themselves: the hub's (HF_HOME ...), proxies.

    Raises:
        ConfigError: as `load_settings`, for the file.
    """
    values = read_env_file(env_file, os.environ)
    return {name: value for name, value in values.items() if value and _is_for_libraries(name)}


def _refuse_unknown_names(values: Mapping[str, str]) -> None:
    known = setting_names()
    for name in sorted(values):
        upper = name.upper()
        if name in known or not upper.startswith(PREFIX) or upper.startswith(_FOREIGN_PREFIXES):
            continue
        nearest = "".join(f" (did you mean {match}?)" for match in get_close_matches(upper, known, n=1))
        raise ConfigError(name, f"there is no such setting{nearest}; .env.example lists them all")


def _refuse_near_names(values: Mapping[str, str]) -> None:
    """Refuse a name that is almost a setting's, or almost one of the hub library's, where that one isn't set.

    Other programs' names, such as DISCORD_WEBHOOK_URL, are none of our business.
    """
    known = (*setting_names(), *LIBRARY_NAMES)
    given = {name for name, value in values.items() if value.strip()}
    for name in sorted(given.difference(known)):
        plain = _plain(name)
        for right in known:
            same = next((names for names in (TOKEN_NAMES, HUB_TOKEN_NAMES) if right in names), (right,))
            is_near = _are_near(plain, _plain(right)) or _CONFUSED_NAMES.get(name) == right
            if is_near and not given.intersection(same):
                problem = f"there is no such setting (did you mean {right}?); .env.example lists them all"
                raise ConfigError(name, problem)


def _plain(name: str) -> str:
    return name.upper().replace("_", "").replace("-", "")


def _are_near(name: str, right: str) -> bool:
    """Whether one is the other with one character left out, added, changed or swapped with the next one."""
    longer, shorter = (name, right) if len(name) >= len(right) else (right, name)
    if len(longer) - len(shorter) > 1 or len(shorter) < _LEAST_NEAR_LENGTH:
        return False
    start = next((at for at, pair in enumerate(zip(longer, shorter, strict=False)) if pair[0] != pair[1]), len(shorter))
    rest, other = longer[start:], shorter[start:]
    if len(longer) > len(shorter):
        return rest[1:] == other
    return rest[1:] == other[1:] or (rest[:2] == other[1::-1] and rest[2:] == other[2:])


def _is_for_libraries(name: str) -> bool:
    return name.upper() in PROXY_NAMES or name in LIBRARY_NAMES


def _known_values(from_file: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """Put the environment over the file. The ways of giving a Discord token are one setting in this."""
    names = setting_names()
    given = {name: _unquoted(environment[name]) for name in names if _unquoted(environment.get(name, ""))}
    aliases = (TOKEN_NAMES, HUB_TOKEN_NAMES)
    hidden = [name for group in aliases if any(name in given for name in group) for name in group]
    below = {name: from_file[name].strip() for name in names if from_file.get(name, "").strip() and name not in hidden}
    for name, value in (below | given).items():
        if not value.isprintable():
            raise ConfigError(name, "holds a control character")
    return below | given


def _unquoted(value: str) -> str:
    """`value` without the quotes that docker's --env-file, unlike a shell, leaves around it."""
    value = value.strip()
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1].strip()
    return value


def _one_token(values: Mapping[str, str]) -> str | None:
    given = {name: values[name] for name in TOKEN_NAMES if name in values}
    if path := given.get("DISCORD_BOT_TOKEN_FILE"):
        given["DISCORD_BOT_TOKEN_FILE"] = _read_token(path)
    if len(set(given.values())) > 1:
        raise ConfigError(" and ".join(given), "hold different tokens; keep one of them")
    return next(iter(given.values()), None)


def _read_token(path: str) -> str:
    name = "DISCORD_BOT_TOKEN_FILE"
    try:
        with expand_home(Path(path)).open("rb") as file:
            token = _unquoted(file.read(_MAX_TOKEN_FILE_BYTES).decode("utf-8-sig"))
    except PydanticCustomError as error:
        raise ConfigError(name, error.message()) from None
    except OSError as error:
        raise ConfigError(name, f"the file it names can't be read ({error.strerror})") from None
    except ValueError:
        raise ConfigError(name, "the file it names is not a text file") from None
    if not token:
        raise ConfigError(name, "the file it names is empty; put the bot's token into it")
    return token


def _refuse_what_is_no_folder(folder: Path) -> None:
    nearest = next(place for place in (folder.absolute(), *folder.absolute().parents) if os.path.lexists(place))
    if not os.path.isdir(nearest):  # noqa: PTH112 - pathlib's raises where we may not look
        problem = "names something that is not a folder, or lies below it; name a folder, which is made if need be"
        raise ConfigError("TRINITY_DATA_DIR", problem)


def _config_error(error: ValidationError, token_name: str) -> ConfigError:
    first = error.errors(include_url=False, include_input=False)[0]
    context = first.get("ctx", {})
    name = str(context.get("setting") or first["loc"][0])
    return ConfigError(token_name if name in TOKEN_NAMES else name, problem_in_words(first["type"], context))
