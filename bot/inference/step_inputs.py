"""A step's plain values on their way to the device: one buffer, written on the host, sent in one copy.

Every field has a fixed place on the device, so captured graphs find their inputs where they were captured. On CUDA the
host side is a ring of pinned buffers: a copy that is still under way is never overwritten.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from bot.inference.sampler import SamplingRows

_ALIGNMENT = 64
_RING_SIZE = 4


@dataclass(frozen=True, slots=True)
class Field:
    """One array of the buffer."""

    name: str
    shape: tuple[int, ...]
    dtype: type[np.generic]


@dataclass(frozen=True, slots=True)
class Sizes:
    """Capacities: prompt tokens in a prefill pass, sequences in a step, blocks in a sequence, tiles in a pass."""

    num_tokens: int
    num_sequences: int
    num_blocks: int
    num_tiles: int


SAMPLING_FIELDS = ("slots", "sampled_positions", "seeds", "temperatures", "top_ps", "top_ks", "penalties")


def _fields(sizes: Sizes) -> tuple[Field, ...]:
    tokens, sequences = (sizes.num_tokens,), (sizes.num_sequences,)
    tables = (sizes.num_sequences, sizes.num_blocks)
    return (
        Field("token_ids", tokens, np.int32),
        Field("positions", tokens, np.int32),
        Field("kv_slots", tokens, np.int32),
        Field("tables", tables, np.int32),
        Field("tiles", (sizes.num_tiles, 4), np.int32),
        Field("last_rows", sequences, np.int64),
        Field("slots", sequences, np.int64),
        Field("sampled_positions", sequences, np.int64),
        Field("seeds", sequences, np.int64),
        Field("temperatures", sequences, np.float32),
        Field("top_ps", sequences, np.float32),
        Field("top_ks", sequences, np.int64),
        Field("penalties", sequences, np.float32),
        Field("decode_positions", sequences, np.int32),
        Field("decode_kv_slots", sequences, np.int32),
        Field("decode_tables", tables, np.int32),
    )


class HostArrays:
    """The fields as numpy arrays over one host buffer; `known_tables` is what `decode_tables` holds already."""

    def __init__(self, buffer: Tensor, fields: tuple[Field, ...], offsets: dict[str, int]) -> None:
        flat = buffer.numpy()
        self.arrays: dict[str, np.ndarray] = {}
        for field in fields:
            size = int(np.prod(field.shape)) * np.dtype(field.dtype).itemsize
            start = offsets[field.name]
            self.arrays[field.name] = flat[start : start + size].view(field.dtype).reshape(field.shape)
        self.known_tables: list[Sequence[int]] = [()] * len(self.arrays["decode_tables"])

    def __getitem__(self, name: str) -> np.ndarray:
        return self.arrays[name]


class StepInputs:
    """Device tensors by name, and the host arrays they are sent from."""

    def __init__(self, sizes: Sizes, device: torch.device) -> None:
        fields = _fields(sizes)
        self._offsets, total = _place(fields)
        self._is_cuda = device.type == "cuda"
        self._device_buffer = torch.zeros(total, dtype=torch.uint8, device=device)
        hosts = (
            [torch.zeros(total, dtype=torch.uint8, pin_memory=True) for _ in range(_RING_SIZE)]
            if self._is_cuda
            else [self._device_buffer]
        )
        self._ring = [(host, HostArrays(host, fields, self._offsets)) for host in hosts]
        self._sent: list[torch.cuda.Event | None] = [None] * len(hosts)
        self._turn = 0
        self._tensors = {field.name: self._view(field) for field in fields}
        self.sampling = SamplingRows(*(self._tensors[name] for name in SAMPLING_FIELDS))

    def _view(self, field: Field) -> Tensor:
        dtype = torch.from_numpy(np.empty(0, dtype=field.dtype)).dtype
        size = int(np.prod(field.shape)) * dtype.itemsize
        start = self._offsets[field.name]
        return self._device_buffer[start : start + size].view(dtype).view(field.shape)

    def __getitem__(self, name: str) -> Tensor:
        return self._tensors[name]

    def next_host(self) -> HostArrays:
        """Host arrays that no copy reads any more."""
        self._turn = (self._turn + 1) % len(self._ring)
        event = self._sent[self._turn]
        if event is not None:
            event.synchronize()
        return self._ring[self._turn][1]

    def send(self, first: str, last: str) -> None:
        """Copy the fields from `first` to `last` of the current host arrays to the device, without waiting."""
        if not self._is_cuda:
            return
        start, end = self._offsets[first], self._end(last)
        host = self._ring[self._turn][0]
        self._device_buffer[start:end].copy_(host[start:end], non_blocking=True)
        event = self._sent[self._turn] or torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
        event.record()
        self._sent[self._turn] = event

    def _end(self, name: str) -> int:
        tensor = self._tensors[name]
        return self._offsets[name] + tensor.nbytes


def _place(fields: tuple[Field, ...]) -> tuple[dict[str, int], int]:
    offsets: dict[str, int] = {}
    position = 0
    for field in fields:
        offsets[field.name] = position
        size = int(np.prod(field.shape)) * np.dtype(field.dtype).itemsize
        position += -(-size // _ALIGNMENT) * _ALIGNMENT
    return offsets, position
