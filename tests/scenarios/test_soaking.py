"""Hours of ordinary life with faults in it: nothing is lost, and nothing grows."""

import asyncio
import os
import random
import time
from pathlib import Path
from statistics import mean
from typing import NamedTuple

import pytest

from tests.loopback import LoopbackDiscord, RateLimited, Reset, Status
from tests.scenarios.gauges import Reading
from tests.scenarios.processes import open_echo_daemon
from tests.scenarios.verdicts import report, require_all

SEED = 20261122
SOAK_SECONDS = float(os.environ.get("SOAK_SECONDS", "300"))
FAULTS = [
    *(Status(status, after_effect=after) for status in (500, 502, 503) for after in (False, True)),
    *(Reset(after_effect=after) for after in (False, True)),
    RateLimited(0.5),
]
FAULT_RATE = 0.01


class Soak(NamedTuple):
    seconds: float
    turns_per_second: float
    is_measured: bool


@pytest.mark.parametrize(
    "soak",
    [
        pytest.param(Soak(2.0, 6.0, is_measured=False), id="short"),
        pytest.param(Soak(SOAK_SECONDS, 1.0, is_measured=True), id="long", marks=pytest.mark.soak),
    ],
)
async def test_a_long_run_with_faults_loses_nothing_and_grows_in_nothing(
    server: LoopbackDiscord, tmp_path: Path, soak: Soak
) -> None:
    chance, readings, num_drops = random.Random(SEED), [], 0
    for number, fault in enumerate(FAULTS):
        for route in ("/channels/*/messages", "/channels/*/messages/*"):
            server.faults.add(fault, route=route, probability=FAULT_RATE / len(FAULTS), seed=SEED + number)
    num_turns = round(soak.seconds * soak.turns_per_second)
    lively = {"num_words": (5, 40, 300), "seconds_per_word": 0.002, "failure_rate": FAULT_RATE, "seed": SEED}
    async with open_echo_daemon(server, tmp_path, anew=True, **lively) as daemon:
        began_at = time.monotonic()
        for number in range(num_turns):
            channel = server.channel(f"channel-{chance.randrange(8)}")
            await server.person(f"Person {chance.randrange(40)}").says(channel, f"question {number}", mention=True)
            if chance.random() < FAULT_RATE:
                server.gateway.abort()
                num_drops += 1
            await asyncio.sleep(max(0, began_at + (number + 1) / soak.turns_per_second - time.monotonic()))
            if daemon.has_gauges:
                readings.append(daemon.gauges())
        await daemon.settled(num_turns, 300)
        assert daemon.num_starts == 1
        assert await daemon.stop() == 0

    verdict = require_all(server, daemon.database, turns=num_turns)
    early, late = quarter(readings, 1), quarter(readings, 3)
    growth = (late.resident_mib - early.resident_mib) / (num_turns / 2) * 100
    report(
        "soak", seed=SEED, seconds=round(soak.seconds), turns=verdict.num_turns, replies=verdict.num_replies,
        notices=verdict.num_notices, requests=len(server.journal.calls),
        failed_requests=sum(fault.num_hits for fault in server.faults.planned), drops=num_drops,
        resident_mib=f"{early.resident_mib:.1f} -> {late.resident_mib:.1f}",
        growth_per_100_turns=f"{growth:.2f} MiB", files=f"{early.num_files} -> {late.num_files}",
        threads=f"{early.num_threads} -> {late.num_threads}", tasks=f"{early.num_tasks} -> {late.num_tasks}",
        max_lag_ms=round(late.max_lag_seconds * 1000), lost=0, doubled=0,
    )  # fmt: skip
    assert "never retrieved" not in daemon.log
    assert verdict.num_replies + verdict.num_notices == num_turns
    if soak.is_measured:
        assert all(fault.num_matches for fault in server.faults.planned)
        assert sum(fault.num_hits for fault in server.faults.planned) > 0
        # In the first minutes the channels' conversations still fill up; an hour has no such excuse.
        assert growth < (1.0 if soak.seconds >= 1800 else 2.0)
        assert late.num_files <= early.num_files + 2
        assert late.num_threads <= early.num_threads


def quarter(readings: list[Reading], number: int) -> Reading:
    """A quarter of a run: the mean of its memory, and the most of everything else."""
    size = max(1, len(readings) // 4)
    part = readings[number * size : (number + 1) * size] or readings[-1:]
    return Reading(
        resident_mib=mean(reading.resident_mib for reading in part),
        num_files=max(reading.num_files for reading in part),
        num_threads=max(reading.num_threads for reading in part),
        num_tasks=max(reading.num_tasks for reading in part),
        max_lag_seconds=max(reading.max_lag_seconds for reading in part),
    )
