"""Forms, which Discord calls modals. Like a button, a form carries in its custom id what it is about, so that it can be
sent to another process than the one that opened it; discord.py, which would keep each in memory, is told of none.
"""

from collections.abc import Iterator
from typing import Any

import discord

from bot.discord.command_replies import ReplyFile
from bot.discord.interaction_requests import respond

_PREFIX = "form:"


def form_id(kind: str, subject: str = "") -> str:
    """The custom id of a form: what kind it is, and what it is about."""
    return f"{_PREFIX}{kind}:{subject}"


def sent_form(interaction: discord.Interaction[Any]) -> tuple[str, str] | None:
    """The kind of the form that was sent, and what it is about; None where an interaction is none of ours."""
    data: Any = interaction.data
    if interaction.type is not discord.InteractionType.modal_submit or not isinstance(data, dict):
        return None
    custom_id = str(data.get("custom_id"))
    if not custom_id.startswith(_PREFIX):
        return None
    kind, _, subject = custom_id.removeprefix(_PREFIX).partition(":")
    return kind, subject


def written_in(interaction: discord.Interaction[Any]) -> dict[str, str]:
    """What was written into the fields of a form, by their custom ids."""
    return {str(field["custom_id"]): str(field.get("value") or "") for field in _fields_in(interaction.data)}


def written_text(interaction: discord.Interaction[Any]) -> ReplyFile | None:
    """All that was written into a form, to give it back; None where that is nothing."""
    text = "\n\n".join(filter(None, written_in(interaction).values()))
    return ReplyFile("my-text.txt", text) if text else None


async def open_form(interaction: discord.Interaction[Any], form: discord.ui.Modal) -> None:
    """Show a form, as the answer to an interaction.

    Raises:
        DiscordError, discord.DiscordException: Discord doesn't show it.
    """
    form.stop()  # one that isn't stopped would be kept by discord.py
    await respond(interaction, lambda: interaction.response.send_modal(form))


def _fields_in(part: Any) -> Iterator[dict[str, Any]]:
    """The fields of a form, in rows or below labels."""
    if not isinstance(part, dict):
        return
    if "value" in part and "custom_id" in part:
        yield part
    inner = part.get("components")
    for each in [*(inner if isinstance(inner, list) else ()), part.get("component")]:
        yield from _fields_in(each)
