"""Which errors are whose."""

import pytest

from bot.inference.block_manager import CacheScope
from bot.inference.containment import halves, is_out_of_memory, is_sticky
from bot.inference.engine import Request, SamplingParams
from bot.inference.scheduler import Batch
from bot.inference.sequence import Sequence
from bot.inference.step import DecodeRow, DecodeStep, PrefillChunk, PrefillStep
from tests.inference.fakes import AcceleratorError, OutOfMemoryError


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [
        AcceleratorError("CUDA error: device-side assert triggered"),
        AcceleratorError("an illegal memory access was encountered"),
        RuntimeError("CUDA error: unspecified launch failure"),
        RuntimeError("Triton Error [CUDA]: an illegal memory access was encountered"),
        caused(ValueError("wrapped"), AcceleratorError("CUDA error: misaligned address")),
    ],
)
def test_lost_context_is_sticky(error: Exception) -> None:
    assert is_sticky(error)


@pytest.mark.parametrize(
    "error",
    [
        OutOfMemoryError("CUDA out of memory. Tried to allocate 64.00 MiB."),
        AcceleratorError("CUDA error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)"),
        RuntimeError("Triton Error [CUDA]: out of memory"),
        ValueError("CUDA error, says someone who is no runtime"),
        RuntimeError("shape mismatch"),
        IndexError("list index out of range"),
    ],
)
def test_other_errors_stay_with_their_request(error: Exception) -> None:
    assert not is_sticky(error)


def test_memory_errors_are_told_by_name_or_text() -> None:
    assert is_out_of_memory(OutOfMemoryError(""))
    assert is_out_of_memory(RuntimeError("CUDA error: out of memory"))
    assert not is_out_of_memory(ValueError("bad"))


def sequences(number: int) -> tuple[Sequence, ...]:
    return tuple(Sequence(index, Request((1,)), 2, 0.0, CacheScope()) for index in range(number))


def chunk(slot: int, num_tokens: int) -> PrefillChunk:
    return PrefillChunk(slot, tuple(range(num_tokens)), 32, (1, 2), SamplingParams(), True, (7, 8))


def test_decode_step_is_cut_between_its_rows() -> None:
    rows = tuple(DecodeRow(slot, 3, (1,)) for slot in range(3))
    batch = Batch(DecodeStep(rows), sequences(3))

    first, second = halves(batch, ValueError())

    assert (first.step, second.step) == (DecodeStep(rows[:1]), DecodeStep(rows[1:]))
    assert first.sequences + second.sequences == batch.sequences


def test_single_row_cannot_be_cut() -> None:
    batch = Batch(DecodeStep((DecodeRow(0, 3, (1,)),)), sequences(1))

    assert halves(batch, OutOfMemoryError()) == []


def test_single_prompt_is_cut_only_when_memory_is_short() -> None:
    batch = Batch(PrefillStep((chunk(0, 300),)), sequences(1))

    assert halves(batch, ValueError()) == []
    head, tail = halves(batch, OutOfMemoryError())

    assert isinstance(head.step, PrefillStep)
    assert isinstance(tail.step, PrefillStep)
    (first,), (second,) = head.step.chunks, tail.step.chunks
    assert first.token_ids + second.token_ids == tuple(range(300))
    assert (first.start, second.start) == (32, 182)
    assert (first.is_last, second.is_last) == (False, True)
    assert (first.seen_token_ids, second.seen_token_ids) == ((), (7, 8))


def test_small_prompt_is_not_cut() -> None:
    batch = Batch(PrefillStep((chunk(0, 128),)), sequences(1))

    assert halves(batch, OutOfMemoryError()) == []
