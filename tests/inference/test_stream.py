"""What a reader gets who comes late."""

import pytest

from bot.errors import RequestFailed
from bot.inference.engine import Counters, Delta, FinishReason
from bot.inference.local import Stream


async def test_what_was_not_taken_comes_as_one_delta() -> None:
    stream, counters = Stream(), Counters(num_new_tokens=3)
    stream.push(Delta("a", (1,)))
    stream.push(Delta("", (2,)))
    stream.push(Delta("b", (3,), FinishReason.STOP, counters))

    assert await stream.take() == Delta("ab", (1, 2, 3), FinishReason.STOP, counters)
    assert stream.is_over


async def test_error_comes_after_what_arrived_before_it() -> None:
    stream = Stream()
    stream.push(Delta("a", (1,)))
    stream.fail(RequestFailed("broken"))

    assert await stream.take() == Delta("a", (1,))
    with pytest.raises(RequestFailed, match="broken"):
        await stream.take()


async def test_stream_that_is_over_does_not_fail_any_more() -> None:
    stream, last = Stream(), Delta("a", (1,), FinishReason.LENGTH)
    stream.push(last)

    stream.fail(RequestFailed())

    assert await stream.take() == last


async def test_first_error_stays() -> None:
    stream = Stream()
    stream.fail(RequestFailed("first"))
    stream.fail(RequestFailed("second"))

    with pytest.raises(RequestFailed, match="first"):
        await stream.take()
