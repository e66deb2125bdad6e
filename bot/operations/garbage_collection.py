"""Keeps Python's garbage collector from taking more of the event loop than it is worth.

A full collection stops the loop while it visits every object there is. torch, transformers and discord.py leave
hundreds of thousands that live as long as the process; frozen, they are skipped. And a turn makes tens of thousands of
objects, nearly all of which go by themselves: so what might be garbage is looked at less often than by default.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

THRESHOLDS = 20_000, 20, 50
"""So many objects more than there were, and so many looks at the younger ones, before each generation is looked at."""


@contextmanager
def loaded_objects_frozen() -> Iterator[None]:
    """Leave all objects that exist now out of every collection in the block, and collect less often in it.

    They are unfrozen afterwards: some libraries warn, at the end of the process, of objects that were never collected.
    """
    gc.collect()
    gc.freeze()
    thresholds = gc.get_threshold()
    gc.set_threshold(*THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()
