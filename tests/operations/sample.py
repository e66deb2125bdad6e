"""An hour of a card's life, made up, for pictures and for looking at the page with something on it."""

import logging
import math
import random
import time

from bot.observer import MemoryRecord, StepRecord
from bot.operations.address import Watch
from bot.operations.last_hour import POINT_SECONDS, Point

_GIB = 2**30


def show_sample(watch: Watch) -> None:
    """Have the operations address show it."""
    chance, now = random.Random(7), time.time()
    watch.hour.points.clear()
    for number in range(330):
        at = now - POINT_SECONDS * (330 - number)
        is_busy = math.sin(number / 45) > -0.7
        speed = (160 + 90 * math.sin(number / 30) + 40 * chance.random()) if is_busy else 0.0
        first_words = 0.25 + 0.3 * chance.random() + speed / 900 if is_busy and number % 2 else None
        watch.hour.points.append(Point(at, speed, first_words))
    watch.overview.on_step(
        StepRecord(
            num_running=3,
            num_waiting=1,
            num_blocks=2210,
            num_available_blocks=1730,
            num_findable_blocks=1164,
            num_warm_conversations=27,
            memory=MemoryRecord(int(20.4 * _GIB), int(21.1 * _GIB), 24 * _GIB),
            total_requests=4182,
            total_failed=1,
            total_new_tokens=391_204,
        )
    )
    logging.getLogger("bot").warning("no connection to Discord's gateway (ClientConnectorError)")
