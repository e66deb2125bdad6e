"""What every part of the inference benchmark shares: the model, its floors, and the table that is filled."""

import gc
import json
import os
import platform
import random
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

import torch

from bot.inference.loading.build import MemoryLimits, assemble_runner
from bot.inference.model.kv_cache import BLOCK_SIZE, CacheKind, block_bytes
from bot.inference.model.runner import LlamaRunner
from bot.inference.model.shape import LlamaShape
from bot.inference.model.weights import LlamaWeights, MatrixKind
from tests.checkpoints import llama_2_7b_config, llama_3_8b_config, random_weights, shape_of, tiny_config

ROOT = Path(__file__).parents[1]
SHAPES = {"llama2-7b": llama_2_7b_config, "llama3-8b": llama_3_8b_config}


@dataclass(slots=True)
class Row:
    """One line of the table; `ratio` is what `wanted` is about."""

    part: str
    name: str
    figure: float
    unit: str
    floor: float | None = None
    ratio: float | None = None
    wanted: str = ""
    note: str = ""

    def __str__(self) -> str:
        floor = "" if self.floor is None else f"{self.floor:,.4g}"
        ratio = "" if self.ratio is None else f"{self.ratio:.3f}"
        return (
            f"{self.name:<66} {self.figure:>10,.4g} {self.unit:<8} {floor:>9} {ratio:>8} {self.wanted:>9}  {self.note}"
        )


@dataclass(slots=True)
class Report:
    """The rows so far; each is printed as it is known."""

    rows: list[Row] = field(default_factory=list)
    part: str = ""

    def add(self, name: str, figure: float, unit: str, **more: object) -> float:
        """Note and print a row; returns its figure."""
        row = Row(self.part, name, figure, unit, **more)  # type: ignore[arg-type]
        self.rows.append(row)
        print(row, flush=True)
        return figure

    def take(self, path: Path) -> None:
        """Add the rows that another process wrote."""
        self.rows += [Row(**row) for row in json.loads(path.read_text())["rows"]]

    def write(self, path: Path) -> None:
        """Write the rows with what they were measured on."""
        path.write_text(json.dumps(provenance() | {"rows": [asdict(row) for row in self.rows]}, indent=1))


def provenance() -> dict[str, object]:
    """Card, versions, commit (from the environment's COMMIT, where the tree has no history)."""
    versions: dict[str, object] = {"python": platform.python_version(), "torch": torch.__version__}
    for name in ("triton", "transformers"):
        try:
            versions[name] = __import__(name).__version__
        except ImportError:
            versions[name] = None
    card = torch.cuda.get_device_name() if torch.cuda.is_available() else platform.processor() or platform.machine()
    return {
        "device": card,
        "threads": torch.get_num_threads(),
        "versions": versions,
        "commit": os.environ.get("COMMIT") or _commit(),
        "time": time.ctime(),
    }


def _commit() -> str | None:
    command = ["git", "rev-parse", "--verify", "HEAD"]
    try:
        git = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    except FileNotFoundError:
        return None
    return git.stdout.strip() if git.returncode == 0 else None


class Setting:
    """A model with random weights on a device, and the runner over it."""

    def __init__(
        self,
        *,
        is_tiny: bool,
        shape: str = "llama2-7b",
        weights_kind: MatrixKind = MatrixKind.FLOAT,
        cache_kind: CacheKind = CacheKind.FLOAT,
    ) -> None:
        self.is_tiny = is_tiny
        self.shape_name = shape
        self.weights_kind = weights_kind
        self.cache_kind = cache_kind
        self.use_kernels = True
        self.device = torch.device("cpu") if is_tiny else torch.device("cuda", 0)
        self.dtype = torch.float32 if is_tiny else torch.float16
        self.config = tiny_config(max_position_embeddings=512) if is_tiny else SHAPES[shape]()
        self.shape: LlamaShape = shape_of(self.config)
        self._weights: LlamaWeights | None = None
        self.bandwidth = 4.558e12
        self.gemm_rate = 707e12
        self.held_gemm_rate = 707e12
        """What the card holds for a second, under its power limit."""
        self.startup_seconds = 0.0
        self._runner: LlamaRunner | None = None
        self._random = random.Random(0)

    @property
    def weights(self) -> LlamaWeights:
        """Random weights, made when they are first asked for."""
        if self._weights is None:
            self._weights = random_weights(self.shape, self.device, self.dtype, self.weights_kind)
        return self._weights

    @property
    def runner(self) -> LlamaRunner:
        """The runner, assembled when it is first asked for."""
        if self._runner is None:
            weights = self.weights
            self.clean()
            start = time.perf_counter()
            limits = MemoryLimits(max_num_sequences=64, num_blocks=1200) if self.is_tiny else MemoryLimits()
            self._runner = assemble_runner(self.shape, weights, limits, self.cache_kind, use_kernels=self.use_kernels)
            self.startup_seconds = time.perf_counter() - start
        return self._runner

    def fill_cache(self) -> None:
        """Random keys and values: zeros could be read faster than what is there in earnest."""
        with torch.inference_mode():
            self.runner._cache.fill()

    def drop_runner(self) -> None:
        """Give its memory back."""
        self._runner = None
        self.clean()

    def leave(self) -> None:
        """Give everything back."""
        self._weights = None
        self.drop_runner()

    def clean(self) -> None:
        """Collect what is no longer used."""
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.synchronize()
            torch.cuda.empty_cache()

    def scaled(self, num_tokens: int) -> int:
        """A length, made small for the tiny model."""
        return max(1, num_tokens // 10) if self.is_tiny else num_tokens

    def prompt(self, num_tokens: int) -> tuple[int, ...]:
        """A prompt that was never seen."""
        return tuple(self._random.randrange(3, self.shape.vocab_size) for _ in range(num_tokens))

    def lengths(self, number: int) -> list[int]:
        """Prompt lengths of 500 to 1,500."""
        return [self.scaled(self._random.randrange(500, 1501)) for _ in range(number)]

    def decode_seconds(self, num_steps: int, context_tokens: float) -> float:
        """The least that `num_steps` decode steps over `context_tokens` in all can take: every byte read once."""
        embedding = 0 if self.shape.has_tied_embeddings else self.weights.embedding.nbytes
        per_token = block_bytes(self.shape, self.dtype, self.cache_kind) / BLOCK_SIZE
        num_bytes = num_steps * (self.weights.num_bytes - embedding) + context_tokens * per_token
        return num_bytes / self.bandwidth

    def prefill_seconds(self, lengths: list[int], start: int = 0) -> float:
        """The least that prompts of these lengths can take, each after `start` cached tokens: the products alone."""
        layer = self.weights.layers[0]
        in_layers = sum(matrix.data.numel() for matrix in (layer.qkv, layer.output, layer.gate_up, layer.down))
        products = 2 * self.shape.num_layers * in_layers * sum(lengths)
        products += 2 * self.weights.head.data.numel() * len(lengths)
        pairs = sum(length * start + length * length / 2 for length in lengths)
        return (products + 4 * self.shape.num_layers * self.shape.q_size * pairs) / self.gemm_rate

    def device_seconds(self, action: Callable[[], object], repeats: int = 10) -> float:
        """Median seconds of `action` on the device (on the CPU: by the clock)."""
        times = []
        for _ in range(repeats):
            if self.device.type == "cuda":
                begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
                begin.record()
                action()
                end.record()
                end.synchronize()
                times.append(begin.elapsed_time(end) / 1e3)
            else:
                start = time.perf_counter()
                action()
                times.append(time.perf_counter() - start)
        return median(times)
