"""Trains the demo model in one command, by the clock, and evaluates what it wrote.

`python -m bot.demo_model.training.train --seconds 310 --out FOLDER` on a machine with one GPU; `--from FOLDER` goes on from
the weights of an earlier run, `--cards N` uses several GPUs. The learning rate follows the time, so a run always ends when it
should; it is therefore not reproducible bit for bit.
"""

import argparse
import hashlib
import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from queue import Queue

import torch

from bot.demo_model.training.feed import LEARNT_BIT, Batch, Feed
from bot.demo_model.training.network import Network, Shape, load_weights, save_model
from bot.demo_model.training.ranks import Ranks, start_ranks
from bot.demo_model.training.rows import BATCH_TOKENS, ROW_LENGTHS

CONSTANT_SHARE = 0.2
"""The share of the time at the peak rate; the rest goes down linearly to nothing."""
MICRO = Shape(hidden_size=64, num_hidden_layers=2, num_attention_heads=2, intermediate_size=176)


@dataclass(frozen=True)
class Schedule:
    """The learning rate: up in steps, then constant, then down linearly to nothing by the clock."""

    peak: float
    warm_up_steps: int

    def rate(self, step: int, share_of_time: float) -> float:
        share = 1.0 if share_of_time < CONSTANT_SHARE else max(0.0, (1 - share_of_time) / (1 - CONSTANT_SHARE))
        return self.peak * min(1.0, (step + 1) / self.warm_up_steps) * share


FROM_NOTHING = Schedule(2e-3, 300)
GOING_ON = Schedule(8e-4, 100)
"""Lower than the first time, so that what was learnt is not lost; high enough to learn a changed corpus.

At 1.2e-3 a run that began at a loss of 0.007 stayed above it until the rate was below 6e-4: half of its time was lost.
"""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=310)
    parser.add_argument("--out", type=Path, default=Path(os.environ.get("OUT", "data/demo_model")))
    parser.add_argument("--from", dest="start", type=Path, help="a folder with model.safetensors to go on from")
    parser.add_argument("--seed", type=int, default=0, help="0: one of its own for a first and for a later run")
    parser.add_argument("--peak-lr", type=float, help="the highest learning rate; else 2e-3, or 8e-4 for a later run")
    parser.add_argument("--cards", type=int, default=1, help="how many GPUs; each has batches and workers of its own")
    parser.add_argument("--workers", type=int, help="the processes that write batches, for each card")
    parser.add_argument("--micro", action="store_true", help="a tiny shape and batch, to try the pipeline on a CPU")
    parser.add_argument("--nocompile", action="store_true")
    parser.add_argument("--cases", type=int, default=100, help="evaluation cases per skill; 0 skips the evaluation")
    options = parser.parse_args()
    options.workers = options.workers or max(1, min(26, ((os.cpu_count() or 2) - 4) // options.cards))
    options.seed = options.seed or (2 if options.start else 1)
    return options


def schedule_of(options: argparse.Namespace) -> Schedule:
    schedule = GOING_ON if options.start else FROM_NOTHING
    return replace(schedule, peak=options.peak_lr) if options.peak_lr else schedule


def build_optimizer(network: Network) -> torch.optim.AdamW:
    matrices = [parameter for parameter in network.parameters() if parameter.dim() > 1]
    vectors = [parameter for parameter in network.parameters() if parameter.dim() == 1]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=FROM_NOTHING.peak, betas=(0.9, 0.95), fused=network.embedding.is_cuda)


def copy_to(batch: Batch, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """A batch's ids and targets on a device."""
    packed = torch.from_numpy(batch).to(device).long()
    tokens = packed & (LEARNT_BIT - 1)
    targets = torch.where(packed[:, 1:] >= LEARNT_BIT, tokens[:, 1:], -100)
    return tokens[:, :-1].contiguous(), targets.contiguous()


def on_device(batches: Iterator[Batch], device: torch.device) -> "Queue[tuple[torch.Tensor, torch.Tensor] | Exception]":
    """Copies batches ahead of the training loop, in a thread with a stream of its own."""
    ready: Queue[tuple[torch.Tensor, torch.Tensor] | Exception] = Queue(maxsize=12)
    learning = torch.cuda.current_stream(device) if device.type == "cuda" else None

    def copy() -> None:
        try:
            if learning is None:
                for batch in batches:
                    ready.put(copy_to(batch, device))
                return
            torch.cuda.set_device(device)  # a thread begins with the first card, whatever its process chose
            own = torch.cuda.Stream(device)
            with torch.cuda.stream(own):
                for batch in batches:
                    copied = copy_to(batch, device)
                    own.synchronize()
                    for tensor in copied:
                        tensor.record_stream(learning)
                    ready.put(copied)
        except Exception as error:
            ready.put(error)

    threading.Thread(target=copy, daemon=True).start()
    return ready


def compile_network(network: Network, device: torch.device) -> bool:
    """Compiles and warms up; falls back to the plain functions where that fails."""
    ids = torch.randint(3, 2000, (BATCH_TOKENS // ROW_LENGTHS[0], ROW_LENGTHS[0]), device=device)
    try:
        network.compile_parts()
        network(ids, ids).backward()
    except Exception as error:
        print(f"compilation failed, going on without: {error!r}"[:2000], flush=True)
        network.use_plain_parts()
        return False
    finally:
        network.zero_grad(set_to_none=True)
    return True


def learn(
    network: Network, optimizer: torch.optim.Optimizer, ids: torch.Tensor, targets: torch.Tensor, ranks: Ranks
) -> torch.Tensor:
    """One step on the batches of all ranks; returns the loss of this rank's own."""
    parameters = list(network.parameters())
    loss: torch.Tensor = network(ids, targets)
    loss.backward()
    ranks.average_gradients(parameters)
    torch.nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return loss.detach()


def train(network: Network, ready: Queue, seconds: float, log: list[dict], schedule: Schedule, ranks: Ranks) -> int:
    """Steps until the time is up by rank 0's clock; returns the number of positions that all ranks saw."""
    optimizer = build_optimizer(network)
    started = time.monotonic()
    step = positions = 0
    waited = 0.0
    while (elapsed := ranks.agreed(time.monotonic() - started)) < seconds:
        asked = time.monotonic()
        batch = ready.get()
        waited += time.monotonic() - asked
        if isinstance(batch, Exception):
            raise batch
        ids, targets = batch
        rate = schedule.rate(step, elapsed / seconds)
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss = learn(network, optimizer, ids, targets, ranks)
        step += 1
        positions += ids.numel() * ranks.count
        if ranks.is_first and (step % 100 == 0 or step in (1, 10)):
            entry = {
                "step": step,
                "seconds": round(elapsed, 1),
                "positions": positions,
                "rate": rate,
                "loss": round(loss.item(), 5),
                "waited": round(waited, 1),
            }
            log.append(entry)
            if step % 500 == 0 or step in (1, 10, 100):
                print(json.dumps(entry), flush=True)
    return positions


def earlier_run(folder: Path) -> dict:
    """What the log of the run that is gone on from says of it, and the hash of its weights."""
    file = folder / "training_log.json"
    log = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    figures = {key: value for key, value in log.items() if key != "log"}
    return figures | {"sha256": hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()}


def facts_of(
    options: argparse.Namespace, ranks: Ranks, device: torch.device, log: list[dict], schedule: Schedule
) -> dict:
    """What the training log says beside the figures of the run itself."""
    return {
        "steps": log[-1]["step"] if log else 0,
        "seed": options.seed,
        "peak_rate": schedule.peak,
        "earlier": earlier_run(options.start) if options.start else None,
        "workers": options.workers,
        "cards": ranks.count,
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
        "torch": torch.__version__,
        "log": log,
    }


def run(options: argparse.Namespace, ranks: Ranks) -> None:
    """One rank's training; the first one saves the weights and the log."""
    torch.manual_seed(options.seed)
    device, started = ranks.device, time.monotonic()
    batch_tokens, lengths = (4096, ROW_LENGTHS[:3]) if options.micro else (BATCH_TOKENS, ROW_LENGTHS)
    first_worker = ranks.rank * options.workers
    feed = Feed(options.workers, options.seed, batch_tokens=batch_tokens, lengths=lengths, first_worker=first_worker)
    with feed as batches:
        dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
        network = Network(MICRO if options.micro else Shape(), dtype=dtype).to(device)
        if options.start:
            load_weights(network, options.start)
        is_compiled = not options.nocompile and compile_network(network, device)
        ready = on_device(batches, device)
        shown = f"rank {ranks.rank} of {ranks.count}, {device}, {options.workers} workers, compiled {is_compiled}"
        print(f"{shown}, ready after {time.monotonic() - started:.0f} s", flush=True)
        ranks.meet(device)
        log: list[dict] = []
        begun, schedule = time.monotonic(), schedule_of(options)
        positions = train(network, ready, options.seconds, log, schedule, ranks)
        seconds = round(time.monotonic() - begun, 1)
    if ranks.is_first:
        facts = {"seconds": seconds, "positions": positions, "replayed_batches": feed.num_replayed}
        facts |= {"is_compiled": is_compiled} | facts_of(options, ranks, device, log, schedule)
        save_model(network, options.out)
        for old in options.out.glob("evaluation-*.json"):
            old.unlink()
        (options.out / "training_log.json").write_text(json.dumps(facts, indent=1) + "\n")
        print(json.dumps({key: value for key, value in facts.items() if key != "log"}), flush=True)
    ranks.part()


def main() -> int:
    options = arguments()
    started = time.monotonic()
    sys.setswitchinterval(0.0005)  # the copying thread gets its turn beside the training loop
    torch.set_float32_matmul_precision("high")
    ranks = start_ranks(options.cards)
    run(options, ranks)
    if options.cases:
        from bot.demo_model.training.evaluate import evaluate_share

        evaluate_share(options.out, options.cases, ranks.rank, ranks.count)
    ranks.end()
    if ranks.is_first:
        print(f"whole run {time.monotonic() - started:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
