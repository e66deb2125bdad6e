"""Some seeds in every test run; `make simulate` runs as many as one likes. A failing seed is named in the output."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SEEDS_PER_PROCESS = 16
FIRST_SEEDS = range(0, 48, SEEDS_PER_PROCESS)
"""Beyond these, chance finds what they don't: `make simulate`."""

pytestmark = pytest.mark.no_cover


async def simulated(*arguments: str, hash_seed: str = "0") -> tuple[int, str]:
    environ = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "ignore", "-m", "tests.simulation", *arguments),
        cwd=ROOT, env=environ, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, output.decode()


@pytest.mark.parametrize("first", FIRST_SEEDS)
async def test_whatever_happens_each_question_is_answered_or_told_once(first: int) -> None:
    status, output = await simulated("--seeds", f"{first}:{first + SEEDS_PER_PROCESS}")

    assert status == 0, output


async def test_a_seed_has_the_same_journal_in_another_process() -> None:
    one, other = await asyncio.gather(
        simulated("--seeds", "2:5", "--digests", hash_seed="1"), simulated("--seeds", "3:5", "--digests", hash_seed="2")
    )

    digests = [line for line in one[1].splitlines() if line[0] in "34"]
    assert digests[:2] == other[1].splitlines()[:2]
    assert len(digests[0].split()[1]) == 32


async def test_so_it_is_with_discords_library_and_each_seed_is_repeated_there_too() -> None:
    """The whole daemon; two processes have two seeds in common."""
    (status, output), (other_status, other) = await asyncio.gather(
        simulated("--whole", "--seeds", "0:6", "--digests", hash_seed="1"),
        simulated("--whole", "--seeds", "4:10", "--digests", hash_seed="2"),
    )

    assert (status, other_status) == (0, 0), output + other
    assert output.splitlines()[4:6] == other.splitlines()[:2]
    assert output.startswith("0 ")
