"""One interaction: what a person's command, click or modal starts, and what the bot has answered so far."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field

from tests.loopback.accounts import BotAccount, Viewer
from tests.loopback.entities import Channel, Message, User
from tests.loopback.payloads import Json, channel_json, member_json, message_json, user_json
from tests.loopback.waiting import came_true

COMMAND, COMPONENT, AUTOCOMPLETE, MODAL_SUBMIT = 2, 3, 4, 5
REPLY, DEFER, DEFER_UPDATE, UPDATE, CHOICES, MODAL = 4, 5, 6, 7, 8, 9
_ATTACHMENT_LIMIT = 26_214_400


@dataclass(eq=False, slots=True)
class Interaction:
    """One use of a command, a button or a modal, and everything that the bot answered to it."""

    id: int
    bot: BotAccount
    user: User
    channel: Channel
    kind: int
    data: Json
    name: str
    source: Message | None = None
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    sent_at: float = field(default_factory=time.monotonic)
    acknowledged_at: float | None = None
    callback_kind: int | None = None
    original: Message | None = None
    followups: list[Message] = field(default_factory=list)
    modal: Json | None = None
    choices: list[Json] = field(default_factory=list)

    @property
    def responses(self) -> list[Message]:
        """The messages that answer it, in order, without a loading sign and what was deleted."""
        shown = [self.original] if self.original is not None else []
        return [message for message in [*shown, *self.followups] if not message.is_loading and not message.is_deleted]

    @property
    def text(self) -> str:
        """What the responses say, one after the other."""
        return "\n".join(message.content for message in self.responses)

    @property
    def is_ephemeral(self) -> bool:
        """Whether only the asker sees the responses."""
        return bool(self.responses) and all(message.ephemeral_for is self.user for message in self.responses)

    @property
    def acknowledged_after(self) -> float | None:
        """Seconds until the bot called back."""
        return None if self.acknowledged_at is None else self.acknowledged_at - self.sent_at

    async def answered(self, *, timeout: float = 5.0) -> Interaction:  # noqa: ASYNC109 - the wait is the point
        """Waits for a message, a modal, choices or an update, and returns the interaction itself."""
        if not await came_true(self._is_answered, timeout):
            state = "was never acknowledged" if self.acknowledged_at is None else "was deferred and never answered"
            raise AssertionError(f"/{self.name} {state} within {timeout} s")
        return self

    def _is_answered(self) -> bool:
        return bool(self.responses) or self.callback_kind in (DEFER_UPDATE, UPDATE, CHOICES, MODAL)


def interaction_json(interaction: Interaction, viewer: Viewer) -> Json:
    """INTERACTION_CREATE; in a guild with the member and both sides' permissions in the channel."""
    channel, user, bot = interaction.channel, interaction.user, interaction.bot
    payload: Json = {
        "id": str(interaction.id),
        "application_id": str(bot.id),
        "type": interaction.kind,
        "token": interaction.token,
        "version": 1,
        "channel_id": str(channel.id),
        "channel": channel_json(channel),
        "app_permissions": str(int(channel.permissions_of(bot.user))),
        "locale": user.locale,
        "entitlements": [],
        "attachment_size_limit": _ATTACHMENT_LIMIT,
        "data": interaction.data,
    }
    if interaction.source is not None:
        payload["message"] = message_json(interaction.source, viewer)
    if channel.guild is None:
        owners = {"1": str(user.id)}
        context = 1 if bot.user in channel.recipients else 2
        return payload | {"user": user_json(user), "context": context, "authorizing_integration_owners": owners}
    is_member = bot.id in channel.guild.members
    member = member_json(channel.guild.members[user.id])
    member["permissions"] = str(int(channel.permissions_of(user)))
    return payload | {
        "guild_id": str(channel.guild.id),
        "guild_locale": channel.guild.preferred_locale,
        "member": member,
        "context": 0,
        "authorizing_integration_owners": {"0": str(channel.guild.id)} if is_member else {"1": str(user.id)},
    }
