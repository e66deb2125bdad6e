"""One step of the engine as plain values: what the scheduler asks for, what the model runner gives back.

The scheduler knows no tensors and the runner knows no requests; they share slots and blocks. A *slot* is a sequence's
row in the runner's state (last token, sampling params), held while the sequence runs. A *block* holds the keys and
values of `block_size` tokens; block 0 is scratch for padding rows and never belongs to a sequence.

A step is launched before the tokens of the one before it were read: a decode row's input token is therefore the slot's
last sampled token, which only the runner knows. Tokens come back from `PendingTokens.collect`, one step late.

A row may also run proposed tokens behind its input token (*speculation*): the runner samples after each of them as if
all before it were right, and whoever proposed them compares. How far such a *verifying* row came isn't known before it
is read back, so the next step waits for it, and tells the runner the token it goes on from.
"""

from dataclasses import dataclass
from typing import Protocol

from bot.inference.engine import SamplingParams


@dataclass(frozen=True, slots=True)
class PrefillChunk:
    """A run of known tokens of one sequence, to be written to its blocks."""

    slot: int
    token_ids: tuple[int, ...]
    start: int
    """Position of the first token; everything before it is in the blocks already."""
    block_ids: tuple[int, ...]
    """The sequence's block table, long enough for `start + len(token_ids)` tokens."""
    sampling: SamplingParams
    is_last: bool
    """Sample the next token after the chunk's last position."""
    seen_token_ids: tuple[int, ...] = ()
    """With `is_last` and a repetition penalty: every token before the sampled one, cached ones too."""


@dataclass(frozen=True, slots=True)
class DecodeRow:
    """One sequence's next tokens: its newest token is run at `position`, and the token after it is sampled.

    Those in `proposed` are run behind it, and a token is sampled after each.
    """

    slot: int
    position: int
    block_ids: tuple[int, ...]
    """The sequence's block table, long enough for `position + num_tokens` tokens."""
    token_id: int | None = None
    """The newest token; None: the slot's last one, sampled by a step that isn't read back yet."""
    proposed: tuple[int, ...] = ()

    @property
    def num_tokens(self) -> int:
        """Tokens that are run."""
        return 1 + len(self.proposed)


@dataclass(frozen=True, slots=True)
class PrefillStep:
    """Chunks of one or more sequences, packed into one pass."""

    chunks: tuple[PrefillChunk, ...]


@dataclass(frozen=True, slots=True)
class DecodeStep:
    """One or more tokens for each row."""

    rows: tuple[DecodeRow, ...]


Step = PrefillStep | DecodeStep


@dataclass(frozen=True, slots=True)
class SampledTokens:
    """What a step sampled for one slot, in order: a token after each that was run, right or wrong.

    `is_finite` is False when its logits held NaN or infinity; the tokens are then worthless.
    """

    slot: int
    token_ids: tuple[int, ...]
    is_finite: bool = True


class PendingTokens(Protocol):
    """The tokens of a launched step, still on their way."""

    @property
    def is_done(self) -> bool:
        """They have arrived: nothing is waited for any more."""
        ...

    def collect(self) -> list[SampledTokens]:
        """Wait for the step and return what was sampled for each last chunk or decode row, in the step's order."""
        ...


class ModelRunner(Protocol):
    """Runs steps on a model. Owned by one thread; every method is called from there."""

    @property
    def num_blocks(self) -> int:
        """Blocks in the pool, scratch block 0 included."""
        ...

    @property
    def block_size(self) -> int:
        """Tokens in a block."""
        ...

    @property
    def max_num_sequences(self) -> int:
        """Slots, which is also the most tokens that a decode step may run, over all its rows."""
        ...

    @property
    def max_prefill_tokens(self) -> int:
        """The most tokens that one prefill step may hold, over all its chunks."""
        ...

    @property
    def context_window(self) -> int:
        """The most positions that the model was trained for."""
        ...

    def launch(self, step: Step) -> PendingTokens:
        """Start `step` without waiting for it.

        Raises:
            torch.OutOfMemoryError or any other exception: nothing of this step took effect on the slots' state.
        """
        ...
