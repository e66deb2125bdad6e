"""Interactions on the REST side: the callback within three seconds, and the webhook that edits and follows up."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from aiohttp import web

from tests.loopback import messages
from tests.loopback.accounts import BotAccount
from tests.loopback.entities import Channel, Message, User
from tests.loopback.interaction import (
    CHOICES,
    DEFER,
    DEFER_UPDATE,
    MODAL,
    REPLY,
    UPDATE,
    Interaction,
    interaction_json,
)
from tests.loopback.message_rules import check_flags, check_mentions, checked_content, shown_attachments, uploaded_files
from tests.loopback.payloads import Json
from tests.loopback.routes_message import apply_edit, edited_content
from tests.loopback.rules import EPHEMERAL, LOADING, SUPPRESS_EMBEDS, Intent, MessageKind
from tests.loopback.wire import ApiError, Call, json_answer, no_content, unknown
from tests.loopback.world import Event, World


class Interactions:
    """All interactions by token, and the REST routes that answer them."""

    def __init__(self, world: World) -> None:
        self.all: list[Interaction] = []
        self._world = world
        self._by_token: dict[str, Interaction] = {}

    def begin(
        self,
        bot: BotAccount,
        user: User,
        channel: Channel,
        kind: int,
        data: Json,
        name: str,
        source: Message | None = None,
        *,
        age_seconds: float = 0.0,
    ) -> Interaction:
        """Sends INTERACTION_CREATE to the bot; the three seconds run from here, or from so long ago."""
        interaction = Interaction(
            self._world.ids.next_id(age_seconds=age_seconds), bot, user, channel, kind, data, name, source
        )
        interaction.sent_at -= age_seconds
        self.all.append(interaction)
        self._by_token[interaction.token] = interaction
        event = Event(
            "INTERACTION_CREATE",
            lambda viewer: interaction_json(interaction, viewer),
            Intent.ALWAYS,
            channel.guild,
            channel,
            only_for=bot,
        )
        self._world.publish(event)
        return interaction

    def unacknowledged(self) -> list[Interaction]:
        """The interactions that a bot left without a callback beyond the deadline."""
        late = time.monotonic() - self._world.rules.interaction_deadline_seconds
        return [kept for kept in self.all if kept.acknowledged_at is None and kept.sent_at < late]

    def routes(self) -> list[tuple[str, str, Callable[[Call], Awaitable[web.Response]]]]:
        """Method, path and handler of each route."""
        message = "/webhooks/{application}/{token}/messages/{message}"
        return [
            ("POST", "/interactions/{interaction}/{token}/callback", self._callback),
            ("POST", "/webhooks/{application}/{token}", self._follow_up),
            ("GET", message, self._get),
            ("PATCH", message, self._edit),
            ("DELETE", message, self._delete),
        ]

    # --- callback

    async def _callback(self, call: Call) -> web.Response:
        interaction = self._by_token.get(call.request.match_info["token"])
        if interaction is None or interaction.id != call.number("interaction"):
            raise unknown("interaction")
        body = await call.body()
        call.bot = interaction.bot
        self._admit(call, interaction)
        answer = self._act(call, interaction, int(body["type"]), _with_files(body))
        interaction.acknowledged_at = time.monotonic()
        interaction.callback_kind = int(body["type"])
        if call.request.query.get("with_response") not in ("1", "true", "True"):
            return no_content()
        return json_answer(_callback_answer(interaction, answer))

    def _admit(self, call: Call, interaction: Interaction) -> None:
        if interaction.acknowledged_at is not None:
            call.world.journal.accuse("second_callback", f"to /{interaction.name}")
            raise ApiError(400, 40060, "Interaction has already been acknowledged.")
        age = time.monotonic() - interaction.sent_at
        if age > call.world.rules.interaction_deadline_seconds:
            call.world.journal.accuse("late_callback", f"to /{interaction.name} after {age:.1f} s")
            raise unknown("interaction")

    def _act(self, call: Call, interaction: Interaction, kind: int, data: Json) -> Message | None:
        if kind == REPLY:
            interaction.original = _respond(call, interaction, data)
            return interaction.original
        if kind == DEFER:
            flags = (int(data.get("flags") or 0) & EPHEMERAL) | LOADING
            interaction.original = _post(interaction, "", data, flags)
            return interaction.original
        if kind in (UPDATE, DEFER_UPDATE):
            if interaction.source is None:
                raise ApiError(400, 50035, "Only a component can update its message")
            interaction.original = interaction.source
            if kind == UPDATE:
                _rewrite(call, interaction.source, data)
                return interaction.source
            return None
        if kind == CHOICES:
            interaction.choices = data.get("choices") or []
            return None
        if kind == MODAL:
            interaction.modal = data
            return None
        raise ApiError(400, 50035, f"Unknown callback type {kind}")

    # --- webhooks

    def _live(self, call: Call) -> Interaction:
        interaction = self._by_token.get(call.request.match_info["token"])
        lifetime = call.world.rules.interaction_lifetime_seconds
        if interaction is None or interaction.bot.id != call.number("application"):
            raise unknown("Webhook")
        if interaction.acknowledged_at is None or time.monotonic() - interaction.sent_at > lifetime:
            raise unknown("Webhook")
        call.bot = interaction.bot
        return interaction

    async def _follow_up(self, call: Call) -> web.Response:
        interaction = self._live(call)
        payload = await call.body()
        original = interaction.original
        if original is not None and original.is_loading and not original.is_deleted:
            check_flags(call, int(payload.get("flags") or 0))
            _rewrite(call, original, payload)  # the first follow-up takes the place of "is thinking"
            return json_answer(messages.read_by(original, interaction.bot))
        message = _respond(call, interaction, payload)
        interaction.followups.append(message)
        return json_answer(messages.read_by(message, interaction.bot))

    def _message_of(self, call: Call) -> Message:
        interaction = self._live(call)
        wanted = call.request.match_info["message"]
        known = [message for message in [interaction.original, *interaction.followups] if message is not None]
        for message in known:
            is_meant = message is interaction.original if wanted == "@original" else str(message.id) == wanted
            if is_meant and not message.is_deleted:
                return message
        raise unknown("Message")

    async def _get(self, call: Call) -> web.Response:
        message = self._message_of(call)
        return json_answer(messages.read_by(message, call.author))

    async def _edit(self, call: Call) -> web.Response:
        message = self._message_of(call)
        _rewrite(call, message, await call.body())
        return json_answer(messages.read_by(message, call.author))

    async def _delete(self, call: Call) -> web.Response:
        message = self._message_of(call)
        messages.remove(message, call.author.user)
        return no_content()


def _with_files(body: Json) -> Json:
    data: Json = body.get("data") or {}
    return data | {"attachments": body["attachments"]} if body.get("attachments") else data


def _respond(call: Call, interaction: Interaction, payload: Json) -> Message:
    content = checked_content(call, payload)
    check_mentions(call, payload)
    flags = int(payload.get("flags") or 0)
    check_flags(call, flags)
    return _post(interaction, content, payload, flags)


def _post(interaction: Interaction, content: str, payload: Json, flags: int) -> Message:
    world = interaction.channel.world
    return messages.post(
        interaction.channel,
        interaction.bot.user,
        content,
        payload=payload,
        kind=MessageKind.COMMAND_RESPONSE,
        flags=flags,
        mentions=messages.mentions_in(world, content, payload.get("allowed_mentions")),
        embeds=payload.get("embeds") or [],
        components=payload.get("components") or [],
        attachments=shown_attachments(payload),
        files=uploaded_files(payload),
        webhook_id=interaction.bot.id,
        application_id=interaction.bot.id,
        ephemeral_for=interaction.user if flags & EPHEMERAL else None,
    )


def _rewrite(call: Call, message: Message, payload: Json) -> None:
    content = edited_content(call, message, payload)
    apply_edit(message, payload)
    message.flags &= ~LOADING
    check_mentions(call, payload)
    if payload.get("flags") is not None or message.flags & SUPPRESS_EMBEDS:
        check_flags(call, message.flags)
    messages.rewrite(message, content, payload=payload)


def _callback_answer(interaction: Interaction, message: Message | None) -> Json:
    shown: Json = {"id": str(interaction.id), "type": interaction.kind}
    if message is None:
        return {"interaction": shown, "resource": {"type": interaction.callback_kind}}
    shown |= {
        "response_message_id": str(message.id),
        "response_message_loading": message.is_loading,
        "response_message_ephemeral": message.ephemeral_for is not None,
    }
    resource = {"type": interaction.callback_kind, "message": messages.read_by(message, interaction.bot)}
    return {"interaction": shown, "resource": resource}
