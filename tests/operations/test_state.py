from bot.observer import StepRecord
from bot.operations.pulse import GATEWAY_PATIENCE_SECONDS, Pulse
from bot.operations.state import State, Work


def test_the_line_says_what_runs_and_what_waits():
    now = 0.0
    pulse = Pulse(clock=lambda: now)
    state = State(pulse, clock=lambda: now)
    starting = state.line()

    snapshot = StepRecord(num_waiting=3, num_running=2, num_blocks=40, num_available_blocks=30, total_requests=9)
    state.work = Work(lambda: 2, lambda: 5, lambda: snapshot)
    now = 3 * 86_400 + 62.0
    pulse.note_gateway()
    state.note_session()
    now += 7
    running = state.line()
    now += GATEWAY_PATIENCE_SECONDS
    silent = state.line()

    assert starting == "up 0 s; still starting: the database is being opened or the model loaded"
    assert running == (
        "up 3 d 1 min 9 s; 2 questions being answered, 5 waiting; "
        "engine: 2 running, 3 waiting, 30 of 40 blocks free, 9 requests, 0 of them failed; "
        "Discord: 1 times ready, the gateway last heard 7 s ago"
    )
    assert "problem: nothing from Discord's gateway" in silent
