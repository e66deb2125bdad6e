"""Whether code or a spoiler that began in a text is still open at its end."""

from bot.conversation.markup import code_stretches


class OpenMarkup:
    """Follows a text line by line; it keeps what came since the last place at which nothing was open."""

    def __init__(self) -> None:
        self._pieces: list[str] = []

    def note(self, text: str) -> str:
        """Take text; gives it back."""
        self._pieces.append(text)
        return text

    def is_nothing_open(self) -> bool:
        """Whether neither code nor a spoiler goes on at the end, where a line begins."""
        text, place, outside = "".join(self._pieces), 0, ""
        for start, end in code_stretches(text):
            if end == len(text):  # a block that has ended has a line's end behind it
                return False
            outside += text[place:start]
            place = end
        outside += text[place:]
        if "`" in outside or outside.count("||") % 2:
            return False
        self._pieces.clear()
        return True
