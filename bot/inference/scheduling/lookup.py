"""Where a sequence's newest tokens stood before, and so what may come next.

People ask for texts to be mended, and answers quote what was asked: then the tokens to come stand in the sequence
already. A chain through all places of each short run of tokens (an n-gram, as in LZ77) brings those where the newest
run stood; of the latest few the one counts that agrees longest with what stands before the end.

How often such a place was right is measured by the length of the agreement, and costs nothing: every token that comes
is held against what was expected, whether that had been proposed or not.
"""

_GRAM = 2
"""Tokens of the shortest run that is looked up."""
_MOST_PLACES = 8
_MOST_AGREEMENT = 16
"""Longer agreements count as this long."""
_PRIOR = (0.0, 0.0, 0.3, 0.45, 0.55, 0.65, 0.7, 0.75, *[0.85] * 8, 0.9)
"""How often what follows is right, by the length of the agreement, before anything is measured."""
_PRIOR_WEIGHT = 4.0
_MEMORY = 0.95
"""What earlier findings count for with each new one."""


class Lookup:
    """Grows with the list of tokens it was given. Memory and time follow from its length alone."""

    def __init__(self, token_ids: list[int]) -> None:
        self._token_ids = token_ids
        self._latest: dict[tuple[int, int], int] = {}
        """Where each n-gram stood last: the index after it."""
        self._earlier: list[int] = []
        """By an index after an n-gram: where it stood before that; 0 is nowhere."""
        self._place = 0
        """The index of the token that is expected next; 0: nothing is."""
        self._agreement = 0
        self._rates = [[_PRIOR_WEIGHT * prior, _PRIOR_WEIGHT] for prior in _PRIOR]

    def expect(self, num_tokens: int) -> tuple[tuple[int, ...], tuple[float, ...]]:
        """What is expected next, `num_tokens` at most, and how likely it is right up to each of them."""
        self._catch_up()
        place = self._place
        if not place:
            return (), ()
        known = self._token_ids
        expected: list[int] = []
        chances: list[float] = []
        chance, length = 1.0, self._agreement
        for index in range(place, place + num_tokens):
            right, seen = self._rates[min(length, _MOST_AGREEMENT)]
            chance *= right / seen
            length += 1
            # What lies past the end is what was expected before: a text that repeats itself goes on.
            expected.append(known[index] if index < len(known) else expected[index - len(known)])
            chances.append(chance)
        return tuple(expected), tuple(chances)

    def _catch_up(self) -> None:
        known = self._token_ids
        begin = len(self._earlier)
        is_first = not begin
        for index in range(begin, len(known)):
            if self._place:
                self._judge(index)
            if index < _GRAM - 1:
                self._earlier.append(0)
                continue
            gram = (known[index - 1], known[index])
            self._earlier.append(self._latest.get(gram, 0))
            self._latest[gram] = index + 1
            if not is_first:
                self._find(index)
        if is_first and len(known) >= _GRAM:
            self._find(len(known) - 1)

    def _judge(self, index: int) -> None:
        """Hold the token at `index` against what was expected there."""
        is_right = self._token_ids[index] == self._token_ids[self._place]
        rate = self._rates[min(self._agreement, _MOST_AGREEMENT)]
        rate[0] = rate[0] * _MEMORY + is_right
        rate[1] = rate[1] * _MEMORY + 1
        if is_right:
            self._place += 1
            self._agreement += 1
        else:
            self._place = self._agreement = 0

    def _find(self, index: int) -> None:
        """Find the place that agrees longest with the tokens up to `index`; the one held stays if none is longer."""
        known = self._token_ids
        if self._agreement >= _MOST_AGREEMENT:
            return
        place = self._earlier[index]
        for _ in range(_MOST_PLACES):
            if not place:
                return
            length = _GRAM
            while length < _MOST_AGREEMENT and length < place and known[place - 1 - length] == known[index - length]:
                length += 1
            if length > self._agreement:
                self._place, self._agreement = place, length
            place = self._earlier[place - 1]
