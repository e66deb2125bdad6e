"""Whether code or a spoiler that began in a text is still open at its end."""

import re

from bot.conversation.markup import code_stretches

# Discord takes what follows an empty block for its content, if it is closed once more.
_EMPTY_BLOCK = re.compile(r"```[A-Za-z0-9_+\-.#]+\n+```")


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
            # A block that has ended has a line's end behind it.
            if end == len(text) or _EMPTY_BLOCK.fullmatch(text, start, end):
                return False
            outside += text[place:start]
            place = end
        outside += text[place:]
        if "`" in outside or outside.count("||") % 2:
            return False
        self._pieces.clear()
        return True
