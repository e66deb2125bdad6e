"""What tests of a CUDA card have in common: they run alone on it, and say so where there is none."""

import pytest
import torch


def on_a_card(unshown: str) -> list[pytest.MarkDecorator]:
    """The marks of a file of such tests; without a card they are skipped, and `unshown` says what wasn't shown."""
    return [
        pytest.mark.gpu,
        pytest.mark.xdist_group("gpu"),
        pytest.mark.skipif(not torch.cuda.is_available(), reason=f"no CUDA card: {unshown}"),
        pytest.mark.timeout(280),
    ]
