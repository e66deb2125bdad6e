"""Server-sent events: what a server streams, as the data of one event after the other (HTML Standard, section 9.2)."""

from collections.abc import AsyncGenerator, AsyncIterable

MAX_EVENT_BYTES = 1 << 20
"""Of one event; a piece of an answer is a few hundred."""
END_OF_STREAM = "[DONE]"
"""What most servers send last; some never do."""


class UnreadableStream(Exception):
    """What the server sends isn't a stream of events."""


async def read_events(chunks: AsyncIterable[bytes]) -> AsyncGenerator[str, None]:
    """The data of each event, which a blank line or the stream ends. Comments, and other fields, are passed over.

    Raises:
        UnreadableStream: an event is longer than `MAX_EVENT_BYTES`, or isn't UTF-8.
    """
    rest, data = b"", list[bytes]()
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            text = line.removesuffix(b"\r")
            if text.startswith(b"data:"):
                data.append(text[5:].removeprefix(b" "))
            elif not text and data:
                yield _decoded(b"\n".join(data))
                data = []
        if len(rest) + sum(map(len, data)) > MAX_EVENT_BYTES:
            raise UnreadableStream("one event of it is longer than any piece of an answer")
    if data:  # the standard drops it, since it may be cut; here it has to be whole JSON, and may be an answer's end
        yield _decoded(b"\n".join(data))


def _decoded(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise UnreadableStream("what it sends is no UTF-8") from None
