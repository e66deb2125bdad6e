"""A bot's account: its user, its token, and the slash commands that it registered."""

import base64
from dataclasses import dataclass, field
from typing import Any

from tests.loopback.entities import User
from tests.loopback.rules import Intent


class Account:
    """Whoever can write: a person or a bot."""

    user: User

    @property
    def id(self) -> int:
        """The user id, which is a bot's application id too."""
        return self.user.id

    @property
    def name(self) -> str:
        """The name that people see."""
        return self.user.name

    @property
    def mention(self) -> str:
        """The text that mentions them."""
        return self.user.mention


@dataclass(eq=False)
class BotAccount(Account):
    """An application with its bot user; both carry the same id, as on Discord today."""

    user: User
    owner: User
    token: str
    privileged_intents: Intent = Intent.ALWAYS
    commands: dict[int | None, list[dict[str, Any]]] = field(default_factory=dict)  # by guild id, None for global
    num_command_syncs: int = 0
    is_token_revoked: bool = False

    def command(self, name: str, guild_id: int | None = None) -> dict[str, Any] | None:
        """The registered command that people reach under this name, if there is one."""
        known = self.commands.get(guild_id, []) + self.commands.get(None, [])
        return next((command for command in known if command["name"] == name), None)


def make_token(bot_id: int) -> str:
    """A token in Discord's shape: the id in base64, a time, a signature."""
    return f"{base64.urlsafe_b64encode(str(bot_id).encode()).decode().rstrip('=')}.Loopbk.{'not-a-secret-' * 3}x"


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who will read a payload: without the message-content intent most texts of others are blank."""

    bot: BotAccount
    reads_content: bool
