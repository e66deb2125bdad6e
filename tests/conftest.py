"""Which tests `make coverage` passes over: tracing makes them last two or three times as long, and finds no new line.

Others carry the mark `no_cover` themselves.
"""

from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
# They run Trinity as a process of its own, or a model or the loopback Discord in this one.
UNMEASURED = ("demo_model", "end_to_end", "loopback_selftest", "scenarios", "training")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        folder = item.path.relative_to(FOLDER).parts[0]
        if folder in UNMEASURED or item.get_closest_marker("hypothesis"):
            item.add_marker(pytest.mark.no_cover)
