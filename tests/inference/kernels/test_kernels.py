"""The Triton kernels without a card: run by Triton's interpreter, and compiled for every card they are meant for.

test_compile_ahead.py compiles them for an H100, and in the soak for the smallest card too.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("triton", reason="triton can't be imported: no kernel was interpreted or compiled")

ROOT = Path(__file__).parents[3]
FEW_AND_ALL = [pytest.param((), id="few"), pytest.param(("all",), id="all", marks=pytest.mark.soak)]


@pytest.mark.parametrize("arguments", FEW_AND_ALL)
def test_interpreted_kernels_agree_with_the_reference(arguments):
    environment = os.environ | {"TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}

    result = _run("tests.inference.interpreted", environment, arguments)

    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.soak
def test_kernels_compile_for_every_card_and_size(tmp_path):
    environment = os.environ | {"TRITON_CACHE_DIR": str(tmp_path)}
    environment.pop("TRITON_INTERPRET", None)

    result = _run("tests.inference.compiled", environment, ())

    assert result.returncode == 0, result.stdout + result.stderr
    on_a_t4, *_, on_the_newest = result.stdout.splitlines()
    assert "gemv_qkv_kernel" in on_a_t4
    assert "dot_attention_kernel" not in on_a_t4
    assert "skinny_kernel" in on_the_newest
    assert "dot_attention_kernel" in on_the_newest


def _run(module, environment, arguments):
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=3600,  # ten times and more of what the longest takes on a quiet machine
    )
