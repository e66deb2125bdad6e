"""Names that are no settings, and the setting that each is near to: a misspelt one would be a default in silence."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from bot.errors import ConfigError

PREFIX = "TRINITY_"
TOKEN_NAMES = ("DISCORD_BOT_TOKEN", "DISCORD_TOKEN", "DISCORD_BOT_TOKEN_FILE")
HUB_TOKEN_NAMES = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
"""The second is the hub's older name."""
# Kubernetes sets TRINITY_SERVICE_HOST, TRINITY_PORT_80_TCP and the like for a Service that is called trinity.
_FOREIGN_PREFIXES = ("TRINITY_SERVICE_", "TRINITY_PORT")
LIBRARY_NAMES = (
    *("HF_HOME", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "HF_ENDPOINT", "HF_TOKEN_PATH", "HF_XET_CACHE", "HF_ASSETS_CACHE"),
    *("HF_HUB_DOWNLOAD_TIMEOUT", "HF_HUB_ETAG_TIMEOUT", "HF_HUB_DISABLE_XET", "HF_HUB_DISABLE_TELEMETRY"),
    *("HF_HUB_ENABLE_HF_TRANSFER", "HF_XET_HIGH_PERFORMANCE", "HF_HUB_VERBOSITY", "HF_HUB_DISABLE_IMPLICIT_TOKEN"),
)
"""What the hub's library reads from the environment; in `.env` they are handed on to it."""
PROXY_NAMES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE")
EMPTY_IS_OFF = ("TRINITY_OPERATIONS_ADDRESS",)
"""Set to nothing, it is off; for others that counts as not set."""
_LEAST_NEAR_LENGTH = 6
_CONFUSED_NAMES = {
    "DISCORD_TOKEN_FILE": "DISCORD_BOT_TOKEN_FILE",
    "DISCORD_TOKEN_BOT": "DISCORD_BOT_TOKEN",
    "DISCORD_API_TOKEN": "DISCORD_BOT_TOKEN",
    "HF_HUB_TOKEN": "HF_TOKEN",
}


def unknown_names(values: Mapping[str, str], known: tuple[str, ...]) -> Iterator[ConfigError]:
    """What begins like a setting and is none."""
    for name in sorted(values):
        upper = name.upper()
        if name in known or not upper.startswith(PREFIX) or upper.startswith(_FOREIGN_PREFIXES):
            continue
        nearest = "".join(f" (did you mean {match}?)" for match in get_close_matches(upper, known, n=1))
        yield ConfigError(name, f"there is no such setting{nearest}; .env.example lists them all")


def near_names(values: Mapping[str, str], known: tuple[str, ...]) -> Iterator[ConfigError]:
    """What is almost a setting's name, or almost one of the hub library's, where that one isn't set.

    Other programs' names, such as DISCORD_WEBHOOK_URL, are none of our business.
    """
    known = (*known, *LIBRARY_NAMES)
    given = {name for name, value in values.items() if value.strip()}
    for name in sorted(given.difference(known)):
        plain = _plain(name)
        for right in known:
            same = next((names for names in (TOKEN_NAMES, HUB_TOKEN_NAMES) if right in names), (right,))
            is_near = _are_near(plain, _plain(right)) or _CONFUSED_NAMES.get(name) == right
            if is_near and not given.intersection(same):
                problem = f"there is no such setting (did you mean {right}?); .env.example lists them all"
                yield ConfigError(name, problem)
                break


def is_for_libraries(name: str) -> bool:
    """Whether a library reads that name from the environment by itself."""
    return name.upper() in PROXY_NAMES or name in LIBRARY_NAMES


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
