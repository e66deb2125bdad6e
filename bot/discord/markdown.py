"""Text shown as it was written, where Discord would read some of it as markdown.

discord.py has the same, by a call that Python 3.13 warns of and a later one refuses.
"""

import re

_MARKUP = re.compile(
    r"(?P<kept>https?://[^\s<>]+)"  # an address is read whole, and works without the backslashes only
    r"|^(?P<indent>[ \t]*)(?P<block>[>#+-])"  # a quote, a heading, a list
    r"|(?P<mark>[\\*_~`|\[])",
    re.MULTILINE,
)


def escape_markdown(text: str) -> str:
    """Put a backslash before whatever would be read as markdown; addresses stay as they are."""
    return _MARKUP.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    if match["kept"]:
        return match["kept"]
    return f"{match['indent'] or ''}\\{match['block'] or match['mark']}"
