import asyncio
import logging
import os
import signal

import pytest

from bot.operations.signals import STOP_SIGNALS, StopRequest, exit_when_signalled, handle_signals

ALL = (*STOP_SIGNALS, signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP)


@pytest.fixture(autouse=True)
def _signals_as_before():
    before = {number: signal.getsignal(number) for number in ALL}
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup hands an ignored one down
    yield
    for number, action in before.items():
        signal.signal(number, action)


@pytest.fixture
async def listening(caplog):
    """Listen, and return what was asked, how often systemd was told of a stop, and how often the settings were read."""
    caplog.set_level(logging.INFO)

    def start(*, is_at_terminal=False):
        stop_request, stops, reloads = StopRequest(), [], []
        handle_signals(
            stop_request,
            on_stopping=lambda: stops.append(1),
            on_reload=lambda: reloads.append(1),
            status=lambda: "as ever",
            is_at_terminal=is_at_terminal,
        )
        return stop_request, stops, reloads

    return start


async def _until(is_so):
    async with asyncio.timeout(30):
        while not is_so():  # noqa: ASYNC110 - a log line sets no event
            await asyncio.sleep(0)


@pytest.mark.parametrize("number", STOP_SIGNALS)
async def test_a_signal_to_stop_lets_answers_finish_and_the_next_one_ends_at_once(listening, number):
    stop_request, stops, _ = listening()

    os.kill(os.getpid(), number)
    await asyncio.wait_for(stop_request.stop.wait(), 30)

    assert stop_request.signalled.is_set()
    assert stops == [1]
    assert {signal.getsignal(each) for each in STOP_SIGNALS} == {signal.SIG_DFL}


async def test_a_hang_up_has_the_settings_read_anew_and_ends_nothing(listening):
    stop_request, stops, reloads = listening()

    os.kill(os.getpid(), signal.SIGHUP)
    await _until(lambda: reloads)

    assert not stop_request.signalled.is_set()
    assert stops == []


async def test_a_hang_up_while_it_stops_changes_nothing(listening, caplog):
    _, stops, reloads = listening()

    os.kill(os.getpid(), signal.SIGTERM)
    await _until(lambda: stops)
    os.kill(os.getpid(), signal.SIGHUP)
    await _until(lambda: "stopping already" in caplog.text)

    assert (stops, reloads) == ([1], [])


async def test_the_hang_up_of_a_terminal_is_a_stop(listening):
    stop_request, stops, _ = listening(is_at_terminal=True)

    os.kill(os.getpid(), signal.SIGHUP)
    await asyncio.wait_for(stop_request.stop.wait(), 30)

    assert stops == [1]


@pytest.mark.parametrize("is_at_terminal", [True, False])
async def test_the_signal_to_reload_ends_nothing_even_at_a_terminal_or_under_nohup(listening, is_at_terminal):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    stop_request, _, reloads = listening(is_at_terminal=is_at_terminal)

    os.kill(os.getpid(), signal.SIGUSR2)
    await _until(lambda: reloads)

    assert not stop_request.signalled.is_set()


async def test_a_hang_up_that_nohup_ignores_stays_ignored(listening):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

    stop_request, _, _ = listening()
    os.kill(os.getpid(), signal.SIGHUP)
    await asyncio.sleep(0.05)

    assert not stop_request.signalled.is_set()


async def test_a_question_for_the_state_is_answered_in_the_log(listening, caplog):
    stop_request, _, _ = listening()

    os.kill(os.getpid(), signal.SIGUSR1)
    await _until(lambda: "how I am: as ever" in caplog.text)

    assert not stop_request.signalled.is_set()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP])
def test_before_there_is_a_loop_a_signal_ends_quietly(number):
    signal.signal(number, signal.SIG_DFL)
    exit_when_signalled(is_at_terminal=True)

    with pytest.raises(SystemExit) as ended:
        os.kill(os.getpid(), number)

    assert ended.value.code == 0


def test_a_reload_that_comes_before_there_is_a_loop_ends_nothing(caplog):
    exit_when_signalled(is_at_terminal=False)

    signal.raise_signal(signal.SIGHUP)

    assert "I'm only starting" in caplog.text
