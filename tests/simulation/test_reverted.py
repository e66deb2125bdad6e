"""Defects that were mended once, brought back (`reverted.py`): the simulation finds each within so many seeds."""

import pytest

from tests.simulation.reverted import FOUND
from tests.simulation.test_simulation import simulated

NUM_SEEDS = 600

pytestmark = [pytest.mark.soak, pytest.mark.no_cover]


async def is_found(defect: str, seed: int, num_seeds: int, *options: str) -> None:
    """By the seed that found it last, or by one of the first ones: any change of the code makes other seeds of them."""
    output = ""
    for seeds in (str(seed), f"0:{num_seeds}"):
        named = ("--seeds", seeds, "--first-failure", "--reverted", defect)
        status, output = await simulated(*options, *named)
        if status == 1 and " fails; " in output:
            return
    pytest.fail(output)


@pytest.mark.parametrize(("defect", "seed"), [(defect.__name__, seed) for defect, seed in FOUND.items()])
async def test_a_defect_that_is_brought_back_is_found(defect: str, seed: int) -> None:
    await is_found(defect, seed, NUM_SEEDS)
