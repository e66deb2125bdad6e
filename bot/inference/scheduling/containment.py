"""Which failures stay with one request, and which take the engine along.

After a sticky CUDA error every further call in this process fails: nothing but a new process mends it. Out of memory
and ordinary exceptions leave the device as it was. Errors are recognised by class name and text, so that the
scheduler's side needs no torch.
"""

import traceback

from bot.errors import EngineFailed

_MEMORY_TEXTS = ("out of memory", "CUBLAS_STATUS_ALLOC_FAILED")
_STICKY_TEXTS = ("CUDA error", "Triton Error [CUDA]")


def is_out_of_memory(error: BaseException) -> bool:
    """A smaller step might succeed."""
    return _is_named(error, "OutOfMemoryError") or any(text in str(error) for text in _MEMORY_TEXTS)


def is_sticky(error: BaseException) -> bool:
    """The device context is lost, or nothing shows that it isn't."""
    if is_out_of_memory(error):
        return False
    if _is_named(error, "AcceleratorError"):
        return True
    if isinstance(error, RuntimeError) and any(text in str(error) for text in _STICKY_TEXTS):
        return True
    return error.__cause__ is not None and is_sticky(error.__cause__)


def contained(error: Exception) -> Exception:
    """The error, fit to be kept: the tensors of the frames it came through are let go.

    Raises:
        EngineFailed: it is none that stays with a request.
    """
    if is_sticky(error):
        raise EngineFailed(f"The GPU is lost: {error}") from error
    traceback.clear_frames(error.__traceback__)
    return error


def _is_named(error: BaseException, name: str) -> bool:
    return any(kind.__name__ == name for kind in type(error).__mro__)
