"""How long things may take: a question's wait for its turn, and an answer's wait for its next word."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """Time limits of the chat, in seconds.

    A question that waited longer, for its turn and in the engine's queue together, is dropped with a notice: whoever
    asked has gone on by then. An answer of which no further word comes for so long ends there, with a note, and is
    stored as it is. What counts is the silence, not the whole: an answer that goes on may be long, and
    TRINITY_MAX_NEW_TOKENS bounds it.
    """

    waiting_seconds: float = 120.0
    silence_seconds: float = 120.0
    outage_seconds: float = 300.0
    """How long a question waits for a database that is away."""


ALONE = Patience(silence_seconds=math.inf, outage_seconds=0.0)
"""Where nobody else waits, and whoever asked can stop the answer: on a CPU, a large model needs minutes for one."""
