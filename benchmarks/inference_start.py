"""The benchmark's start-up: from a checkpoint on disk to an engine that takes requests, each time in a new process.

python -m benchmarks.inference_start FOLDER DEVICE      # once, of a checkpoint that is there; prints JSON
"""

import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from safetensors.torch import save_file

from benchmarks.inference_setting import ROOT, Report, Setting
from bot.inference.loading.build import build_runner
from bot.inference.loading.files import INDEX_NAME
from bot.inference.model.weights import checkpoint_tensors
from tests.checkpoints import byte_tokenizer

_SHARD_BYTES = 4 * 1024**3


def start(setting: Setting, report: Report) -> None:
    """Start twice: with nothing compiled yet, and with what the first start compiled."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as compiled:
        checkpoint = Path(folder)
        begun = time.perf_counter()
        num_bytes = _write_checkpoint(setting, checkpoint)
        print(f"{num_bytes / 1e9:.1f} GB of weights written in {time.perf_counter() - begun:.1f} s", flush=True)
        setting.leave()
        for name in ("nothing compiled yet", "kernels compiled before"):
            seconds = _start_once(checkpoint, setting.device.type, compiled)
            note = f"{seconds['load']:.1f} s of loading before"
            report.add(f"start-up after the weights, {name}", seconds["after"], "s", wanted="<= 10", note=note)


def _write_checkpoint(setting: Setting, folder: Path) -> int:
    """The setting's random weights in files of 4 GiB with an index; how many bytes."""
    tensors = checkpoint_tensors(setting.weights, setting.shape)
    weight_map: dict[str, str] = {}
    num_bytes = 0
    while names := [name for name in tensors if name not in weight_map]:
        file, size = f"model-{len(set(weight_map.values())):05}.safetensors", 0
        shard = {}
        for name in names:
            shard[name] = tensors[name].cpu().contiguous().clone()
            size += shard[name].nbytes
            if size >= _SHARD_BYTES:
                break
        save_file(shard, folder / file)
        weight_map |= dict.fromkeys(shard, file)
        num_bytes += size
    (folder / INDEX_NAME).write_text(json.dumps({"weight_map": weight_map}))
    config = setting.config.to_dict() | {"architectures": ["LlamaForCausalLM"]}
    (folder / "config.json").write_text(json.dumps(config))
    byte_tokenizer(setting.shape.vocab_size).save(str(folder / "tokenizer.json"))
    return num_bytes


def _start_once(folder: Path, device: str, compiled: str) -> dict[str, float]:
    """Seconds of loading, and after it, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.inference_start", str(folder), device]
    environment = os.environ | {"TRITON_CACHE_DIR": compiled}
    result = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    seconds: dict[str, float] = json.loads(result.stdout.splitlines()[-1])
    return seconds


def main() -> int:
    logging.basicConfig(level=logging.INFO)
    folder, device = Path(sys.argv[1]), sys.argv[2]
    begun = loaded = time.perf_counter()

    def note(done: int, total: int) -> None:
        nonlocal loaded
        if done == total:
            loaded = time.perf_counter()

    build_runner(folder, device, progress=note)
    print(json.dumps({"load": loaded - begun, "after": time.perf_counter() - loaded}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
