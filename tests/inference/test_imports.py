"""What importing the engine drags in."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["bot.inference.engine", "bot.inference.scheduling.core", "bot.inference.local"])
def test_scheduling_and_the_bridge_import_without_torch(module: str) -> None:
    program = f"import sys, {module}; print(*(name for name in ('torch', 'transformers') if name in sys.modules))"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout.split() == []
