"""The engine's heart, one step at a time: schedule, launch, read the *previous* step back, update.

Reading back one step late keeps the GPU busy while Python thinks: a step is launched before the tokens of the one
before it are known. (Where proposed tokens are verified, how far a sequence came is known only then: the next step
waits for it.) A sequence that ends by its end-of-text token has therefore one more row in launched; what comes of
it is dropped. Plain Python, no torch: the model runner is given.

That row still writes its keys and values into a block that was released in the meantime. It does no harm: the device
runs steps in the order of their launch, so whoever gets the block next writes it later, before reading it; and what is
kept for reuse are whole blocks of positions that were read back, which that row lies behind.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from bot.errors import EngineFailed, PromptTooLong, RequestFailed, UserError, WaitedTooLong
from bot.inference.engine import Counters, FinishReason, Request
from bot.inference.scheduling.batch import Batch, LaunchedRow, LaunchedStep, note_launch
from bot.inference.scheduling.block_manager import BlockManager, CacheScope
from bot.inference.scheduling.containment import contained, is_out_of_memory
from bot.inference.scheduling.scheduler import Scheduler, SchedulerLimits
from bot.inference.scheduling.sequence import Sequence
from bot.inference.scheduling.speculation import Speculation
from bot.inference.scheduling.step import ModelRunner, SampledTokens
from bot.observer import StepRecord

log = logging.getLogger(__name__)

DEFAULT_EOS_TOKEN_IDS = frozenset({2})
_LOOK_AT_QUEUE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Output:
    """What one step brought for one request.

    The first output has counters; the last one has a finish reason and counters, or an error.
    """

    request_id: int
    token_ids: tuple[int, ...] = ()
    finish_reason: FinishReason | None = None
    counters: Counters | None = None
    error: UserError | None = None


@dataclass(slots=True)
class Totals:
    """What an engine did since its start."""

    requests: int = 0
    failed: int = 0
    aborted: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    new_tokens: int = 0


class EngineCore:
    """Continuous batching over a model runner. Lives on one thread; every method is called from there."""

    def __init__(
        self,
        runner: ModelRunner,
        *,
        limits: SchedulerLimits | None = None,
        eos_token_ids: frozenset[int] = DEFAULT_EOS_TOKEN_IDS,
        clock: Callable[[], float] = time.monotonic,
        on_running: Callable[[tuple[str, ...]], None] = lambda _names: None,
        speculation: Speculation | None = None,
    ) -> None:
        self.speculation = speculation
        self.blocks = BlockManager(runner.num_blocks, runner.block_size)
        self.scheduler = Scheduler(
            self.blocks,
            max_num_sequences=runner.max_num_sequences,
            max_prefill_tokens=runner.max_prefill_tokens,
            limits=limits,
            speculation=speculation,
        )
        self.max_sequence_tokens = min(runner.context_window, self.blocks.num_blocks * runner.block_size)
        self._runner = runner
        self._eos_token_ids = eos_token_ids
        self._clock = clock
        self._on_running = on_running
        self._reported_running: tuple[str, ...] = ()
        self._sequences: dict[int, Sequence] = {}
        self._pending: LaunchedStep | None = None
        self._done_at: float | None = None
        """When the latest step was over; None after a pause."""
        self._outputs: list[Output] = []
        self._unbegun: set[int] = set()
        """Requests of which nothing was handed out yet."""
        self._totals = Totals()
        self._next_look_at_queue = 0.0

    @property
    def has_work(self) -> bool:
        """Another step is needed."""
        return bool(self.scheduler.has_work or self._pending or self._outputs)

    def submit(self, request_id: int, request: Request, submitted_at: float | None = None) -> None:
        """Put a request in line.

        Raises:
            EngineOverloaded: the line is full.
            PromptTooLong: prompt plus one token don't fit into `max_sequence_tokens`.
            ValueError: the prompt is empty, or no token is asked for.
        """
        check_request(request, self.max_sequence_tokens)
        num_prompt_tokens = len(request.prompt_token_ids)
        sequence = Sequence(
            request_id=request_id,
            request=request,
            max_tokens=min(num_prompt_tokens + request.sampling.max_new_tokens, self.max_sequence_tokens),
            submitted_at=self._clock() if submitted_at is None else submitted_at,
            scope=CacheScope(request.cache_owner, request.num_shared_prefix_tokens),
        )
        self.scheduler.add(sequence)
        self._sequences[request_id] = sequence
        self._unbegun.add(request_id)
        self._totals.requests += 1

    def abort(self, request_id: int) -> None:
        """End a request whose reader has left; an unknown or finished one is no mistake."""
        if sequence := self._sequences.get(request_id):
            self._totals.aborted += 1
            self._unbegun.discard(request_id)
            self._close(sequence)
            self._report_running()

    def forget(self, owner: str) -> None:
        """Drop every block that belongs to `owner` alone; requests under way end undisturbed and leave nothing."""
        self.scheduler.forget(owner)

    def step(self) -> list[Output]:
        """Launch the next step, wait for the one before it, and return what that brought.

        Raises:
            EngineFailed: the device is lost, or nothing moves though there is work.
        """
        self._drop_who_waited_too_long()
        if self._pending is None:
            self._done_at = None
        elif self._pending.is_verifying:
            self._read_back()
        batch = self.scheduler.schedule()
        if not batch and not self._pending and self.scheduler.has_work:
            raise EngineFailed("The engine is stuck: it has work, and no step can be made.")
        self._report_running()
        launched = self._launch(batch) if batch else None
        self._read_back()
        self._pending = launched
        if not self.scheduler.running:
            self._report_running()
        return self._take_outputs()

    def wait(self) -> list[Output]:
        """What a step does where none can be made: return what happened to those who wait."""
        self._drop_who_waited_too_long()
        return self._take_outputs()

    def refuse_all(self, error: Callable[[], UserError]) -> list[Output]:
        """End every request with an error of its own."""
        for sequence in list(self._sequences.values()):
            self._close(sequence)
            self._outputs.append(Output(sequence.request_id, error=error()))
        return self._take_outputs()

    def forget_all(self) -> None:
        """Drop every block: what they held is lost. Nothing runs."""
        self.blocks.forget_all()

    def snapshot(self) -> StepRecord:
        """The present state and the totals."""
        totals = self._totals
        return StepRecord(
            num_waiting=self.scheduler.num_waiting,
            num_running=len(self.scheduler.running),
            num_blocks=self.blocks.num_blocks,
            num_available_blocks=self.blocks.num_available,
            num_findable_blocks=self.blocks.num_cached,
            num_warm_conversations=self.blocks.num_owners,
            total_requests=totals.requests,
            total_failed=totals.failed,
            total_aborted=totals.aborted,
            total_prompt_tokens=totals.prompt_tokens,
            total_cached_tokens=totals.cached_tokens,
            total_new_tokens=totals.new_tokens,
            total_preemptions=self.scheduler.num_preemptions,
        )

    def _report_running(self) -> None:
        """Report the names of what is prefilled or decoded, if they changed: before a step that may be the last one."""
        names = tuple(sequence.request.name for sequence in self.scheduler.running)
        if names != self._reported_running:
            self._reported_running = names
            self._on_running(names)

    def _drop_who_waited_too_long(self) -> None:
        """Whoever asked has gone on by then; what was begun is finished."""
        now = self._clock()
        if now < self._next_look_at_queue:
            return
        self._next_look_at_queue = now + _LOOK_AT_QUEUE_SECONDS
        for sequence in [sequence for sequence in self._sequences.values() if sequence.has_waited_too_long(now)]:
            self._close(sequence)
            self._outputs.append(Output(sequence.request_id, error=WaitedTooLong()))

    def _take_outputs(self) -> list[Output]:
        """What can be handed out: an answer doesn't begin before it can go on, which is when a burst is over."""
        outputs, self._outputs = self._outputs, []
        if self.scheduler.is_bursting:
            self._outputs = [output for output in outputs if output.request_id in self._unbegun]
            outputs = [output for output in outputs if output.request_id not in self._unbegun]
        self._unbegun.difference_update(output.request_id for output in outputs)
        return outputs

    def _launch(self, batch: Batch) -> LaunchedStep | None:
        try:
            pending = self._runner.launch(batch.step)
        except Exception as error:
            failure = contained(error)
        else:
            launched = note_launch(batch, pending, self._clock())
            self.scheduler.launched(batch)
            for sequence in batch.sequences:
                sequence.began_at = sequence.began_at or self._clock()
            return launched
        self._launch_in_halves(batch, failure)
        return None

    def _launch_in_halves(self, batch: Batch, error: Exception) -> None:
        """Run a refused step in pieces, each read back before the next: the runner holds few results at once."""
        self._read_back()
        pieces = batch.halves(may_cut_prompt=is_out_of_memory(error))
        if not pieces and batch.sequences[0].is_running:
            self._fail(batch.sequences[0], error)
        for piece in pieces:
            rest = piece.of_running()
            if rest and (launched := self._launch(rest)):
                self._collect(launched)

    def _read_back(self) -> None:
        launched, self._pending = self._pending, None
        if launched:
            self._collect(launched)

    def _collect(self, launched: LaunchedStep) -> None:
        try:
            read = launched.collect()
        except Exception as error:
            self._retry_alone(launched, contained(error))
            return
        self._note_time(launched)
        for row, tokens in read:
            if not row.is_current:
                continue
            if launched.is_decode and len(launched.rows) == 1:
                row.sequence.is_suspect = False
            self._receive(row, tokens)

    def _note_time(self, launched: LaunchedStep) -> None:
        """Measure what a decode step took, from the end of the one before it to its own."""
        began_at, self._done_at = self._done_at, launched.done_at or self._clock()
        if self.speculation and launched.is_decode and began_at is not None:
            self.speculation.times.note(len(launched.rows), launched.num_tokens, self._done_at - began_at)

    def _retry_alone(self, launched: LaunchedStep, error: Exception) -> None:
        """A step failed after its launch, so it may have gone wrong for everyone in it."""
        sequences = [row.sequence for row in launched.rows if row.is_current]
        if len(launched.rows) == 1 and not launched.is_verifying:
            for sequence in sequences:
                self._fail(sequence, error)
            return
        log.warning("a step of %d sequences failed and is tried again one by one: %r", len(sequences), error)
        for sequence in sequences:
            self.scheduler.restart(sequence)

    def _receive(self, row: LaunchedRow, tokens: SampledTokens) -> None:
        sequence = row.sequence
        sequence.num_pending -= 1
        if not tokens.is_finite:
            self._fail(sequence, ArithmeticError("the logits hold NaN or infinity"))
            return
        now = self._clock()
        is_first = sequence.num_new_tokens == 0
        finish_reason = None
        token_ids: list[int] = []
        standing = row.agreed(tokens.token_ids)
        if self.speculation and row.proposed:
            self.speculation.note_verdict(len(row.proposed), len(standing) - 1)
        for token_id in standing:
            sequence.append(token_id, now)
            token_ids.append(token_id)
            self._totals.new_tokens += 1
            if finish_reason := sequence.finish_reason(self._eos_token_ids):
                break
        if sequence.is_running:
            sequence.num_computed += len(token_ids) - 1
            if is_first:
                self.scheduler.keep(sequence)
        counters = sequence.counters(now) if finish_reason or is_first else None
        self._outputs.append(Output(sequence.request_id, tuple(token_ids), finish_reason, counters))
        if finish_reason:
            self._close(sequence)

    def _fail(self, sequence: Sequence, error: Exception) -> None:
        log.error("request %d failed: %r", sequence.request_id, error, exc_info=error)
        self._totals.failed += 1
        self._close(sequence, is_trusted=False)
        failure = RequestFailed()
        failure.__cause__ = error
        self._outputs.append(Output(sequence.request_id, error=failure))

    def _close(self, sequence: Sequence, *, is_trusted: bool = True) -> None:
        self.scheduler.finish(sequence, is_trusted=is_trusted)
        del self._sequences[sequence.request_id]
        self._totals.prompt_tokens += sequence.num_prompt_tokens
        self._totals.cached_tokens += sequence.num_cached_tokens


def check_request(request: Request, max_sequence_tokens: int) -> None:
    """Refuse what could never be answered.

    Raises:
        PromptTooLong: prompt plus one token don't fit into `max_sequence_tokens`.
        ValueError: the prompt is empty, or no token is asked for.
    """
    num_prompt_tokens = len(request.prompt_token_ids)
    if num_prompt_tokens >= max_sequence_tokens:
        raise PromptTooLong(num_prompt_tokens, max_sequence_tokens - 1)
    if not num_prompt_tokens:
        raise ValueError("the prompt is empty")
    if request.sampling.max_new_tokens < 1:
        raise ValueError("max_new_tokens has to be at least 1")
