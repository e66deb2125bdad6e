"""Runs every kernel in Triton's interpreter against the reference operations; run by test_kernels.py in a process of
its own, since TRITON_INTERPRET is read when triton is imported.

Usage: TRITON_INTERPRET=1 python -m tests.inference.interpreted [all]

Without "all" each shape and type comes at least once, but not with each kind and pass.
"""

import os
import sys
from dataclasses import replace
from itertools import product

import torch

from bot.inference.kernels.self_test import NUM_TEST_BLOCKS, LayerTest
from bot.inference.kernels.tiles import AttentionTile, KernelShapes, PackedTile, Split, Tile
from bot.inference.kernels.triton_ops import KernelOps
from bot.inference.model.kv_cache import CacheKind, build_kv_cache
from bot.inference.model.ops import Workspace
from bot.inference.model.reference_ops import ReferenceOps
from bot.inference.model.shape import LlamaShape
from bot.inference.model.weights import LlamaWeights, MatrixKind, checkpoint_places, empty_weights

CPU = torch.device("cpu")
BASE = {"vocab_size": 112, "intermediate_size": 96, "num_layers": 1, "context_window": 128}
SHAPES = {
    "multi-head": LlamaShape(hidden_size=64, num_heads=2, num_kv_heads=2, head_dim=32, **BASE),
    "grouped, odd heads, biases": LlamaShape(
        hidden_size=96, num_heads=2, num_kv_heads=1, head_dim=48, has_qkv_bias=True, has_output_bias=True, **BASE
    ),
}
SMALL = KernelShapes(
    gemv_qkv=Tile(16, 32, 1),
    gemv_output=Tile(8, 64, 1),
    gemv_gated=Tile(16, 64, 1, programs=2),
    gemv_down=Tile(8, 32, 1, programs=2),
    gemv_head=Tile(16, 64, 1),
    skinny_qkv={4: Tile(16, 32, 1, 2)},
    skinny_gated={4: Tile(16, 32, 1, 2)},
    skinny_output={4: Tile(16, 32, 1, 2, shares=2)},
    skinny_down={4: Tile(16, 32, 1, 2)},
    skinny_head={4: Tile(16, 32, 1, 2)},
    decode={1: Split(4, 1, 1), 3: Split(4, 1, 2, 2), 64: Split(2, 1, 1)},
    grouped={3: AttentionTile(1, 32, 1, 1, shares=2), 64: AttentionTile(1, 32, 1, 1)},
    least_grouped=1,
    packed=PackedTile(16, 32, 1, 1, least_rows=17),
    prefill={64: AttentionTile(16, 32, 1, 1, shares=3)},
    prefill_most=AttentionTile(32, 32, 1, 1),
)


KINDS = {
    "floats": (MatrixKind.FLOAT, CacheKind.FLOAT),
    "int8 weights": (MatrixKind.INT8, CacheKind.FLOAT),
    "int8 weights and cache": (MatrixKind.INT8, CacheKind.INT8),
}


def random_weights(shape: LlamaShape, dtype: torch.dtype, kind: MatrixKind) -> LlamaWeights:
    """Weights of a size that keeps every activation near one."""
    torch.manual_seed(0)
    weights = empty_weights(shape, CPU, dtype, kind)
    for place in checkpoint_places(weights, shape).values():
        size = place.data.shape
        place.fill(torch.rand(size) + 0.5 if len(size) == 1 else torch.randn(size) * size[1] ** -0.5)
    return weights


def differences(
    shape: LlamaShape,
    dtype: torch.dtype,
    kinds: tuple[MatrixKind, CacheKind],
    row_numbers: tuple[int, ...],
    *,
    has_dot: bool,
) -> list[str]:
    """The worst error of each kind of pass, where it is more than rounding."""
    weights_kind, cache_kind = kinds
    cache = build_kv_cache(shape, NUM_TEST_BLOCKS, CPU, dtype, cache_kind)
    test = LayerTest(shape, random_weights(shape, dtype, weights_kind), cache, Workspace(shape, 64, CPU, dtype))
    shapes = SMALL if shape.num_heads == shape.num_kv_heads else replace(SMALL, most_sampled_alone=64, sampled_chunk=32)
    ops = KernelOps(
        shape, cache, 128, 20, has_dot=has_dot, has_pdl=False, kind=weights_kind, num_dense=4096, shapes=shapes
    )
    reference = ReferenceOps(shape, cache, 128)
    ops.compile_ahead(lambda: test.visit(ops, test.decode_spans(3), is_decode=True))  # must leave no trace
    limit = 5e-3 if dtype == torch.float16 else 1e-5
    cases = [(test.decode_spans(number), True) for number in row_numbers]
    cases.append((test.prefill_passes()[0], False))
    return [
        f"{'decode' if is_decode else 'prefill'} of {len(spans)}: {difference}"
        for spans, is_decode in cases
        for difference in test.compare(ops, reference, spans, is_decode=is_decode)
        if not difference.error <= limit
    ]


def main() -> int:
    """Run all cases; the number of those that differ."""
    assert os.environ.get("TRITON_INTERPRET") == "1"
    torch.set_num_threads(1)
    num_failed = 0
    cases = list(product(SHAPES, (torch.float16, torch.float32), KINDS, [(1, 3, 17)]))
    if "all" not in sys.argv:
        cases = [
            ("multi-head", torch.float16, "int8 weights and cache", (1, 3)),
            ("grouped, odd heads, biases", torch.float16, "floats", (1, 3)),
            ("grouped, odd heads, biases", torch.float32, "int8 weights and cache", (1,)),
        ]
    for name, dtype, kinds, row_numbers in cases:
        has_dot = dtype == torch.float16 or name == "multi-head"
        problems = differences(SHAPES[name], dtype, KINDS[kinds], row_numbers, has_dot=has_dot)
        num_failed += len(problems)
        print(f"{name} {dtype} {kinds}: {problems or 'ok'}", flush=True)
    return num_failed


if __name__ == "__main__":
    sys.exit(main())
