"""The border between conversations and the model: prompt token ids go in, text deltas come out.

Whatever stands behind `Engine` - the GPU thread in this process, a vLLM server, a test double - knows nothing of
Discord, of the database or of the chat template; whoever stands before it knows nothing of tensors.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, Protocol, runtime_checkable

from bot.errors import EngineError


class FinishReason(StrEnum):
    """Why a completion ended. An engine gives the first two; the others say why its reader wanted no more."""

    STOP = "stop"
    """The model emitted its end-of-sequence token."""
    LENGTH = "length"
    """`max_new_tokens` were generated, or `max_sequence_tokens` was reached."""
    SILENCE = "silence"
    """No further token came for too long."""
    FORGED_SPEAKER = "forged_speaker"
    """The model began to speak for somebody else; the answer ends before that."""
    LOOP = "loop"
    """The model repeated itself without end; one round of it is kept."""
    STOPPED = "stopped"
    """Somebody asked for it to stop there; what was said until then is kept."""
    ABORTED = "aborted"
    """Nobody wants the answer any more: its question was deleted, or the conversation reset."""


BACKGROUND = 1
"""The priority that waits for every other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How the next token is drawn.

    `temperature` 0 is greedy: the other fields but `repetition_penalty` then change nothing. `top_k` 0 and `top_p` 1
    switch their filter off.
    """

    temperature: float = 0.0
    top_p: float = 0.95
    top_k: int = 50
    repetition_penalty: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingParams(Sampling):
    """How one completion is drawn. Random numbers depend on `seed` and the token's position only."""

    max_new_tokens: int = 1024
    seed: int = 0


class FairnessKey(NamedTuple):
    """Who a request is for, widest first; the scheduler takes turns over guilds, then channels, then people."""

    guild: str = ""
    channel: str = ""
    person: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """One `generate` call.

    `cache_owner` names the conversation whose KV cache blocks this request may reuse. The first
    `num_shared_prefix_tokens` of the prompt (a persona's system block) may be shared with other owners.
    `priority` 1 (background) runs only when nothing of priority 0 waits. A request that is not begun within
    `max_queued_seconds` is dropped; None waits as long as it takes. `name` is what whoever watches the engine calls it.
    `is_continued` says that the prompt ends inside an answer, so that a blank before the first word belongs to it.
    """

    prompt_token_ids: tuple[int, ...]
    sampling: SamplingParams = field(default_factory=SamplingParams)
    cache_owner: str = ""
    num_shared_prefix_tokens: int = 0
    fairness: FairnessKey = field(default_factory=FairnessKey)
    priority: int = 0
    max_queued_seconds: float | None = None
    name: str = ""
    is_continued: bool = False


@dataclass(frozen=True, slots=True)
class Counters:
    """What one request cost, for the log line and for metrics. Lengths of time are in seconds."""

    num_prompt_tokens: int = 0
    num_cached_tokens: int = 0
    num_new_tokens: int = 0
    queued_seconds: float = 0.0
    first_token_seconds: float = 0.0
    """From submission to the first token, queueing included."""
    total_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of a completion, in order; the texts of all deltas joined are the completion.

    The text never ends inside a UTF-8 sequence, so `token_ids` may be non-empty while `text` is still empty.
    `counters` are set on the first delta, for whoever leaves early, and on the last; `finish_reason` on the last only.
    """

    text: str
    token_ids: tuple[int, ...] = ()
    finish_reason: FinishReason | None = None
    counters: Counters | None = None


@dataclass(frozen=True, slots=True)
class Weight:
    """How near a token was to being the next one.

    `logit` is the model's own number. `score` is what the choice went by, where the greatest wins: the logit after the
    repetition penalty where the choice is greedy, else after temperature and random numbers, too. It is None for a
    token that the filters left out.
    """

    token_id: int
    logit: float
    score: float | None


@runtime_checkable
class Weighing(Protocol):
    """What an `Engine` can do as well if it lets its numbers be looked at."""

    async def weigh(self, request: Request, token_ids: tuple[int, ...]) -> tuple[Weight, ...]:
        """How near these tokens are to being the first of `request`'s completion; none if that can't be said.

        It is done when there is nothing else to do: an engine that always has other work is no place to ask.
        """
        ...


class Engine(Protocol):
    """Generates completions for prompts given as token ids."""

    @property
    def max_sequence_tokens(self) -> int:
        """The most tokens, prompt plus completion, that one request may take; constant after start."""
        ...

    @property
    def model_hash(self) -> str:
        """Identifies weights and vocabulary, so that a stored answer can be traced to what produced it."""
        ...

    def generate(self, request: Request) -> AsyncGenerator[Delta, None]:
        """Stream the completion of `request`; leaving the iterator in any way aborts it.

        Raises:
            EngineOverloaded: the queue is full.
            WaitedTooLong: it was not begun within its `max_queued_seconds`.
            CardTaken: the engine slept, and can't wake.
            PromptTooLong: prompt plus one token don't fit into `max_sequence_tokens`.
            RequestFailed: this request failed; the engine lives on.
            EngineUnavailable: the engine is starting or shutting down.
            EngineFailed: the engine is lost; the process has to be replaced.
        """
        ...

    async def forget(self, cache_owner: str) -> None:
        """Drop every KV cache block that belongs to `cache_owner` alone."""
        ...

    @property
    def is_asleep(self) -> bool:
        """Nobody has asked for long, and the model's memory is given back: the next answer begins a little later."""
        ...

    @property
    def problem(self) -> str | None:
        """Why nothing can be answered at this moment, though the engine isn't lost; None while it can."""
        ...

    @property
    def failure(self) -> EngineError | None:
        """Why the engine is lost, so that the process has to be replaced; None while it isn't."""
        ...

    @property
    def step_seconds(self) -> float:
        """How long what the engine does at this moment has taken, so that a hang shows; 0 where it rests."""
        ...

    async def wait_failed(self) -> None:
        """Return once the engine is lost; `failure` then says why. Whoever runs the process waits here."""
        ...
