"""Which failures stay with one request, and how a failed step is cut up until the guilty request stands alone.

After a sticky CUDA error every further call in this process fails: nothing but a new process mends it. Out of memory
and ordinary exceptions leave the runner as it was, so the same step is tried again in halves. Errors are recognised by
class name and text, so that the scheduler's side needs no torch.
"""

from bot.inference.scheduler import Batch
from bot.inference.step import DecodeStep, PrefillChunk, PrefillStep

_MIN_CHUNK_TOKENS = 128
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


def halves(batch: Batch, error: BaseException) -> list[Batch]:
    """The same work in two steps, to be launched in this order; empty when it can't be cut."""
    middle = len(batch.sequences) // 2
    if middle and isinstance(batch.step, DecodeStep):
        rows = batch.step.rows
        return [
            Batch(DecodeStep(rows[:middle]), batch.sequences[:middle]),
            Batch(DecodeStep(rows[middle:]), batch.sequences[middle:]),
        ]
    if isinstance(batch.step, DecodeStep):
        return []
    chunks = batch.step.chunks
    if middle:
        return [
            Batch(PrefillStep(chunks[:middle]), batch.sequences[:middle]),
            Batch(PrefillStep(chunks[middle:]), batch.sequences[middle:]),
        ]
    if is_out_of_memory(error) and len(chunks[0].token_ids) > _MIN_CHUNK_TOKENS:
        return [Batch(PrefillStep((chunk,)), batch.sequences) for chunk in _cut(chunks[0])]
    return []


def _cut(chunk: PrefillChunk) -> tuple[PrefillChunk, PrefillChunk]:
    middle = len(chunk.token_ids) // 2
    head = PrefillChunk(chunk.slot, chunk.token_ids[:middle], chunk.start, chunk.block_ids, chunk.sampling, False)
    tail = PrefillChunk(
        slot=chunk.slot,
        token_ids=chunk.token_ids[middle:],
        start=chunk.start + middle,
        block_ids=chunk.block_ids,
        sampling=chunk.sampling,
        is_last=chunk.is_last,
        seen_token_ids=chunk.seen_token_ids,
    )
    return head, tail


def _is_named(error: BaseException, name: str) -> bool:
    return any(kind.__name__ == name for kind in type(error).__mro__)
