"""The Triton kernels without a card: run by Triton's interpreter, and compiled for the cards they are meant for."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
needs_triton = pytest.mark.skipif(
    subprocess.run([sys.executable, "-c", "import triton"], capture_output=True, check=False).returncode != 0,
    reason="triton can't be imported: no kernel was interpreted or compiled",
)


FEW_AND_ALL = [pytest.param((), id="few"), pytest.param(("all",), id="all", marks=pytest.mark.soak)]


@needs_triton
@pytest.mark.parametrize("arguments", FEW_AND_ALL)
def test_interpreted_kernels_agree_with_the_reference(arguments):
    environment = os.environ | {"TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}

    result = _run("tests.inference.interpreted", environment, arguments)

    assert result.returncode == 0, result.stdout + result.stderr


@needs_triton
@pytest.mark.parametrize("arguments", FEW_AND_ALL)
def test_kernels_compile_for_a_tesla_t4_and_tensor_core_kernels_for_newer_cards(tmp_path, arguments):
    environment = os.environ | {"TRITON_CACHE_DIR": str(tmp_path)}
    environment.pop("TRITON_INTERPRET", None)

    result = _run("tests.inference.compiled", environment, arguments)

    assert result.returncode == 0, result.stdout + result.stderr
    on_a_t4, *_, on_an_h100 = result.stdout.splitlines()
    assert "gemv_qkv_kernel" in on_a_t4
    assert "prefill_attention_kernel" not in on_a_t4
    assert "skinny_add_kernel" in on_an_h100
    assert "prefill_attention_kernel" in on_an_h100


def _run(module, environment, arguments):
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=3600 if arguments else 550,  # ten times and more of what it takes on a quiet machine
    )
