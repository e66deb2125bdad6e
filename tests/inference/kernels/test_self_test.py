from dataclasses import replace

import pytest
import torch

from bot.inference.kernels.choice import MixedOps
from bot.inference.kernels.self_test import NUM_TEST_BLOCKS, NUM_TEST_POSITIONS, LayerTest
from bot.inference.model.kv_cache import build_kv_cache
from bot.inference.model.ops import Workspace
from bot.inference.model.reference_ops import ReferenceOps
from tests.checkpoints import TINY, random_weights

CPU = torch.device("cpu")


@pytest.fixture
def setting():
    shape = replace(TINY, num_layers=1)
    weights = random_weights(shape, CPU, torch.float32)
    cache = build_kv_cache(shape, NUM_TEST_BLOCKS, CPU, torch.float32)
    return shape, cache, LayerTest(shape, weights, cache, Workspace(shape, 64, CPU, torch.float32))


class WrongAttention(ReferenceOps):
    def attend(self, rows, cache):
        super().attend(rows, cache)
        rows.attended[-1].mul_(1.5)


class RaisingSampler(ReferenceOps):
    def sample(self, logits, rows, seen, tokens):
        raise RuntimeError("out of registers")


@pytest.mark.parametrize("num_rows", [1, 17, 64])
def test_no_two_rows_write_one_place(setting, num_rows):
    spans = setting[2].decode_spans(num_rows)

    places = {(span.table_row, span.start) for span in spans}

    assert len(places) == num_rows
    assert all(0 <= span.start < NUM_TEST_POSITIONS for span in spans)


@pytest.mark.parametrize("num_rows", [1, 17, 64])
def test_operations_agree_with_themselves(setting, num_rows):
    shape, cache, test = setting
    ops, reference = (ReferenceOps(shape, cache, NUM_TEST_POSITIONS) for _ in range(2))

    differences = test.compare(ops, reference, test.decode_spans(num_rows), is_decode=True)

    assert [difference.op for difference in differences][-3:] == ["project_head", "pick_greedy", "sample"]
    assert {difference.error for difference in differences} == {0.0}


def test_the_wrong_operation_is_named_and_no_other(setting):
    shape, cache, test = setting
    ops, reference = WrongAttention(shape, cache, NUM_TEST_POSITIONS), ReferenceOps(shape, cache, NUM_TEST_POSITIONS)

    for spans, is_decode in [(test.decode_spans(17), True), (test.prefill_passes()[0], False)]:
        bad = [d for d in test.compare(ops, reference, spans, is_decode=is_decode) if d.error > 1e-6]

        assert [difference.op for difference in bad] == ["attend"]
        assert f"the worst: {sum(span.num_rows for span in spans) - 1} by 0.5" in str(bad[0])


def test_an_operation_that_raises_is_named_with_its_error(setting):
    shape, cache, test = setting
    ops, reference = RaisingSampler(shape, cache, NUM_TEST_POSITIONS), ReferenceOps(shape, cache, NUM_TEST_POSITIONS)

    *others, worst = test.compare(ops, reference, test.decode_spans(2), is_decode=True)

    assert (worst.op, worst.error) == ("sample", float("inf"))
    assert "out of registers" in str(worst)
    assert {difference.error for difference in others} == {0.0}


def test_the_cache_is_left_as_it_was(setting):
    shape, cache, test = setting
    cache.blocks.normal_()
    before = cache.blocks.clone()
    reference = ReferenceOps(shape, cache, NUM_TEST_POSITIONS)

    test.compare(reference, reference, test.prefill_passes()[0], is_decode=False)

    assert not torch.equal(before, torch.zeros_like(before))
    assert torch.equal(cache.blocks[:, :, 1:], before[:, :, 1:])


@pytest.mark.parametrize("broken", ["attend", "sample"])
def test_what_is_broken_is_done_by_the_reference(setting, broken):
    shape, cache, test = setting
    kernels = {"attend": WrongAttention, "sample": RaisingSampler}[broken](shape, cache, NUM_TEST_POSITIONS)
    reference = ReferenceOps(shape, cache, NUM_TEST_POSITIONS)
    mixed = MixedOps(kernels, reference, frozenset({broken}))

    differences = test.compare(mixed, reference, test.decode_spans(17), is_decode=True)

    assert {difference.error for difference in differences} == {0.0}
