"""Keeps Python's garbage collector from looking through everything that was loaded at the start, again and again.

A full collection stops the event loop while it visits every object there is. torch, transformers and discord.py leave
hundreds of thousands that live as long as the process; set aside, they cost nothing any more.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loaded_objects_set_aside() -> Iterator[None]:
    """Take all objects of this moment out of every collection in the block.

    Afterwards they are given back: some libraries complain, at the end of the process, of what was never collected.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
