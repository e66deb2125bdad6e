"""What a setting's value has to look like, and the words for one that doesn't. No words ever repeat the value."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_core import PydanticCustomError

from bot.conversation.formats.choice import check_name as check_format_name
from bot.conversation.persona import BUILT_IN, Persona, check_name, find_built_in
from bot.conversation.sanitize import has_visible_text, repair
from bot.errors import ConfigError, InvalidPersonaName
from bot.store.files.server_url import SCHEMES, ServerUrlError, read_server_url


def refusal(problem: str, *, setting: str = "") -> PydanticCustomError:
    """Make the error that a check raises; `setting` is for checks of several settings at once."""
    return PydanticCustomError("refused", "{problem}", {"problem": problem, "setting": setting})


def problem_in_words(kind: str, context: Mapping[str, Any]) -> str:
    """Say what pydantic's error of this kind means to an operator."""
    bounds = {
        "greater_than": f"has to be more than {context.get('gt')}",
        "greater_than_equal": f"has to be at least {context.get('ge')}",
        "less_than": f"has to be less than {context.get('lt')}",
        "less_than_equal": f"has to be at most {context.get('le')}",
    }
    kinds = {
        "refused": context.get("problem"),
        "int_parsing": "has to be a whole number",
        "int_from_float": "has to be a whole number",
        "int_parsing_size": "has too many digits",
        "float_parsing": "has to be a number",
        "finite_number": "has to be a finite number",
        "bool_parsing": "has to be true or false",
        "literal_error": f"has to be {context.get('expected')}",
        "string_pattern_mismatch": "has to be auto, cpu, cuda, or one card such as cuda:1",
    }
    return str((bounds | kinds).get(kind) or "is not a value it can have")


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port  # read here, since it is checked only when it is read
    except ValueError:
        raise refusal("is not a URL that can be read") from None
    return parts


def check_database_url(url: SecretStr) -> SecretStr:
    """Accept SQLite and PostgreSQL, each also by its short name, and write out the driver.

    Raises:
        PydanticCustomError: it is no URL of theirs.
    """
    scheme, separator, rest = url.get_secret_value().partition("://")
    if separator and scheme in ("sqlite", "sqlite+aiosqlite"):
        return SecretStr(f"sqlite+aiosqlite://{_check_sqlite_path(rest)}")
    if not separator or scheme not in SCHEMES:
        raise refusal("has to begin with sqlite+aiosqlite:/// or postgresql://")
    try:
        read_server_url(url.get_secret_value())
    except ServerUrlError as error:
        raise refusal(str(error)) from None
    return SecretStr(f"postgresql+asyncpg://{rest}")


def _check_sqlite_path(rest: str) -> str:
    if not rest.startswith("/") or rest.strip("/") in ("", ":memory:") or rest.startswith("/file:"):
        raise refusal("has to name a file, for instance sqlite+aiosqlite:////var/lib/trinity/trinity.db")
    if "?" in rest:
        raise refusal("may hold no options for SQLite; for a folder with a ? in its name, use TRINITY_DATA_DIR")
    return f"/{expand_home(Path(rest[1:]))}" if rest.startswith("/~") else rest


def _check_url(*schemes: str, is_base: bool = True) -> AfterValidator:
    """Accept a URL with one of these schemes; of a `base`, whose paths are put behind it, the address alone."""

    def check(url: str) -> str:
        parts = _split(url)
        if parts.scheme not in schemes or not parts.hostname:
            raise refusal(f"has to be a URL that begins with {' or '.join(f'{scheme}://' for scheme in schemes)}")
        if "@" in parts.netloc:
            raise refusal("may not hold a user name or a password")
        if not _can_be_host(parts.hostname):
            raise refusal("has a host's name that no host can have")
        if is_base and ("?" in url or "#" in url):
            raise refusal("is an address that paths are put behind, so it may hold no ? or #")
        return url.rstrip("/")

    return AfterValidator(check)


def _can_be_host(name: str) -> bool:
    """Whether a name can be looked up at all; one that isn't found may be there later."""
    try:
        name.encode("idna")  # as the lookup does
    except UnicodeError:
        return False
    return name.isprintable() and not any(character in _IN_NO_HOST for character in name)


_IN_NO_HOST = " <>*\"'{}|\\^`$"


def read_address(address: str) -> tuple[str, int] | None:
    """The host and port of `host:port`, `[::1]:port`; None for `off`.

    Raises:
        PydanticCustomError: it is neither.
    """
    if address.lower() == "off":
        return None
    host, colon, port = address.rpartition(":")
    is_bracketed = host.startswith("[") and host.endswith("]")
    bare = host[1:-1] if is_bracketed else host
    is_number = port.isascii() and port.isdecimal() and len(port) <= _LONGEST_PORT and int(port) <= _LARGEST_PORT
    is_host = bare.isascii() and "/" not in bare and _can_be_host(bare)
    if not colon or not bare or not is_number or (":" in bare) != is_bracketed or not is_host:
        raise refusal("has to be a host and a port, such as 127.0.0.1:9464 or [::1]:9464, or off")
    return bare, int(port)


def _check_address(address: str) -> str:
    read_address(address)
    return address


_LARGEST_PORT = 65_535
_LONGEST_PORT = 5
_SHORTEST_OPERATOR_TOKEN = 16


def _check_operator_token(secret: SecretStr) -> SecretStr:
    if len(secret.get_secret_value()) < _SHORTEST_OPERATOR_TOKEN:
        raise refusal(f"has to have {_SHORTEST_OPERATOR_TOKEN} characters or more: openssl rand -hex 24")
    return secret


def _check_secret(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value().strip()
    if text.lower().startswith(("bot ", "bearer ")):
        raise refusal("is the token alone, without the word before it")
    if '"' in text or "'" in text:
        raise refusal("holds a quotation mark, which no token has; copy it again")
    if not text.isascii() or not text.isprintable() or " " in text:
        raise refusal("holds a blank or a character that no token has; copy it again")
    return SecretStr(text)


def expand_home(path: Path) -> Path:
    """`path` with the home folder that a leading `~` stands for."""
    try:
        return path.expanduser()
    except RuntimeError:
        raise refusal("begins with ~, which is nobody's home folder here; write the whole path") from None


def expand_folder(name: str) -> str:
    """A folder's name; a hub id never begins with ~."""
    return str(expand_home(Path(name))) if name.startswith("~") else name


_LARGEST_ID = 2**63 - 1
_SHORTEST_ID = 15


def _read_ids(value: object) -> object:
    """Ids with commas or blanks between them."""
    if not isinstance(value, str):
        return value
    ids = value.replace(",", " ").split()
    if not all(each.isascii() and each.isdecimal() and _SHORTEST_ID <= len(each) <= 20 for each in ids):
        raise refusal(
            "may hold ids alone, such as 123456789012345678, with commas between them; with Discord's Developer Mode "
            "on, a right click on a server, channel, role or person copies its id"
        )
    found = frozenset(int(each) for each in ids)
    if not ids or max(found) > _LARGEST_ID:
        raise refusal("holds no id, or a number that is none of Discord's")
    return found


def _check_chat_format(name: str) -> str:
    try:
        check_format_name(name)
    except ConfigError as error:
        raise refusal(error.problem) from None
    return name


_MOST_SHARDS = 16_384


def _read_shard_count(value: object) -> object:
    """How many shards; 0 is as many as Discord recommends."""
    if not isinstance(value, str):
        return value
    if value.lower() == "auto":
        return 0
    if not (value.isascii() and value.isdecimal() and 1 <= int(value[:6]) <= _MOST_SHARDS):
        raise refusal(f"has to be a number from 1 to {_MOST_SHARDS}, or auto for what Discord recommends")
    return int(value)


def _read_shard_ids(value: object) -> object:
    """Numbers and ranges of shards, such as 0-3,8; None for auto."""
    if not isinstance(value, str):
        return value
    if value.lower() == "auto":
        return None
    found: set[int] = set()
    for part in value.replace(",", " ").split():
        first, dash, last = part.partition("-")
        numbers = (first, last if dash else first)
        if not all(each.isascii() and each.isdecimal() and len(each) <= 5 for each in numbers):
            raise refusal("has to be auto, or numbers and ranges of shards such as 0-3,8")
        found.update(range(int(numbers[0]), min(int(numbers[1]), _MOST_SHARDS) + 1))
    if not found:
        raise refusal("names no shard; to have them divided among processes by themselves, set auto")
    return frozenset(found)


_MAX_PERSONA_BYTES = 64 * 1024


def _read_persona(value: object) -> object:
    """A built-in persona by its name, or the prompt in a file, whose name without its ending is the persona's."""
    if not isinstance(value, str):
        return value
    if (built_in := find_built_in(value)) is not None:
        return built_in
    file = expand_home(Path(value))
    try:
        with file.open("rb") as opened:
            written = opened.read(_MAX_PERSONA_BYTES + 1)
        prompt = repair(written.decode("utf-8-sig")).strip()
    except UnicodeDecodeError:
        raise refusal("the file it names is not a text in UTF-8") from None
    except (OSError, ValueError) as error:
        names = ", ".join(persona.name for persona in BUILT_IN)
        reason = error.strerror if isinstance(error, OSError) else "no such file"
        raise refusal(f"is none of {names}, nor a file that can be read ({reason})") from None
    if len(written) > _MAX_PERSONA_BYTES or not has_visible_text(prompt):
        raise refusal("the file it names has to hold a prompt: a few sentences that say who Trinity is")
    try:
        return Persona(check_name(file.stem), prompt, is_operators=True)
    except InvalidPersonaName as error:
        raise refusal(f"the file's name is to be the persona's: {error}") from None


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


UPPER = BeforeValidator(_upper)
LOWER = BeforeValidator(_lower)
Secret = Annotated[SecretStr, AfterValidator(_check_secret)]
OperatorToken = Annotated[SecretStr, AfterValidator(_check_secret), AfterValidator(_check_operator_token)]
Address = Annotated[str, AfterValidator(_check_address)]
DatabaseUrl = Annotated[SecretStr, AfterValidator(check_database_url)]
HttpUrl = Annotated[str, _check_url("https", "http")]
WebPage = Annotated[str, _check_url("https", "http", is_base=False)]
WebsocketUrl = Annotated[str, _check_url("wss", "ws")]
FolderOrHubId = Annotated[str, AfterValidator(expand_folder)]
Folder = Annotated[Path, AfterValidator(expand_home)]
Ids = Annotated[frozenset[int], BeforeValidator(_read_ids)]
"""Discord's ids of guilds, channels, roles or people."""
ShardCount = Annotated[int, BeforeValidator(_read_shard_count)]
ShardIds = Annotated[frozenset[int] | None, BeforeValidator(_read_shard_ids)]
DefaultPersona = Annotated[Persona, BeforeValidator(_read_persona)]
Number = Annotated[float, Field(allow_inf_nan=False)]
ChatFormatName = Annotated[str, LOWER, AfterValidator(_check_chat_format)]
Device = Annotated[str, LOWER, Field(pattern=r"^(auto|cpu|cuda(:\d{1,2})?)$")]
