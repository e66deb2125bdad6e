"""Some seeds in every test run; `make simulate` runs as many as one likes. A failing seed is named in the output."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NUM_QUICK_SEEDS, NUM_SEEDS = 60, 150
"""The rest of them is for `make test-slow`. Beyond, chance finds what they don't: `make simulate`."""

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


async def simulated_by_two(*options: str, start: int = 0, middle: int, end: int) -> None:
    """Run seeds in two processes that have one in common; it has the same journal in both."""
    (status, output), (other_status, other) = await asyncio.gather(
        simulated(*options, "--seeds", f"{start}:{middle + 1}", "--digests", hash_seed="1"),
        simulated(*options, "--seeds", f"{middle}:{end}", "--digests", hash_seed="2"),
    )

    assert (status, other_status) == (0, 0), output + other
    ours, theirs = output.splitlines()[middle - start].split(), other.splitlines()[0].split()
    assert ours == theirs
    assert (ours[0], len(ours[1])) == (str(middle), 32)


async def test_whatever_happens_each_question_is_answered_or_told_once() -> None:
    await simulated_by_two(middle=NUM_QUICK_SEEDS // 2, end=NUM_QUICK_SEEDS)


@pytest.mark.slow
async def test_it_is_answered_or_told_once_by_more_seeds() -> None:
    await simulated_by_two(start=NUM_QUICK_SEEDS, middle=(NUM_QUICK_SEEDS + NUM_SEEDS) // 2, end=NUM_SEEDS)


async def test_so_it_is_with_discords_library() -> None:
    """The whole daemon."""
    await simulated_by_two("--whole", middle=5, end=10)
