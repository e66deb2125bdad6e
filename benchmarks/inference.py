"""How near the engine comes to what the card can do, in one table: figure, floor, ratio, and what is wanted.

    python -m benchmarks.inference --part limits --part decode --part serve --part memory --part start --part peers

Takes one CUDA card; the model is Llama-2-7B's shape (`--shape llama3-8b`: Llama-3-8B's) with random weights, made on
the card. Parts share a process, and `limits` comes first, since the others' floors follow from it. `--part cpu` needs
no card; `--tiny` runs every part's code on the CPU with a toy model, whose figures mean nothing. Compare figures of one
run with each other, not with another machine's. `memory` caps its process, `start` leaves the card to processes that
start on it (its checkpoint takes 13.5 GB of TMPDIR), `int8` makes weights of other kinds, `idle` gives the card back,
`peers` shares it with transformers, `vllm` leaves it to vLLM, where that is installed: beside other parts, each gets a
process of its own.
"""

import argparse
import logging
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.inference_setting import SHAPES, Report, Setting, provenance

_PARTS = ("limits", "decode", "serve", "int8", "idle", "memory", "start", "peers", "vllm", "cpu")
_APART = ("int8", "idle", "memory", "start", "peers", "vllm")


def _function(part: str) -> Callable[[Setting, Report], None]:
    """The part's function; its module is imported only now, since peers are slow to import."""
    if part in ("limits", "decode", "memory"):
        from benchmarks import inference_steps as module
    elif part == "serve":
        from benchmarks import inference_serve as module  # type: ignore[no-redef]
    elif part == "int8":
        from benchmarks import inference_int8 as module  # type: ignore[no-redef]
    elif part == "idle":
        from benchmarks import inference_idle as module  # type: ignore[no-redef]
    elif part == "start":
        from benchmarks import inference_start as module  # type: ignore[no-redef]
    elif part == "vllm":
        from benchmarks import inference_vllm as module  # type: ignore[no-redef]
    else:
        from benchmarks import inference_peers as module  # type: ignore[no-redef]
    return getattr(module, part)  # type: ignore[no-any-return]


def _run_apart(part: str, setting: Setting, report: Report) -> None:
    """Run a part in a process of its own, on a card that this one has left."""
    setting.leave()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.json"
        command = [sys.executable, "-m", "benchmarks.inference", "--shape", setting.shape_name]
        command += ["--part", part, "--json", str(file)]
        process = subprocess.run(command, cwd=Path(__file__).parents[1], check=False)
        if file.exists():
            report.take(file)
    if process.returncode:
        raise RuntimeError(f"{part} failed in its process")


def main() -> int:
    """Run the parts that are asked for; 1 if one of them failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", action="append", choices=[*_PARTS, "all"], help="may be given several times")
    parser.add_argument("--seconds-limit", type=float, default=1e9, help="begin no part after so many seconds")
    parser.add_argument("--json", type=Path, default=Path("inference-benchmark.json"), help="where the JSON goes")
    parser.add_argument("--shape", choices=SHAPES, default="llama2-7b", help="whose shape the random weights have")
    parser.add_argument("--tiny", action="store_true", help="a toy model on the CPU: tries the code, measures nothing")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    wanted = _PARTS if not options.part or "all" in options.part else [p for p in _PARTS if p in options.part]
    print(provenance(), flush=True)
    start, report = time.perf_counter(), Report()
    setting = Setting(is_tiny=options.tiny, shape=options.shape)
    num_failed = 0
    for part in wanted:
        begun = time.perf_counter()
        if begun - start > options.seconds_limit:
            print(f"--- {part}: not begun, the time is over")
            continue
        report.part = part
        print(f"--- {part}", flush=True)
        try:
            if part in _APART and len(wanted) > 1 and not setting.is_tiny:
                _run_apart(part, setting, report)
            else:
                _function(part)(setting, report)
        except Exception:
            traceback.print_exc()
            num_failed += 1
        print(f"--- {part} took {time.perf_counter() - begun:.1f} s", flush=True)
        report.write(options.json)
    return int(num_failed > 0)


if __name__ == "__main__":
    sys.exit(main())
