"""Training on several cards of one machine: a process for each card, every one with batches of its own.

Rank 0 is the process that was started; it starts the others, logs, saves, and its clock counts for all. A rank that hangs or
dies makes the others fail within a minute instead of using up the time.
"""

import os
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import torch
from torch import distributed

COLLECTIVE_SECONDS = 60
"""How long a rank waits for the others in one step."""
MEETING_SECONDS = 180
"""How long a rank waits for the others before the first step: compilation takes not equally long on all."""
COMPILING_THREADS = "8"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@dataclass
class Ranks:
    """One process among those that train together; alone when there is one card."""

    rank: int = 0
    count: int = 1
    port: int = 0
    others: list[subprocess.Popen] = field(default_factory=list)
    store: distributed.TCPStore | None = None
    """Where the ranks find each other; it lives as long as the process of rank 0."""

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    @property
    def device(self) -> torch.device:
        """The rank's own card, or the CPU."""
        if not torch.cuda.is_available():
            return torch.device("cpu")
        torch.cuda.set_device(self.rank)
        return torch.device("cuda", self.rank)

    def meet(self, device: torch.device) -> None:
        """Waits until all ranks are there and can reach each other."""
        if self.count == 1:
            return
        self.store = distributed.TCPStore(
            "127.0.0.1", self.port, self.count, self.is_first, timeout=timedelta(seconds=MEETING_SECONDS)
        )
        distributed.init_process_group(
            "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo",
            store=self.store,
            rank=self.rank,
            world_size=self.count,
            timeout=timedelta(seconds=COLLECTIVE_SECONDS),
        )
        self.agreed(0.0)
        distributed.all_reduce(torch.zeros(1, device=device))
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    def agreed(self, seconds: float) -> float:
        """What rank 0 says in place of everybody's own seconds."""
        if self.count == 1:
            return seconds
        said = torch.tensor([seconds], dtype=torch.float64)
        distributed.broadcast(said, 0)
        return float(said)

    def average_gradients(self, parameters: list[torch.nn.Parameter]) -> None:
        """Gives every rank the mean of all ranks' gradients, in one exchange."""
        if self.count == 1:
            return
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        distributed.all_reduce(flat)
        flat /= self.count
        parts = flat.split([gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))

    def part(self) -> None:
        """After the last exchange: from here on no rank waits for another."""
        if self.count > 1:
            self.agreed(0.0)
            distributed.destroy_process_group()

    def end(self) -> None:
        """Waits for the processes that rank 0 started, and ends those that are not done in time."""
        for process in self.others:
            try:
                process.wait(COLLECTIVE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def start_ranks(count: int) -> Ranks:
    """The ranks of this process: those it was started with, or `count` of which it is the first and starts the others.

    The others run the same command; the environment tells them who they are.
    """
    if "TRAINING_RANK" in os.environ:
        environ = os.environ
        return Ranks(int(environ["TRAINING_RANK"]), int(environ["TRAINING_RANKS"]), int(environ["TRAINING_PORT"]))
    if count == 1:
        return Ranks()
    if torch.cuda.is_available() and torch.cuda.device_count() < count:
        sys.exit(f"--cards {count}: this machine has {torch.cuda.device_count()}")
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # all on one machine, whatever its name resolves to
    os.environ.setdefault("NCCL_SOCKET_IFNAME", "lo")
    os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", COMPILING_THREADS)
    ranks = Ranks(0, count, free_port())
    shared = os.environ | {"TRAINING_RANKS": str(count), "TRAINING_PORT": str(ranks.port)}
    command = [sys.executable, "-m", "bot.demo_model.training.train", *sys.argv[1:]]
    for rank in range(1, count):
        cache = Path(tempfile.gettempdir()) / f"compiled-{os.getpid()}-{rank}"
        own = {"TRAINING_RANK": str(rank), "TORCHINDUCTOR_CACHE_DIR": str(cache)}
        ranks.others.append(subprocess.Popen(command, env=shared | own))  # noqa: S603 - this very command
    return ranks
