"""Compiles every kernel as start-up does, for cards that aren't there: nothing is launched.

Run by test_kernels.py in a process of its own. Usage: python -m tests.inference.compiled

A kernel that can't be compiled, or takes more shared memory than the card gives a program, raises.
"""

import sys
from collections import Counter
from itertools import product
from pathlib import Path

import torch
import triton

from bot.inference.kernels.choice import compile_for_shapes, kernel_choices
from bot.inference.loading.config import read_shape
from bot.inference.model.kv_cache import CacheKind
from bot.inference.model.shape import LlamaShape
from bot.inference.model.weights import MatrixKind
from tests.checkpoints import LARGE_VOCABULARY, LLAMA_2_7B, LLAMA_3_1B, QWEN_2_05B
from tests.inference.cards import CARDS, Card

LLAMA_2_13B = LlamaShape(32000, 5120, 13824, 40, 40, 40, 128, 4096)
LLAMA_2_70B = LlamaShape(32000, 8192, 28672, 80, 64, 8, 128, 4096)
LLAMA_3_8B = LlamaShape(128256, 4096, 14336, 32, 32, 8, 128, 8192)
DEMO = read_shape(Path(__file__).parents[2] / "bot" / "demo_model")


KINDS = ((MatrixKind.FLOAT, CacheKind.FLOAT), (MatrixKind.INT8, CacheKind.INT8))


def compile_for(card: Card, shape: LlamaShape, num_sequences: int, kinds: tuple[MatrixKind, CacheKind]) -> None:
    """Compile all that the card would run."""
    triton.runtime.driver.set_active(card)
    card.loaded.clear()
    compile_for_shapes(kernel_choices(shape, 0, num_sequences, card.capability, *kinds)[0], torch.float16)


def main() -> int:
    """Compile everything."""
    llamas = (LLAMA_2_7B, LLAMA_2_13B, LLAMA_2_70B, LLAMA_3_8B, LLAMA_3_1B, DEMO)
    shapes = (*llamas, QWEN_2_05B, LARGE_VOCABULARY)
    for name, shape, kinds in product(CARDS, shapes, KINDS):
        card = CARDS[name]
        compile_for(card, shape, 64, kinds)
        kernels = ", ".join(f"{name} x {number}" for name, number in sorted(Counter(card.loaded).items()))
        print(
            f"{name}, {shape.hidden_size} wide, {kinds[0]}: at most {card.most_shared} bytes shared; {kernels}",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
