"""How prompts share a prefill pass: in order, and cut so that passes are of even size."""

from bot.inference.sequence import Sequence
from bot.inference.step import PrefillChunk

_PASS_STEP = 128
"""Large passes are multiples of it: what the runner pads to."""


def even_share(prefilling: list[Sequence], max_tokens: int) -> int:
    """Tokens of the next pass if all have about as many: a short last one would cost more than it is worth."""
    num_tokens = sum(sequence.num_prefill_tokens - sequence.num_computed for sequence in prefilling)
    share = -(-num_tokens // -(-num_tokens // max_tokens))
    return min(-(-share // _PASS_STEP) * _PASS_STEP, max_tokens)


def pack(prefilling: list[Sequence], max_tokens: int) -> tuple[list[PrefillChunk], list[Sequence]]:
    """Chunks of `max_tokens` in all, in order, and whose they are; a suspect's chunk stays alone."""
    chunks: list[PrefillChunk] = []
    sequences: list[Sequence] = []
    for sequence in prefilling:
        if max_tokens == 0 or (sequences and (sequence.is_suspect or sequences[0].is_suspect)):
            break
        chunk = sequence.next_chunk(max_tokens)
        max_tokens -= len(chunk.token_ids)
        chunks.append(chunk)
        sequences.append(sequence)
    return chunks, sequences
