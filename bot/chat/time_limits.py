"""How long a question may wait to be answered, an answer for its next word, and both for a database that is away."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """Time limits of the chat, in seconds.

    A question that waited longer, in the channel's queue and the engine's together, is dropped with a notice: whoever
    asked has gone on by then. An answer of which no further word comes for so long ends there, with a note, and is
    stored as it is. What counts is the silence, not the whole: an answer that goes on may be long, and
    TRINITY_MAX_NEW_TOKENS bounds it.
    """

    waiting_seconds: float = 120.0
    silence_seconds: float = 120.0
    outage_seconds: float = 300.0
    """How long a question waits for a database that is away."""


ALONE = TimeLimits(silence_seconds=math.inf, outage_seconds=0.0)
"""Where nobody else waits, and whoever asked can stop the answer: on a CPU, a large model needs minutes for one."""
