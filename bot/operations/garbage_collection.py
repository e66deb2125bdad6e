"""Keeps Python's garbage collector from scanning everything that was loaded at the start in every full collection.

A full collection stops the event loop while it visits every object there is. torch, transformers and discord.py leave
hundreds of thousands that live as long as the process; frozen, they are skipped.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loaded_objects_frozen() -> Iterator[None]:
    """Leave all objects that exist now out of every collection in the block.

    They are unfrozen afterwards: some libraries warn, at the end of the process, of objects that were never collected.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
