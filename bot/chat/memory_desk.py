"""What the bot remembers of a conversation, for the people in it: what the next prompt holds, and a copy to keep."""

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.chat.answer import AnswerWriter
from bot.conversation.channel_settings import RECALL, SUMMARY, WINDOW
from bot.conversation.messages import ConversationKey
from bot.conversation.pins import Pin
from bot.conversation.window import WindowUse
from bot.store.rows.history import History
from bot.store.rows.transcripts import SaidTurn
from bot.words import Phrase, phrase

MAX_EXPORT_BYTES = 4 * 2**20
"""A copy holds so much of the newest: Discord takes files of 10 MB, and JSON in the terminal stays readable."""

_MODES = {
    RECALL: phrase("context_mode_recall"),
    SUMMARY: phrase("context_mode_summary"),
    WINDOW: phrase("context_mode_window"),
}


@dataclass(frozen=True, slots=True)
class ContextView:
    """What the bot will see next in a conversation."""

    use: WindowUse
    num_answer_tokens: int
    """What is kept free for the answer."""
    num_window_tokens: int
    """All together."""
    oldest: SaidTurn | None
    """The oldest turn in the next prompt; None where there is none."""
    was_trimmed: bool
    """Whether something older was said that it will not see."""
    mode: Phrase
    """What becomes of that."""
    num_pins: int = 0
    """How many facts people asked to be kept in mind."""


@dataclass(frozen=True, slots=True)
class Copy:
    """What was said and pinned, as a text; `is_whole` is False where the oldest turns didn't fit."""

    text: str
    num_turns: int
    is_whole: bool
    num_pins: int = 0


class MemoryDesk:
    """Shows what is remembered; changes nothing."""

    def __init__(self, history: History, writer: AnswerWriter) -> None:
        self._history = history
        self._transcripts = history.transcripts
        self._writer = writer

    async def context(self, key: ConversationKey, person_id: int, person_name: str) -> ContextView:
        """What the bot would see if this person asked something now."""
        conversation = await self._history.load(key)
        use, budget = await self._writer.measure(conversation, person_id, person_name)
        oldest = await self._transcripts.turn(key, use.turn_ids[0]) if use.turn_ids else None
        return ContextView(
            use=use,
            num_answer_tokens=budget.max_new_tokens,
            num_window_tokens=budget.num_prompt_tokens + budget.max_new_tokens,
            oldest=oldest,
            was_trimmed=use.was_trimmed or conversation.is_trim_announced,
            mode=_MODES[conversation.settings.memory],
            num_pins=len(conversation.pins),
        )

    async def copy(self, key: ConversationKey, *, as_json: bool) -> Copy:
        """All that is remembered of a conversation, the pins and the oldest turns first, as Markdown or as JSON."""
        pins = await self._history.pins.of(key)
        return await copied(self._transcripts.newest_first(key), pins, as_json=as_json)


async def copied(
    newest_first: AsyncIterator[SaidTurn],
    pins: Sequence[Pin] = (),
    *,
    as_json: bool,
    max_bytes: int = MAX_EXPORT_BYTES,
) -> Copy:
    """Pins, and turns with the oldest first, as a text: as many of the newest turns as fit, but one at least."""
    entries: list[str] = []
    pinned = [_pin_json(pin) if as_json else _pin_markdown(pin) for pin in pins]
    num_bytes, is_whole = sum(len(entry.encode("utf-8", "replace")) for entry in pinned), True
    async for turn in newest_first:
        entry = json.dumps(_record(turn), ensure_ascii=False, indent=2) if as_json else _markdown(turn)
        num_bytes += len(entry.encode("utf-8", "replace"))
        if num_bytes > max_bytes and entries:
            is_whole = False
            break
        entries.append(entry)
    num_turns = len(entries)
    entries = [*pinned, *reversed(entries)]
    text = "[\n" + ",\n".join(entries) + "\n]\n" if as_json else "\n".join(entries)
    return Copy(text, num_turns, is_whole, len(pinned))


def pin_record(pin: Pin) -> dict[str, object]:
    """A pin in JSON."""
    return {
        "pinned_at": _iso(pin.pinned_at),
        "number": pin.number,
        "author_id": str(pin.author_id),
        "author": pin.author_name,
        "pinned": pin.content,
    }


def _pin_json(pin: Pin) -> str:
    return json.dumps(pin_record(pin), ensure_ascii=False, indent=2)


def _pin_markdown(pin: Pin) -> str:
    return f"**{pin.author_name}** · {_iso(pin.pinned_at)} · pinned, {pin.number}\n\n{pin.content}\n\n---\n"


def _record(turn: SaidTurn) -> dict[str, object]:
    return {
        "asked_at": _iso(turn.asked_at),
        "message_id": str(turn.message_id),
        "author_id": str(turn.author_id),
        "author": turn.author_name,
        "question": turn.question,
        "answered_at": _iso(turn.answered_at),
        "persona": turn.persona,
        "answer": turn.answer,
    }


def _markdown(turn: SaidTurn) -> str:
    who = turn.persona or "Trinity"
    return (
        f"**{turn.author_name}** · {_iso(turn.asked_at)}\n\n{turn.question}\n\n"
        f"**{who}** · {_iso(turn.answered_at)}\n\n{turn.answer}\n\n---\n"
    )


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
