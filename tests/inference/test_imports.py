"""What importing the engine drags in."""

import subprocess
import sys
import textwrap

import pytest

from bot.app import DEMO_MODEL


@pytest.mark.parametrize("module", ["bot.inference.engine", "bot.inference.scheduling.core", "bot.inference.local"])
def test_scheduling_and_the_bridge_import_without_torch(module: str) -> None:
    program = f"import sys, {module}; print(*(name for name in ('torch', 'transformers') if name in sys.modules))"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout.split() == []


def test_a_models_config_is_read_without_torchs_compiler() -> None:
    names = ("torch", "transformers", "torch._dynamo", "torch.distributed.tensor", "triton")
    program = f"""
        import sys
        from pathlib import Path
        from bot.inference.loading.config import read_shape
        print(read_shape(Path({str(DEMO_MODEL)!r})).num_layers, *(name for name in {names} if name in sys.modules))
        print("transformers.activations" in sys.modules)  # the stand-in has left
    """

    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True, timeout=100
    )

    assert done.stdout.splitlines() == ["8 torch transformers", "False"]
