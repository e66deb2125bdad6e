import multiprocessing
import random
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import delete, select

from bot.store.files.migrate import prepare_file
from bot.store.files.schema import migrations_folder
from bot.store.tables import SCHEMA_VERSION, hints
from tests.store.storms import cancel_half_of, find_all_acknowledged, kill_while_answering

NEXT = f"{int(SCHEMA_VERSION) + 1:04}"
pytestmark = pytest.mark.soak

SEED = 20261122


async def test_twenty_thousand_writes_half_cancelled(database):
    print(f"seed {SEED}")
    for seed in range(SEED, SEED + 20):
        outcomes = await cancel_half_of(database, 1000, random.Random(seed))

        rows = await database.read(lambda connection: connection.execute(select(hints.c.author_id)))
        known = {number for number, outcome in outcomes.items() if outcome == "written"}
        assert set(outcomes.values()) <= {"written", "not written"}
        assert {row.author_id for row in rows} == known
        assert database.engine.sync_engine.pool.checkedout() == 0
        await database.write(lambda connection: connection.execute(delete(hints)))
    print("20,000 writes, half of them cancelled: 0 locked, 0 unknown")


async def test_fifty_kills_while_turns_are_stored(url, file, tmp_path):
    chance = random.Random(SEED)
    acknowledged = tmp_path / "acknowledged"
    acknowledged.touch()
    first = 0
    for _ in range(50):
        num_bytes = acknowledged.stat().st_size + chance.randrange(1, 100)
        numbers = kill_while_answering(url, acknowledged, num_bytes=num_bytes, first=first)
        first = await find_all_acknowledged(url, file, numbers)
    print(f"seed {SEED}: 50 kills in {first} turns, 0 acknowledged ones lost, 0 half ones, integrity ok")


def test_fifty_kills_inside_a_migration(file, tmp_path):
    chance = random.Random(SEED)
    folder = tmp_path / "later"
    make_slow_migration(folder)
    context = multiprocessing.get_context("spawn")
    versions = []
    for _ in range(50):
        file.unlink(missing_ok=True)
        prepare_file(file)
        killed = context.Process(target=prepare_file, args=(file, folder, NEXT))
        killed.start()
        while not file.with_name(file.name + "-wal").exists() and killed.is_alive():
            time.sleep(0.001)
        time.sleep(chance.random() * 0.5)
        killed.kill()
        killed.join(60)
        versions.append(prepare_file(file, folder, NEXT).before)
        with closing(sqlite3.connect(file)) as connection:
            assert connection.execute("SELECT count(*) FROM topics").fetchone() == (200,)
    assert set(versions) <= {SCHEMA_VERSION, NEXT}
    print(f"seed {SEED}: 50 kills inside a migration, {versions.count(SCHEMA_VERSION)} before its commit, all whole")


def make_slow_migration(folder: Path) -> None:
    import shutil

    shutil.copytree(migrations_folder(), folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "versions" / f"{NEXT}_slow.py").write_text(
        """
import time
import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "NEXT", "NEWEST", None, None


def upgrade():
    op.create_table("topics", sa.Column("id", sa.Integer(), primary_key=True))
    for number in range(200):
        op.execute(sa.text("INSERT INTO topics (id) VALUES (:id)").bindparams(id=number))
        time.sleep(0.0003)
""".replace("NEXT", NEXT).replace("NEWEST", SCHEMA_VERSION)
    )
