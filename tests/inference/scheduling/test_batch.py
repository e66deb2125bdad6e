"""Cutting a refused step up."""

from bot.inference.engine import Request, SamplingParams
from bot.inference.scheduling.batch import Batch
from bot.inference.scheduling.block_manager import CacheScope
from bot.inference.scheduling.sequence import Sequence
from bot.inference.scheduling.step import DecodeRow, DecodeStep, PrefillChunk, PrefillStep


def sequences(number: int) -> tuple[Sequence, ...]:
    return tuple(Sequence(index, Request((1,)), 2, 0.0, CacheScope()) for index in range(number))


def chunk(slot: int, num_tokens: int) -> PrefillChunk:
    return PrefillChunk(slot, tuple(range(num_tokens)), 32, (1, 2), SamplingParams(), True, (7, 8))


def test_decode_step_is_cut_between_its_rows() -> None:
    rows = tuple(DecodeRow(slot, 3, (1,)) for slot in range(3))
    batch = Batch(DecodeStep(rows), sequences(3))

    first, second = batch.halves(may_cut_prompt=False)

    assert (first.step, second.step) == (DecodeStep(rows[:1]), DecodeStep(rows[1:]))
    assert first.sequences + second.sequences == batch.sequences


def test_single_row_cannot_be_cut() -> None:
    batch = Batch(DecodeStep((DecodeRow(0, 3, (1,)),)), sequences(1))

    assert batch.halves(may_cut_prompt=True) == []


def test_single_row_loses_its_proposals() -> None:
    one = sequences(1)
    batch = Batch(DecodeStep((DecodeRow(0, 3, (1,), 9, (5, 6)),)), one)

    assert batch.halves(may_cut_prompt=True) == [Batch(DecodeStep((DecodeRow(0, 3, (1,), 9),)), one)]


def test_single_prompt_is_cut_only_when_memory_is_short() -> None:
    batch = Batch(PrefillStep((chunk(0, 300),)), sequences(1))

    assert batch.halves(may_cut_prompt=False) == []
    head, tail = batch.halves(may_cut_prompt=True)

    assert isinstance(head.step, PrefillStep)
    assert isinstance(tail.step, PrefillStep)
    (first,), (second,) = head.step.chunks, tail.step.chunks
    assert first.token_ids + second.token_ids == tuple(range(300))
    assert (first.start, second.start) == (32, 182)
    assert (first.is_last, second.is_last) == (False, True)
    assert (first.seen_token_ids, second.seen_token_ids) == ((), (7, 8))


def test_small_prompt_is_not_cut() -> None:
    batch = Batch(PrefillStep((chunk(0, 128),)), sequences(1))

    assert batch.halves(may_cut_prompt=True) == []


def test_those_that_stopped_running_are_left_out() -> None:
    stopped, running, other = sequences(3)
    running.is_running = other.is_running = True
    decoding = Batch(DecodeStep(tuple(DecodeRow(slot, 3, (1,)) for slot in range(3))), (stopped, running, other))
    prefilling = Batch(PrefillStep((chunk(0, 5), chunk(1, 6))), (stopped, running))

    assert decoding.of_running() == Batch(
        DecodeStep(tuple(DecodeRow(slot, 3, (1,)) for slot in (1, 2))), (running, other)
    )
    assert prefilling.of_running() == Batch(PrefillStep((chunk(1, 6),)), (running,))
    assert Batch(DecodeStep((DecodeRow(0, 3, (1,)),)), (stopped,)).of_running() is None
