"""The engine's heart, one step at a time: schedule, launch, read the *previous* step back, update.

Reading back one step late keeps the GPU busy while Python thinks: a step is launched before the tokens of the one
before it are known. A sequence that ends by its end-of-text token has therefore one more row in flight; what comes of
it is dropped. Plain Python, no torch: the model runner is given.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from bot.errors import EngineFailed, PromptTooLong, RequestFailed, UserError
from bot.inference.block_manager import BlockManager, CacheScope
from bot.inference.containment import halves, is_sticky
from bot.inference.engine import Counters, FinishReason, Request
from bot.inference.scheduler import Batch, Limits, Scheduler
from bot.inference.sequence import Sequence
from bot.inference.step import DecodeStep, ModelRunner, PendingTokens, PrefillStep, SampledToken

log = logging.getLogger(__name__)

DEFAULT_EOS_TOKEN_IDS = frozenset({2})


@dataclass(frozen=True, slots=True)
class Output:
    """What one step brought for one request. The last output has a finish reason and counters, or an error."""

    request_id: int
    token_ids: tuple[int, ...] = ()
    finish_reason: FinishReason | None = None
    counters: Counters | None = None
    error: UserError | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The engine's state at one moment, and its totals since it started."""

    num_waiting: int = 0
    num_running: int = 0
    num_blocks: int = 0
    num_available_blocks: int = 0
    """Blocks that no running sequence holds."""
    num_findable_blocks: int = 0
    """Blocks that a later prompt could start from."""
    total_requests: int = 0
    total_failed: int = 0
    total_aborted: int = 0
    total_prompt_tokens: int = 0
    total_cached_tokens: int = 0
    total_new_tokens: int = 0
    total_preemptions: int = 0


@dataclass(slots=True)
class _Totals:
    requests: int = 0
    failed: int = 0
    aborted: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    new_tokens: int = 0


@dataclass(frozen=True, slots=True)
class _Part:
    """One sequence's share in a launched step, as things stood at its launch."""

    sequence: Sequence
    incarnation: int
    slot: int
    is_sampling: bool

    @property
    def is_current(self) -> bool:
        """Nothing has made its token worthless since."""
        return not self.sequence.is_finished and self.incarnation == self.sequence.incarnation


@dataclass(frozen=True, slots=True)
class _Flight:
    """A launched step, to be read back."""

    pending: PendingTokens
    is_decode: bool
    parts: tuple[_Part, ...]


class EngineCore:
    """Continuous batching over a model runner. Lives on one thread; every method is called from there."""

    def __init__(
        self,
        runner: ModelRunner,
        *,
        limits: Limits | None = None,
        eos_token_ids: frozenset[int] = DEFAULT_EOS_TOKEN_IDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.blocks = BlockManager(runner.num_blocks, runner.block_size)
        self.scheduler = Scheduler(
            self.blocks,
            max_num_sequences=runner.max_num_sequences,
            max_prefill_tokens=runner.max_prefill_tokens,
            limits=limits,
        )
        self.max_sequence_tokens = min(runner.context_window, self.blocks.num_blocks * runner.block_size)
        self._runner = runner
        self._eos_token_ids = eos_token_ids
        self._clock = clock
        self._sequences: dict[int, Sequence] = {}
        self._in_flight: list[_Flight] = []
        self._outputs: list[Output] = []
        self._totals = _Totals()

    @property
    def has_work(self) -> bool:
        """Another step is needed."""
        return bool(self.scheduler.has_work or self._in_flight or self._outputs)

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
        self._totals.requests += 1

    def abort(self, request_id: int) -> None:
        """End a request whose reader has left; an unknown or finished one is no mistake."""
        if sequence := self._sequences.get(request_id):
            self._totals.aborted += 1
            self._close(sequence)

    def forget(self, owner: str) -> None:
        """Drop every block that belongs to `owner` alone; requests under way end undisturbed and leave nothing."""
        self.scheduler.forget(owner)

    def step(self) -> list[Output]:
        """Launch the next step, wait for the one before it, and return what that brought.

        Raises:
            EngineFailed: the device is lost, or nothing moves though there is work.
        """
        batch = self.scheduler.schedule()
        launched = self._launch(batch) if batch else []
        if not batch and not self._in_flight and self.scheduler.has_work:
            raise EngineFailed("The engine is stuck: it has work, and no step can be made.")
        landed, self._in_flight = self._in_flight, launched
        for flight in landed:
            self._collect(flight)
        if self.scheduler.is_bursting:
            return []  # an answer isn't begun before it can go on
        outputs, self._outputs = self._outputs, []
        return outputs

    def snapshot(self) -> Snapshot:
        """The present state and the totals."""
        totals = self._totals
        return Snapshot(
            num_waiting=self.scheduler.num_waiting,
            num_running=len(self.scheduler.running),
            num_blocks=self.blocks.num_blocks,
            num_available_blocks=self.blocks.num_available,
            num_findable_blocks=self.blocks.num_cached,
            total_requests=totals.requests,
            total_failed=totals.failed,
            total_aborted=totals.aborted,
            total_prompt_tokens=totals.prompt_tokens,
            total_cached_tokens=totals.cached_tokens,
            total_new_tokens=totals.new_tokens,
            total_preemptions=self.scheduler.num_preemptions,
        )

    def _launch(self, batch: Batch) -> list[_Flight]:
        try:
            pending = self._runner.launch(batch.step)
        except Exception as error:
            _raise_if_lost(error)
            return self._launch_in_halves(batch, error)
        flight = _Flight(pending, isinstance(batch.step, DecodeStep), _parts(batch))
        self.scheduler.launched(batch)
        return [flight]

    def _launch_in_halves(self, batch: Batch, error: Exception) -> list[_Flight]:
        flights: list[_Flight] = []
        smaller = halves(batch, error)
        if not smaller:
            self._fail(batch.sequences[0], error)
        for half in smaller:
            if not half.sequences[0].is_finished:  # the second half of a prompt whose first has failed
                flights += self._launch(half)
        return flights

    def _collect(self, flight: _Flight) -> None:
        sampling = [part for part in flight.parts if part.is_sampling]
        try:
            tokens = flight.pending.collect()
            _check_slots(sampling, tokens)
        except Exception as error:
            _raise_if_lost(error)
            self._retry_alone(flight, error)
            return
        for part, token in zip(sampling, tokens, strict=True):
            if part.is_current:
                self._receive(part.sequence, token)
        if flight.is_decode and len(sampling) == 1:
            sampling[0].sequence.is_suspect = False

    def _retry_alone(self, flight: _Flight, error: Exception) -> None:
        """A step failed after its launch, so it may have gone wrong for everyone in it."""
        sequences = [part.sequence for part in flight.parts if part.is_current]
        if len(flight.parts) == 1:
            for sequence in sequences:
                self._fail(sequence, error)
            return
        log.warning("a step of %d sequences failed and is tried again one by one: %r", len(sequences), error)
        for sequence in sequences:
            self.scheduler.restart(sequence)

    def _receive(self, sequence: Sequence, token: SampledToken) -> None:
        sequence.num_in_flight -= 1
        if not token.is_finite:
            self._fail(sequence, ArithmeticError("the logits hold NaN or infinity"))
            return
        now = self._clock()
        is_first = sequence.num_new_tokens == 0
        sequence.append(token.token_id, now)
        if is_first and sequence.is_running:
            self.scheduler.keep(sequence)
        finish_reason = sequence.finish_reason(self._eos_token_ids)
        counters = sequence.counters(now) if finish_reason else None
        self._outputs.append(Output(sequence.request_id, (token.token_id,), finish_reason, counters))
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
        self._totals.new_tokens += sequence.num_new_tokens


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


def _raise_if_lost(error: Exception) -> None:
    if is_sticky(error):
        raise EngineFailed(f"The GPU is lost: {error}") from error


def _parts(batch: Batch) -> tuple[_Part, ...]:
    is_sampling = [True] * len(batch.sequences)
    if isinstance(batch.step, PrefillStep):
        is_sampling = [chunk.is_last for chunk in batch.step.chunks]
    return tuple(
        _Part(sequence, sequence.incarnation, sequence.slot, samples)
        for sequence, samples in zip(batch.sequences, is_sampling, strict=True)
    )


def _check_slots(sampling: list[_Part], tokens: list[SampledToken]) -> None:
    expected, got = [part.slot for part in sampling], [token.slot for token in tokens]
    if expected != got:
        raise RuntimeError(f"the model runner returned tokens of slots {got}, not {expected}")
