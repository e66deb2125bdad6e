"""Trains the demo model in one command, by the clock, and evaluates what it wrote.

`python -m training.train --seconds 400 --out FOLDER` on a machine with one GPU; `--from FOLDER` goes on from earlier
weights. The learning rate follows the time, so a run ends when it should and is not reproducible bit for bit.
"""

import argparse
import hashlib
import json
import os
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bot.inference.loading.config import read_shape
from training.evaluate import evaluate_folder
from training.feed import LEARNT_BIT, Corpus, open_feed, shown_twice
from training.network import Network, load_weights, save_model
from training.rows import BATCH_TOKENS, ROW_LENGTHS
from training.values import MODEL_FOLDER

CONSTANT_SHARE = 0.2
"""The share of the time at the peak rate; the rest goes down linearly to nothing."""
WARM_UP_STEPS = 200
FROM_NOTHING_PEAK = 2e-3
GOING_ON_PEAK = 8e-4
"""Lower than the first time, so that what was learnt is not lost; high enough to learn a changed corpus."""
LOG_NAME = "training_log.json"
Log = dict[str, Any]


def learning_rate(peak: float, step: int, share_of_time: float) -> float:
    """The rate of a step: up in steps, then constant, then down linearly to nothing by the clock."""
    share = 1.0 if share_of_time < CONSTANT_SHARE else max(0.0, (1 - share_of_time) / (1 - CONSTANT_SHARE))
    return peak * min(1.0, (step + 1) / WARM_UP_STEPS) * share


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=400)
    parser.add_argument("--out", type=Path, default=Path("data/demo_model"))
    parser.add_argument("--from", dest="start", type=Path, help="a folder with model.safetensors to go on from")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--peak-lr", type=float, help="the highest learning rate; else 2e-3, or 8e-4 for a later run")
    workers = max(1, min(26, (os.cpu_count() or 2) - 3))
    parser.add_argument("--workers", type=int, default=workers, help="the processes that write batches")
    parser.add_argument("--twice", action="store_true", help="learn from every batch twice; see feed.py")
    parser.add_argument("--micro", action="store_true", help="a tiny shape and batch, to try the pipeline on a CPU")
    parser.add_argument("--cases", type=int, default=100, help="evaluation cases per skill; 0 skips the evaluation")
    options = parser.parse_args(arguments)
    options.peak_lr = options.peak_lr or (GOING_ON_PEAK if options.start else FROM_NOTHING_PEAK)
    return options


def build_optimizer(network: Network) -> torch.optim.AdamW:
    """AdamW, with weight decay on matrices only."""
    matrices = [parameter for parameter in network.parameters() if parameter.dim() > 1]
    vectors = [parameter for parameter in network.parameters() if parameter.dim() == 1]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=FROM_NOTHING_PEAK, betas=(0.9, 0.95), fused=network.embedding.is_cuda)


def copy_to(batch: Tensor, device: torch.device) -> tuple[Tensor, Tensor]:
    """A batch's ids and targets on a device."""
    packed = batch.to(device, non_blocking=True).long()
    tokens = packed & (LEARNT_BIT - 1)
    targets = torch.where(packed[:, 1:] >= LEARNT_BIT, tokens[:, 1:], -100)
    return tokens[:, :-1].contiguous(), targets.contiguous()


def _compile(network: Network, device: torch.device) -> None:
    """Compiles what runs per token and warms it up; goes on without where that fails."""
    ids = torch.randint(3, 2000, (BATCH_TOKENS // ROW_LENGTHS[0], ROW_LENGTHS[0]), device=device)
    plain = network.parts
    network.parts = [torch.compile(part, dynamic=False) for part in plain]
    try:
        network(ids, ids).backward()
    except Exception as error:  # a slower run is better than none
        print(f"compilation failed, going on without: {error!r}"[:2000], flush=True)
        network.parts = plain
    network.zero_grad(set_to_none=True)


def train(network: Network, batches: Iterator[Tensor], seconds: float, peak: float) -> Log:
    """Steps until the time is up; returns what the log says of them."""
    optimizer, device = build_optimizer(network), network.embedding.device
    started = time.monotonic()
    step = positions = 0
    waited = 0.0
    entries: list[Log] = []
    while (elapsed := time.monotonic() - started) < seconds:
        asked = time.monotonic()
        ids, targets = copy_to(next(batches), device)
        waited += time.monotonic() - asked
        rate = learning_rate(peak, step, elapsed / seconds)
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss = network(ids, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(list(network.parameters()), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        step += 1
        positions += ids.numel()
        if step % 100 == 0 or step in (1, 10):
            entry = {"step": step, "seconds": round(elapsed, 1), "rate": rate, "loss": round(loss.item(), 5)}
            entries.append(entry | {"waited": round(waited, 1)})
            if step % 500 == 0 or step <= 100:
                print(json.dumps(entries[-1]), flush=True)
    return {"seconds": round(elapsed, 1), "steps": step, "positions": positions, "log": entries}


def file_hash(path: Path) -> str:
    """The sha256 of a file, in hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _earlier(folder: Path) -> Log:
    """The weights that are gone on from, and what all runs up to them learnt from, as far as a log lies beside them."""
    file = folder / LOG_NAME
    log: Log = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    before = log.get("earlier") or {}
    total = {name: log[name] + before.get(name, 0) for name in ("positions", "seconds") if log}
    return {"sha256": file_hash(folder / "model.safetensors"), **total}


def run(options: argparse.Namespace) -> None:
    """The training: saves the weights and the log."""
    torch.manual_seed(options.seed)
    torch.set_float32_matmul_precision("high")
    device, started = torch.device("cuda" if torch.cuda.is_available() else "cpu"), time.monotonic()
    batch_tokens, lengths = (4096, ROW_LENGTHS[:3]) if options.micro else (BATCH_TOKENS, ROW_LENGTHS)
    corpus = Corpus(options.seed, batch_tokens=batch_tokens, lengths=lengths)
    # The workers begin while the network is compiled.
    batches: Iterator[Tensor] = iter(open_feed(corpus, options.workers))
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    shape = read_shape(MODEL_FOLDER)
    if options.micro:
        shape = replace(shape, hidden_size=64, num_layers=2, num_heads=2, num_kv_heads=2, intermediate_size=176)
    network = Network(shape, dtype=dtype).to(device)
    if options.start:
        load_weights(network, options.start)
    if not options.micro:
        _compile(network, device)
    if options.twice:
        batches = shown_twice(batches, random.Random(options.seed), device)
    print(f"{device}, {options.workers} workers, ready after {time.monotonic() - started:.0f} s", flush=True)
    facts = train(network, batches, options.seconds, options.peak_lr)
    save_model(network, options.out)
    facts |= {
        "seed": options.seed,
        "peak_rate": options.peak_lr,
        "twice": options.twice,
        "earlier": _earlier(options.start) if options.start else None,
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
        "torch": torch.__version__,
    }
    (options.out / LOG_NAME).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({key: value for key, value in facts.items() if key != "log"}), flush=True)


def main() -> None:
    """Trains, and evaluates the result."""
    options = parse_arguments()
    sys.setswitchinterval(0.0005)  # the thread that fetches batches gets its turn beside the training loop
    run(options)
    if options.cases:
        evaluate_folder(options.out, options.cases)


if __name__ == "__main__":
    main()
