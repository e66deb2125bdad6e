"""A model without tensors: its next token is a digest of what stands in the blocks that a block table reaches.

Whatever the scheduler mixes up - rows, blocks, positions, stale contents - changes the digest, and so the answer; the
right answer is `echo(request)`. A prompt asks for a failure by holding a *trigger* token.
"""

import zlib
from array import array
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from threading import Event

from bot.inference.engine import Request, SamplingParams
from bot.inference.scheduling.sequence import Sequence as RunningSequence
from bot.inference.scheduling.speculation import Speculation
from bot.inference.scheduling.step import (
    DecodeRow,
    DecodeStep,
    PendingTokens,
    PrefillChunk,
    PrefillStep,
    SampledTokens,
    Step,
)
from bot.observer import Observer, StepRecord

EOS = 2
FIRST_TOKEN = 20
VOCABULARY_SIZE = 500
EOS_ONE_IN = 40
MAX_PENDING = 2
"""Launched steps that may wait to be read back."""


class Trigger(IntEnum):
    """Tokens that make the echo model fail when a prompt holds them."""

    LAUNCH_ERROR = 3
    OUT_OF_MEMORY = 4
    COLLECT_ERROR = 5
    NOT_FINITE = 6
    STICKY = 7
    STICKY_AT_COLLECT = 8
    HANG = 9
    THREAD_DEATH = 10
    DECODE_LAUNCH_ERROR = 11
    DECODE_COLLECT_ERROR = 12
    DECODE_NOT_FINITE = 13


_TRIGGERS = frozenset(int(trigger) for trigger in Trigger)
SPOILERS = [
    Trigger.LAUNCH_ERROR,
    Trigger.OUT_OF_MEMORY,
    Trigger.COLLECT_ERROR,
    Trigger.NOT_FINITE,
    Trigger.DECODE_LAUNCH_ERROR,
    Trigger.DECODE_COLLECT_ERROR,
    Trigger.DECODE_NOT_FINITE,
]
"""Those that fail one request and leave the engine running."""


class OutOfMemoryError(RuntimeError):
    """Named as torch's."""


class AcceleratorError(RuntimeError):
    """Named as torch's."""


def next_token(token_ids: Sequence[int], sampling: SamplingParams, *, has_eos: bool = True) -> int:
    """The token after `token_ids`."""
    seed = zlib.crc32(repr((sampling.temperature, sampling.seed, sampling.repetition_penalty)).encode())
    digest = zlib.crc32(array("I", token_ids).tobytes(), seed)
    if has_eos and digest % EOS_ONE_IN == 0:
        return EOS
    return FIRST_TOKEN + digest // EOS_ONE_IN % (VOCABULARY_SIZE - FIRST_TOKEN)


def echo(request: Request, *, max_sequence_tokens: int = 1 << 30, has_eos: bool = True) -> list[int]:
    """The right completion of `request`."""
    token_ids = list(request.prompt_token_ids)
    limit = min(len(token_ids) + request.sampling.max_new_tokens, max_sequence_tokens)
    while len(token_ids) < limit and not (has_eos and token_ids[-1] == EOS and len(token_ids) > _prompt(request)):
        token_ids.append(next_token(token_ids, request.sampling, has_eos=has_eos))
    return token_ids[_prompt(request) :]


def _prompt(request: Request) -> int:
    return len(request.prompt_token_ids)


class Prophet(Speculation):
    """Knows what `answer_to` a request is, and proposes it, now and then with a wrong token in it."""

    def __init__(
        self, answer_to: Callable[[Request], Sequence[int]], most_step_tokens: int, *, row_tokens: int = 4
    ) -> None:
        super().__init__(most_step_tokens)
        self._answer_to = answer_to
        self._answers: dict[RunningSequence, Sequence[int]] = {}
        self._row_tokens = row_tokens
        self._most_step_tokens = most_step_tokens
        self._num_asked = 0

    def propose(self, sequences: Sequence[RunningSequence]) -> dict[RunningSequence, tuple[int, ...]]:
        """As many for each as fit into the step."""
        left = self._most_step_tokens - len(sequences)
        proposals: dict[RunningSequence, tuple[int, ...]] = {}
        for sequence in sequences:
            if sequence.request.sampling.repetition_penalty != 1:
                continue
            self._num_asked += 1
            answer = self._answers.setdefault(sequence, self._answer_to(sequence.request))
            start = sequence.num_launched - sequence.num_prompt_tokens
            most = min(self._num_asked % self._row_tokens, left, sequence.max_tokens - sequence.num_launched - 1)
            proposed = list(answer[start : start + max(most, 0)])
            if proposed and self._num_asked % 3 == 0:
                proposed[self._num_asked % len(proposed)] = FIRST_TOKEN
            left -= len(proposed)
            proposals[sequence] = tuple(proposed)
        return proposals


@dataclass
class _Slot:
    sampling: SamplingParams
    last_token: int | None = None
    """None beside proposals: which of the tokens stands is not known here."""


@dataclass
class _Part:
    """A chunk or a row."""

    slot: int
    token_ids: tuple[int, ...]
    start: int
    block_ids: tuple[int, ...]
    chunk: PrefillChunk | None = None
    samples: bool = True

    @property
    def end(self) -> int:
        return self.start + len(self.token_ids)


@dataclass
class _Pending:
    tokens: list[SampledTokens]
    error: BaseException | None = None
    before_collect: Callable[[], object] = lambda: None
    is_collected: bool = False
    is_done: bool = False

    def collect(self) -> list[SampledTokens]:
        self.is_collected = True
        self.before_collect()
        if self.error:
            raise self.error
        return self.tokens


@dataclass
class EchoRunner:
    """A `ModelRunner` on plain lists. `violations` names every breach of the border's rules; tests want it empty."""

    num_blocks: int = 65
    block_size: int = 4
    max_num_sequences: int = 8
    max_prefill_tokens: int = 64
    context_window: int = 200
    has_eos: bool = True
    max_step_tokens: int = 1 << 30
    """More tokens than this in one prefill step are out of memory."""
    before_launch: Callable[[Step], object] = lambda _step: None
    before_collect: Callable[[], object] = lambda: None
    released: Event = field(default_factory=Event)
    """Ends a hang."""
    steps: list[Step] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    num_tokens_computed: int = 0
    is_released: bool = False
    """Its memory is given back, so that no step can be run."""

    def __post_init__(self) -> None:
        self._cells: dict[int, list[tuple[int, int] | None]] = {}
        self._slots: dict[int, _Slot] = {}
        self._pending: list[_Pending] = []

    def launch(self, step: Step) -> PendingTokens:
        """Write the step's tokens into the blocks and digest what the block tables reach.

        A failure strikes after the writing, as it may on a device, and before any slot has changed.
        """
        self.before_launch(step)
        self._expect(not self.is_released, "a step without memory")
        self._check(step)
        parts = self._parts(step)
        for part in parts:
            self._write(part)
        contents = [self._read(part.end, part.block_ids) for part in parts]
        triggers = _TRIGGERS & set().union(*contents)
        self._raise_launch_error(step, triggers)
        self.steps.append(step)
        if Trigger.HANG in triggers:
            self.released.wait()
        tokens = [self._sample(part, content) for part, content in zip(parts, contents, strict=True) if part.samples]
        pending = _Pending(tokens, _collect_error(step, triggers), self.before_collect)
        self._pending = [one for one in self._pending if not one.is_collected] + [pending]
        self._expect(len(self._pending) <= MAX_PENDING, "too many results at once")
        return pending

    def lose_memory(self) -> None:
        """Forget what was written: nothing may run."""
        self._expect(all(one.is_collected for one in self._pending), "memory is taken from a step under way")
        self._cells.clear()
        self._slots.clear()
        self.is_released = True

    def _parts(self, step: Step) -> list["_Part"]:
        if isinstance(step, DecodeStep):
            return [
                _Part(row.slot, (self._input(row), *row.proposed), row.position, row.block_ids) for row in step.rows
            ]
        return [
            _Part(chunk.slot, chunk.token_ids, chunk.start, chunk.block_ids, chunk, samples=chunk.is_last)
            for chunk in step.chunks
        ]

    def _input(self, row: DecodeRow) -> int:
        last_token = self._slots[row.slot].last_token
        self._expect(row.token_id in (None, last_token) or last_token is None, "another newest token")
        token_id = last_token if row.token_id is None else row.token_id
        self._expect(token_id is not None, "a newest token that nobody knows")
        return token_id or 0

    def _write(self, part: "_Part") -> None:
        for position, token in enumerate(part.token_ids, part.start):
            cells = self._cells.setdefault(part.block_ids[position // self.block_size], [None] * self.block_size)
            cells[position % self.block_size] = (position, token)
        self.num_tokens_computed += len(part.token_ids)

    def _read(self, num_tokens: int, block_ids: Sequence[int]) -> list[int]:
        cells = [cell for block_id in block_ids for cell in self._cells.get(block_id, [None] * self.block_size)]
        token_ids = []
        for position, cell in enumerate(cells[:num_tokens]):
            written, token = cell or (-1, 0)
            if written != position:
                self.violations.append(f"position {position} reads what was written at {written}")
            token_ids.append(token)
        return token_ids

    def _sample(self, part: "_Part", token_ids: list[int]) -> SampledTokens:
        if chunk := part.chunk:
            self._slots[part.slot] = _Slot(chunk.sampling)
            wants_seen = chunk.sampling.repetition_penalty != 1.0
            self._expect(list(chunk.seen_token_ids) == (token_ids if wants_seen else []), "wrong seen tokens")
        slot = self._slots[part.slot]
        ends = [part.end] if part.chunk else range(part.start + 1, part.end + 1)
        sampled = tuple(next_token(token_ids[:end], slot.sampling, has_eos=self.has_eos) for end in ends)
        slot.last_token = sampled[0] if len(sampled) == 1 else None
        is_finite = Trigger.NOT_FINITE not in token_ids
        if Trigger.DECODE_NOT_FINITE in token_ids and part.chunk is None:
            is_finite = False
        return SampledTokens(part.slot, sampled, is_finite)

    def _raise_launch_error(self, step: Step, triggers: Collection[int]) -> None:
        if Trigger.LAUNCH_ERROR in triggers:
            raise ValueError("a launch failed")
        if Trigger.OUT_OF_MEMORY in triggers:
            raise OutOfMemoryError("CUDA out of memory.")
        if Trigger.STICKY in triggers:
            raise AcceleratorError("CUDA error: device-side assert triggered")
        if Trigger.THREAD_DEATH in triggers:
            raise SystemExit("the thread dies")
        if Trigger.DECODE_LAUNCH_ERROR in triggers and isinstance(step, DecodeStep):
            raise ValueError("a decode launch failed")
        if isinstance(step, PrefillStep) and sum(len(chunk.token_ids) for chunk in step.chunks) > self.max_step_tokens:
            raise OutOfMemoryError("tried to allocate too much")

    def _check(self, step: Step) -> None:
        parts: Sequence[PrefillChunk | DecodeRow] = step.rows if isinstance(step, DecodeStep) else step.chunks
        self._expect(len(parts) > 0, "an empty step")
        self._expect(len({part.slot for part in parts}) == len(parts), "a slot twice in a step")
        written: list[int] = []
        if isinstance(step, DecodeStep):
            num_decoded = sum(row.num_tokens for row in step.rows)
            self._expect(num_decoded <= self.max_num_sequences, "a decode step too large")
        for part in parts:
            start = part.position if isinstance(part, DecodeRow) else part.start
            end = start + (part.num_tokens if isinstance(part, DecodeRow) else len(part.token_ids))
            self._expect(end > start, "an empty chunk")
            self._expect(0 <= part.slot < self.max_num_sequences, "a slot out of range")
            self._expect(end <= self.context_window, "beyond the context window")
            self._expect(end <= len(part.block_ids) * self.block_size, "a block table too short")
            self._expect(all(0 < block < self.num_blocks for block in part.block_ids), "a block out of range")
            self._expect(len(set(part.block_ids)) == len(part.block_ids), "a block twice in a table")
            written += part.block_ids[start // self.block_size : -(-end // self.block_size)]
        self._expect(len(set(written)) == len(written), "two rows write to one block")
        if isinstance(step, PrefillStep):
            num_tokens = sum(len(chunk.token_ids) for chunk in step.chunks)
            self._expect(num_tokens <= self.max_prefill_tokens, "a prefill step too large")

    def _expect(self, is_kept: bool, rule: str) -> None:
        if not is_kept:
            self.violations.append(rule)


@dataclass
class EchoMemory:
    """The memory of an `EchoRunner`, which can be given back. `others_have_it` while others take it."""

    runner: EchoRunner
    num_slabs: int = 3
    others_have_it: bool = False
    is_host_full: bool = False
    before: Callable[[str], object] = lambda _what: None
    """Called with what is about to be done: save, release or restore."""
    done: list[str] = field(default_factory=list)

    def save(self) -> bool:
        """Save one slab."""
        self.before("save")
        if self.is_host_full:
            raise MemoryError("this machine's memory is full")
        num_saved = self.done.count("save")
        if num_saved < self.num_slabs:
            self.done.append("save")
        return num_saved + 1 >= self.num_slabs

    def release(self) -> None:
        """Void everything."""
        self.before("release")
        self.runner.lose_memory()
        self.done.append("release")

    def restore(self) -> None:
        """Take it back."""
        self.before("restore")
        if self.others_have_it:
            raise OutOfMemoryError("CUDA out of memory.")
        self.runner.is_released = False
        self.done.append("restore")


def _collect_error(step: Step, triggers: Collection[int]) -> BaseException | None:
    if Trigger.COLLECT_ERROR in triggers:
        return ValueError("a step failed")
    if Trigger.DECODE_COLLECT_ERROR in triggers and isinstance(step, DecodeStep):
        return ValueError("a decode step failed")
    if Trigger.STICKY_AT_COLLECT in triggers:
        return RuntimeError("CUDA error: an illegal memory access was encountered")
    return None


class LatestStep(Observer):
    """Remembers the engine's latest step."""

    def __init__(self) -> None:
        self.record = StepRecord()

    def on_step(self, record: StepRecord) -> None:
        self.record = record
