"""What crosses between the event loop and the engine's thread: immutable values, nothing else."""

from collections.abc import Callable
from dataclasses import dataclass

from tokenizers import Tokenizer

from bot.inference.engine import Delta, Request, Weight
from bot.inference.idle import Releasable
from bot.inference.scheduling.core import DEFAULT_EOS_TOKEN_IDS
from bot.inference.scheduling.step import ModelRunner
from bot.observer import MemoryRecord, StepRecord

ReportProgress = Callable[[int, int], None]
"""Called with what is done and what there is to do, in bytes."""


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """What loading brings: the runner, and what one has to know to read its tokens."""

    runner: ModelRunner
    tokenizer: Tokenizer
    model_hash: str
    eos_token_ids: frozenset[int] = DEFAULT_EOS_TOKEN_IDS
    speculates: bool = False
    """Tokens that stood in the sequence before are proposed, where that pays."""
    memory_in_use: Callable[[], MemoryRecord | None] = lambda: None
    """How full the card is; called on the engine's thread."""
    memory: Releasable | None = None
    """What can be given back while nobody asks."""
    weigh: Callable[[Request, tuple[int, ...]], tuple[Weight, ...]] = lambda _request, _token_ids: ()
    """How near tokens were to being the one that the last step sampled, for this request alone."""


@dataclass(frozen=True, slots=True)
class Submit:
    """Answer a request."""

    request_id: int
    request: Request
    submitted_at: float


@dataclass(frozen=True, slots=True)
class Abort:
    """Nobody reads this request's answer any more."""

    request_id: int


@dataclass(frozen=True, slots=True)
class Forget:
    """Drop an owner's blocks."""

    ticket: int
    owner: str


@dataclass(frozen=True, slots=True)
class Weigh:
    """Say how near tokens are to being the first of a request's completion, once there is nothing else to do."""

    ticket: int
    request: Request
    token_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Stop:
    """End the thread; what runs is left."""


Command = Submit | Abort | Forget | Weigh | Stop


@dataclass(frozen=True, slots=True)
class Loaded:
    """The model is ready."""

    max_sequence_tokens: int
    max_open_requests: int
    """Running and waiting together."""
    model_hash: str
    snapshot: StepRecord


@dataclass(frozen=True, slots=True)
class LoadProgress:
    """Loading has come this far."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class StepResults:
    """What the commands and the step since the last message brought."""

    deltas: tuple[tuple[int, Delta], ...]
    errors: tuple[tuple[int, Exception], ...]
    forgotten: tuple[int, ...]
    """Tickets of `Forget` commands that were obeyed."""
    snapshot: StepRecord


@dataclass(frozen=True, slots=True)
class Weighed:
    """What a `Weigh` brought; nothing where it couldn't be done."""

    ticket: int
    weights: tuple[Weight, ...]


@dataclass(frozen=True, slots=True)
class Ended:
    """The thread has ended, of itself or because of an error; it sends nothing more."""

    error: BaseException | None = None


Message = Loaded | LoadProgress | StepResults | Weighed | Ended
