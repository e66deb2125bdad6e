"""What `Exchange.events` gives to whoever shows an answer: text as it comes, small lines apart, and how it ended."""

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
class Anew:
    """All that was said so far is void, and the answer begins anew with `text`.

    Without one the question was edited; with one, what followed it went round in a loop.
    """

    text: str = ""


@dataclass(frozen=True, slots=True)
class Finished:
    """The last event. `ABORTED` means that nothing was stored: a reset came, or a stop before anything was said."""

    reason: FinishReason


ReplyEvent = TextDelta | Notice | Anew | Finished
