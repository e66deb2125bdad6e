"""A disk without room, at the first start and later: one line, a status that says it passes, nothing half-made."""

import asyncio
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from bot.errors import DatabaseBusy
from bot.store.files.database import open_database
from tests.store.said import ask, hold_turn, said

ROOT = Path(__file__).parents[3]
MIGRATE = """
import os, resource, sys
limit = int(sys.argv[1])
from bot.__main__ import main
import bot.store.files.database
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
sys.argv = ["trinity", "migrate"]
main()
"""


def migrate(folder: Path, largest_file: int) -> subprocess.CompletedProcess[str]:
    """Run the command where no file can get larger than this, as on a disk that has room for no more."""
    command = [sys.executable, "-c", MIGRATE, str(largest_file)]
    environ = {"PATH": "", "PYTHONPATH": str(ROOT), "TRINITY_DATA_DIR": str(folder)}
    return subprocess.run(command, env=environ, cwd=folder.parent, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("largest_file", [0, 10_000, 60_000])
def test_a_full_disk_at_the_first_start_is_one_line_and_passes(tmp_path, largest_file):
    refused = migrate(tmp_path / "data", largest_file)

    assert refused.returncode == 75, refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert "disk" in refused.stderr
    assert not (tmp_path / "data" / "trinity.db").exists()

    assert migrate(tmp_path / "data", resource.RLIM_INFINITY).returncode == 0


async def test_a_full_disk_at_a_later_start_passes_and_nothing_is_lost(url, file):
    async with open_database(url) as database:
        await hold_turn(database, ask(1))
    before = file.read_bytes()
    # The log's first frame doesn't fit any more.
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    try:
        with pytest.raises(DatabaseBusy, match="disk"):
            async with asyncio.timeout(60), open_database(url):
                pass
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert file.read_bytes() == before
    async with open_database(url) as database:
        assert len(await said(database)) == 1
