import asyncio
from itertools import pairwise

import pytest

from bot.delivery.limits import Breaker, ClosedChannels, NoticeLimiter, Pacer, Urgency
from tests.discord.virtual_time import in_virtual_time, now


def test_requests_are_evenly_spaced():
    async def scenario():
        pacer, times = Pacer(requests_per_second=40), []

        async def request():
            await pacer.wait(Urgency.EDIT)
            times.append(now())

        await asyncio.gather(*(request() for _ in range(200)))
        return times

    times = in_virtual_time(scenario())

    assert all(later - earlier == pytest.approx(0.025) for earlier, later in pairwise(times))


def test_what_was_held_back_on_its_way_leaves_no_faster_than_discord_allows():
    async def scenario():
        pacer, times = Pacer(), []

        async def request():
            await pacer.leave()
            times.append(now())

        await asyncio.gather(*(request() for _ in range(120)))
        return times

    times = in_virtual_time(scenario())

    assert times == sorted(times)
    assert all(later - earlier >= 1.0 for earlier, later in zip(times, times[45:], strict=False))
    assert times[-1] < 3.0


def test_the_most_urgent_goes_first_and_equals_keep_their_order():
    async def scenario():
        pacer, order = Pacer(), []

        async def request(urgency, name):
            await pacer.wait(urgency)
            order.append(name)

        await pacer.wait(Urgency.FIRST)
        kinds = [
            (Urgency.LAST, "typing"),
            (Urgency.EDIT, "edit 1"),
            (Urgency.EDIT, "edit 2"),
            (Urgency.FIRST, "create"),
        ]
        await asyncio.gather(*(request(urgency, name) for urgency, name in kinds))
        return order

    assert in_virtual_time(scenario()) == ["create", "edit 1", "edit 2", "typing"]


def test_a_cancelled_request_takes_no_turn():
    async def scenario():
        pacer = Pacer(requests_per_second=1)
        await pacer.wait(Urgency.FIRST)
        waiting = [asyncio.ensure_future(pacer.wait(Urgency.EDIT)) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        waiting[1].cancel()
        await waiting[2]
        return now()

    assert in_virtual_time(scenario()) == pytest.approx(1.0)


def test_an_answer_to_a_command_counts():
    async def scenario():
        pacer = Pacer(requests_per_second=1)
        pacer.spend()
        pacer.spend()
        await pacer.wait(Urgency.FIRST)
        return now()

    assert in_virtual_time(scenario()) == pytest.approx(2.0)


def test_a_ban_lets_one_probe_through_per_half_minute():
    async def scenario():
        breaker, probes = Breaker(), []
        breaker.failed(is_ban=True)

        async def request():
            while True:
                await breaker.wait()
                probes.append(now())
                if now() > 100:
                    breaker.succeeded()
                    return
                breaker.failed(is_ban=True)

        await asyncio.gather(*(request() for _ in range(50)))
        return probes

    probes = in_virtual_time(scenario())

    assert probes[:4] == pytest.approx([30, 60, 90, 120])
    assert probes[4:] == pytest.approx([120] * 49)


def test_a_breaker_opens_after_several_failures_in_a_row_only():
    async def scenario():
        breaker = Breaker()
        for _ in range(20):
            for _ in range(Breaker.FAILURES_TO_OPEN - 1):
                breaker.failed()
            breaker.succeeded()
        was_open = breaker.is_open
        for _ in range(Breaker.FAILURES_TO_OPEN):
            breaker.failed()
        return was_open, breaker.is_open

    assert in_virtual_time(scenario()) == (False, True)


def test_a_refusing_channel_is_closed_for_a_while_and_longer_each_time():
    async def scenario():
        channels, closed_for = ClosedChannels(), []
        for _ in range(3):
            channels.close(1)
            began = now()
            while channels.is_closed(1):  # noqa: ASYNC110 - it is time that passes
                await asyncio.sleep(60)
            closed_for.append(now() - began)
        return closed_for, channels.is_closed(2)

    assert in_virtual_time(scenario()) == ([600, 1200, 2400], False)


def test_a_channel_opens_when_its_permissions_change():
    async def scenario():
        channels = ClosedChannels()
        channels.close(1)
        channels.reopen(1)
        return channels.is_closed(1)

    assert in_virtual_time(scenario()) is False


def test_refusals_everywhere_are_bounded_and_good_channels_stay_open():
    async def scenario():
        channels, num_refused = ClosedChannels(), 0
        channels.open(7)
        for minute in range(10):
            for channel_id in range(1000, 2000):
                if not channels.is_closed(channel_id):
                    num_refused += 1
                    channels.note_refusal(channel_id)
                    channels.close(channel_id)
            await asyncio.sleep(60 * (minute < 9))
        return num_refused, channels.is_closed(7)

    num_refused, is_good_one_closed = in_virtual_time(scenario())

    assert num_refused <= 100
    assert not is_good_one_closed


def test_one_notice_per_person_and_per_channel_in_a_while():
    async def scenario():
        limiter = NoticeLimiter(person_seconds=30, channel_seconds=5)
        shown = [limiter.allows(person_id=1, channel_id=1), limiter.allows(2, 1), limiter.allows(1, 2)]
        await asyncio.sleep(5)
        shown += [limiter.allows(2, 1), limiter.allows(1, 1)]
        await asyncio.sleep(25)
        shown += [limiter.allows(1, 1)]
        return shown, limiter.num_suppressed

    assert in_virtual_time(scenario()) == ([True, False, False, True, False, True], 3)


def test_notices_that_were_held_back_are_counted_for_the_log_once_a_minute():
    async def scenario():
        limiter, nums = NoticeLimiter(), []
        for _ in range(3):
            for _ in range(10):
                limiter.allows(1, 1)
            nums += [limiter.num_to_log(), limiter.num_to_log()]
            await asyncio.sleep(61)
        return nums

    assert in_virtual_time(scenario()) == [9, 0, 9, 0, 9, 0]
