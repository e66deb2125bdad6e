"""How fast a model on the CPU answers with each number of threads, while others keep the cores busy.

    python -m benchmarks.threads                      # the demonstration model, quiet and with every core busy
    python -m benchmarks.threads FOLDER --tokens 32

Each figure is from a process of its own: `rule` is what Trinity chooses there, `default` what PyTorch takes by itself.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

import bot.app

# What the process of one figure runs: the second answer is timed, since the first pays for what is set up once.
_MEASURE = """
import sys, time
import torch
from bot.inference.loading import build
folder, how, num_tokens = sys.argv[1], sys.argv[2], int(sys.argv[3])
if how != "rule":
    build.settle_threads = lambda _num_parameters: how == "default" or torch.set_num_threads(int(how))
from pathlib import Path
from bot.inference.scheduling.core import EngineCore
from bot.inference.engine import Request, SamplingParams
runner = build.build_runner(Path(folder), "cpu", context_window=1024)
core = EngineCore(runner)
def answer(first_id):
    prompt = tuple(range(first_id, first_id + 200))
    core.submit(0, Request(prompt, SamplingParams(max_new_tokens=num_tokens)), 0)
    times = []
    while core.has_work:
        core.step()
        times.append(time.perf_counter())
    return times
began = time.perf_counter(); first = answer(10)
again = time.perf_counter(); times = answer(300)
speed = (len(times) - 1) / (times[-1] - times[0])
print(f"{torch.get_num_threads():7d} {first[0] - began:9.2f} {times[0] - again:9.2f} {speed:10.1f}")
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=bot.app.DEMO_MODEL)
    parser.add_argument("--tokens", type=int, default=40)
    arguments = parser.parse_args()
    print("cores   threads          first s  second s  tokens/s")
    for cores in ("quiet", "busy"):
        others = [_keep_a_core_busy() for _ in range(os.cpu_count() or 1)] if cores == "busy" else []
        try:
            for how in ("default", "1", "rule"):
                time.sleep(1)
                command = [sys.executable, "-c", _MEASURE, str(arguments.folder), how, str(arguments.tokens)]
                measured = subprocess.run(command, check=True, capture_output=True, text=True).stdout
                print(f"{cores:7} {how:8}{measured}", end="", flush=True)
        finally:
            for other in others:
                other.kill()
                other.wait()


def _keep_a_core_busy() -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", "while True: pass"])


if __name__ == "__main__":
    main()
