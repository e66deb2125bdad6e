"""What somebody else wrote, as it stands in a question about it: under its author's name, each line marked.

So no line of it passes for a line of the conversation, and whose words they are is plain.
"""

from bot.conversation.sanitize import DEFAULT_OWN_NAME, FALLBACK_NAME, MAX_NAME_LENGTH, repair, speaker_name

LONGEST = 4000
"""Characters of a message that is asked about; Discord allows as many."""


def quoted(author_name: str, text: str, *, longest: int = LONGEST, is_own: bool = False) -> str:
    """A message as a quotation; one of the bot's own (`is_own`) is given in its own name."""
    opening = f"{DEFAULT_OWN_NAME} wrote:" if is_own else opening_of(author_name)
    text = repair(text).strip()
    if len(text) > longest:
        text = text[: longest - 1].rstrip() + "…"
    lines = "\n".join(f"> {line}".rstrip() for line in text.splitlines())
    return f"{opening}\n{lines}"


def in_marks(text: str, longest: int | None = None) -> str:
    """A text as one line in quotation marks, which nothing in it ends; the rest of a longer one is left out."""
    text = " ".join(repair(text).split())
    if longest is not None and len(text) > longest:
        text = text[: longest - 1].rstrip() + "…"
    return f"“{text.replace('“', chr(34)).replace('”', chr(34))}”"


def opening_of(author_name: str) -> str:
    """The line above what somebody of that name wrote, who can't have the bot's."""
    return f"{speaker_name(author_name)[:MAX_NAME_LENGTH] or FALLBACK_NAME} wrote:"
