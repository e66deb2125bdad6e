"""What `trinity config` shows: every setting, its value as it was written, and where that comes from. No secrets."""

from collections.abc import Iterator
from dataclasses import dataclass

from bot.logs import escape_control_characters, redact_secrets
from bot.settings.names import HUB_TOKEN_NAMES, TOKEN_NAMES
from bot.settings.settings import Settings, Survey
from bot.store.files.server_url import ServerUrlError, secrets_in

DEFAULT = "default"
SECRET_NAMES = (*TOKEN_NAMES[:2], *HUB_TOKEN_NAMES, "TRINITY_OPERATOR_TOKEN", "TRINITY_ENGINE_API_KEY")
_SET = "[set]"


@dataclass(frozen=True, slots=True)
class Row:
    """A setting as it is shown."""

    name: str
    value: str | None
    """None where it isn't set and has no default."""
    source: str


def describe(survey: Survey) -> Iterator[Row]:
    """Every setting in the order of `.env.example`; a token is under the name that it was given by."""
    for setting in Settings.model_fields.values():
        name = str(setting.validation_alias)
        same = next((names for names in (TOKEN_NAMES, HUB_TOKEN_NAMES) if name in names), (name,))
        written = [each for each in same if each in survey.given]
        if not written:
            default = str(setting.default).lower() if isinstance(setting.default, bool) else setting.default
            yield Row(name, None if default is None else str(default), DEFAULT)
        for each in written:
            yield Row(each, _shown(each, survey.given[each].text), survey.given[each].source)


def _shown(name: str, text: str) -> str:
    if name in SECRET_NAMES:
        return _SET
    if name == "TRINITY_DATABASE_URL":
        text = _without_password(text)
    return escape_control_characters(redact_secrets(text))


def _without_password(url: str) -> str:
    try:
        secrets = secrets_in(url)
    except (ServerUrlError, ValueError):
        return _SET
    for secret in sorted(secrets, key=len, reverse=True):
        url = url.replace(secret, "[redacted]")
    return url
