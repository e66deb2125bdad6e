"""A step's plain values on their way to the device: one buffer, written on the host, sent in one copy.

Every field has a fixed place on the device, so captured graphs find their inputs where they were captured. On CUDA the
host side is a ring of pinned buffers: a copy that is still under way is never overwritten.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from bot.inference.model.kv_cache import BLOCK_SIZE
from bot.inference.model.ops import Span
from bot.inference.model.sampler import SamplingRows
from bot.inference.scheduling.step import DecodeRow, PrefillChunk

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
        Field("tiles", (sizes.num_tiles, 5), np.int32),
        Field("last_rows", sequences, np.int64),
        Field("slots", sequences, np.int64),
        Field("sampled_positions", sequences, np.int64),
        Field("seeds", sequences, np.int64),
        Field("temperatures", sequences, np.float32),
        Field("top_ps", sequences, np.float32),
        Field("top_ks", sequences, np.int64),
        Field("penalties", sequences, np.float32),
        Field("sources", sequences, np.int64),
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


def fill_decode(host: HostArrays, rows: Sequence[DecodeRow], bucket: int, num_slots: int) -> tuple[Span, ...]:
    """Write decode rows token by token, padded to `bucket`; where each lies in the pass.

    A block table that is there already isn't written again.
    """
    spans: list[Span] = []
    positions: list[int] = []
    sources: list[int] = []
    tables: list[tuple[int, ...]] = []
    for row in rows:
        spans.append(Span(len(positions), row.num_tokens, row.position, len(positions)))
        positions += range(row.position, row.position + row.num_tokens)
        sources.append(row.slot if row.token_id is None else num_slots + 1 + row.token_id)
        sources += [num_slots + 1 + token_id for token_id in row.proposed]
        tables += [row.block_ids] * row.num_tokens
    num_padding = bucket - len(positions)
    slots = [
        table[position // BLOCK_SIZE] * BLOCK_SIZE + position % BLOCK_SIZE
        for position, table in zip(positions, tables, strict=True)
    ]
    host["sources"][:bucket] = sources + [num_slots] * num_padding
    host["decode_positions"][:bucket] = positions + [0] * num_padding
    host["decode_kv_slots"][:bucket] = slots + [0] * num_padding
    tables += [()] * num_padding
    for number, table in enumerate(tables):
        if host.known_tables[number] != table:
            _fill_table(host["decode_tables"][number], table)
            host.known_tables[number] = table
    return tuple(spans)


def _fill_table(row: "np.ndarray", table: Sequence[int]) -> None:
    row[: len(table)] = table
    row[len(table) :] = 0


def fill_prefill(host: HostArrays, chunks: Sequence[PrefillChunk], bucket: int) -> tuple[Span, ...]:
    """Write packed chunks, padded to `bucket`; where each lies in the pass."""
    spans: list[Span] = []
    first = 0
    for number, chunk in enumerate(chunks):
        span = Span(first, len(chunk.token_ids), chunk.start, number)
        positions = np.arange(span.start, span.end, dtype=np.int32)
        table = np.asarray(chunk.block_ids, dtype=np.int32)
        within = slice(first, first + span.num_rows)
        host["token_ids"][within] = chunk.token_ids
        host["positions"][within] = positions
        host["kv_slots"][within] = table[positions // BLOCK_SIZE] * BLOCK_SIZE + positions % BLOCK_SIZE
        _fill_table(host["tables"][number], chunk.block_ids)
        spans.append(span)
        first += span.num_rows
    for name in ("token_ids", "positions", "kv_slots"):
        host[name][first:bucket] = 0
    return tuple(spans)


def fill_tiles(tiles: "np.ndarray", spans: tuple[Span, ...], tile_rows: int) -> int:
    """Cut the spans into tiles of query rows for the prefill attention, those with most keys first; how many."""
    number = 0
    for span in reversed(spans):
        for offset in reversed(range(0, span.num_rows, tile_rows)):
            num_rows = min(tile_rows, span.num_rows - offset)
            tiles[number] = (span.first_row + offset, num_rows, span.start + offset, span.table_row, span.start)
            number += 1
    return number
