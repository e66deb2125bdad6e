"""Notices that an answer goes round in a loop.

A greedy model repeats itself to the limit, and from the history the loop comes back in the next answer.

The text is read as words and signs, and a loop is a run of them that equals what stood one period before: a word, a
line, a paragraph, or a list that says the same under numbers that count on. It must go on for so long that nobody would
write it: chants, refrains, tables, logs and code are let pass (tests/conversation/test_loops.py has both kinds).

Where the question asks for so many times the same, it gets them, and no more.
"""

import re
from dataclasses import dataclass, field

LONGEST_PERIOD = 400
"""In words and signs. A period that is longer isn't looked for."""
MOST_LOOP_TOKENS = 180
"""From a loop's beginning to its end, where its period takes less than half of that."""
_REPEATED_TOKENS = 140
"""What a short period's repetitions take before they are a loop."""
_REPEATED_DATA_TOKENS = 400
"""The same of data without a letter: rows of zeros in brackets or between commas, rules of dashes, empty cells."""
_COUNTED_TOKENS = 1200
"""The same of numbers that count on and nothing else: somebody asked for all of them, one on each line."""
_ASKED_TOKENS = 1200
"""At most so many are let pass for having been asked for."""
_FEW = 4
"""So many units in a row are looked up together: in a text that is no loop, nearly none have stood there before."""
_LONGEST_STRETCH = 400
"""So many characters of one kind, or of blanks, are a loop by themselves."""

_UNIT = re.compile(r"\n|[A-Za-z0-9_\u00c0-\u024f][A-Za-z0-9_'\u00c0-\u024f]{0,11}|(?P<sign>[^\w\s])(?P=sign)*|\w")
_NUMBER = re.compile(r"[0-9]{1,5}")
_TIMES = re.compile(
    r"(?<![A-Za-z0-9.,:-])(\d{1,3})(?:\s?x\b|\s?×|[\s-](?:times|mal|veces|vezes|fois|volte|раз)\b|mal\b|\s?[回次번遍])",
    re.IGNORECASE,
)
_ASKED_CHARACTERS = 1000
"""Behind them in a question, files may stand and what was quoted."""
_COUNT = "\0"
"""Stands for a number that counts a list's items."""
_SENTENCE_ENDS = frozenset((".", "!", "?", "\n", "\u3002", "\uff01", "\uff1f"))
_DATA_SIGNS = frozenset("[]{}(),;|+-=")
_BULLETS = frozenset("*-#>|+([\u2022\u2013\u2014")


def times_asked(question: str) -> int:
    """How many times a question wants the same to be said: "write it 20 times"; 1 where it doesn't say."""
    return max((int(match[1]) for match in _TIMES.finditer(question[:_ASKED_CHARACTERS])), default=1)


@dataclass(slots=True)
class LoopGuard:
    """Reads one answer as it grows: `feed` each piece, which may be cut anywhere."""

    num_asked: int = 1
    """How many times the same may be said because that was asked for; see `times_asked`."""
    _units: list[str] = field(default_factory=list)
    _ends: list[int] = field(default_factory=list)
    """Behind which character of the text each unit ends."""
    _places: dict[tuple[str, ...], int] = field(default_factory=dict)
    """Where each few units in a row ended last."""
    _earlier: list[int] = field(default_factory=list)
    """For each unit, where the same few in a row ended before; -1 where they never did."""
    _num_letters: list[int] = field(default_factory=lambda: [0])
    """How many of the units before each one begin with a letter, so that a long run is not read again and again.

    This and the two below are counted on when somebody asks.
    """
    _num_digits: list[int] = field(default_factory=lambda: [0])
    """The same of numbers that don't count."""
    _num_data_signs: list[int] = field(default_factory=lambda: [0])
    _runs: dict[int, int] = field(default_factory=dict)
    """By period, how many units in a row equal the one that stood a period before, where it is more than a few."""
    _rest: str = ""
    """What may go on with the next piece."""
    _length: int = 0
    """Of the text before the rest."""
    _num_tokens: int = 0
    _line_units: int = 0
    """Words and numbers since the line began; signs that begin a list's item aren't counted."""
    _last_count: int = -1

    def feed(self, text: str, num_tokens: int) -> int | None:
        """Read on.

        Args:
            text: the next piece.
            num_tokens: how many tokens it took.

        Returns:
            Once the text is a loop, how many characters of all that was fed are worth keeping: one period, or as many
            as were asked for, to the end of its sentence or line. Until then None.
        """
        self._num_tokens += num_tokens
        self._rest += text
        if (kept := self._stretch()) is not None:
            return kept
        pieces = list(_UNIT.finditer(self._rest))
        # The last one may go on, and what a number counts is known by the sign behind it.
        settled = pieces[: -2 if len(pieces) > 1 and _NUMBER.fullmatch(pieces[-2][0]) else -1]
        for piece, following in zip(settled, pieces[1:], strict=False):
            self._add(piece[0], following[0], self._length + piece.end())
            if (kept := self._loop()) is not None:
                return kept
        if settled:
            self._length += settled[-1].end()
            self._rest = self._rest[settled[-1].end() :]
        return None

    def _stretch(self) -> int | None:
        """One sign without end, or blanks without end."""
        stripped = self._rest.rstrip()
        if len(self._rest) - len(stripped) > _LONGEST_STRETCH:
            return self._length + len(stripped)
        last = stripped[-1:]
        bare = stripped.rstrip(last) if last else stripped
        return self._length + len(bare) + 3 if len(stripped) - len(bare) > _LONGEST_STRETCH else None

    def _add(self, unit: str, following: str, end: int) -> None:
        unit = unit.lower()
        counted = _COUNT if self._counts(unit, following) else unit
        if unit == "\n":
            if self._units and self._units[-1] == "\n":
                return  # blank lines don't tell texts apart
            self._line_units = 0
        elif unit[0] not in _BULLETS:
            self._line_units += 1
        number = len(self._units)
        self._units.append(counted)
        self._ends.append(end)
        # Only a period at whose distance the same units stand can go on; a run of fewer units is no loop.
        few = tuple(self._units[-_FEW:])
        place = self._places.get(few, -1)
        self._places[few] = number
        self._earlier.append(place)
        runs, self._runs = self._runs, {}
        while place >= 0 and (period := number - place) <= LONGEST_PERIOD:
            self._runs[period] = runs.get(period, _FEW - 1) + 1
            place = self._earlier[place]

    def _counts(self, unit: str, following: str) -> bool:
        """Whether a unit numbers a list's item: it begins a line, behind a word at most, or counts on inside one."""
        if not unit[0].isdigit() or not _NUMBER.fullmatch(unit):
            return False
        goes_on = following in (".", ")") and int(unit) == self._last_count + 1
        if goes_on or self._line_units == 0 or (self._line_units == 1 and following in (".", ")", ":")):
            self._last_count = int(unit)
            return True
        if following in (".", ")"):
            self._last_count = int(unit)
        return False

    def _loop(self) -> int | None:
        if not self._runs or not (repeated := [(period, run) for period, run in self._runs.items() if run >= period]):
            return None
        per_unit = min(max(self._num_tokens / len(self._units), 0.5), 4.0)
        asked: list[tuple[int, int]] = []
        for period, run in sorted(repeated):
            first = len(self._units) - run - period
            if any(period % each == 0 and first >= begins for each, begins in asked):
                continue
            needed, num_kept = self._needed_tokens(first, first + period, per_unit), 1
            asked_tokens = self.num_asked * period * per_unit
            if self.num_asked > 1 and asked_tokens <= _ASKED_TOKENS:
                needed, num_kept = max(needed, asked_tokens), min(self.num_asked, run // period)
                asked.append((period, first))  # twice what is asked for is asked for, too
            if run * per_unit >= needed:
                return self._end_of_sentence(first + num_kept * period - 1, period)
        return None

    def _needed_tokens(self, first: int, end: int, per_unit: float) -> float:
        """What the repetitions of a period, from one unit to another, take before they are a loop."""
        self._count_kinds()
        if self._num_letters[first] == self._num_letters[end]:
            has_digits = self._num_digits[first] != self._num_digits[end]
            if not has_digits and _COUNT in self._units[first:end]:
                return _COUNTED_TOKENS
            if self._num_data_signs[first] != self._num_data_signs[end]:
                return _REPEATED_DATA_TOKENS
        return max(min(_REPEATED_TOKENS, MOST_LOOP_TOKENS - (end - first) * per_unit), 0.0)

    def _count_kinds(self) -> None:
        for unit in self._units[len(self._num_letters) - 1 :]:
            self._num_letters.append(self._num_letters[-1] + unit[0].isalpha())
            self._num_digits.append(self._num_digits[-1] + unit[0].isdigit())
            self._num_data_signs.append(self._num_data_signs[-1] + (unit[0] in _DATA_SIGNS))

    def _end_of_sentence(self, last: int, period: int) -> int:
        """Behind the sentence or line in which a unit stands, if that ends within a period."""
        ends = (
            at
            for at in range(last, last + period)
            if self._units[at][0] in _SENTENCE_ENDS and self._units[at - 1] != _COUNT
        )
        return self._ends[next(ends, last)]
