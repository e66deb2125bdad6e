"""How long things may take: a question's wait for its turn, and the writing of one answer."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """Time limits of the chat, in seconds.

    A question that waited longer, for its turn and in the engine's queue together, is dropped with a notice: whoever
    asked has gone on by then. An answer that is still being written so long after its first word ends there, with a
    note, and is stored as it is: nobody's answer holds a channel for longer than others are willing to wait.
    """

    waiting_seconds: float = 120.0
    writing_seconds: float = 120.0


ALONE = Patience(writing_seconds=math.inf)
"""Where nobody else waits, and whoever asked can stop the answer: on a CPU, a large model needs minutes for one."""
