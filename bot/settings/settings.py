"""What an operator may choose: the environment over `.env` over the TOML file of TRINITY_CONFIG over the defaults.

Nothing here is lenient. A name nobody knows, a value of the wrong kind or out of range, a line of `.env` that can't be
read: each is a ConfigError that names the setting, because a default used in silence is found out much later. No
message repeats a value, since people paste tokens into the wrong line.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from bot.chat.access import Access, AccessList
from bot.conversation.persona import Persona
from bot.conversation.turn_limits import TurnLimits
from bot.conversation.window import MIN_PROMPT_TOKENS
from bot.errors import ConfigError
from bot.inference.engine import SamplingParams
from bot.inference.loading.made_models import SMALL_MODEL_NAME
from bot.settings.checks import (
    LOWER,
    UPPER,
    Address,
    ChatFormatName,
    DatabaseUrl,
    DefaultPersona,
    Device,
    Folder,
    FolderOrHubId,
    HttpUrl,
    Ids,
    Number,
    OperatorToken,
    Secret,
    ShardCount,
    ShardIds,
    WebPage,
    WebsocketUrl,
    problem_in_words,
    read_address,
    refusal,
)
from bot.settings.env_file import read_env_file
from bot.settings.names import HUB_TOKEN_NAMES, PREFIX, TOKEN_NAMES, is_for_libraries
from bot.settings.sources import Given, one_token, read_sources
from bot.store.files.server_url import is_server_url, secrets_in

ENV_FILE = Path(".env")
_SAMPLING = SamplingParams()
"""Its defaults are the settings' defaults."""


_FOR_THE_SMALL_MODEL = {
    "temperature": 0.2,
    "top_p": 0.9,
    "default_persona": Persona("Trinity", "You are a helpful AI assistant named Trinity.", is_operators=True),
}
"""What SmolLM2 does best with: its makers' advice, and a persona like the one that it was trained with.

At temperature 0, and with a persona of a paragraph, it goes in circles; with a repetition penalty it forgets names.
"""


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

    config: Folder | None = None
    """A TOML file with more settings; what the environment and `.env` set goes before it."""

    model: FolderOrHubId | None = None
    """A folder, a GGUF file, a hub id or `smollm2`; None is the bundled demonstration model."""
    engine_url: HttpUrl | None = None
    """A server that completes prompts, such as vLLM; it runs the model then, and nothing of it is loaded here."""
    engine_api_key: Secret | None = None
    engine_requests: Annotated[int, Field(ge=1, le=4096)] | None = None
    """So many are at the server at once; None is what its kind takes."""
    tokenizer: Folder | None = None
    """The tokenizer.json of the server's model, or its folder; None looks into the model's."""
    chat_format: ChatFormatName | None = None
    """The prompt format that the model was trained on; None asks the chat template that comes with it."""
    device: Device = "auto"
    gpu_memory_gib: Annotated[Number, Field(gt=0)] | None = None
    """The most that weights and KV cache may take together; None sets no such limit."""
    gpu_memory_fraction: Annotated[Number, Field(gt=0, le=1)] | None = None
    """The same as a share of the whole card. Without either, all that is free is taken: a 16 GB card needs it."""
    speculation: Annotated[Literal["auto", "off"], LOWER] = "auto"
    """Auto proposes tokens that stood in the conversation before, and verifies several at once, where that pays."""

    weights: Annotated[Literal["fp16", "int8"], LOWER] = "fp16"
    """How the model's weights are kept: as they are (on the CPU as FP32), or in eight bits, in half of the memory."""
    kv_cache: Annotated[Literal["fp16", "int8"], LOWER] = "fp16"
    """The same of the keys and values of conversations, so that twice as many fit."""

    idle_unload_minutes: Annotated[Number, Field(gt=0, le=100_000)] | None = None
    """After so long without a question the card is given back, until the next one; None keeps it."""

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

    source_url: WebPage | None = None
    """Where this version's source can be had, for `/about`; None names no address."""

    discord_api_url: HttpUrl | None = None
    discord_gateway_url: WebsocketUrl | None = None
    shard_count: ShardCount | None = None
    """Into how many parts Discord divides the bot's guilds, each with a connection of its own; 0 asks Discord, None is
    one connection without parts."""
    shard_ids: ShardIds = None
    """Which of them are this process's; None is all, or what other processes on the same PostgreSQL leave."""
    message_content_intent: bool = False
    """Whether Discord is asked for what people write without mentioning the bot; channels then choose what it does."""
    edit_interval_seconds: Annotated[Number, Field(ge=0.05, le=60)] = 1.0
    buttons: bool = True
    """Whether there are buttons below answers: Stop, Again, Continue."""
    drain_seconds: Annotated[Number, Field(ge=0, le=3600)] = 20.0

    operations_address: Address = "127.0.0.1:9464"
    """Where health, metrics and the operator's page are served. Set to nothing, or to off, they aren't."""
    operator_token: OperatorToken | None = None
    """Lets who has it pause and drain the bot over that address; None lets nobody."""

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
        self._check_shards()
        if self.context_window is not None and self.context_window - self.max_new_tokens < MIN_PROMPT_TOKENS:
            problem = f"has to leave {MIN_PROMPT_TOKENS} tokens or more of TRINITY_CONTEXT_WINDOW for the conversation"
            raise refusal(problem, setting="TRINITY_MAX_NEW_TOKENS")
        return self

    def _check_shards(self) -> None:
        if self.shard_ids is None:
            return
        if not self.shard_count:
            raise refusal("needs the number of all shards in TRINITY_SHARD_COUNT", setting="TRINITY_SHARD_IDS")
        if max(self.shard_ids) >= self.shard_count:
            problem = f"names a shard beyond TRINITY_SHARD_COUNT: they are counted from 0 to {self.shard_count - 1}"
            raise refusal(problem, setting="TRINITY_SHARD_IDS")
        if len(self.shard_ids) < self.shard_count and not is_server_url(self.effective_database_url):
            problem = "leaves shards to other processes, which takes PostgreSQL: SQLite is one process's"
            raise refusal(problem, setting="TRINITY_SHARD_IDS")

    @property
    def effective_database_url(self) -> str:
        """Where the database is, password included: for the store alone, never for a message."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite+aiosqlite:///{self.data_dir.absolute() / 'trinity.db'}"

    @property
    def made_models(self) -> Path:
        """The folder for models that are made here: of GGUF files, or the small one."""
        return self.data_dir / "models"

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
    def operations_at(self) -> tuple[str, int] | None:
        """The host and port of `operations_address`; None where it is off."""
        return read_address(self.operations_address)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no log line may hold."""
        given = (self.discord_bot_token, self.hf_token, self.operator_token, self.engine_api_key)
        tokens = [secret.get_secret_value() for secret in given if secret is not None]
        return (*tokens, *secrets_in(self.effective_database_url))


@dataclass(frozen=True, slots=True)
class Survey:
    """All that was given as settings, everything that is wrong with it, and what holds if nothing is."""

    given: Mapping[str, Given]
    problems: tuple[ConfigError, ...]
    settings: Settings | None
    """None where something is wrong."""


def load_settings(environ: Mapping[str, str] | None = None, env_file: Path = ENV_FILE) -> Settings:
    """Read and check every setting.

    Args:
        environ: the environment; None is the process's own.
        env_file: read where it exists; the environment goes before it. An empty value counts as not set.

    Raises:
        ConfigError: the first thing that is wrong, in one line, without the value.
    """
    survey = survey_settings(environ, env_file)
    if survey.settings is None:
        raise survey.problems[0]
    return survey.settings


def survey_settings(environ: Mapping[str, str] | None = None, env_file: Path = ENV_FILE) -> Survey:
    """As `load_settings`, but go on after the first thing that is wrong, and raise nothing."""
    try:
        Path.cwd()
    except OSError:  # .env and the data folder lie in it
        problem = "isn't there any more; change into one that is (cd), and start again"
        return Survey({}, (ConfigError("the folder that this was started in", problem),), None)
    sources = read_sources(dict(os.environ if environ is None else environ), env_file, setting_names())
    given, problems = sources.given, list(sources.problems)
    values: dict[str, str | None] = {
        name: each.text for name, each in given.items() if name not in (*TOKEN_NAMES, *HUB_TOKEN_NAMES)
    }
    values[HUB_TOKEN_NAMES[0]] = next((given[name].text for name in HUB_TOKEN_NAMES if name in given), None)
    try:
        values[TOKEN_NAMES[0]] = one_token(given)
    except ConfigError as error:
        problems.append(error)
    settings = None
    try:
        settings = suited_to_model(Settings.model_validate(values))
        _refuse_what_is_no_folder(settings.data_dir)
    except ValidationError as error:
        problems.extend(_config_errors(error, given))
    except ConfigError as error:
        problems.append(error)
    named_once = {str(problem): problem for problem in problems}
    return Survey(given, tuple(named_once.values()), None if problems else settings)


def suited_to_model(settings: Settings) -> Settings:
    """The same, with defaults that suit the small model, where that is chosen: what was set stays as it is."""
    if (settings.model or "").lower() != SMALL_MODEL_NAME or settings.engine_url is not None:
        return settings
    update = {name: value for name, value in _FOR_THE_SMALL_MODEL.items() if name not in settings.model_fields_set}
    return settings.model_copy(update=update)


def setting_names() -> tuple[str, ...]:
    """Every name that can be set."""
    names = (str(field.validation_alias) for field in Settings.model_fields.values())
    return (*names, *TOKEN_NAMES[1:], *HUB_TOKEN_NAMES[1:])


def hand_on_library_variables(env_file: Path = ENV_FILE) -> None:
    """Put into the environment what `.env` sets for libraries that read that: the hub's (HF_HOME ...), proxies.

    What the environment has already goes before it. A file that can't be read is `load_settings`' to refuse.
    """
    values: dict[str, str] = {}
    with suppress(ConfigError):
        values = read_env_file(env_file, {**os.environ, "TRINITY_ALLOW_READABLE_ENV_FILE": "true"})
    for name, value in values.items():
        if value and is_for_libraries(name):
            os.environ.setdefault(name, value)


def _refuse_what_is_no_folder(folder: Path) -> None:
    nearest = next(place for place in (folder.absolute(), *folder.absolute().parents) if os.path.lexists(place))
    if not os.path.isdir(nearest):  # noqa: PTH112 - pathlib's raises where we may not look
        problem = "names something that is not a folder, or lies below it; name a folder, which is made if need be"
        raise ConfigError("TRINITY_DATA_DIR", problem)


def _config_errors(error: ValidationError, given: Mapping[str, Given]) -> Iterator[ConfigError]:
    """Say in our words what pydantic's error says, which holds what was entered and is thrown away."""
    for each in error.errors(include_url=False, include_input=False):
        context = each.get("ctx", {})
        name = str(context.get("setting") or each["loc"][0])
        same = next((names for names in (TOKEN_NAMES, HUB_TOKEN_NAMES) if name in names), (name,))
        written = next((given[one].written for one in same if one in given), name)
        yield ConfigError(written, problem_in_words(each["type"], context))
