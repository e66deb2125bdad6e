"""Tests that one process should run, since each process that runs one of them pays for the same seconds."""

import pytest

with_transformers = pytest.mark.xdist_group("transformers")
"""It takes seconds to import, so `tests.checkpoints` imports it when it is first used."""

with_compiler = pytest.mark.xdist_group("compiler")
"""What the first test compiles, the others find compiled."""
