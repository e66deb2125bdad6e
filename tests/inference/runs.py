"""Drives a model runner as a scheduler would, and transformers' generate beside it."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from bot.inference.engine import SamplingParams
from bot.inference.model.inputs import fill_prefill, fill_tiles
from bot.inference.model.kv_cache import BLOCK_SIZE
from bot.inference.model.runner import LlamaRunner
from bot.inference.scheduling.step import DecodeRow, DecodeStep, PrefillChunk, PrefillStep

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM


def reference_tokens(model: "LlamaForCausalLM", prompt: Sequence[int], num_new: int, **settings) -> list[int]:
    """What transformers generates after `prompt`, greedily unless told otherwise."""
    device = next(model.parameters()).device
    prompt_ids = torch.tensor([list(prompt)], device=device)
    options = {"do_sample": False, "eos_token_id": None, "pad_token_id": 0, "max_new_tokens": num_new} | settings
    with torch.inference_mode():
        out = model.generate(prompt_ids, attention_mask=torch.ones_like(prompt_ids), **options)
    return out[0, len(prompt) :].tolist()


def random_prompt(length: int, vocab_size: int, seed: int) -> list[int]:
    """BOS and `length - 1` random tokens."""
    generator = torch.Generator().manual_seed(seed)
    return [1, *torch.randint(3, vocab_size, (length - 1,), generator=generator).tolist()]


class Conversation:
    """One sequence on a runner: its slot, its blocks, its tokens."""

    def __init__(
        self, slot: int, prompt: Sequence[int], blocks: Sequence[int], sampling: SamplingParams | None = None
    ) -> None:
        self.slot = slot
        self.prompt = list(prompt)
        self.blocks = tuple(blocks)
        self.sampling = sampling or SamplingParams()
        self.new_tokens: list[int] = []
        self.is_finite = True
        self.num_done = 0

    def chunk(self, num_tokens: int | None = None) -> PrefillChunk:
        """The next tokens of the prompt, all that are left unless told otherwise."""
        start = self.num_done
        end = len(self.prompt) if num_tokens is None else min(start + num_tokens, len(self.prompt))
        self.num_done = end
        is_last = end == len(self.prompt)
        seen = tuple(self.prompt) if is_last else ()
        return PrefillChunk(self.slot, tuple(self.prompt[start:end]), start, self.blocks, self.sampling, is_last, seen)

    def row(self) -> DecodeRow:
        """The next decode row; may be asked for before the last token was read."""
        row = DecodeRow(self.slot, self.num_done, self.blocks)
        self.num_done += 1
        return row


def prefill(runner: LlamaRunner, conversations: Sequence[Conversation], chunk_tokens: int | None = None) -> None:
    """Run all prompts packed, `chunk_tokens` of each at a time."""
    while waiting := [c for c in conversations if c.num_done < len(c.prompt)]:
        _note(conversations, runner.launch(PrefillStep(tuple(c.chunk(chunk_tokens) for c in waiting))).collect())


def decode(runner: LlamaRunner, conversations: Sequence[Conversation], num_steps: int) -> None:
    """Run `num_steps` decode steps over all conversations, each read one step late."""
    pending = None
    for _ in range(num_steps):
        launched = runner.launch(DecodeStep(tuple(c.row() for c in conversations)))
        if pending is not None:
            _note(conversations, pending.collect())
        pending = launched
    if pending is not None:
        _note(conversations, pending.collect())


def generate(runner: LlamaRunner, prompt: Sequence[int], num_new: int, blocks: Sequence[int]) -> list[int]:
    """One conversation by itself in slot 0."""
    conversation = Conversation(0, prompt, blocks)
    prefill(runner, [conversation])
    decode(runner, [conversation], num_new - 1)
    return conversation.new_tokens


def read_logits(runner: LlamaRunner, token_ids: Sequence[int], chunk_tokens: int = 256) -> Iterator[Tensor]:
    """Logits [tokens, vocab] after each of the tokens, a chunk at a time."""
    blocks = tuple(range(1, -(-len(token_ids) // BLOCK_SIZE) + 1))
    for start in range(0, len(token_ids), chunk_tokens):
        some = tuple(token_ids[start : start + chunk_tokens])
        yield _logits(runner, PrefillChunk(0, some, start, blocks, SamplingParams(), is_last=False))


def _logits(runner: LlamaRunner, chunk: PrefillChunk) -> Tensor:
    execution, num_tokens = runner._execution, len(chunk.token_ids)
    model, inputs = execution.model, execution.inputs
    with torch.inference_mode(), torch.cuda.stream(runner._stream):
        host = inputs.next_host()
        spans = fill_prefill(host, (chunk,), num_tokens)
        num_tiles = fill_tiles(host["tiles"], spans, model.ops.tile_rows(num_tokens))
        inputs.send("token_ids", "penalties")
        forward = execution.prefill_pass(num_tokens, num_tiles, spans)
        model.embed(inputs["token_ids"][:num_tokens], forward)
        model.run_layers(forward)
        logits = torch.empty((num_tokens, runner.shape.vocab_size), dtype=forward.x.dtype, device=forward.x.device)
        model.project(forward, logits)
        return logits.float().cpu()


def decode_beside_nan(runner: LlamaRunner, num_new: int) -> tuple[Conversation, Conversation, Conversation]:
    """One conversation with NaN in its cache, one beside it, and one that is given its blocks afterwards."""
    sick = Conversation(0, random_prompt(40, 320, seed=10), (1, 2, 3))
    well = Conversation(1, random_prompt(40, 320, seed=11), (4, 5, 6))
    prefill(runner, [sick, well])
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    with torch.inference_mode():
        runner._cache.blocks[:, :, 1] = float("nan")
    decode(runner, [sick, well], num_new - 1)
    heir = Conversation(2, random_prompt(35, 320, seed=12), (3, 1))
    prefill(runner, [heir])
    decode(runner, [heir, well], 1)
    return sick, well, heir


def _note(conversations: Sequence[Conversation], tokens) -> None:
    by_slot = {conversation.slot: conversation for conversation in conversations}
    for token in tokens:
        by_slot[token.slot].new_tokens.append(token.token_ids[0])
        by_slot[token.slot].is_finite &= token.is_finite
