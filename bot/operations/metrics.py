"""The bot's metrics for Prometheus: no text of anybody's in them, and no id.

Events are counted as they are reported; what is a state (queue, blocks, memory) is read when somebody asks. Every
series that can be foreseen exists from the start, at zero: a rate over a series that appears with its first error shows
nothing of that error.
"""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, disable_created_metrics
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from bot import __version__
from bot.inference.engine import FinishReason
from bot.observer import (
    AnswerRecord,
    GatewayChange,
    Observer,
    RequestRecord,
    ResponseRecord,
    StepRecord,
    TransactionRecord,
)
from bot.operations.overview import BotState, Overview

log = logging.getLogger(__name__)

_WAITS = (0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1, 1.5, 2, 3, 5, 8, 13, 20, 30, 60, 120)
_SPEEDS = (1, 2, 5, 10, 15, 20, 30, 40, 60, 80, 100, 150, 200, 300, 500)
_LENGTHS = (64, 128, 256, 512, 1024, 1536, 2048, 3072, 4096, 8192, 16384)
_BATCHES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
_LATENCIES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_METHODS = ("GET", "POST", "PATCH", "DELETE", "PUT")
_STATUSES = ("none", "200", "201", "204", "400", "401", "403", "404", "429", "500", "502", "503", "504")
_OUTCOMES = ("answered", "refused", "failed", "withdrawn", "expired")
_REQUEST_KINDS = ("create", "edit", "delete", "read", "typing")
OPENMETRICS_TYPE = "application/openmetrics-text"


class Exposition(NamedTuple):
    """What a scrape gets."""

    content_type: str
    body: bytes


class Metrics(Observer):
    """Counts what is reported, and renders it with the present state of `overview`."""

    def __init__(self, overview: Overview) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._overview = overview
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.registry.register(_EngineTotals(overview))
        self._add_answers()
        self._add_discord()
        self._add_database()
        self._loop_lag = self._histogram(
            "trinity_loop_lag_seconds", "How much later than asked for the event loop woke up.", _LATENCIES
        )
        Gauge("trinity_build", "This version.", ["version"], registry=self.registry).labels(__version__).set(1)
        self._state = Gauge(
            "trinity_state", "1 for what the bot does, 0 for what it doesn't.", ["state"], registry=self.registry
        )
        self._gauges = [
            (Gauge(name, words, registry=self.registry), read) for name, words, read in _read_when_asked(overview)
        ]
        self._complained_of: set[str] = set()

    def _add_answers(self) -> None:
        self._first_words = self._histogram(
            "trinity_first_words_seconds", "From a question to the first words of its answer in the channel.", _WAITS
        )
        self._first_token = self._histogram(
            "trinity_first_token_seconds", "From the engine being asked to its first token, its queue included.", _WAITS
        )
        self._speed = self._histogram(
            "trinity_answer_tokens_per_second", "Tokens a second of one answer, from its first to its last.", _SPEEDS
        )
        self._prompt_tokens = self._histogram("trinity_prompt_tokens", "Tokens of a prompt.", _LENGTHS)
        self._cached_tokens = self._histogram(
            "trinity_cached_prompt_tokens", "Tokens of a prompt that the cache held.", (0, *_LENGTHS)
        )
        self._recall = self._histogram(
            "trinity_recall_seconds", "To look for what a question brings back from before its window.", _LATENCIES
        )
        self._batch = self._histogram("trinity_batch_size", "Sequences that a step of the engine ran.", _BATCHES)
        self._answers = self._counter("trinity_answers", "Answers, by how they ended.", "finish_reason", FinishReason)
        self._questions = self._counter("trinity_questions", "Questions, by what became of them.", "state", _OUTCOMES)
        self._trims = self._counter("trinity_trims", "Answers to a prompt that left out a conversation's beginning.")

    def _add_discord(self) -> None:
        self._requests = self._counter(
            "trinity_discord_requests", "Requests in channels, by what for.", "kind", _REQUEST_KINDS
        )
        self._failed_requests = self._counter(
            "trinity_discord_requests_failed", "Those of them that failed.", "kind", _REQUEST_KINDS
        )
        self._request_seconds = Histogram(
            "trinity_discord_request_seconds",
            "How long requests in channels took.",
            ["kind"],
            buckets=_LATENCIES,
            registry=self.registry,
        )
        self._responses = Counter(
            "trinity_discord_responses",
            "Answers of Discord's to HTTP requests of any kind, repetitions included.",
            ["method", "status"],
            registry=self.registry,
        )
        self._rate_limited = self._counter("trinity_discord_rate_limited", "Answers that ask to wait (429).")
        self._gateway = self._counter(
            "trinity_gateway_changes", "What became of the connection to Discord's gateway.", "change", GatewayChange
        )
        for kind in _REQUEST_KINDS:
            self._request_seconds.labels(kind)
        for method in _METHODS:
            for status in _STATUSES:
                self._responses.labels(method, status)

    def _add_database(self) -> None:
        self._database_seconds = Histogram(
            "trinity_database_seconds",
            "How long transactions took, the wait for their turn included.",
            ["kind"],
            buckets=_LATENCIES,
            registry=self.registry,
        )
        self._database_errors = self._counter(
            "trinity_database_errors", "Transactions that the database refused.", "kind", ("read", "write")
        )
        for kind in ("read", "write"):
            self._database_seconds.labels(kind)

    def on_answer(self, record: AnswerRecord) -> None:
        self._answers.labels(record.finish_reason).inc()
        self._trims.inc(record.was_trimmed)
        if record.num_new_tokens == 0:
            return
        self._prompt_tokens.observe(record.num_prompt_tokens)
        self._cached_tokens.observe(record.num_cached_tokens)
        self._first_token.observe(record.first_token_seconds)
        decoding_seconds = record.total_seconds - record.first_token_seconds
        if record.num_new_tokens > 1 and decoding_seconds > 0:
            self._speed.observe((record.num_new_tokens - 1) / decoding_seconds)

    def on_question(self, state: str) -> None:
        self._questions.labels(state).inc()

    def on_first_words(self, seconds: float) -> None:
        self._first_words.observe(seconds)

    def on_recall(self, seconds: float) -> None:
        self._recall.observe(seconds)

    def on_request(self, record: RequestRecord) -> None:
        self._requests.labels(record.kind).inc()
        self._request_seconds.labels(record.kind).observe(record.seconds)
        if record.error:
            self._failed_requests.labels(record.kind).inc()

    def on_response(self, record: ResponseRecord) -> None:
        self._responses.labels(record.method, str(record.status) if record.status else "none").inc()
        if record.status == 429:
            self._rate_limited.inc()

    def on_gateway(self, change: GatewayChange, shard_id: int | None = None) -> None:  # noqa: ARG002 - all are counted
        self._gateway.labels(change).inc()

    def on_transaction(self, record: TransactionRecord) -> None:
        kind = "write" if record.is_write else "read"
        self._database_seconds.labels(kind).observe(record.seconds)
        if record.error:
            self._database_errors.labels(kind).inc()

    def on_step(self, record: StepRecord) -> None:
        if record.num_running:
            self._batch.observe(record.num_running)

    def note_loop_lag(self, seconds: float) -> None:
        """The event loop woke up so much later than it was to."""
        self._loop_lag.observe(max(0.0, seconds))

    def refresh(self) -> None:
        """Read the present state, on the event loop. What can't be read is NaN, and costs nothing else."""
        for gauge, read in self._gauges:
            try:
                gauge.set(read())
            except Exception as error:
                gauge.set(math.nan)
                self._complain(gauge._name, error)
        try:
            present = self._overview.state
            for state in BotState:
                self._state.labels(state).set(state is present)
        except Exception as error:
            self._complain("trinity_state", error)

    def _complain(self, name: str, error: Exception) -> None:
        if name not in self._complained_of:
            log.warning("the metric %s can't be read: %r", name, error)
        self._complained_of.add(name)

    def render(self, accept: str) -> Exposition:
        """Everything as text, in the format that `accept` (an HTTP header) prefers; for a thread, after `refresh`."""
        if accepts_openmetrics(accept):
            return Exposition(openmetrics.CONTENT_TYPE_LATEST, openmetrics.generate_latest(self.registry))  # type: ignore[no-untyped-call]
        return Exposition(CONTENT_TYPE_PLAIN_0_0_4, generate_latest(self.registry))

    def _histogram(self, name: str, words: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(name, words, buckets=buckets, registry=self.registry)

    def _counter(
        self,
        name: str,
        words: str,
        label: str = "",
        values: "type[FinishReason] | type[GatewayChange] | tuple[str, ...]" = (),
    ) -> Counter:
        counter = Counter(name, words, [label] if label else [], registry=self.registry)
        for value in values:
            counter.labels(str(value))
        return counter


class _EngineTotals(Collector):
    """The engine counts for itself; its latest record is immutable, and so can be read in any thread."""

    def __init__(self, overview: Overview) -> None:
        self._overview = overview

    def collect(self) -> Iterator[Metric]:
        step: StepRecord = self._overview.step
        totals = {
            "requests": ("Requests to the engine.", step.total_requests),
            "requests_failed": ("Requests that failed in the engine.", step.total_failed),
            "requests_aborted": ("Requests that nobody read to their end.", step.total_aborted),
            "prompt_tokens": ("Tokens of prompts whose requests have ended.", step.total_prompt_tokens),
            "cached_tokens": ("Those of them that the cache held.", step.total_cached_tokens),
            "generated_tokens": ("Tokens generated.", step.total_new_tokens),
            "preemptions": ("Sequences that lost their blocks to others and began anew.", step.total_preemptions),
        }
        for name, (words, value) in totals.items():
            yield CounterMetricFamily(f"trinity_engine_{name}", words, value=value)


def accepts_openmetrics(accept: str) -> bool:
    """Whether an Accept header prefers OpenMetrics; the library itself would take `q=0` for a yes."""
    qualities = {"openmetrics": 0.0, "text": 0.0}
    for offered in accept.lower().split(","):
        kind, *parameters = (part.strip() for part in offered.split(";"))
        quality = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    quality = float(parameter[2:])
                except ValueError:
                    quality = 0.0
        name = {OPENMETRICS_TYPE: "openmetrics", "text/plain": "text"}.get(kind)
        if name is not None:
            qualities[name] = max(qualities[name], quality)
    return qualities["openmetrics"] > 0 and qualities["openmetrics"] >= qualities["text"]


def _read_when_asked(overview: Overview) -> list[tuple[str, str, Callable[[], float]]]:
    def memory(part: str) -> Callable[[], float]:
        return lambda: math.nan if overview.step.memory is None else getattr(overview.step.memory, part)

    def queue(part: str) -> Callable[[], float]:
        return lambda: 0 if overview.chat is None else getattr(overview.chat.queue, part)

    step_seconds = lambda: 0.0 if overview.engine is None else overview.engine.step_seconds  # noqa: E731
    return [
        ("trinity_uptime_seconds", "Since the start.", lambda: overview.uptime_seconds),
        ("trinity_gateway_up", "1 while Discord's gateway is connected.", lambda: overview.is_gateway_up),
        ("trinity_shards_held", "Of the bot's shards, those that this process has.", lambda: len(overview.shards)),
        ("trinity_shards_connected", "Of those, what is connected.", lambda: overview.num_shards_up),
        ("trinity_intake_paused", "1 while an operator lets no new questions in.", lambda: overview.is_paused),
        ("trinity_questions_waiting", "Questions that wait for their turn.", queue("num_waiting")),
        ("trinity_questions_running", "Conversations in which an answer is written.", queue("num_running")),
        ("trinity_oldest_question_seconds", "How long the oldest question waits.", queue("oldest_wait_seconds")),
        ("trinity_engine_waiting", "Requests that wait in the engine.", lambda: overview.step.num_waiting),
        ("trinity_engine_running", "Sequences that the engine runs.", lambda: overview.step.num_running),
        ("trinity_engine_asleep", "1 while the card is given back.", lambda: overview.step.is_asleep),
        ("trinity_engine_step_seconds", "How long the step under way has taken.", step_seconds),
        ("trinity_kv_blocks", "Blocks of the KV cache.", lambda: overview.step.num_blocks),
        ("trinity_kv_blocks_available", "Blocks that nothing runs on.", lambda: overview.step.num_available_blocks),
        ("trinity_kv_blocks_findable", "Blocks to start a prompt from.", lambda: overview.step.num_findable_blocks),
        ("trinity_warm_conversations", "Conversations in the cache.", lambda: overview.step.num_warm_conversations),
        ("trinity_gpu_memory_own_bytes", "Of the card's memory, what the bot holds.", memory("own")),
        ("trinity_gpu_memory_used_bytes", "Of the card's memory, what anybody holds.", memory("used")),
        ("trinity_gpu_memory_bytes", "The card's memory.", memory("total")),
    ]


async def watch_loop(metrics: Metrics, interval_seconds: float = 0.25) -> None:
    """Measure how late the event loop wakes up, for as long as it runs."""
    while True:
        began_at = time.perf_counter()
        await asyncio.sleep(interval_seconds)
        metrics.note_loop_lag(time.perf_counter() - began_at - interval_seconds)
