"""What the engine's heart gives back: tokens by request, and numbers about itself."""

from dataclasses import dataclass

from bot.errors import UserError
from bot.inference.engine import Counters, FinishReason


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
