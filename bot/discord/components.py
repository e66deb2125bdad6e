"""What buttons look like on the wire. All that a click says is the custom id: it names the answer, so any process can
follow it, also one that has never seen the message.
"""

import re
from typing import Any

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

    discord.py is never told of the view: it only writes it down.
    """
    if not buttons:
        return None
    view = discord.ui.View(timeout=None)
    for button in buttons:
        label = _LABELS[button.kind].to(language)
        view.add_item(discord.ui.Button(label=label, custom_id=custom_id_of(button)))
    return view


def buttons_below(message: Any) -> tuple[Button, ...]:
    """The buttons of a raw message that are known."""
    rows = message.get("components") or ()
    items = [item for row in rows for item in row.get("components") or ()]
    buttons = (button_of(item.get("custom_id") or "") for item in items)
    return tuple(button for button in buttons if button is not None)
