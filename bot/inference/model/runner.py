"""The model runner: turns a step's plain values into tensors, runs it, and hands the tokens back when asked.

Sampling parameters live on the host, by slot, and travel with every step; the device remembers only each slot's last
token and, for the repetition penalty, which tokens it has seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from bot.inference.engine import Request, SamplingParams, Weight
from bot.inference.model.device_memory import DeviceMemory
from bot.inference.model.execution import Execution
from bot.inference.model.inputs import HostArrays, fill_decode, fill_prefill, fill_tiles
from bot.inference.model.kv_cache import BLOCK_SIZE, KVCache
from bot.inference.model.ops import Span
from bot.inference.model.sampler import SamplingRows, weigh
from bot.inference.model.shape import LlamaShape
from bot.inference.scheduling.step import (
    DecodeRow,
    DecodeStep,
    PendingTokens,
    PrefillChunk,
    PrefillStep,
    SampledTokens,
    Step,
)
from bot.observer import MemoryRecord

_GREEDY = SamplingParams()


@dataclass(frozen=True, slots=True)
class ReadTokens:
    """Tokens that the CPU computed before `launch` returned."""

    tokens: list[SampledTokens]

    is_done = True

    def collect(self) -> list[SampledTokens]:
        return self.tokens


@dataclass(frozen=True, slots=True)
class CopiedTokens:
    """Tokens on their way from the card to a pinned buffer."""

    slots: "_Slots"
    result: Tensor
    arrived: torch.cuda.Event
    is_done = False

    def collect(self) -> list[SampledTokens]:
        """Wait for the copy and read it; nothing else on the card is waited for."""
        self.arrived.synchronize()
        return _read(self.slots, self.result)


_Slots = tuple[tuple[int, int], ...]
"""Whose the sampled tokens are, and how many for each, in order."""


def _read(slots: _Slots, result: Tensor) -> list[SampledTokens]:
    capacity, total = len(result) // 9, sum(number for _slot, number in slots)
    tokens = iter(result[: capacity * 8].view(torch.int64)[:total].tolist())
    finite = iter(result[capacity * 8 :][:total].tolist())
    return [
        SampledTokens(slot, tuple(islice(tokens, number)), all(list(islice(finite, number)))) for slot, number in slots
    ]


class LlamaRunner:
    """Runs steps of a Llama on one device. Every method belongs to the thread that built it."""

    block_size = BLOCK_SIZE

    def __init__(
        self,
        shape: LlamaShape,
        cache: KVCache,
        execution: Execution,
        *,
        max_num_sequences: int,
        max_prefill_tokens: int,
        context_window: int,
        memory: DeviceMemory,
        model_hash: str = "",
        stream: "torch.cuda.Stream | None" = None,
    ) -> None:
        self.shape = shape
        self.num_blocks = cache.num_blocks
        self.max_num_sequences = max_num_sequences
        self.max_prefill_tokens = max_prefill_tokens
        self.context_window = context_window
        self.model_hash = model_hash
        self.memory = memory
        self._cache = cache
        self._execution = execution
        self._stream = stream
        self._sampling = [_GREEDY] * (max_num_sequences + 1)
        self._max_blocks = execution.inputs["tables"].shape[1]
        self._results = _Results(execution.state.result) if stream is not None else None

    @property
    def eos_token_ids(self) -> frozenset[int]:
        """Tokens that end a completion."""
        return self.shape.eos_token_ids

    def memory_in_use(self) -> MemoryRecord | None:
        """How full the card is; None on a CPU."""
        if self._stream is None:
            return None
        free, total = torch.cuda.mem_get_info(self._stream.device)
        return MemoryRecord(torch.cuda.memory_reserved(self._stream.device), total - free, total)

    @property
    def is_on_card(self) -> bool:
        """Its tensors are in a card's memory, not in the machine's."""
        return self._cache.blocks.device.type == "cuda"

    def save(self) -> bool:
        """Copy a little more of what has to outlast the card's memory to the host's; whether all is there.

        Raises:
            HostMemoryLow: the host has no room for it.
        """
        with torch.inference_mode(), torch.cuda.stream(self._stream):
            return self.memory.save()

    def release(self) -> None:
        """Give the device's memory back. All is saved and no step under way; what is in the cache is lost."""
        self._execution.release()
        with torch.inference_mode(), torch.cuda.stream(self._stream):
            self.memory.release()

    def restore(self) -> None:
        """Take it again; steps can be launched afterwards.

        Raises:
            torch.OutOfMemoryError: others have it now; nothing is held.
        """
        with torch.inference_mode(), torch.cuda.stream(self._stream):
            self.memory.restore()

    def launch(self, step: Step) -> PendingTokens:
        """Start `step` without waiting for it (on the CPU: run it).

        Raises:
            ValueError: the step doesn't fit the runner; nothing was launched.
            torch.OutOfMemoryError: nothing of this step took effect on the slots' state.
        """
        run = self._launch_decode if isinstance(step, DecodeStep) else self._launch_prefill
        # A stream of None changes nothing. Numbers that are none are found in the logits: numpy need not warn of them.
        with torch.inference_mode(), torch.cuda.stream(self._stream), np.errstate(all="ignore"):
            slots = run(step)  # type: ignore[arg-type]
            return self._give_back(slots)

    def weigh(self, request: Request, token_ids: Sequence[int]) -> tuple[Weight, ...]:
        """How near tokens were to being the one that the last step sampled: a prefill of this request's prompt alone.

        The logits that it left are looked at on the CPU, by the reference's sampler.
        """
        with torch.inference_mode(), torch.cuda.stream(self._stream):
            logits = self._execution.state.logits[:1].float().cpu()
        params, prompt = request.sampling, request.prompt_token_ids
        seen = torch.zeros((1, self.shape.vocab_size), dtype=torch.bool)
        seen[0, list(prompt)] = True
        rows = SamplingRows(
            slots=torch.zeros(1, dtype=torch.int64),
            positions=torch.tensor([len(prompt)]),
            seeds=torch.tensor([_signed(params.seed)]),
            temperatures=torch.tensor([params.temperature], dtype=torch.float32),
            top_ps=torch.tensor([params.top_p], dtype=torch.float32),
            top_ks=torch.tensor([params.top_k]),
            penalties=torch.tensor([params.repetition_penalty], dtype=torch.float32),
        )
        return weigh(logits, rows, seen, token_ids)

    def _launch_decode(self, step: DecodeStep) -> _Slots:
        self._check_decode(step.rows)
        execution = self._execution
        bucket = execution.decode_bucket(sum(row.num_tokens for row in step.rows))
        host = execution.inputs.next_host()
        slots = tuple(row.slot for row in step.rows for _ in range(row.num_tokens))
        positions = [row.position + number for row in step.rows for number in range(1, row.num_tokens + 1)]
        is_greedy = self._fill_sampling(host, slots, positions, bucket)
        self._forget_where_verified(host, step.rows)
        spans = fill_decode(host, step.rows, bucket, self.max_num_sequences)
        execution.inputs.send("slots", "decode_tables")
        execution.run_decode(bucket, spans)
        execution.run_head(bucket, is_greedy=is_greedy)
        return tuple((row.slot, row.num_tokens) for row in step.rows)

    def _forget_where_verified(self, host: HostArrays, rows: Sequence[DecodeRow]) -> None:
        """Let what is sampled beside proposals be nobody's last token: which of it stands isn't known here."""
        first = 0
        for row in rows:
            if row.proposed:
                host["slots"][first : first + row.num_tokens] = self.max_num_sequences
            first += row.num_tokens

    def _launch_prefill(self, step: PrefillStep) -> _Slots:
        self._check_prefill(step.chunks)
        execution = self._execution
        num_tokens = sum(len(chunk.token_ids) for chunk in step.chunks)
        bucket = execution.prefill_bucket(num_tokens)
        host = execution.inputs.next_host()
        spans = fill_prefill(host, step.chunks, bucket)
        num_needed = fill_tiles(host["tiles"], spans, execution.model.ops.tile_rows(bucket))
        num_tiles = execution.num_tiles(bucket, num_needed)
        host["tiles"][num_needed:num_tiles] = 0
        last = [number for number, chunk in enumerate(step.chunks) if chunk.is_last]
        is_greedy, num_head_rows = self._fill_last(host, step.chunks, spans, last)
        execution.inputs.send("token_ids", "penalties")
        execution.run_prefill(bucket, num_tiles, spans)
        if last:
            self._mark_seen([step.chunks[number] for number in last])
            execution.finish_last(num_head_rows)
            execution.run_head(num_head_rows, is_greedy=is_greedy)
        return tuple((step.chunks[number].slot, 1) for number in last)

    def _fill_last(
        self, host: HostArrays, chunks: Sequence[PrefillChunk], spans: tuple[Span, ...], last: list[int]
    ) -> tuple[bool, int]:
        """Fill what sampling after a prefill needs; whether all rows are greedy, and to how many they are padded."""
        for number in last:
            self._sampling[chunks[number].slot] = chunks[number].sampling
        num_rows = self._execution.decode_bucket(len(last)) if last else 0
        host["last_rows"][:num_rows] = 0
        host["last_rows"][: len(last)] = [spans[n].first_row + spans[n].num_rows - 1 for n in last]
        slots = tuple(chunks[number].slot for number in last)
        return self._fill_sampling(host, slots, [spans[number].end for number in last], num_rows), num_rows

    def _fill_sampling(self, host: HostArrays, slots: tuple[int, ...], positions: list[int], bucket: int) -> bool:
        """Fill the rows' sampling parameters, padding included; whether every row is plainly greedy."""
        num_padding = bucket - len(slots)
        rows = [self._sampling[slot] for slot in slots] + [_GREEDY] * num_padding
        host["slots"][:bucket] = [*slots, *[self.max_num_sequences] * num_padding]
        host["sampled_positions"][:bucket] = [*positions, *[0] * num_padding]
        if all(row.temperature == 0 and row.repetition_penalty == 1 for row in rows):
            return True
        host["seeds"][:bucket] = [_signed(row.seed) for row in rows]
        host["temperatures"][:bucket] = [row.temperature for row in rows]
        host["top_ps"][:bucket] = [row.top_p for row in rows]
        host["top_ks"][:bucket] = [row.top_k for row in rows]
        host["penalties"][:bucket] = [row.repetition_penalty for row in rows]
        return False

    def _mark_seen(self, chunks: list[PrefillChunk]) -> None:
        """Note the tokens that the repetition penalty of a new sequence applies to."""
        seen = self._execution.state.seen
        for chunk in chunks:
            if chunk.sampling.repetition_penalty != 1:
                tokens = np.zeros(self.shape.vocab_size, dtype=np.bool_)
                tokens[list(chunk.seen_token_ids)] = True
                seen[chunk.slot].copy_(torch.from_numpy(tokens))

    def _give_back(self, slots: _Slots) -> PendingTokens:
        if self._results is None:
            return ReadTokens(_read(slots, self._execution.state.result))
        return self._results.copy(slots)

    def _check_decode(self, rows: Sequence[DecodeRow]) -> None:
        num_tokens = sum(row.num_tokens for row in rows)
        _require(0 < num_tokens <= self.max_num_sequences, f"{num_tokens} decode tokens")
        for row in rows:
            _require(0 <= row.slot < self.max_num_sequences, f"slot {row.slot}")
            ids = row.proposed if row.token_id is None else (row.token_id, *row.proposed)
            _require(not ids or (min(ids) >= 0 and max(ids) < self.shape.vocab_size), "token ids of a row")
            self._check_blocks(row.block_ids, row.position + row.num_tokens)

    def _check_prefill(self, chunks: Sequence[PrefillChunk]) -> None:
        _require(0 < len(chunks) <= self.max_num_sequences, f"{len(chunks)} prefill chunks")
        num_tokens = sum(len(chunk.token_ids) for chunk in chunks)
        _require(0 < num_tokens <= self.max_prefill_tokens, f"{num_tokens} prefill tokens")
        for chunk in chunks:
            ids = chunk.token_ids
            _require(len(ids) > 0 and min(ids) >= 0 and max(ids) < self.shape.vocab_size, "token ids of a chunk")
            _require(0 <= chunk.slot < self.max_num_sequences, f"slot {chunk.slot}")
            self._check_blocks(chunk.block_ids, chunk.start + len(ids))

    def _check_blocks(self, block_ids: Sequence[int], num_tokens: int) -> None:
        fits = num_tokens <= min(self.context_window, len(block_ids) * BLOCK_SIZE)
        _require(fits and len(block_ids) <= self._max_blocks, f"{len(block_ids)} blocks for {num_tokens} tokens")
        _require(max(block_ids) < self.num_blocks and min(block_ids) >= 0, "block ids")


class _Results:
    """A ring of pinned buffers that results are copied to, so that a step's tokens outlive the next step's launch."""

    _RING_SIZE = 8

    def __init__(self, source: Tensor) -> None:
        self._source = source
        self._buffers = [torch.zeros(source.shape, dtype=source.dtype, pin_memory=True) for _ in range(self._RING_SIZE)]
        self._events = [_event() for _ in range(self._RING_SIZE)]
        self._turn = 0

    def copy(self, slots: _Slots) -> CopiedTokens:
        """Copy the step's result, without waiting."""
        self._turn = (self._turn + 1) % self._RING_SIZE
        buffer, event = self._buffers[self._turn], self._events[self._turn]
        buffer.copy_(self._source, non_blocking=True)
        event.record()
        return CopiedTokens(slots, buffer, event)


def _event() -> torch.cuda.Event:
    """An event that is waited for asleep, without the GIL."""
    return torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]


def _signed(seed: int) -> int:
    """A seed as 64 bits with a sign."""
    return (seed + 2**63) % 2**64 - 2**63


def _require(is_right: bool, what: str) -> None:
    if not is_right:
        raise ValueError(f"the runner can't take this step: {what}")
