"""How many answers were given since the start, and how fast: in all, and in each server or direct message."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from bot.observer import AnswerRecord, Observer

_MAX_PLACES = 10_000


@dataclass(slots=True)
class Count:
    """Answers and what they took. `decoding_seconds` go from the first token of each to its last."""

    num_answers: int = 0
    num_new_tokens: int = 0
    num_decoded_tokens: int = 0
    decoding_seconds: float = 0.0

    @property
    def tokens_per_second(self) -> float:
        """What one answer gets of the engine, on average; 0 where nothing was measured."""
        return self.num_decoded_tokens / self.decoding_seconds if self.decoding_seconds > 0 else 0.0

    def add(self, record: AnswerRecord) -> None:
        self.num_answers += 1
        self.num_new_tokens += record.num_new_tokens
        if record.num_new_tokens > 1:
            self.num_decoded_tokens += record.num_new_tokens - 1
            self.decoding_seconds += max(0.0, record.total_seconds - record.first_token_seconds)


class Tally(Observer):
    """Counts answers as an observer. Of the places with the oldest last answer the count is given up in the end."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.total = Count()
        self._places: OrderedDict[tuple[str, int], Count] = OrderedDict()
        self._monotonic = monotonic
        self._started_at = monotonic()

    @property
    def seconds(self) -> float:
        """Since when it counts."""
        return self._monotonic() - self._started_at

    def of(self, platform: str, place_id: int) -> Count:
        """The count of a server, or of a channel that belongs to none."""
        return self._places.get((platform, place_id), Count())

    def on_answer(self, record: AnswerRecord) -> None:
        place = record.platform, record.channel_id if record.guild_id is None else record.guild_id
        for count in (self.total, self._places.setdefault(place, Count())):
            count.add(record)
        self._places.move_to_end(place)
        if len(self._places) > _MAX_PLACES:
            self._places.popitem(last=False)
