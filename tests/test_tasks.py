import asyncio
import logging

import pytest

from bot.errors import EngineFailed
from bot.tasks import in_background, keep_running


async def _forever() -> None:
    await asyncio.Event().wait()


async def test_failed_work_is_logged_with_its_name_and_begun_anew(caplog):
    failures = [ValueError("first"), KeyError("second")]
    pauses = []

    async def work():
        if failures:
            raise failures.pop(0)

    async def sleep(seconds):
        pauses.append(seconds)

    await keep_running("the sweeping", work, pauses_seconds=(1, 2), sleep=sleep)

    assert pauses == [1, 2]
    assert [record.getMessage() for record in caplog.records] == [
        "the sweeping failed; it begins anew in 1 s",
        "the sweeping failed; it begins anew in 2 s",
    ]
    assert all(record.exc_info for record in caplog.records)


async def test_pauses_grow_no_further_than_the_last_and_begin_small_after_long_health():
    now, pauses, lives = 0.0, [], [1, 1, 1, 1000, 1]

    async def work():
        nonlocal now
        if lives:
            now += lives.pop(0)
            raise OSError

    async def sleep(seconds):
        pauses.append(seconds)

    await keep_running("x", work, pauses_seconds=(1, 2), sleep=sleep, clock=lambda: now)

    assert pauses == [1, 2, 2, 1, 2]


async def test_a_fatal_failure_is_raised_instead():
    async def work():
        raise EngineFailed("lost")

    with pytest.raises(EngineFailed):
        await keep_running("x", work, fatal=(EngineFailed,))


async def test_work_that_is_cancelled_stays_cancelled():
    running = asyncio.create_task(keep_running("x", _forever))
    await asyncio.sleep(0)

    running.cancel()

    with pytest.raises(asyncio.CancelledError):
        await running


async def test_background_work_ends_with_its_block():
    ended = asyncio.Event()

    async def work():
        try:
            await _forever()
        finally:
            ended.set()

    async with in_background(work()):
        await asyncio.sleep(0)

    assert ended.is_set()


async def test_background_work_that_fails_ends_its_block_with_its_error():
    async def work():
        raise ValueError("of the work")

    with pytest.raises(ValueError, match="of the work"):
        async with in_background(work()):
            await _forever()

    assert not asyncio.current_task().cancelling()


async def test_background_work_that_returns_leaves_its_block_alone():
    async def work():
        return

    async with in_background(work()):
        await asyncio.sleep(0.01)


async def test_a_time_limit_inside_or_around_the_block_is_told_from_the_work():
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0), in_background(_forever()):
            await _forever()
    with pytest.raises(TimeoutError, match="mine"):
        async with in_background(_forever()):
            raise TimeoutError("mine")


async def test_a_block_that_is_cancelled_stays_cancelled():
    async def block():
        async with in_background(_forever()):
            await _forever()

    running = asyncio.create_task(block())
    await asyncio.sleep(0)
    running.cancel()

    with pytest.raises(asyncio.CancelledError):
        await running


async def test_work_that_fails_while_its_block_ends_is_logged(caplog):
    async def work():
        try:
            await _forever()
        finally:
            raise ValueError("late")

    async with in_background(work()):
        await asyncio.sleep(0)

    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "late" in str(record.exc_info[1])
