"""Server-sent events: what a server streams, as the data of one event after the other (HTML Standard, section 9.2)."""

from codecs import BOM_UTF8
from collections.abc import AsyncGenerator, AsyncIterable

MAX_EVENT_BYTES = 1 << 20
"""Of one event; a piece of an answer is a few hundred."""
END_OF_STREAM = "[DONE]"
"""What most servers send last; some never do."""


class UnreadableStream(Exception):
    """What the server sends isn't a stream of events."""


async def read_events(chunks: AsyncIterable[bytes]) -> AsyncGenerator[str, None]:
    """The data of each event, which a blank line or the stream ends. Comments, and other fields, are passed over.

    A line of JSON that belongs to no event counts as one: servers answer with an error in place of a stream, or in it.

    Raises:
        UnreadableStream: an event is longer than `MAX_EVENT_BYTES`, or isn't UTF-8.
    """
    rest, data, is_first = b"", list[bytes](), True
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            text = line.removesuffix(b"\r")
            text, is_first = (text.removeprefix(BOM_UTF8) if is_first else text), False
            if text.startswith(b"{"):
                yield _decoded(text)
            elif text.startswith(b"data:"):
                data.append(text[5:].removeprefix(b" "))
            elif not text and data:
                yield _decoded(b"\n".join(data))
                data = []
        if len(rest) + sum(map(len, data)) > MAX_EVENT_BYTES:
            raise UnreadableStream("one event of it is longer than any piece of an answer")
    if data:  # the standard drops it, since it may be cut; here it has to be whole JSON, and may be an answer's end
        yield _decoded(b"\n".join(data))
    if rest.startswith(b"{"):
        yield _decoded(rest)


def _decoded(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise UnreadableStream("what it sends is no UTF-8") from None
