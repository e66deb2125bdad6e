"""The benchmark's code runs, with a toy model whose figures mean nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARTS = ("limits", "decode", "serve", "int8", "idle", "memory", "start", "peers", "vllm", "cpu")

FAKE_VLLM = """
from types import SimpleNamespace

__version__ = "of a test"


class LLM:
    def __init__(self, **options): ...

    def generate(self, prompts, sampling, use_tqdm):
        assert all(prompt["prompt_token_ids"] for prompt in prompts)
        return [SimpleNamespace(outputs=[SimpleNamespace(token_ids=[5] * sampling.max_tokens)]) for _ in prompts]


SamplingParams = SimpleNamespace
"""


@pytest.mark.soak
def test_every_part_of_the_benchmark_runs_and_writes_what_it_was_asked_for(tmp_path):
    pytest.importorskip("triton", reason="triton can't be imported: the benchmark measures its kernels")
    parts = [word for part in PARTS for word in ("--part", part)]
    command = [sys.executable, "-m", "benchmarks.inference", "--tiny", *parts, "--json", str(tmp_path / "rows.json")]

    (tmp_path / "vllm.py").write_text(FAKE_VLLM)
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(tmp_path)}

    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stdout + result.stderr
    written = json.loads((tmp_path / "rows.json").read_text())
    assert {row["part"] for row in written["rows"]} == set(PARTS)
    assert written["commit"]
    assert "arrivals: load delivered" in {row["name"] for row in written["rows"]}
