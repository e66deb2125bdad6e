"""What buttons look like on the wire. All that a click says is the custom id: it names the answer, or the act, so any
process can follow it, also one that has never seen the message.
"""

import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Any, NamedTuple

import discord

from bot.delivery.transport import Button, ButtonKind
from bot.words import phrase

_PREFIX = "turn:"
_CUSTOM_ID = re.compile(r"turn:(stop|again|continue):([1-9][0-9]{0,18}):(0|[1-9][0-9]{0,8})", re.ASCII)
_LABELS = {
    ButtonKind.STOP: phrase("button_stop"),
    ButtonKind.AGAIN: phrase("button_again"),
    ButtonKind.CONTINUE: phrase("button_continue"),
}
_REPLY_PREFIX = "reply:"
_REPLY_ID = re.compile(r"reply:(undo|erase|keep):(0|[1-9][0-9]{0,18}):(0|[1-9][0-9]{0,18})", re.ASCII)


class ReplyButtonKind(StrEnum):
    """What a button below the reply to a command does."""

    UNDO = "undo"
    """Bring back what a reset hid."""
    ERASE = "erase"
    KEEP = "keep"


class ReplyButton(NamedTuple):
    """A button below the reply to a command."""

    kind: ReplyButtonKind
    person_id: int = 0
    """Whose conversation, or words, it is about; 0 for a conversation that all share."""
    act_id: int = 0
    """Which act it takes back: the moment of the reset, in microseconds; 0 where it takes nothing back."""


_REPLY_LABELS = {
    ReplyButtonKind.UNDO: phrase("button_undo"),
    ReplyButtonKind.ERASE: phrase("button_erase"),
    ReplyButtonKind.KEEP: phrase("button_keep"),
}


def custom_id_of(button: Button) -> str:
    """The custom id of a button; Discord allows 100 characters."""
    return f"{_PREFIX}{button.kind}:{button.question_id}:{button.generation}"


def is_answer_button(custom_id: str) -> bool:
    """Whether a click on this is one on a button below an answer, of whatever version of the bot."""
    return custom_id.startswith(_PREFIX)


def button_of(custom_id: str) -> Button | None:
    """The button with this custom id; None where it is no button of this version."""
    match = _CUSTOM_ID.fullmatch(custom_id)
    return None if match is None else Button(ButtonKind(match[1]), int(match[2]), int(match[3]))


def view_of(buttons: tuple[Button, ...], language: str) -> discord.ui.View | None:
    """The buttons in a row, with labels in a language; None where there are none.

    discord.py only writes the view down and keeps none of it.
    """
    return _row(
        discord.ui.Button(label=_LABELS[each.kind].to(language), custom_id=custom_id_of(each)) for each in buttons
    )


def is_reply_button(custom_id: str) -> bool:
    """Whether a click on this is one on a button below the reply to a command, of whatever version of the bot."""
    return custom_id.startswith(_REPLY_PREFIX)


def reply_button_of(custom_id: str) -> ReplyButton | None:
    """The button with this custom id; None where it is none of this version's."""
    match = _REPLY_ID.fullmatch(custom_id)
    return None if match is None else ReplyButton(ReplyButtonKind(match[1]), int(match[2]), int(match[3]))


def view_of_reply(buttons: tuple[ReplyButton, ...], language: object) -> discord.ui.View | None:
    """As `view_of`, for the reply to a command."""
    return _row(
        discord.ui.Button(
            label=_REPLY_LABELS[each.kind].to(language),
            custom_id=f"{_REPLY_PREFIX}{each.kind}:{each.person_id}:{each.act_id}",
            style=discord.ButtonStyle.danger if each.kind is ReplyButtonKind.ERASE else discord.ButtonStyle.secondary,
        )
        for each in buttons
    )


def _row(buttons: Iterable["discord.ui.Button[discord.ui.View]"]) -> discord.ui.View | None:
    view = discord.ui.View(timeout=None)
    for button in buttons:
        view.add_item(button)
    view.stop()  # one that isn't stopped would be kept by discord.py for as long as the process lives
    return view if view.children else None


def buttons_below(message: Any) -> tuple[Button, ...]:
    """The buttons of a raw message that are known."""
    rows = message.get("components") or ()
    items = [item for row in rows for item in row.get("components") or ()]
    buttons = (button_of(item.get("custom_id") or "") for item in items)
    return tuple(button for button in buttons if button is not None)
