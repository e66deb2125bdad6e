"""The reader's end of a request, on the event loop: what the reader has not taken yet is merged into one delta."""

import asyncio

from bot.inference.engine import Delta


class Stream:
    """Deltas of one request, from the engine's thread (by way of the loop) to whoever iterates."""

    def __init__(self) -> None:
        self.is_over = False
        """The engine is done with the request: its last delta or its error has arrived."""
        self._deltas: list[Delta] = []
        self._error: Exception | None = None
        self._has_news = asyncio.Event()

    def push(self, delta: Delta) -> None:
        """Add a delta."""
        self._deltas.append(delta)
        self.is_over = delta.finish_reason is not None
        self._has_news.set()

    def fail(self, error: Exception) -> None:
        """End the stream with an error, after what has arrived; a stream that is over stays as it is."""
        if self.is_over:
            return
        self._error = error
        self.is_over = True
        self._has_news.set()

    async def take(self) -> Delta:
        """Everything since the last call, as one delta.

        Raises:
            TrinityError: whatever the stream failed with.
        """
        await self._has_news.wait()
        deltas, self._deltas = self._deltas, []
        if deltas:
            if not self._error:
                self._has_news.clear()
            return _merged(deltas)
        assert self._error is not None  # noqa: S101  (news is a delta or an error)
        raise self._error


def _merged(deltas: list[Delta]) -> Delta:
    if len(deltas) == 1:
        return deltas[0]
    token_ids = tuple(token_id for delta in deltas for token_id in delta.token_ids)
    counters = next((delta.counters for delta in reversed(deltas) if delta.counters), None)
    return Delta("".join(delta.text for delta in deltas), token_ids, deltas[-1].finish_reason, counters)
