"""The order of the tests, and which of them coverage passes over.

The longest come first, so that no process is left alone with one of them at the end.

`make coverage` traces neither what runs Trinity as a process of its own, nor a model or the loopback Discord in this
one, nor what tries hundreds of examples: it would make them last two or three times as long, and finds no new line.
Others carry the mark `no_cover` themselves.
"""

import gc
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
UNMEASURED = ("demo_model", "end_to_end", "loopback_selftest", "scenarios", "training")
LONGEST = ("end_to_end", "scenarios", "inference/kernels", "security/test_supply.py", "discord/test_payloads.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_rank)
    for item in items:
        folder = item.path.relative_to(FOLDER).parts[0]
        if folder in UNMEASURED or item.get_closest_marker("hypothesis"):
            item.add_marker(pytest.mark.no_cover)


def pytest_collection_finish() -> None:
    """What was imported stays: a search for garbage passes over it, and takes half as long."""
    gc.freeze()


def _rank(item: pytest.Item) -> int:
    for rank, place in enumerate(LONGEST):
        if item.path.is_relative_to(FOLDER / place):
            return rank
    return len(LONGEST)
