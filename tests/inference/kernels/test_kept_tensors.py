"""What the kernels keep on a card is all told, so that it is given back with the rest; no tensor takes memory here."""

from dataclasses import replace

import pytest
import torch

pytest.importorskip("triton", reason="triton can't be imported: there are no kernels to ask")

from bot.inference.kernels.choice import MixedOps, kernel_choices
from bot.inference.model.kv_cache import CacheKind, KVCache, build_kv_cache
from bot.inference.model.reference_ops import ReferenceOps
from bot.inference.model.weights import MatrixKind
from tests.checkpoints import GROUPED, LLAMA_2_7B

NOWHERE = torch.device("meta")
SHAPES = {
    "7B": replace(LLAMA_2_7B, num_layers=1),
    "grouped": GROUPED,
    "large vocabulary": replace(GROUPED, vocab_size=128256),
}


def tensors_in(part):
    """Every tensor that an object of ours holds, its parts' included, but for the cache's."""
    if isinstance(part, torch.Tensor):
        return [part]
    if (
        isinstance(part, KVCache)
        or not type(part).__module__.startswith("bot.inference.")
        or not hasattr(part, "__dict__")
    ):
        return []
    return [tensor for value in vars(part).values() for tensor in tensors_in(value)]


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("capability", [(7, 5), (9, 0)])
@pytest.mark.parametrize("kinds", [(MatrixKind.FLOAT, CacheKind.FLOAT), (MatrixKind.INT8, CacheKind.INT8)])
def test_every_tensor_is_told(shape, capability, kinds):
    cache = build_kv_cache(shape, 4, NOWHERE, torch.float16, kinds[1])
    for choice in kernel_choices(shape, 512, 16, capability, *kinds):
        kernels = choice.kernels(cache)
        mixed = MixedOps(kernels, ReferenceOps(shape, cache, 512), frozenset({"sample"}))

        for ops in (kernels, mixed):
            told, held = set(map(id, ops.tensors())), tensors_in(ops)
            assert len(held) > 4
            assert {tensor.shape for tensor in held if id(tensor) not in told} == set()
