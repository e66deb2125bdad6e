"""Defects of the second depth that were mended, brought back: the simulation finds each within so many seeds."""

import pytest

from tests.simulation.test_simulation import simulated
from tests.simulation.whole.reverted import FOUND

NUM_SEEDS = 120

pytestmark = [pytest.mark.soak, pytest.mark.no_cover]


@pytest.mark.parametrize("defect", [defect.__name__ for defect in FOUND])
async def test_a_defect_that_is_brought_back_is_found(defect: str) -> None:
    status, output = await simulated("--whole", "--seeds", f"0:{NUM_SEEDS}", "--first-failure", "--reverted", defect)

    assert status == 1, output
    assert " fails; " in output, output
