"""One request inside the engine: its tokens, its blocks and how far the model has come with them.

Three counts tell a sequence's state. `token_ids` are the tokens that are known. `num_computed` positions have their
keys and values in the blocks, as of the last *launched* step (of its proposals only those that were found right).
`num_pending` steps that sample for it were launched and are not read back yet.
"""

from dataclasses import dataclass, field

from bot.inference.engine import BACKGROUND, Counters, FinishReason, Request
from bot.inference.scheduling.block_manager import CacheScope
from bot.inference.scheduling.lookup import Lookup
from bot.inference.scheduling.step import DecodeRow, PrefillChunk


@dataclass(slots=True, eq=False)
class Sequence:
    """A request on its way through the engine; its identity is the object itself."""

    request_id: int
    request: Request
    max_tokens: int
    """The sequence ends when it has so many tokens, prompt included."""
    submitted_at: float
    scope: CacheScope
    token_ids: list[int] = field(init=False)

    slot: int = 0
    """The row in the model runner's state; means nothing unless `is_running`."""
    block_ids: tuple[int, ...] = ()
    num_computed: int = 0
    num_confirmed: int = 0
    """Positions whose step was read back and finite: what may be kept for reuse."""
    num_pending: int = 0
    num_prefill_tokens: int = 0
    """Tokens that were known when the sequence was admitted; it decodes once they are computed."""
    incarnation: int = 0
    """Grows when everything pending has become worthless; tokens of an earlier incarnation are dropped."""
    admission: int = 0
    """Place in the order of first admissions, from 1; the highest is the newest."""
    is_running: bool = False
    """It has a slot and blocks."""
    is_suspect: bool = False
    """A batch failed with this sequence in it: it runs alone until it is cleared or fails."""
    is_finished: bool = False

    lookup: Lookup | None = None
    """Guesses its next tokens, where few answers run."""
    num_cached_tokens: int = 0
    began_at: float | None = None
    """When its first step was launched."""
    first_token_at: float | None = None

    def __post_init__(self) -> None:
        self.token_ids = list(self.request.prompt_token_ids)

    @property
    def seniority(self) -> tuple[int, int]:
        """Sorts by who gives way last: people before background, the first admitted before the newest."""
        return (self.rank, self.admission)

    def has_waited_too_long(self, now: float) -> bool:
        """It was never admitted, and its time in the queue is over."""
        limit = self.request.max_queued_seconds
        return not self.admission and limit is not None and now - self.submitted_at > limit

    @property
    def rank(self) -> int:
        """0 for people, 1 for background work."""
        return min(max(self.request.priority, 0), BACKGROUND)

    @property
    def num_prompt_tokens(self) -> int:
        return len(self.request.prompt_token_ids)

    @property
    def num_new_tokens(self) -> int:
        """Tokens generated and read back."""
        return len(self.token_ids) - self.num_prompt_tokens

    @property
    def num_launched(self) -> int:
        """Tokens known or pending."""
        return len(self.token_ids) + self.num_pending

    @property
    def is_prefilling(self) -> bool:
        """Some tokens that are known have no keys and values yet."""
        return self.num_computed < self.num_prefill_tokens

    @property
    def can_decode(self) -> bool:
        """Its next token can be launched; what ends by length is known before it is read back."""
        return not self.is_prefilling and self.num_launched < self.max_tokens

    def next_chunk(self, max_tokens: int) -> PrefillChunk:
        """The next tokens to prefill, `max_tokens` at most."""
        start = self.num_computed
        end = min(start + max_tokens, self.num_prefill_tokens)
        is_last = end == self.num_prefill_tokens
        has_penalty = self.request.sampling.repetition_penalty != 1.0
        return PrefillChunk(
            slot=self.slot,
            token_ids=tuple(self.token_ids[start:end]),
            start=start,
            block_ids=self.block_ids,
            sampling=self.request.sampling,
            is_last=is_last,
            seen_token_ids=tuple(self.token_ids) if is_last and has_penalty else (),
        )

    def next_row(self, proposed: tuple[int, ...] = ()) -> DecodeRow:
        """The row that computes the newest token, known or pending, and samples the one after it."""
        token_id = None if self.num_pending else self.token_ids[-1]
        return DecodeRow(self.slot, self.num_computed, self.block_ids, token_id, proposed)

    def append(self, token_id: int, now: float) -> None:
        """Take a token that was read back."""
        self.token_ids.append(token_id)
        self.num_confirmed = len(self.token_ids) - 1
        if self.first_token_at is None:
            self.first_token_at = now

    def finish_reason(self, eos_token_ids: frozenset[int]) -> FinishReason | None:
        """Why the sequence ends with its last token, or None if it goes on."""
        if self.token_ids[-1] in eos_token_ids:
            return FinishReason.STOP
        if len(self.token_ids) >= self.max_tokens:
            return FinishReason.LENGTH
        return None

    def counters(self, now: float) -> Counters:
        """What the request has cost until `now`."""
        return Counters(
            num_prompt_tokens=self.num_prompt_tokens,
            num_cached_tokens=self.num_cached_tokens,
            num_new_tokens=self.num_new_tokens,
            queued_seconds=(now if self.began_at is None else self.began_at) - self.submitted_at,
            first_token_seconds=0.0 if self.first_token_at is None else self.first_token_at - self.submitted_at,
            total_seconds=now - self.submitted_at,
        )
