"""The power goes: what was acknowledged is on the disk, and what the disk holds is a whole database."""

import os
import random
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.store.files.database import open_database
from tests.preload import build_preload
from tests.store.diarist import STEPS_PER_TURN
from tests.store.disk_trace import Act, Unsynced, leave_after_power_cut, read_trace

SEED = 20261122
ROOT = Path(__file__).parents[3]
STEPS_DONE = """
    SELECT message_id, CASE WHEN state = 'received' THEN 1 WHEN state = 'answered' THEN 4
                            WHEN turn_id IS NULL THEN 2 ELSE 3 END
    FROM inbox WHERE message_id < 1000 ORDER BY message_id
"""


@dataclass
class Day:
    """What the process did to its disk, and how long each of its steps took."""

    acts: list[Act]
    seconds: list[float]

    @property
    def acknowledged(self) -> list[int]:
        """Where in `acts` each step was acknowledged."""
        return [place for place, act in enumerate(self.acts) if act.kind == "w" and act.name == "diary"]


def live_through(folder: Path, num_turns: int) -> Day:
    home, trace = folder / "home", folder / "trace"
    home.mkdir()
    library = build_preload(Path(__file__).with_name("trace_writes.c"), folder)
    environ = {
        "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "LD_PRELOAD": str(library),
        "TRACED_FOLDER": str(home), "TRACE_FILE": str(trace),
    }  # fmt: skip
    command = [sys.executable, "-W", "ignore", "-m", "tests.store.diarist", str(home), str(num_turns)]
    subprocess.run(command, env=environ, check=True, timeout=600)
    seconds = [float(line.split()[1]) for line in (home / "diary").read_text().splitlines()]
    return Day(read_trace(trace), seconds)


@pytest.mark.parametrize(("num_turns", "num_cuts"), [(30, 12), pytest.param(200, 600, marks=pytest.mark.soak)], ids=str)
async def test_whenever_the_power_goes_every_acknowledged_step_is_on_the_disk(
    tmp_path: Path, num_turns: int, num_cuts: int
) -> None:
    chance = random.Random(SEED)
    day = live_through(tmp_path, num_turns)
    acknowledged = day.acknowledged
    assert len(acknowledged) == num_turns * STEPS_PER_TURN

    cuts = sorted(chance.randrange(len(day.acts)) for _ in range(num_cuts))
    for number, cut in enumerate(cuts):
        disk = tmp_path / f"disk-{number}"
        disk.mkdir()
        kind = list(Unsynced)[number % len(Unsynced)]
        leave_after_power_cut(day.acts[:cut], disk, kind, chance, without=("diary", "-shm", ".lock"))
        num_acknowledged = sum(place < cut for place in acknowledged)
        num_there = await recover(disk)
        assert num_acknowledged <= num_there <= num_acknowledged + 1, (cut, kind)

    num_syncs = sum(act.kind == "s" and act.name.endswith("-wal") for act in day.acts[acknowledged[0] :]) + 1
    in_order = sorted(day.seconds)
    print(
        f"\npower cuts: seed {SEED}, turns {num_turns}, cuts {num_cuts}, commits {len(acknowledged)}, "
        f"syncs of the log {num_syncs}, lost 0, integrity ok, a commit "
        f"{in_order[len(in_order) // 2] * 1000:.1f} ms (p99 {in_order[int(len(in_order) * 0.99)] * 1000:.1f} ms)"
    )
    assert num_syncs >= len(acknowledged)


async def recover(disk: Path) -> int:
    """Open what is left, as a restart does; returns how many steps it knows of. They are a prefix of what was done."""
    file = disk / "trinity.db"
    async with open_database(f"sqlite:///{file}"):
        pass
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        rows = connection.execute(STEPS_DONE).fetchall()
    assert [message_id for message_id, _ in rows] == list(range(len(rows)))
    assert all(steps == STEPS_PER_TURN for _, steps in rows[:-1])
    return sum(steps for _, steps in rows)


async def test_a_commit_that_was_not_synced_would_be_missed(tmp_path: Path) -> None:
    day = live_through(tmp_path, 2)
    careless = [act for act in day.acts if act.kind != "s" or not act.name.endswith("-wal")]
    acknowledged = Day(careless, []).acknowledged

    (disk := tmp_path / "disk").mkdir()
    leave_after_power_cut(
        careless[: acknowledged[-1] + 1], disk, Unsynced.LOST, random.Random(SEED), without=("diary", "-shm", ".lock")
    )

    assert await recover(disk) < len(acknowledged)
