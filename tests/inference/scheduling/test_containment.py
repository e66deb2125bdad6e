"""Which errors are whose."""

import pytest

from bot.inference.scheduling.containment import is_out_of_memory, is_sticky
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
