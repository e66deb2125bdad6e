"""The load benchmark runs through, on a scale that says nothing about speed."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_a_load_is_measured(tmp_path: Path) -> None:
    few = [
        "--part",
        "turns",
        "--part",
        "history",
        "--channels",
        "2",
        "--turns",
        "2",
        "--histories",
        "10,20",
        "--rounds",
        "1",
    ]
    command = [sys.executable, "-m", "benchmarks.load", *few, "--json", str(tmp_path / "load.json")]

    ran = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )

    assert ran.returncode == 0, ran.stderr
    report = json.loads((tmp_path / "load.json").read_text())
    (turns,) = report["turns"]
    assert turns["cpu_ms"] > 0
    assert turns["commits"] >= 4
    assert not turns["violations"]
    assert [each["messages"] for each in report["history"]] == [10, 20]
