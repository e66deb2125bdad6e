"""The engine's thread: it loads the model, owns every tensor, and speaks to the event loop by messages only.

Commands come through a queue and are obeyed between two steps; each step's results leave in one call. Nothing here
waits for the event loop, so the GPU never waits for Discord.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from queue import Empty, SimpleQueue

from bot.errors import CardTaken, EngineUnavailable, TrinityError
from bot.inference.detokenizer import Detokenizer, TokenTexts
from bot.inference.engine import Delta, FinishReason, Weight
from bot.inference.idle import IdleLimits, Idleness
from bot.inference.messages import (
    Abort,
    Command,
    Ended,
    Forget,
    Loaded,
    LoadedModel,
    LoadProgress,
    Message,
    ReportProgress,
    StepResults,
    Stop,
    Submit,
    Weigh,
    Weighed,
)
from bot.inference.scheduling.core import EngineCore, Output
from bot.inference.scheduling.scheduler import SchedulerLimits
from bot.inference.scheduling.speculation import Speculation
from bot.observer import MemoryRecord, StepRecord

_MEMORY_SECONDS = 5.0


class Watchdog:
    """Measures the step under way. Written by one thread, read by another; a single reference changes hands."""

    def __init__(self, limit_seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit_seconds = limit_seconds
        self._clock = clock
        self._began_at: float | None = None

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Time what runs inside."""
        self._began_at = self._clock()
        try:
            yield
        finally:
            self._began_at = None

    @property
    def step_seconds(self) -> float:
        """How long the step under way has taken; 0 where none is."""
        began_at = self._began_at
        return 0.0 if began_at is None else self._clock() - began_at

    @property
    def is_overdue(self) -> bool:
        """The step under way has taken longer than it may."""
        return self.step_seconds > self.limit_seconds


class MemoryGauge:
    """Asks now and then how full the card is: the driver takes a while to say so."""

    def __init__(
        self, memory_in_use: Callable[[], MemoryRecord | None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._memory_in_use = memory_in_use
        self._clock = clock
        self._asked_at: float | None = None
        self._latest: MemoryRecord | None = None

    def added_to(self, step: StepRecord) -> StepRecord:
        """The step's record with the latest answer in it."""
        now = self._clock()
        if self._asked_at is None or now - self._asked_at > _MEMORY_SECONDS:
            self._asked_at, self._latest = now, self._memory_in_use()
        return step if self._latest is None else replace(step, memory=self._latest)

    def ask_anew(self) -> None:
        """Don't count on the latest answer any more."""
        self._asked_at = None


class Worker:
    """What the thread does from its first to its last moment."""

    def __init__(
        self,
        load: Callable[[ReportProgress], LoadedModel],
        post: Callable[[Message], None],
        watchdog: Watchdog,
        limits: SchedulerLimits,
        on_running: Callable[[tuple[str, ...]], None] = lambda _names: None,
        idle_limits: IdleLimits | None = None,
    ) -> None:
        self.inbox: SimpleQueue[Command] = SimpleQueue()
        self._load = load
        self._post = post
        self._watchdog = watchdog
        self._limits = limits
        self._on_running = on_running
        self._idle_limits = idle_limits
        self._is_stopping = threading.Event()
        self._detokenizers: dict[int, Detokenizer] = {}
        self._errors: list[tuple[int, Exception]] = []
        self._forgotten: list[int] = []
        self._to_weigh: deque[Weigh] = deque()

    def stop(self) -> None:
        """Ask the thread to end; called by others."""
        self._is_stopping.set()
        self.inbox.put(Stop())

    def run(self) -> None:
        """Load, then serve until told to stop; whatever happens, `Ended` is the last message."""
        try:
            model = self._load(self._report_progress)
            core = EngineCore(
                model.runner,
                limits=self._limits,
                eos_token_ids=model.eos_token_ids,
                on_running=self._on_running,
                speculation=Speculation(model.runner.max_num_sequences) if model.speculates else None,
            )
            texts = TokenTexts(model.tokenizer)
            memory = MemoryGauge(model.memory_in_use)
            max_open_requests = core.scheduler.max_open_requests
            self._post(
                Loaded(core.max_sequence_tokens, max_open_requests, model.model_hash, memory.added_to(core.snapshot()))
            )
            self._serve(core, texts, memory, Idleness(model.memory, self._idle_limits), model)
        except BaseException as error:  # a thread's death is news, whatever the cause
            self._post(Ended(error))
        else:
            self._post(Ended())

    def _report_progress(self, done: int, total: int) -> None:
        if self._is_stopping.is_set():
            raise EngineUnavailable("The engine is shutting down.")
        self._post(LoadProgress(done, total))

    def _serve(
        self, core: EngineCore, texts: TokenTexts, memory: MemoryGauge, idleness: Idleness, model: LoadedModel
    ) -> None:
        while True:
            has_work = core.has_work or bool(self._to_weigh)
            commands = list(self._commands(idleness.wait_seconds(has_work=has_work)))
            for command in commands:
                if isinstance(command, Stop):
                    return
                self._obey(core, texts, command)
            while self._to_weigh and not core.has_work:
                weighing = self._to_weigh.popleft()
                weights = () if idleness.is_asleep else self._weigh(core, weighing, model)
                self._post(Weighed(weighing.ticket, weights))
            with self._watchdog.watch():
                if core.has_work:
                    outputs = self._step(core, idleness)
                elif idleness.fall_asleep():
                    core.forget_all()
                    memory.ask_anew()
                    outputs = []
                elif commands:
                    outputs = core.step()
                else:
                    continue
            self._post(self._results(outputs, memory.added_to(replace(core.snapshot(), is_asleep=idleness.is_asleep))))

    def _step(self, core: EngineCore, idleness: Idleness) -> list[Output]:
        """A step, or what can be done where others have the card."""
        idleness.note_work()
        if idleness.wake():
            return core.step()
        return core.refuse_all(CardTaken) if idleness.has_given_up() else core.wait()

    def _commands(self, wait_seconds: float | None) -> Iterator[Command]:
        """All commands there are; the first is waited for so long, or for as long as it takes."""
        try:
            if wait_seconds != 0.0:
                yield self.inbox.get(timeout=wait_seconds)
            while True:
                yield self.inbox.get_nowait()
        except Empty:
            return

    def _obey(self, core: EngineCore, texts: TokenTexts, command: Submit | Abort | Forget | Weigh) -> None:
        match command:
            case Submit(request_id, request, submitted_at):
                try:
                    core.submit(request_id, request, submitted_at)
                except (TrinityError, ValueError) as error:
                    self._errors.append((request_id, error))
                else:
                    self._detokenizers[request_id] = Detokenizer(texts, is_continued=request.is_continued)
            case Abort(request_id):
                core.abort(request_id)
                self._detokenizers.pop(request_id, None)
            case Forget(ticket, owner):
                core.forget(owner)
                self._forgotten.append(ticket)
            case Weigh():
                self._to_weigh.append(command)

    def _weigh(self, core: EngineCore, command: Weigh, model: LoadedModel) -> tuple[Weight, ...]:
        """Run a request as far as its first token, with nothing beside it, and look at what that was drawn from."""
        request = replace(command.request, sampling=replace(command.request.sampling, max_new_tokens=1))
        try:
            core.submit(command.ticket, request)
        except (TrinityError, ValueError):
            return ()
        outputs: list[Output] = []
        while core.has_work:
            with self._watchdog.watch():
                outputs += core.step()
        return () if any(output.error for output in outputs) else model.weigh(request, command.token_ids)

    def _results(self, outputs: list[Output], snapshot: StepRecord) -> StepResults:
        deltas = []
        for output in outputs:
            detokenizer = self._detokenizers.get(output.request_id)
            if detokenizer is None:
                continue  # aborted since
            if output.error:
                self._errors.append((output.request_id, output.error))
            else:
                deltas.append((output.request_id, _delta(output, detokenizer)))
            if output.error or output.finish_reason:
                del self._detokenizers[output.request_id]
        errors, self._errors = self._errors, []
        forgotten, self._forgotten = self._forgotten, []
        return StepResults(tuple(deltas), tuple(errors), tuple(forgotten), snapshot)


def _delta(output: Output, detokenizer: Detokenizer) -> Delta:
    # What ends an answer is no part of its text, also where the vocabulary doesn't call it special.
    said = output.token_ids[:-1] if output.finish_reason is FinishReason.STOP else output.token_ids
    text = "".join(map(detokenizer.push, said))
    delta = Delta(text, output.token_ids, counters=output.counters)
    if output.finish_reason is None:
        return delta
    return replace(delta, text=text + detokenizer.finish(), finish_reason=output.finish_reason)
