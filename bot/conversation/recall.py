"""Finds what was said earlier that a question asks for, among thousands of messages of one conversation.

Okapi BM25 (Robertson and Zaragoza, 2009) over stems, and around it what a conversation knows beside its words:

- Whoever a question names is more likely to have said the answer. The name itself stands everywhere, so that it is left
  out of the words and makes that person's messages weigh more.
- What was said next to a match belongs to it, and most of all the message after one that asked something.
- The best match of a stretch of talk (a session, which ends where nobody spoke for hours) lifts all of it a little.
- A few facts that people tell of themselves are asked for in other words than they are told in (`asked_for`).
- "When" is answered by words of time, "how many" by numbers.
- A month or a day in the question lifts what was said then.

Weights are computed over this conversation alone, so that what others say elsewhere changes nothing.
`benchmarks/memory.py` measures it.
"""

import math
import re
from array import array
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice, pairwise

from bot.conversation.asked_for import Wanted, asks, knows_not, pairs_telling, sentences_asking, wanted_by
from bot.conversation.word_forms import LITTLE_STEMS, STOP_WORDS, is_pair, misspelt, stem, stems, words

_SATURATION = 0.7  # BM25's k1: how much a word counts that is said again in one message
_LENGTH_PENALTY = 0.3  # BM25's b
_BESIDE = (0.35, 0.3)  # what a match is worth to the messages one and two away from it
_AFTER_QUESTION = 0.7  # ... and to the one behind a message that asks something
_FACT = 1.0  # a fact that is asked for, in whatever words it was told
_SESSION = 0.3  # a session's best match, for all of the session
_SEVERAL_WORDS = 0.1  # for each further word of the question in one message
_PHRASE = 1.0  # two words of the question side by side
_NAMED_PERSON = 2.0
_TOLD_PERSON = 1.75  # of what was said to whom a question names
_ASKS = 0.85  # of a message that is nothing but a question
_ASKS_TOO = 0.925
_SEAM = 0.5  # of a pair of characters that nobody said: half of them join two words
_KNOWS_NOT = 0.5  # of a message that says that something isn't known
_SAME_MONTH = 3.0
_SAME_DAYS = 4.0
_THAT_DAY = 1.0
_DAYS_AFTER = 7  # what happened on a day is talked about in the days after it
_ANSWERS_SO = 1.4  # of a message with a word of the kind that the question asks for
_TIMES = frozenset(
    stems(
        "yesterday today tonight last week weekend month year ago tomorrow next monday tuesday wednesday thursday "
        "friday saturday sunday"
    )
)
_NUMBERS = frozenset(
    stems("two three four five six seven eight nine ten couple several few years months weeks days once twice")
)
_ARTICLES_AND_OWNERS = """
a an the my your our his her its their mein meine meinen meinem meiner meines unser unsere unseren unserem unserer
mon ma mes notre nos mi mis nuestro nuestra meu minha meus minhas nosso nossa мой моя моё мои мою моего моей моему моём
наш наша наше मेरा मेरी मेरे हमारा हमारी हमारे
"""
_BEFORE_THINGS = frozenset(_ARTICLES_AND_OWNERS.split())
"""Behind one of these stands a thing, and no person's name. Where names have articles ("der Ben") these aren't here."""
MAX_STEMS = 200_000
"""Different stems of one conversation, which take about 40 MB; nothing is found by those that come after."""
_FEWEST_LETTERS, _MOST_LETTERS = 5, 20
"""Of a stem that may be misspelt: a shorter one is a letter away from too many others."""
_PAUSE = timedelta(hours=3)
_MAX_STEMS = 64
"""As many of a question's stems, its rarest, and of its pairs of words are looked for: a pasted text has thousands."""
_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
_MONTH = re.compile(rf"(?:\b(\d{{1,2}})(?:st|nd|rd|th)?(?: of)? )?\b({'|'.join(_MONTHS)})\b(?: (\d{{1,2}})\b)?")


@dataclass(frozen=True, slots=True)
class Passage:
    """One message, as it can be found again. `id` grows with time inside a conversation."""

    id: int
    speaker: str
    text: str
    said_at: datetime
    addressee: str = ""
    """Whom it was said to, where that is known: an answer often says again what it is about."""


class RecallIndex:
    """The messages of one conversation, the oldest first."""

    def __init__(self, passages: Iterable[Passage] = ()) -> None:
        self._ids: list[int] = []
        self._said_at: list[datetime] = []
        self._speakers: list[str] = []
        self._addressees: list[str] = []
        self._session_starts: list[int] = []
        self._sessions: list[int] = []
        self._tells: list[float] = []
        self._has_question: list[bool] = []
        self._stems: list[array[int]] = []
        self._stem_numbers: dict[str, int] = {}
        self._postings: list[array[int]] = []
        self._nums_with: list[int] = []
        self._num_stems = 0
        self._names: dict[str, str] = {}
        for passage in passages:
            self.add(passage)

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def ids(self) -> Sequence[int]:
        """The ids of all passages, in order."""
        return self._ids

    def add(self, passage: Passage) -> None:
        """Add a passage that was said after all the others."""
        position = len(self._ids)
        numbers = array("I")
        said = words(passage.text)
        for form in (*(stem(word) for word in said if word not in STOP_WORDS), *pairs_telling(said)):
            number = self._number(form)
            if number is not None:
                numbers.append(number)
        for number in numbers:
            posting = self._postings[number]
            self._nums_with[number] += not posting or posting[-1] != position
            posting.append(position)
        if not position or passage.said_at - self._said_at[-1] > _PAUSE:
            self._session_starts.append(position)
        self._sessions.append(len(self._session_starts) - 1)
        self._ids.append(passage.id)
        self._said_at.append(passage.said_at)
        self._speakers.append(passage.speaker)
        self._addressees.append(passage.addressee)
        text = passage.text.rstrip()
        self._has_question.append("?" in text or "？" in text or "؟" in text)
        share = _ASKS if asks(text, said) else _ASKS_TOO if self._has_question[-1] else 1.0
        self._tells.append(share * (_KNOWS_NOT if knows_not(said) else 1.0))
        self._stems.append(numbers)
        self._num_stems += len(numbers)
        names = words(passage.speaker)
        for name in [name for name in names if name not in STOP_WORDS] or names:  # "The Owl" isn't named by "the"
            self._names[name] = passage.speaker

    def _number(self, form: str) -> int | None:
        """The number of a stem, a new one if there is room for it."""
        number = self._stem_numbers.get(form)
        if number is None and len(self._postings) < MAX_STEMS:
            number = self._stem_numbers[form] = len(self._postings)
            self._postings.append(array("I"))
            self._nums_with.append(0)
        return number

    def find(self, question: str, num_best: int, *, asker: str | None = None, least_share: float = 0.0) -> list[int]:
        """The ids of the passages that have most to do with a question, the best first; fewer where nothing has.

        Args:
            question: in anybody's words.
            num_best: as many at most.
            asker: who asks, and so who "I" is.
            least_share: nothing is found unless some passage has so much of what the question is about, from 0 to 1.
        """
        asked = words(question)
        if not asked:  # only signs, such as "???"
            return []
        names = self._names_in(asked)
        named = {self._names[word] for word in names}
        if not named and asker is not None and not {"i", "me", "my", "mine"}.isdisjoint(asked):
            named = {asker}
        wanted = wanted_by(asked, names)
        look_up = self._number_of if len(wanted.forms) <= _MAX_STEMS else self._stem_numbers.get
        numbers = [look_up(form) for form in wanted.forms]
        said = [number for number in dict.fromkeys(numbers) if number is not None]
        scores = self._word_scores(sorted(said, key=self._nums_with.__getitem__)[:_MAX_STEMS])
        self._add_facts(scores, wanted.facts)
        if least_share:
            parts = [wanted, *sentences_asking(question, names)]
            if all(self._best_share(part, scores) < least_share for part in parts):
                return []
        self._add_phrases(scores, numbers)
        self._weigh_dates(scores, question.casefold())
        ranked = self._with_neighbours(scores, next(iter(named)) if len(named) == 1 else None)
        self._weigh_kinds(ranked, asked)
        best = sorted(ranked, key=lambda position: (-ranked[position], position))[:num_best]
        return [self._ids[position] for position in best]

    def _names_in(self, asked: Sequence[str]) -> frozenset[str]:
        """Those words that are somebody's name; in "my coffee" it is a thing, whoever is called Coffee."""
        names = set()
        for before, word in pairwise(("", *asked)):
            speaker = self._names.get(word)
            if speaker is not None and (before not in _BEFORE_THINGS or before in words(speaker)):  # "The Owl"
                names.add(word)
        return frozenset(names)

    def _word_scores(self, numbers: Iterable[int]) -> defaultdict[int, float]:
        """BM25 of each passage that has any of the stems."""
        scores: defaultdict[int, float] = defaultdict(float)
        num_found: defaultdict[int, int] = defaultdict(int)
        average = self._num_stems / len(self._ids) if self._ids else 1.0
        for number in numbers:
            weight = self._weight(number) * (_SATURATION + 1)
            counts: defaultdict[int, int] = defaultdict(int)
            for position in self._postings[number]:
                counts[position] += 1
            for position, count in counts.items():
                length = 1 - _LENGTH_PENALTY + _LENGTH_PENALTY * len(self._stems[position]) / average
                scores[position] += weight * count / (count + _SATURATION * length)
                num_found[position] += 1
        for position, num_words in num_found.items():
            scores[position] *= 1 + _SEVERAL_WORDS * (num_words - 1)
        return scores

    def _number_of(self, form: str) -> int | None:
        """The number of a stem; of the commonest that is a letter away, where nobody said the stem itself."""
        number = self._stem_numbers.get(form)
        if number is not None or not _FEWEST_LETTERS <= len(form) <= _MOST_LETTERS or not form.isascii():
            return number
        found = [self._stem_numbers[near] for near in misspelt(form) if near in self._stem_numbers]
        return max(found, key=lambda near: (self._nums_with[near], -near), default=None)

    def _said(self, told: Iterable[str]) -> frozenset[int]:
        """The numbers of those stems that somebody said."""
        return frozenset(self._stem_numbers[form] for form in told if form in self._stem_numbers)

    def _add_facts(self, scores: defaultdict[int, float], facts: Iterable[frozenset[str]]) -> None:
        """Let each fact that is asked for count like a word that stands wherever one of its words does."""
        for told in facts:
            positions = {position for number in self._said(told) for position in self._postings[number]}
            worth = _FACT * self._rarity(len(positions))
            for position in positions:
                scores[position] += worth

    def _best_share(self, wanted: Wanted, scores: Iterable[int]) -> float:
        """How much of a question's weight one passage has at most; a word that nobody said weighs most.

        What says little weighs nothing here, and pairs of characters, many of which join two words, half of what words
        do where nobody said them.
        """
        units = []
        for form in sorted({*wanted.forms} - LITTLE_STEMS or {*wanted.forms}):
            alike = {form}.union(*(told for told in wanted.facts if form in told))
            number = self._stem_numbers.get(form)
            seam = _SEAM if number is None and is_pair(form) else 1.0
            units.append((self._said(alike), seam * self._weight(number)))
        for told in wanted.facts:
            if told.isdisjoint(wanted.forms):
                said = self._said(told)
                units.append((said, self._rarity(max((self._nums_with[number] for number in said), default=0))))
        most, said_units = 0.0, [(unit, weight) for unit, weight in units if unit]
        for position in scores:
            stems = {*self._stems[position]}
            most = max(most, sum(weight for unit, weight in said_units if not stems.isdisjoint(unit)))
        return most / sum(weight for _, weight in units)

    def _weight(self, number: int | None) -> float:
        """The rarer a stem, the more it says."""
        return self._rarity(0 if number is None else self._nums_with[number])

    def _rarity(self, num_with: int) -> float:
        return math.log(1 + (len(self._ids) - num_with + 0.5) / (num_with + 0.5))

    def _add_phrases(self, scores: defaultdict[int, float], numbers: Sequence[int | None]) -> None:
        pairs = dict.fromkeys(pairwise(numbers))
        said = ((first, second) for first, second in pairs if first is not None and second is not None)
        for first, second in islice(said, _MAX_STEMS):
            worth = _PHRASE * (self._weight(first) + self._weight(second)) / 2
            for position in {*self._postings[first]} & {*self._postings[second]}:
                if any(pair == (first, second) for pair in pairwise(self._stems[position])):
                    scores[position] += worth

    def _weigh_dates(self, scores: defaultdict[int, float], question: str) -> None:
        days = {(_MONTHS.index(found[2]) + 1, int(found[1] or found[3] or 0)) for found in _MONTH.finditer(question)}
        for month, day in sorted(days):
            for position, said_at in enumerate(self._said_at):
                if said_at.month != month:
                    continue
                if said_at.day == day:
                    scores[position] += _THAT_DAY
                if position in scores:
                    is_near = day and 0 <= said_at.day - day <= _DAYS_AFTER
                    scores[position] *= 1 + _SAME_MONTH + (_SAME_DAYS if is_near else 0)

    def _weigh_kinds(self, ranked: dict[int, float], asked: Sequence[str]) -> None:
        if asked[:1] == ["when"] or asked[:3] == ["how", "long", "ago"]:
            kind = _TIMES
        elif asked[:1] == ["how"] and asked[1:2] in (["many"], ["long"], ["often"]):
            kind = _NUMBERS
        else:
            return
        wanted = {self._stem_numbers[form] for form in kind if form in self._stem_numbers}
        for position in ranked:
            if not wanted.isdisjoint(self._stems[position]):
                ranked[position] *= _ANSWERS_SO

    def _with_neighbours(self, scores: dict[int, float], speaker: str | None) -> dict[int, float]:
        """Every passage of every session with a match in it, by what it and those around it are worth."""
        ranked: dict[int, float] = {}
        for session in sorted({self._sessions[position] for position in scores}):
            start, end = self._session_bounds(session)
            own = [scores.get(position, 0.0) for position in range(start, end)]
            spread = [self._spread(own, index, start) for index in range(len(own))]
            lift = _SESSION * max(spread)
            for index, score in enumerate(spread):
                position = start + index
                ranked[position] = (score + lift) * self._tells[position]
                if self._speakers[position] == speaker:
                    ranked[position] *= _NAMED_PERSON
                elif self._addressees[position] == speaker:
                    ranked[position] *= _TOLD_PERSON
        return ranked

    def _spread(self, own: Sequence[float], index: int, start: int) -> float:
        score = own[index]
        for distance, share in enumerate(_BESIDE, start=1):
            if index >= distance:
                answers = distance == 1 and self._has_question[start + index - 1]
                score += (_AFTER_QUESTION if answers else share) * own[index - distance]
            if index + distance < len(own):
                score += share * own[index + distance]
        return score

    def _session_bounds(self, session: int) -> tuple[int, int]:
        starts = self._session_starts
        return starts[session], starts[session + 1] if session + 1 < len(starts) else len(self._ids)
