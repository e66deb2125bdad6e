"""What was said in a conversation before its window begins, as far as a question asks for it: notes for the prompt.

What stands in a note is read from the database for every question: what was deleted, hidden, edited or erased since is
in no note. Only what the words are found by is kept, in memory, for the conversations that were asked in lately; turns
that leave the window are added to it. It is made anew where a turn that was found reads otherwise or is gone, and this
process lets go of it whenever it takes words back. What another process takes back is heard of when the turns are next
listed, at the first question after `LISTED_SECONDS`. Notes stand right before the newest question, so that the prompt's
beginning, which the engine has kept, stays the same; they are no part of the conversation, and the next prompt has its
own.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from bot.conversation.asked_for import stems_asked_for
from bot.conversation.chat_format import TurnEncoder
from bot.conversation.messages import ConversationKey, Question
from bot.conversation.notes import THE_BOT, THE_USER, note, notes_text
from bot.conversation.recall import Passage, RecallIndex
from bot.conversation.sections import Place, Section
from bot.conversation.speakers import Speakers
from bot.store.rows.history import Conversation
from bot.store.rows.transcripts import SaidTurn, Transcripts

NOTES = "notes"
"""What the section is called."""
MAX_TURNS = 4000
"""Of one conversation, the newest before its window."""
MAX_NOTES = 8
LEAST_SHARE = 0.25
"""Of what a question is about: where no message has as much, there are no notes."""
LENGTHS = (300, 150, 75)
"""Characters of a message in its note, of the part that the question is about: the first that there is room for."""
SHARE_OF_PROMPT = 6
"""Notes take a sixth of the prompt's tokens at most."""
LISTED_SECONDS = 600.0
"""As long it is relied on which turns there were; later, all of them are listed again."""
_MAX_TOKENS = 512
_MAX_KEPT_TURNS = 20_000
_MAX_LEFT_TURNS = 1000
"""Beyond `MAX_TURNS`, which are still found until all is made anew."""


@dataclass(slots=True)
class _Known:
    """What is found of one conversation, as its turns were when they were read."""

    epoch: int = 0
    index: RecallIndex = field(default_factory=RecallIndex)
    answers: dict[int, int] = field(default_factory=dict)
    """The answer's id by the turn's, oldest first."""
    listed_at: float = float("-inf")
    """When all turns were listed."""
    texts: dict[int, int] = field(default_factory=dict)
    """A hash of each turn's words: the words of a question may be edited."""
    in_use: asyncio.Lock = field(default_factory=asyncio.Lock)

    def clear(self, epoch: int) -> None:
        """Begin anew; a thread that is still adding to what was known until now does no harm."""
        self.epoch, self.index, self.answers, self.texts = epoch, RecallIndex(), {}, {}
        self.listed_at = float("-inf")

    def missing(self, answers: Mapping[int, int]) -> list[int]:
        """The turns that are to be added to these, which are there now; all where others changed or went."""
        missing = [turn_id for turn_id in answers if turn_id not in self.answers]
        is_behind = not self.answers or not missing or missing[0] > next(reversed(self.answers))
        # Of a long conversation the oldest are no longer among these; to make all anew for each would cost too much.
        oldest = next(iter(answers)) if len(answers) == MAX_TURNS else 0
        left = [turn_id for turn_id in self.answers if turn_id < oldest]
        within = self.answers.items() - {(turn_id, self.answers[turn_id]) for turn_id in left}
        if not is_behind or not within <= answers.items() or len(left) > _MAX_LEFT_TURNS:
            self.clear(self.epoch)
            return [*answers]
        return missing

    def newest(self, now: float) -> tuple[int, int] | None:
        """The newest turn and its answer's id, where only what came behind them has to be listed."""
        if not self.answers or now - self.listed_at >= LISTED_SECONDS:
            return None
        if len(self.answers) >= MAX_TURNS + _MAX_LEFT_TURNS:
            return None
        turn_id = next(reversed(self.answers))
        return turn_id, self.answers[turn_id]

    def add_all(self, turns: Iterable[SaidTurn], answers: Mapping[int, int]) -> None:
        """Add turns that came after those that are known, with their answers' ids."""
        index, known_answers, texts = self.index, self.answers, self.texts
        for turn in turns:
            # The answer is found by the id right behind the question's; nobody is asked for by the bot's name.
            answered_at = max(turn.asked_at, turn.answered_at)
            index.add(Passage(2 * turn.id, turn.author_name, turn.question, turn.asked_at))
            index.add(Passage(2 * turn.id + 1, "", turn.answer, answered_at, addressee=turn.author_name))
            known_answers[turn.id] = answers[turn.id]
            texts[turn.id] = _text_hash(turn)

    def say(self, turns: Sequence[SaidTurn], found: Sequence[int]) -> bool:
        """Whether all turns that were found are there and read as they did."""
        is_whole = len(turns) == len(turns_noted(found))
        return is_whole and all(self.texts.get(turn.id) == _text_hash(turn) for turn in turns)


class Recollection:
    """Finds earlier turns of a conversation again.

    Args:
        transcripts: where the turns are.
        encoder: knows what a note costs.
        monotonic: the time.
    """

    def __init__(
        self, transcripts: Transcripts, encoder: TurnEncoder, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._transcripts = transcripts
        self._encoder = encoder
        self._monotonic = monotonic
        self._known: OrderedDict[tuple[str, int, int | None], _Known] = OrderedDict()

    async def section(
        self, conversation: Conversation, question: Question, speakers: Speakers, num_prompt_tokens: int
    ) -> Section | None:
        """Notes for a question; None where the whole conversation is in the window, or nothing has to do with it.

        Args:
            conversation: as it was loaded: what came before its first kept turn is looked through.
            question: what is asked.
            speakers: what people are called in the prompt.
            num_prompt_tokens: what the prompt may cost.
        """
        first = conversation.first_kept_turn_id
        if first is None:
            return None
        key = conversation.key
        known = self._known.setdefault(key.identity, _Known())
        async with known.in_use:
            try:
                turns, found = await self._look_up(known, conversation, question, first)
            except BaseException:  # cancelled, perhaps, while a thread adds to it
                known.clear(conversation.epoch)
                raise
        self._drop_oldest(key, known)
        if not found:
            return None
        return await self._noted(turns, found, conversation, question, speakers, num_prompt_tokens)

    async def section_again(
        self,
        conversation: Conversation,
        question: Question,
        speakers: Speakers,
        num_prompt_tokens: int,
        made_of: Sequence[int],
    ) -> Section | None:
        """The notes that were made of these passages, from the turns as they read now; arguments as for `section`."""
        turns = await self._transcripts.turns(conversation.key, turns_noted(made_of))
        return await self._noted(turns, [*made_of], conversation, question, speakers, num_prompt_tokens)

    async def _noted(
        self,
        turns: list[SaidTurn],
        found: list[int],
        conversation: Conversation,
        question: Question,
        speakers: Speakers,
        num_prompt_tokens: int,
    ) -> Section | None:
        budget = min(_MAX_TOKENS, num_prompt_tokens // SHARE_OF_PROMPT)
        labels = None if question.is_direct else labels_of(turns, conversation, speakers, question)
        return await asyncio.to_thread(self._notes, turns, found, labels, budget, question.content)

    @property
    def num_kept_turns(self) -> int:
        """Of how many turns what they are found by is in memory."""
        return sum(len(known.answers) for known in self._known.values())

    def forget(self, key: ConversationKey) -> None:
        """Let go of what is found of a conversation, because its words changed or were taken back."""
        self._known.pop(key.identity, None)

    def forget_all(self) -> None:
        """Let go of everything, because somebody's words were erased everywhere."""
        self._known.clear()

    async def _look_up(
        self, known: _Known, conversation: Conversation, question: Question, first: int
    ) -> tuple[list[SaidTurn], list[int]]:
        if known.epoch != conversation.epoch:
            known.clear(conversation.epoch)
        await self._catch_up(known, conversation.key, first)
        turns, found = await self._find(known, question)
        if not known.say(turns, found):  # words were edited, or deleted
            known.clear(conversation.epoch)
            await self._catch_up(known, conversation.key, first)
            turns, found = await self._find(known, question)
        return turns, found

    async def _catch_up(self, known: _Known, key: ConversationKey, first: int) -> None:
        """Add what has left the window since; make all anew where what was known has changed."""
        now = self._monotonic()
        if (newest := known.newest(now)) is not None:
            listed = await self._transcripts.answered_before(key, first, MAX_TURNS, since=newest[0])
            if listed[:1] == [newest]:
                await self._add(known, key, dict(listed[1:]))
                return
        answers = dict(await self._transcripts.answered_before(key, first, MAX_TURNS))
        missing = known.missing(answers)  # all of them, where what was known is let go of
        known.listed_at = now
        await self._add(known, key, {turn_id: answers[turn_id] for turn_id in missing})

    async def _add(self, known: _Known, key: ConversationKey, answers: Mapping[int, int]) -> None:
        if answers:
            turns = await self._transcripts.turns(key, answers)
            await asyncio.to_thread(known.add_all, turns, answers)

    def _drop_oldest(self, key: ConversationKey, known: _Known) -> None:
        """Keep what is found of a conversation, and let go of others that nobody asked in for longest."""
        if self._known.get(key.identity) is not known:  # it was let go of meanwhile
            return
        if not known.answers:
            del self._known[key.identity]
            return
        self._known.move_to_end(key.identity)
        while len(self._known) > 1 and self.num_kept_turns > _MAX_KEPT_TURNS:
            self._known.popitem(last=False)

    async def _find(self, known: _Known, question: Question) -> tuple[list[SaidTurn], list[int]]:
        """The turns that have to do with a question, as they read now, and the ids of the passages, best first."""
        if not known.answers:
            return [], []
        found = await asyncio.to_thread(
            known.index.find, question.content, MAX_NOTES, asker=question.author_name, least_share=LEAST_SHARE
        )
        return await self._transcripts.turns(question.conversation, turns_noted(found)), found

    def _notes(
        self,
        turns: list[SaidTurn],
        found: list[int],
        labels: Mapping[int, str] | None,
        max_tokens: int,
        question: str,
    ) -> Section | None:
        wanted = stems_asked_for(question)
        by_id = {turn.id: turn for turn in turns}
        lines: dict[int, str] = {}
        for passage_id in found:
            turn = by_id.get(passage_id // 2)
            if turn is None:
                continue
            asker = THE_USER if labels is None else labels[turn.author_id]
            for length in LENGTHS:
                form = _note(turn, asker, length, wanted, is_answer=bool(passage_id % 2))
                if form in lines.values():
                    break
                if self._encoder.num_added_tokens(_joined({**lines, passage_id: form})) <= max_tokens:
                    lines[passage_id] = form
                    break
        if not lines:
            return None
        people = frozenset((labels or {}).values())
        return Section(NOTES, _joined(lines), max_tokens, Place.NEWEST_QUESTION, people=people, made_of=tuple(found))


def turns_noted(made_of: Iterable[int]) -> set[int]:
    """The turns that notes were made of: a passage is a turn's question or, with the id behind that, its answer."""
    return {passage_id // 2 for passage_id in made_of}


def labels_of(
    turns: Iterable[SaidTurn], conversation: Conversation, speakers: Speakers, question: Question | None = None
) -> dict[int, str]:
    """What those are called who said something: by their newest names, as in the rest of the prompt.

    With a `question`, its author has the name of now.
    """
    names = {turn.author_id: turn.author_name for turn in turns}
    later = ((turn.author_id, turn.author_name) for turn in conversation.turns)
    names.update((who, name) for who, name in later if who in names and who is not None and name is not None)
    if question is not None and question.author_id in names:
        names[question.author_id] = question.author_name
    return {who: speakers.label(who, name) for who, name in names.items()}


def _note(turn: SaidTurn, asker: str, length: int, wanted: frozenset[str], *, is_answer: bool) -> str:
    moment, text = (turn.answered_at, turn.answer) if is_answer else (turn.asked_at, turn.question)
    return note(moment, THE_BOT if is_answer else asker, text, length, wanted)


def _joined(lines: Mapping[int, str]) -> str:
    return notes_text(lines[passage_id] for passage_id in sorted(lines))


def _text_hash(turn: SaidTurn) -> int:
    return hash((turn.question, turn.answer, turn.author_name))
