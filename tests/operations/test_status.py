from dataclasses import replace

from bot.observer import StepRecord
from bot.operations.health import GATEWAY_SILENCE_LIMIT_SECONDS, Health
from bot.operations.status import Activity, Status


def test_the_line_says_what_runs_and_what_waits():
    now = 0.0
    health = Health(clock=lambda: now)
    status = Status(health, clock=lambda: now)
    starting = status.line()

    snapshot = StepRecord(num_waiting=3, num_running=2, num_blocks=40, num_available_blocks=30, total_requests=9)
    status.activity = Activity(lambda: 2, lambda: 5, lambda: snapshot)
    now = 3 * 86_400 + 62.0
    health.note_gateway()
    status.note_session()
    now += 7
    running = status.line()
    snapshot = replace(snapshot, is_asleep=True)
    asleep = status.line()
    now += GATEWAY_SILENCE_LIMIT_SECONDS
    silent = status.line()

    assert starting == "up 0 s; still starting: the database is being opened or the model loaded"
    assert running == (
        "up 3 d 1 min 9 s; 2 questions being answered, 5 waiting; "
        "engine: 2 running, 3 waiting, 30 of 40 blocks free, 9 requests, 0 of them failed; "
        "Discord: 1 times ready, the gateway last heard 7 s ago"
    )
    assert "engine: asleep, the card given back; 2 running" in asleep
    assert "problem: nothing from Discord's gateway" in silent
