import asyncio

from bot.operations.health import GATEWAY_SILENCE_LIMIT_SECONDS, Health, feed_watchdog


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_what_is_still_being_opened_is_no_problem():
    clock = Clock()
    health = Health(clock)

    clock.now += 100 * GATEWAY_SILENCE_LIMIT_SECONDS

    assert health.problem is None


def test_a_lost_engine_is_a_problem():
    lost = asyncio.Event()
    health = Health()
    health.watch_engine(lost.is_set)

    before = health.problem
    lost.set()

    assert before is None
    assert health.problem == "the engine is lost"


def test_a_gateway_that_fell_silent_is_a_problem_until_it_moves_again():
    clock = Clock()
    health = Health(clock)
    health.note_gateway()

    clock.now += GATEWAY_SILENCE_LIMIT_SECONDS + 1
    silent = health.problem
    health.note_gateway()

    assert "Discord's gateway" in silent
    assert health.problem is None


async def test_systemd_is_told_only_while_everything_moves():
    lost, sent, is_sent_often = asyncio.Event(), [], asyncio.Event()
    health = Health()
    health.watch_engine(lost.is_set)

    def notify(state):
        sent.append(state)
        if len(sent) == 3:
            is_sent_often.set()

    feeding = asyncio.create_task(feed_watchdog(health, 0.001, notify))
    await is_sent_often.wait()
    lost.set()
    await asyncio.sleep(0.02)
    feeding.cancel()

    assert sent == ["WATCHDOG=1"] * 3
