"""What the CPU computes decode passes by agrees with the plain reference, and gives way to it where it doesn't."""

from dataclasses import replace

import pytest
import torch

from bot.inference.kernels.choice import choose_cpu_ops
from bot.inference.kernels.self_test import NUM_TEST_BLOCKS, NUM_TEST_POSITIONS, LayerTest
from bot.inference.loading.build import build_runner
from bot.inference.model.cpu_ops import CpuOps
from bot.inference.model.kv_cache import CacheKind, build_kv_cache
from bot.inference.model.ops import Workspace
from bot.inference.model.reference_ops import ReferenceOps
from bot.inference.model.weights import MatrixKind
from tests.checkpoints import GROUPED, TINY, grouped_config, random_model, random_weights, save_checkpoint
from tests.groups import with_transformers
from tests.inference.runs import Conversation, decode, prefill, random_prompt, reference_tokens

CPU = torch.device("cpu")
THREES = replace(TINY, hidden_size=72, num_heads=9, num_kv_heads=3, head_dim=8)
"""Three query heads read the same keys, as in SmolLM2."""


def layer_test(shape, weights_kind=MatrixKind.FLOAT, cache_kind=CacheKind.FLOAT, dtype=torch.float32):
    shape = replace(shape, num_layers=1)
    weights = random_weights(shape, CPU, dtype, weights_kind)
    cache = build_kv_cache(shape, NUM_TEST_BLOCKS, CPU, dtype, cache_kind)
    workspace = Workspace(shape, 64, CPU, dtype)
    return shape, weights, cache, workspace, LayerTest(shape, weights, cache, workspace)


@pytest.mark.parametrize("num_rows", [1, 2, 8, 17])
@pytest.mark.parametrize("shape", [TINY, GROUPED, THREES], ids=["multi-head", "grouped-query", "threes"])
def test_every_operation_agrees_with_the_reference(shape, num_rows):
    shape, _weights, cache, _workspace, test = layer_test(shape)
    ops, reference = CpuOps(shape, cache, NUM_TEST_POSITIONS), ReferenceOps(shape, cache, NUM_TEST_POSITIONS)

    differences = test.compare(ops, reference, test.decode_spans(num_rows), is_decode=True)

    assert len(differences) == 8
    assert max(difference.error for difference in differences) < 1e-5


@pytest.mark.parametrize("num_rows", [1, 8])
@pytest.mark.parametrize(
    "kinds",
    [(MatrixKind.INT8, CacheKind.FLOAT), (MatrixKind.FLOAT, CacheKind.INT8)],
    ids=["weights", "keys and values"],
)
def test_numbers_in_eight_bits_agree_too(kinds, num_rows):
    shape, _weights, cache, _workspace, test = layer_test(GROUPED, *kinds)
    ops, reference = CpuOps(shape, cache, NUM_TEST_POSITIONS), ReferenceOps(shape, cache, NUM_TEST_POSITIONS)

    differences = test.compare(ops, reference, test.decode_spans(num_rows), is_decode=True)

    assert max(difference.error for difference in differences) < 1e-3


@pytest.mark.parametrize("num_rows", [1, 8])
def test_weights_in_eight_bits_agree_when_they_are_made_floats_in_many_pieces(num_rows):
    biased = replace(GROUPED, has_qkv_bias=True, has_output_bias=True)
    shape, _weights, cache, _workspace, test = layer_test(biased, MatrixKind.INT8)
    ops = CpuOps(shape, cache, NUM_TEST_POSITIONS, wide_numbers=7 * shape.hidden_size + 3)
    reference = ReferenceOps(shape, cache, NUM_TEST_POSITIONS)

    differences = test.compare(ops, reference, test.decode_spans(num_rows), is_decode=True)

    assert max(difference.error for difference in differences) < 1e-5


def test_rows_that_are_not_kept_are_gathered_each_time():
    shape, _weights, cache, _workspace, test = layer_test(GROUPED)
    ops = CpuOps(shape, cache, NUM_TEST_POSITIONS, kept_bytes=0)
    reference = ReferenceOps(shape, cache, NUM_TEST_POSITIONS)

    differences = test.compare(ops, reference, test.decode_spans(3), is_decode=True)

    assert max(difference.error for difference in differences) < 1e-5


def test_the_fast_operations_are_chosen_in_float32_only():
    kinds = []
    for dtype in (torch.float32, torch.bfloat16):
        shape, weights, cache, workspace, _test = layer_test(TINY, dtype=dtype)
        kinds.append(type(choose_cpu_ops(shape, weights, workspace, 128, 8)(cache)))

    assert kinds == [CpuOps, ReferenceOps]


class WrongNorm(CpuOps):
    def _norm_into(self, x, weight, normed):
        super()._norm_into(x, weight, normed)
        normed *= 1.01


class RaisingPlan(CpuOps):
    def prepare(self, forward):
        raise AttributeError("module 'numpy' has no attribute 'vecdot'")


@pytest.mark.parametrize(("broken", "reason"), [(WrongNorm, "project_qkv"), (RaisingPlan, "vecdot")])
def test_the_reference_takes_the_place_of_what_is_wrong_or_fails_here(broken, reason, caplog):
    shape, weights, cache, workspace, _test = layer_test(TINY)

    ops = choose_cpu_ops(shape, weights, workspace, 128, 8, fast_ops=broken)(cache)

    assert type(ops) is ReferenceOps
    assert reason in caplog.text


@with_transformers
def test_rows_of_one_length_and_rows_that_part_get_their_own_tokens(tmp_path):
    model = random_model(grouped_config())
    runner = build_runner(save_checkpoint(tmp_path, model), "cpu", num_blocks=32)
    together = [Conversation(n, random_prompt(30, 320, seed=50 + n), range(1 + 3 * n, 4 + 3 * n)) for n in range(3)]

    prefill(runner, together)
    decode(runner, together, 8)
    decode(runner, together[1:], 5)
    decode(runner, together, 5)

    for conversation in together:
        wanted = reference_tokens(model, conversation.prompt, len(conversation.new_tokens))
        assert conversation.new_tokens == wanted
