"""Defects that were mended once, brought back (`reverted.py`): the simulation finds each within so many seeds."""

import pytest

from tests.simulation.reverted import FOUND
from tests.simulation.test_simulation import simulated

NUM_SEEDS = 400

pytestmark = [pytest.mark.soak, pytest.mark.no_cover]


@pytest.mark.parametrize("defect", [defect.__name__ for defect in FOUND])
async def test_a_defect_that_is_brought_back_is_found(defect: str) -> None:
    status, output = await simulated("--seeds", f"0:{NUM_SEEDS}", "--first-failure", "--reverted", defect)

    assert status == 1, output
    assert " fails; " in output, output
