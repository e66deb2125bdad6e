"""What `Chat.reply` tells the edge that shows an answer: text as it comes, small lines apart, and how it ended."""

from dataclasses import dataclass

from bot.inference.engine import FinishReason


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of the answer, already made safe to show; all pieces joined are the stored answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Notice:
    """A small line about the conversation itself. It is shown apart and never enters the history."""

    text: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The last event. `ABORTED` means that a reset or a deleted question stopped the answer: it was not stored."""

    reason: FinishReason


ReplyEvent = TextDelta | Notice | Finished
