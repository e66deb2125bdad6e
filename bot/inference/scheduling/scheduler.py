"""What the model runs next: who is admitted, which prompts are prefilled together, which answers get a token.

The rule that people feel: while answers run, they wait for at most one prefill chunk of `max_chunk_tokens` between two
of their tokens. When none runs, prompts are packed into passes as large as the runner takes, and those that arrive
meanwhile join them (a *burst*, bounded by `max_burst_tokens`) before the first of them decodes: that is what makes many
conversations at once fast. Blocks for a prompt are reserved at admission, an answer's one by one; when they run out,
the newest sequence gives its own back and is computed again later, background work before anyone else's.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from bot.errors import EngineOverloaded
from bot.inference.engine import BACKGROUND
from bot.inference.scheduling.batch import Batch
from bot.inference.scheduling.block_manager import BlockManager, CacheScope
from bot.inference.scheduling.fair_queue import FairQueue
from bot.inference.scheduling.sequence import Sequence
from bot.inference.scheduling.speculation import Speculation
from bot.inference.scheduling.step import DecodeStep, PrefillChunk, PrefillStep

_SPARE_BLOCKS_PER_SEQUENCE = 2


@dataclass(frozen=True, slots=True)
class SchedulerLimits:
    """How much is taken on at once."""

    max_waiting: int = 128
    """Requests that may wait, besides those for which there are slots; the next is refused."""
    max_chunk_tokens: int = 512
    """Prompt tokens that a running answer may have to wait for."""
    max_burst_tokens: int = 65536
    """Prompt tokens in a row before the answers that they began go on."""


class Scheduler:
    """Decides each step. Knows no tensors and no clock; `launched` and its kin tell it what came of its decisions."""

    def __init__(
        self,
        blocks: BlockManager,
        *,
        max_num_sequences: int,
        max_prefill_tokens: int,
        limits: SchedulerLimits | None = None,
        speculation: Speculation | None = None,
    ) -> None:
        self.blocks = blocks
        self._speculation = speculation
        self.limits = limits or SchedulerLimits()
        self.max_open_requests = self.limits.max_waiting + max_num_sequences
        """Running and waiting together."""
        self.running: list[Sequence] = []
        """Sequences with a slot, by seniority."""
        self.preempted: list[Sequence] = []
        """Sequences that had to give their slot back, by seniority."""
        self.num_preemptions = 0
        self._waiting: tuple[FairQueue[Sequence], FairQueue[Sequence]] = (FairQueue(), FairQueue())
        self._free_slots = list(range(max_num_sequences - 1, -1, -1))
        self._max_prefill_tokens = max_prefill_tokens
        self._num_burst_tokens: int | None = None
        """Tokens that the present burst has taken; None outside a burst."""
        self._num_admissions = 0
        self._was_prefill = False

    def __iter__(self) -> Iterator[Sequence]:
        yield from self.running
        yield from self.preempted
        for queue in self._waiting:
            yield from queue

    @property
    def num_waiting(self) -> int:
        """Sequences without a slot: never admitted, or preempted."""
        return sum(map(len, self._waiting)) + len(self.preempted)

    @property
    def has_work(self) -> bool:
        """Some sequence is not finished."""
        return bool(self.running or self.num_waiting)

    @property
    def is_bursting(self) -> bool:
        """Prompts are being prefilled in large passes, and no answer runs yet."""
        return self._num_burst_tokens is not None

    def add(self, sequence: Sequence) -> None:
        """Put a new sequence in line.

        Raises:
            EngineOverloaded: the line is full.
        """
        if len(self.running) + self.num_waiting >= self.max_open_requests:
            raise EngineOverloaded
        self._waiting[sequence.rank].push(sequence)

    def schedule(self) -> Batch | None:
        """The next step, or None if nothing can be launched now."""
        self._admit()
        batch = None if self._is_prefill_turn() else self._decode()
        if batch is None:
            batch = self._prefill()
        self._was_prefill = batch is not None and isinstance(batch.step, PrefillStep)
        return batch

    def launched(self, batch: Batch) -> None:
        """Note that a step runs: its positions count as computed, its sampled tokens as pending."""
        if isinstance(batch.step, DecodeStep):
            for sequence in batch.sequences:
                sequence.num_computed += 1
                sequence.num_pending += 1
            return
        for sequence, chunk in zip(batch.sequences, batch.step.chunks, strict=True):
            sequence.num_computed += len(chunk.token_ids)
            sequence.num_pending += chunk.is_last

    def keep(self, sequence: Sequence) -> None:
        """Make what is known to be right of a sequence's blocks findable."""
        self.blocks.keep(sequence.block_ids, sequence.token_ids[: sequence.num_confirmed], sequence.scope)

    def finish(self, sequence: Sequence, *, is_trusted: bool = True) -> None:
        """Take a sequence out, wherever it is; its blocks are kept for reuse if they can be trusted."""
        sequence.is_finished = True
        if sequence in self.preempted:
            self.preempted.remove(sequence)
        elif not sequence.is_running:
            self._waiting[sequence.rank].remove(sequence)
        else:
            if is_trusted:
                self.keep(sequence)
            else:
                self.blocks.distrust(sequence.block_ids)
            self._leave(sequence)

    def restart(self, sequence: Sequence) -> None:
        """Forget all that is pending of a sequence; it is computed again from its known tokens, alone."""
        sequence.incarnation += 1
        sequence.num_pending = 0
        sequence.is_suspect = True
        if sequence.is_running:
            self._leave(sequence)
            self._line_up_again(sequence)

    def forget(self, owner: str) -> None:
        """Drop the owner's blocks: the idle ones now, those in use when their sequences end."""
        self.blocks.forget(owner)
        for sequence in self:
            if sequence.scope.owner == owner:
                sequence.scope = CacheScope("", sequence.scope.num_shared_prefix_tokens)

    # Admission and preemption

    def _admit(self) -> None:
        while candidate := self._next_candidate():
            if not self._try_admit(candidate) and not self._make_room_for(candidate):
                return

    def _next_candidate(self) -> Sequence | None:
        for rank, queue in enumerate(self._waiting):
            preempted = next((sequence for sequence in self.preempted if sequence.rank == rank), None)
            if candidate := preempted or queue.peek():
                return candidate
        return None

    def _try_admit(self, sequence: Sequence) -> bool:
        if not self._free_slots or sequence.num_pending:
            return False
        num_spare = _SPARE_BLOCKS_PER_SEQUENCE * len(self.running)
        reservation = self.blocks.reserve(sequence.token_ids, sequence.scope, num_spare=num_spare)
        if reservation is None:
            return False
        sequence.block_ids, num_cached_tokens = reservation
        sequence.slot, sequence.is_running = self._free_slots.pop(), True
        sequence.num_computed = sequence.num_confirmed = num_cached_tokens
        sequence.num_prefill_tokens = len(sequence.token_ids)
        if sequence.admission:
            self.preempted.remove(sequence)
        else:
            self._waiting[sequence.rank].serve(sequence)
            self._num_admissions += 1
            sequence.admission = self._num_admissions
            sequence.num_cached_tokens = num_cached_tokens
        self.running.append(sequence)
        self.running.sort(key=lambda sequence: sequence.seniority)
        return True

    def _make_room_for(self, candidate: Sequence) -> bool:
        """Background work doesn't run while people wait."""
        if candidate.rank == BACKGROUND or candidate.num_pending:
            return False
        if not self.running or self.running[-1].rank != BACKGROUND:
            return False
        self._preempt(self.running[-1])
        return True

    def _preempt(self, sequence: Sequence) -> None:
        self.num_preemptions += 1
        self.keep(sequence)
        self._leave(sequence)
        self._line_up_again(sequence)

    def _leave(self, sequence: Sequence) -> None:
        self.running.remove(sequence)
        self.blocks.release(sequence.block_ids)
        self._free_slots.append(sequence.slot)
        sequence.is_running, sequence.block_ids = False, ()
        sequence.num_computed = sequence.num_confirmed = 0

    def _line_up_again(self, sequence: Sequence) -> None:
        self.preempted.append(sequence)
        self.preempted.sort(key=lambda sequence: sequence.seniority)

    # Steps

    def _has_answers(self) -> bool:
        return any(sequence.can_decode for sequence in self.running)

    def _is_prefill_turn(self) -> bool:
        if not any(sequence.is_prefilling for sequence in self.running):
            self._num_burst_tokens = None
            return False
        if self._num_burst_tokens is not None and self._num_burst_tokens >= self.limits.max_burst_tokens:
            self._num_burst_tokens = None
        return self.is_bursting or not self._was_prefill or not self._has_answers()

    def _prefill(self) -> Batch | None:
        prefilling = [sequence for sequence in self.running if sequence.is_prefilling]
        if not prefilling:
            return None
        if self.is_bursting or not self._has_answers():
            chunks, sequences = pack(prefilling, even_share(prefilling, self._max_prefill_tokens))
            self._num_burst_tokens = (self._num_burst_tokens or 0) + sum(len(chunk.token_ids) for chunk in chunks)
        else:
            chunks, sequences = pack(prefilling, min(self.limits.max_chunk_tokens, self._max_prefill_tokens))
        return Batch(PrefillStep(tuple(chunks)), tuple(sequences))

    def _decode(self) -> Batch | None:
        suspects = [sequence for sequence in self.running if sequence.is_suspect and sequence.can_decode]
        sequences = [
            sequence
            for sequence in suspects[:1] or list(self.running)
            if sequence.is_running and sequence.can_decode and self._grow(sequence)
        ]
        if not sequences:
            return None
        proposals = {} if suspects or not self._speculation else self._speculation.propose(sequences)
        rows = [sequence.next_row(self._fitting(sequence, proposals.get(sequence, ()))) for sequence in sequences]
        return Batch(DecodeStep(tuple(rows)), tuple(sequences))

    def _fitting(self, sequence: Sequence, proposed: tuple[int, ...]) -> tuple[int, ...]:
        """As many of the proposals as there are blocks for; nobody gives way for them."""
        num_spare = _SPARE_BLOCKS_PER_SEQUENCE * len(self.running)
        wanted = self.blocks.num_blocks_for(sequence.num_computed + 1 + len(proposed))
        while len(sequence.block_ids) < wanted and self.blocks.num_available > num_spare:
            if (block_id := self.blocks.allocate()) is not None:
                sequence.block_ids = (*sequence.block_ids, block_id)
        return proposed[: len(sequence.block_ids) * self.blocks.block_size - sequence.num_computed - 1]

    def _grow(self, sequence: Sequence) -> bool:
        """Make room for one more position, at the expense of juniors; False if the sequence was the most junior."""
        if sequence.num_computed < len(sequence.block_ids) * self.blocks.block_size:
            return True
        while (block_id := self.blocks.allocate()) is None:
            junior = self.running[-1]
            self._preempt(junior)
            if junior is sequence:
                return False
        sequence.block_ids = (*sequence.block_ids, block_id)
        return True


_PASS_STEP = 128
"""Large passes are multiples of it: what the runner pads to."""


def even_share(prefilling: list[Sequence], max_tokens: int) -> int:
    """Tokens of the next pass if all have about as many: a short last one would cost more than it is worth."""
    num_tokens = sum(sequence.num_prefill_tokens - sequence.num_computed for sequence in prefilling)
    share = -(-num_tokens // -(-num_tokens // max_tokens))
    return min(-(-share // _PASS_STEP) * _PASS_STEP, max_tokens)


def pack(prefilling: list[Sequence], max_tokens: int) -> tuple[list[PrefillChunk], list[Sequence]]:
    """Chunks of `max_tokens` in all, in order, and whose they are; a suspect's chunk stays alone."""
    chunks: list[PrefillChunk] = []
    sequences: list[Sequence] = []
    for sequence in prefilling:
        if max_tokens == 0 or (sequences and (sequence.is_suspect or sequences[0].is_suspect)):
            break
        chunk = sequence.next_chunk(max_tokens)
        max_tokens -= len(chunk.token_ids)
        chunks.append(chunk)
        sequences.append(sequence)
    return chunks, sequences
