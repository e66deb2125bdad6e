import asyncio

from bot.operations.pulse import GATEWAY_PATIENCE_SECONDS, Pulse, feed_watchdog


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_what_is_still_being_opened_is_no_problem():
    clock = Clock()
    pulse = Pulse(clock)

    clock.now += 100 * GATEWAY_PATIENCE_SECONDS

    assert pulse.problem is None


def test_a_lost_engine_is_a_problem():
    lost = asyncio.Event()
    pulse = Pulse()
    pulse.watch_engine(lost.is_set)

    before = pulse.problem
    lost.set()

    assert before is None
    assert pulse.problem == "the engine is lost"


def test_a_gateway_that_fell_silent_is_a_problem_until_it_moves_again():
    clock = Clock()
    pulse = Pulse(clock)
    pulse.note_gateway()

    clock.now += GATEWAY_PATIENCE_SECONDS + 1
    silent = pulse.problem
    pulse.note_gateway()

    assert "Discord's gateway" in silent
    assert pulse.problem is None


async def test_systemd_is_told_only_while_everything_moves():
    lost, told, is_told_often = asyncio.Event(), [], asyncio.Event()
    pulse = Pulse()
    pulse.watch_engine(lost.is_set)

    def notify(state):
        told.append(state)
        if len(told) == 3:
            is_told_often.set()

    feeding = asyncio.create_task(feed_watchdog(pulse, 0.001, notify))
    await is_told_often.wait()
    lost.set()
    await asyncio.sleep(0.02)
    feeding.cancel()

    assert told == ["WATCHDOG=1"] * 3
