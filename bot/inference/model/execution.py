"""How a step's passes are run: on the workspace's leading rows, eagerly here; `graphs.py` replays what it captured."""

from dataclasses import dataclass

import torch
from torch import Tensor

from bot.inference.model.inputs import StepInputs
from bot.inference.model.llama import LlamaModel
from bot.inference.model.ops import ForwardPass, Span, Workspace


@dataclass(frozen=True, slots=True)
class SlotState:
    """What the device remembers of each slot between steps, and what a step gives back.

    The last slot is scratch: padding rows read and write it.
    """

    last_tokens: Tensor  # int64 [slots + 1 + vocab]: each slot's, and behind them every token, to be chosen alike
    seen: Tensor  # bool [slots + 1, vocab], for the repetition penalty
    logits: Tensor  # [sequences, vocab]
    result: Tensor  # uint8: `tokens` and `finite` in one piece
    tokens: Tensor  # int64 [sequences]
    finite: Tensor  # bool [sequences]


def build_slot_state(num_sequences: int, vocab_size: int, device: torch.device, dtype: torch.dtype) -> SlotState:
    """Allocate the state of `num_sequences` slots."""
    result = torch.zeros(num_sequences * 9, dtype=torch.uint8, device=device)
    known = torch.arange(-num_sequences - 1, vocab_size, dtype=torch.int64, device=device).clamp_(min=0)
    return SlotState(
        last_tokens=known,
        seen=torch.zeros((num_sequences + 1, vocab_size), dtype=torch.bool, device=device),
        logits=torch.zeros((num_sequences, vocab_size), dtype=dtype, device=device),
        result=result,
        tokens=result[: num_sequences * 8].view(torch.int64),
        finite=result[num_sequences * 8 :].view(torch.bool),
    )


class Execution:
    """Runs passes as they come, call by call."""

    def __init__(self, model: LlamaModel, workspace: Workspace, inputs: StepInputs, state: SlotState) -> None:
        self.model = model
        self.workspace = workspace
        self.inputs = inputs
        self.state = state

    def release(self) -> None:
        """Let go of whatever knows where tensors lie, before their memory is given back."""

    def decode_bucket(self, num_rows: int) -> int:
        """How many rows a decode pass of `num_rows` is padded to."""
        return num_rows

    def prefill_bucket(self, num_tokens: int) -> int:
        """How many rows a prefill pass of `num_tokens` is padded to."""
        return num_tokens

    def num_tiles(self, num_tokens: int, num_needed: int) -> int:
        """How many tiles of the prefill attention are launched; those past `num_needed` are empty."""
        del num_tokens
        return num_needed

    def run_decode(self, num_rows: int, spans: tuple[Span, ...]) -> None:
        """Run one token for each row; `workspace.x` then holds the residual stream."""
        forward = self.decode_pass(num_rows, spans)
        tokens = self.state.last_tokens.index_select(0, self.inputs["sources"][:num_rows])
        self.model.embed(tokens, forward)
        self.model.run_layers(forward)

    def run_prefill(self, num_tokens: int, num_tiles: int, spans: tuple[Span, ...]) -> None:
        """Run chunks of prompts, packed, up to the last layer's attention."""
        forward = self.prefill_pass(num_tokens, num_tiles, spans)
        self.model.embed(self.inputs["token_ids"][:num_tokens], forward)
        self.model.run_to_last_attention(forward)

    def finish_last(self, num_rows: int) -> None:
        """Move the rows that are sampled after a prefill to the front, and finish the last layer for them alone."""
        rows, whole = self.workspace.rows(num_rows), self.workspace.rows(self.workspace.num_rows)
        last_rows = self.inputs["last_rows"][:num_rows]
        for name, spare in (("x", "normed"), ("attended", "qkv")):
            kept = whole[spare].view(-1)[: rows[name].numel()].view_as(rows[name])
            torch.index_select(whole[name], 0, last_rows, out=kept)
            rows[name].copy_(kept)
        self.model.finish_last_layer(self.decode_pass(num_rows))

    def run_head(self, num_rows: int, *, is_greedy: bool) -> None:
        """Sample a token for each of the residual stream's leading rows, into the state."""
        state = self.state
        logits, tokens, finite = state.logits[:num_rows], state.tokens[:num_rows], state.finite[:num_rows]
        self.model.project(self.decode_pass(num_rows), logits)
        self.model.ops.pick_greedy(logits, tokens, finite)
        if not is_greedy:
            self.model.ops.sample(logits, self.inputs.sampling.head(num_rows), state.seen, tokens)
        state.last_tokens.index_copy_(0, self.inputs.sampling.slots[:num_rows], tokens)

    def decode_pass(self, num_rows: int, spans: tuple[Span, ...] = ()) -> ForwardPass:
        """The pass over one token of each of `num_rows` sequences."""
        inputs = self.inputs
        return ForwardPass(
            **self.workspace.rows(num_rows),
            positions=inputs["decode_positions"][:num_rows],
            kv_slots=inputs["decode_kv_slots"][:num_rows],
            block_tables=inputs["decode_tables"],
            is_decode=True,
            spans=spans,
        )

    def prefill_pass(self, num_tokens: int, num_tiles: int, spans: tuple[Span, ...] = ()) -> ForwardPass:
        """The pass over `num_tokens` packed tokens of prompts."""
        inputs = self.inputs
        return ForwardPass(
            **self.workspace.rows(num_tokens),
            positions=inputs["positions"][:num_tokens],
            kv_slots=inputs["kv_slots"][:num_tokens],
            block_tables=inputs["tables"],
            is_decode=False,
            tiles=inputs["tiles"][:num_tiles],
            spans=spans,
        )
