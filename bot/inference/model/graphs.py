"""CUDA graphs: a step's hundreds of launches recorded once and replayed with one call.

Decode passes, short prefill passes and the sampling head are captured for a few sizes each; a step is padded to the
next size. All graphs share one memory pool, since only one runs at a time. They hold addresses: they go when the card's
memory is given back, and each is captured again when it is next needed.
"""

import bisect
import gc
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import torch

from bot.inference.model.execution import Execution, SlotState
from bot.inference.model.inputs import StepInputs
from bot.inference.model.llama import LlamaModel
from bot.inference.model.ops import Span, Workspace

log = logging.getLogger(__name__)

_DECODE_BUCKETS = (1, 2, 4, 8, 12, 16, 24, 32, 40, 48, 56, *range(64, 1024, 64))
_PREFILL_PADDING = 128
_MOST_CAPTURED_TOKENS = 2048
_PREFILL_BUCKETS = (32, 64, *range(_PREFILL_PADDING, _MOST_CAPTURED_TOKENS + 1, _PREFILL_PADDING))
_SPARE_TILES = 16
"""Sequences that a captured prefill may pack beyond one, each of which may end in a partial tile."""


class _Key(NamedTuple):
    """Which pass: decode, prefill, head or greedy head, and of how many rows."""

    kind: str
    size: int


class GraphExecution(Execution):
    """Replays captured passes; what was not captured runs call by call."""

    def __init__(
        self,
        model: LlamaModel,
        workspace: Workspace,
        inputs: StepInputs,
        state: SlotState,
        stream: torch.cuda.Stream,
    ) -> None:
        super().__init__(model, workspace, inputs, state)
        num_sequences = len(state.tokens)
        self._buckets: list[int] = [*(size for size in _DECODE_BUCKETS if size < num_sequences), num_sequences]
        self._prefill_buckets = [size for size in _PREFILL_BUCKETS if size <= workspace.num_rows]
        self._stream = stream
        self._pool: Any = None
        self._graphs: dict[_Key, torch.cuda.CUDAGraph | None] = {}
        """What is captured; None has to be captured again when it is next needed."""

    def decode_bucket(self, num_rows: int) -> int:
        """The next captured size."""
        return self._buckets[bisect.bisect_left(self._buckets, num_rows)]

    def prefill_bucket(self, num_tokens: int) -> int:
        """The next captured size, or the next multiple of 128: libraries see few shapes, and those early."""
        if self._prefill_buckets and num_tokens <= self._prefill_buckets[-1]:
            return int(self._prefill_buckets[bisect.bisect_left(self._prefill_buckets, num_tokens)])
        return min(-(-num_tokens // _PREFILL_PADDING) * _PREFILL_PADDING, self.workspace.num_rows)

    def num_tiles(self, num_tokens: int, num_needed: int) -> int:
        """What the captured pass launches, where that is enough."""
        if _Key("prefill", num_tokens) not in self._graphs:
            return num_needed
        return max(self._captured_tiles(num_tokens), num_needed)

    def _captured_tiles(self, num_tokens: int) -> int:
        return -(-num_tokens // self.model.ops.tile_rows(num_tokens)) + _SPARE_TILES

    def run_decode(self, num_rows: int, spans: tuple[Span, ...]) -> None:
        if not self._replay(_Key("decode", num_rows)):
            super().run_decode(num_rows, spans)

    def run_prefill(self, num_tokens: int, num_tiles: int, spans: tuple[Span, ...]) -> None:
        if num_tiles != self._captured_tiles(num_tokens) or not self._replay(_Key("prefill", num_tokens)):
            super().run_prefill(num_tokens, num_tiles, spans)

    def run_head(self, num_rows: int, *, is_greedy: bool) -> None:
        if not self._replay(_Key("greedy head" if is_greedy else "head", num_rows)):
            super().run_head(num_rows, is_greedy=is_greedy)

    def warm_up(self) -> None:
        """Meet the prefill sizes that are not captured, on one layer: libraries load what a shape needs on sight."""
        first = _MOST_CAPTURED_TOKENS + _PREFILL_PADDING if self.model.ops.can_capture_prefill else _PREFILL_PADDING
        sizes = range(first, self.workspace.num_rows + 1, _PREFILL_PADDING)
        with torch.cuda.stream(self._stream):
            for size in sizes:
                self.model.run_layers(self.prefill_pass(size, 1), num_layers=1)
        self._stream.synchronize()

    def capture(self) -> None:
        """Capture every size, the largest first, so that the others find the pool large enough."""
        ops = self.model.ops
        gc.collect()
        with torch.cuda.stream(self._stream):
            for size in reversed(self._buckets):
                self._capture_first(_Key("head", size))
                self._capture_first(_Key("greedy head", size))
                if ops.can_capture:
                    self._capture_first(_Key("decode", size))
            for size in reversed(self._prefill_buckets) if ops.can_capture_prefill else ():
                self._capture_first(_Key("prefill", size))
        self._stream.synchronize()

    def release(self) -> None:
        """Let go of the graphs and their memory, before addresses change."""
        self._graphs = dict.fromkeys(self._graphs)
        self._pool = None

    def _capture_first(self, key: _Key) -> None:
        """Run once (compiling and loading what it needs), then capture."""
        self._pass(key)()
        self._stream.synchronize()
        self._graphs[key] = self._record(key)

    def _replay(self, key: _Key) -> bool:
        """Replay a captured pass; False where it isn't one."""
        if key not in self._graphs:
            return False
        graph = self._graphs[key]
        if graph is None:
            graph = self._capture_again(key)
        if graph is not None:
            graph.replay()
        return graph is not None

    def _capture_again(self, key: _Key) -> torch.cuda.CUDAGraph | None:
        """Capture a pass that was captured before; this takes about as long as to run it once."""
        try:
            self._graphs[key] = self._record(key)
        except torch.OutOfMemoryError:
            log.warning("no room to capture %s of %d again: it runs call by call", *key)
            del self._graphs[key]
        return self._graphs.get(key)

    def _record(self, key: _Key) -> torch.cuda.CUDAGraph:
        run = self._pass(key)
        # A thread's first product makes a handle, which a capture forbids.
        torch.cuda.current_blas_handle()  # type: ignore[no-untyped-call]
        self._pool = self._pool or torch.cuda.graph_pool_handle()
        graph = torch.cuda.CUDAGraph()
        with _without_garbage_collection():
            graph.capture_begin(pool=self._pool, capture_error_mode="thread_local")
            try:
                run()
            finally:
                graph.capture_end()
        return graph

    def _pass(self, key: _Key) -> Callable[[], None]:
        kind, size = key
        if kind == "decode":
            return partial(Execution.run_decode, self, size, ())
        if kind == "prefill":
            return partial(Execution.run_prefill, self, size, self._captured_tiles(size), ())
        return partial(Execution.run_head, self, size, is_greedy=kind == "greedy head")


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """A tensor that is collected during a capture would free memory, which a capture forbids."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
