"""CUDA graphs: a step's hundreds of launches recorded once and replayed with one call.

Decode passes, short prefill passes and the sampling head are captured for a few sizes each; a step is padded to the
next size. All graphs share one memory pool, since only one runs at a time.
"""

import bisect
import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch

from bot.inference.model.execution import Execution, SlotState
from bot.inference.model.inputs import StepInputs
from bot.inference.model.llama import LlamaModel
from bot.inference.model.ops import Span, Workspace

_DECODE_BUCKETS = (1, 2, 4, 8, 12, 16, 24, 32, 40, 48, 56, *range(64, 1024, 64))
_PREFILL_PADDING = 128
_MOST_CAPTURED_TOKENS = 2048
_PREFILL_BUCKETS = (32, 64, *range(_PREFILL_PADDING, _MOST_CAPTURED_TOKENS + 1, _PREFILL_PADDING))
_SPARE_TILES = 16
"""Sequences that a captured prefill may pack beyond one, each of which may end in a partial tile."""


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
        self._decodes: dict[int, torch.cuda.CUDAGraph] = {}
        self._prefills: dict[int, torch.cuda.CUDAGraph] = {}
        self._heads: dict[tuple[int, bool], torch.cuda.CUDAGraph] = {}

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
        if num_tokens not in self._prefills:
            return num_needed
        return max(self._captured_tiles(num_tokens), num_needed)

    def _captured_tiles(self, num_tokens: int) -> int:
        return -(-num_tokens // self.model.ops.tile_rows(num_tokens)) + _SPARE_TILES

    def run_decode(self, num_rows: int, spans: tuple[Span, ...]) -> None:
        """Replay, or run."""
        graph = self._decodes.get(num_rows)
        if graph is None:
            super().run_decode(num_rows, spans)
        else:
            graph.replay()

    def run_prefill(self, num_tokens: int, num_tiles: int, spans: tuple[Span, ...]) -> None:
        """Replay, or run."""
        graph = self._prefills.get(num_tokens)
        if graph is None or num_tiles != self._captured_tiles(num_tokens):
            super().run_prefill(num_tokens, num_tiles, spans)
        else:
            graph.replay()

    def run_head(self, num_rows: int, *, is_greedy: bool) -> None:
        """Replay, or run."""
        graph = self._heads.get((num_rows, is_greedy))
        if graph is None:
            super().run_head(num_rows, is_greedy=is_greedy)
        else:
            graph.replay()

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
        with torch.cuda.stream(self._stream), _without_garbage_collection():
            self._pool = torch.cuda.graph_pool_handle()
            for size in reversed(self._buckets):
                for is_greedy in (False, True):
                    head = self._record(partial(Execution.run_head, self, size, is_greedy=is_greedy))
                    self._heads[size, is_greedy] = head
                if ops.can_capture:
                    self._decodes[size] = self._record(partial(Execution.run_decode, self, size, ()))
            for size in reversed(self._prefill_buckets) if ops.can_capture_prefill else ():
                run = partial(Execution.run_prefill, self, size, self._captured_tiles(size), ())
                self._prefills[size] = self._record(run)
        self._stream.synchronize()

    def _record(self, run: Callable[[], None]) -> torch.cuda.CUDAGraph:
        """Run once (compiling and loading what it needs), then capture."""
        run()
        self._stream.synchronize()
        graph = torch.cuda.CUDAGraph()
        graph.capture_begin(pool=self._pool, capture_error_mode="thread_local")
        try:
            run()
        finally:
            graph.capture_end()
        return graph


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """A tensor that is collected during a capture would free memory, which a capture forbids."""
    was_enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
