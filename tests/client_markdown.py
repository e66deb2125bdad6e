"""What Discord's client shows as code, by its own patterns rather than by ours."""

import re

# An open block counts to the end, since it is closed when the message is sent.
_CODE = re.compile(
    r"\\[\\`]"
    r"|(?P<code>```(?:(?:[a-z0-9_+\-.#]+?\n)?\n*[^\n].*?\n*```|.*)|(?P<ticks>`+).*?[^`](?P=ticks)(?!`))",
    re.DOTALL | re.IGNORECASE,
)

_EMPTY = re.compile(r"```(?:[a-z0-9_+\-.#]*\n)?\n*(?:```|\Z)", re.IGNORECASE)


def outside_code(text: str) -> str:
    """`text` with a single backtick in place of each code block and inline code."""
    return _CODE.sub(lambda match: "`" if match["code"] else match[0], text)


def has_fence_in_inline_code(text: str) -> bool:
    """Whether three backticks stand in code that one or two backticks began."""
    return any("```" in match["code"] for match in _CODE.finditer(text) if match["ticks"])


def has_open_block(text: str) -> bool:
    """Whether a code block of `text` is never closed; one that holds nothing is none for Discord."""
    blocks = [match["code"] for match in _CODE.finditer(text) if match["code"] and match["code"].startswith("```")]
    return any(not block.endswith("```") and not _EMPTY.match(block) for block in blocks)
