"""Launches the sampler for vocabularies that are too large for one program, and keeps its scratch memory."""

import torch
import triton
from torch import Tensor

from bot.inference.kernels import sampling
from bot.inference.kernels.launch import KernelLauncher
from bot.inference.model.sampler import SamplingRows

_NUM_STEPS: int = sampling.NUM_STEPS.value


class WideSampler:
    """Draws tokens for up to `num_rows` rows, `chunk` tokens of the vocabulary in a program."""

    def __init__(
        self, launcher: KernelLauncher, device: torch.device, *, num_rows: int, vocab_size: int, chunk: int
    ) -> None:
        self._launcher = launcher
        self._num_chunks = -(-vocab_size // chunk)
        self._sizes = {"WIDTH": vocab_size, "CHUNK": chunk, "num_warps": 8}
        self._chunks = {"CHUNKS": self._num_chunks, "CHUNKS_BLOCK": triton.next_power_of_2(self._num_chunks)}

        def zeros(*size: int, dtype: torch.dtype = torch.float32) -> Tensor:
            return torch.zeros(size, dtype=dtype, device=device)

        self._maxima, self._winners = zeros(num_rows, self._num_chunks), zeros(num_rows, self._num_chunks)
        self._places = zeros(num_rows, self._num_chunks, dtype=torch.int32)
        self._found = zeros(num_rows, sampling.NUM_FOUND.value, dtype=torch.int32)
        self._wanted = zeros(num_rows)
        self._sums = zeros(2, num_rows, self._num_chunks, sampling.CANDIDATES.value)
        self._arrivals = zeros(num_rows, dtype=torch.int32)

    def tensors(self) -> tuple[Tensor, ...]:
        """What it keeps on the device."""
        scores = (self._maxima, self._winners, self._wanted, self._sums)
        return (*scores, self._places, self._found, self._arrivals)

    def sample(self, logits: Tensor, rows: SamplingRows, seen: Tensor, tokens: Tensor) -> None:
        grid = (logits.shape[0], self._num_chunks)
        self._launcher.run(
            sampling.maxima_kernel, grid,
            logits, rows.slots, rows.penalties, seen, self._maxima, self._places, **self._sizes,
        )  # fmt: skip
        for step in range(2 * _NUM_STEPS):
            self._launcher.run(
                sampling.narrow_kernel, grid,
                logits, rows.slots, rows.temperatures, rows.top_ps, rows.top_ks, rows.penalties, seen, self._maxima,
                self._found, self._wanted, self._sums, step, **self._sizes, **self._chunks,
            )  # fmt: skip
        self._launcher.run(
            sampling.race_kernel, grid,
            logits, rows.slots, rows.positions, rows.seeds, rows.temperatures, rows.top_ps, rows.top_ks,
            rows.penalties, seen, self._maxima, self._places, self._found, self._wanted, self._sums, self._winners,
            self._arrivals, tokens, **self._sizes, **self._chunks,
        )  # fmt: skip
