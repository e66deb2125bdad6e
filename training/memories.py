"""What stands in a prompt beside what is said in it: notes of turns that left the window, a summary of them, pins.

A past is drawn turn by turn as any conversation is, and none of it stands in the row. What a section shows of it is
told by that section, unless the row itself told otherwise: what is said in the window is newer than any note.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from bot.conversation.notes import NOTHING, THE_BOT, THE_USER, note, notes_text, summary_question, summary_text
from bot.conversation.pins import Pin, pins_section
from training import asking, talking, telling
from training.conversation import MOST_TOGETHER, Conversation, Drawn, Fact, clause
from training.facts import Key
from training.noise import plain, sentence

Draw = Callable[[Conversation], Drawn | None]
NOTE_CHARACTERS = 300
SUMMARISED_TURNS = 4
"""So many turns are summarised at a time."""
MOST_SUMMARISED = 6
"""The facts of one piece of a summary: more, a model of this size can't list reliably."""
SKILLS = (
    "from a note", "corrected in notes", "newer than a note", "beside notes", "from the summary", "recall pinned",
    "write a summary", "nothing to summarise",
)  # fmt: skip
"""What a turn with sections before it, or a question for what is pinned, is called."""
_MOST_LINES = 24
_MOST_NOTES = 8
_MOST_PINS = 6
_NOTE_TOKENS = 45


def _retell(c: Conversation) -> Drawn | None:
    """Something that was told already, with another value."""
    told = [key for key, _ in c.told.values() if key.owner is None or key.owner in c.speakers]
    if not told:
        return None
    key = c.rng.choice(told)
    c.speaker = key.owner or c.speaker
    return None if c.is_full(key) else telling.tell_fact(c, key)


def _ask_said(c: Conversation) -> Drawn | None:
    """What the speaker said in the row, where it was anything."""
    return asking.ask_said(c) if any(who == c.speaker for who, _ in c.said) else None


TELLING: dict[Draw, float] = {
    telling.tell_fact: 40, telling.tell_several: 7, telling.tell_pair: 3, telling.tell_about_other: 9, _retell: 16,
    telling.tell_note: 4, asking.ask_told: 10,
}  # fmt: skip
OTHER: dict[Draw, float] = {
    asking.ask_untold: 8, talking.talk: 13, talking.tell_nothing: 14, talking.ask_the_world: 8, talking.echo: 3,
}  # fmt: skip
BESIDE: dict[Draw, float] = {
    asking.ask_told: 18, asking.ask_about_other: 6, asking.ask_untold: 26, talking.talk: 14, talking.tell_nothing: 13,
    talking.ask_the_world: 11, telling.tell_fact: 14, telling.tell_about_other: 4, talking.echo: 3, asking.ask_note: 3,
    asking.ask_who_told: 14, _retell: 9, asking.ask_summary: 6, _ask_said: 2,
}  # fmt: skip


def choose(table: Mapping[Draw, float], c: Conversation) -> Draw:
    """One kind of turn."""
    return c.rng.choices(tuple(table), tuple(table.values()))[0]


@dataclass(frozen=True)
class PastTurn:
    """A turn of the past: what was said, what it told, and what its answer repeats where that can be seen alone."""

    day: date
    speaker: str
    user: str
    answer: str
    told: tuple[Fact, ...]
    repeated: tuple[Fact, ...] | None
    """None where its answer, without the question, would tell what nobody could attribute."""
    notes: tuple[str, ...] = ()
    is_unsure: bool = False


def draw_past(c: Conversation, num_turns: int) -> list[PastTurn]:
    """Turns that were said before the row begins; of what the conversation knows nothing changes."""
    share = c.rng.choice((0.15, 0.5, 0.6, 0.7))
    kept = c.told, c.retold, c.notes, c.unsure_notes, c.said, c.heard, c.speaker
    c.told, c.retold, c.notes, c.unsure_notes, c.said, c.heard = {}, set(), {}, set(), [], []
    day, past = date(2023, 1, 1) + timedelta(days=c.rng.randrange(1600)), list[PastTurn]()
    for _ in range(4 * num_turns):
        if len(past) == num_turns:
            break
        if c.is_group and c.rng.random() < 0.6:
            c.speaker = c.rng.choice(c.speakers)
        c.heard, c.notes, c.unsure_notes = [], {}, set()
        draw = choose(TELLING if c.rng.random() < share else OTHER, c)
        drawn = draw(c)
        day += timedelta(days=c.rng.choice((0, 0, 0, 1, 1, 3, 20)))
        if drawn is not None and drawn.skill != "is it":
            past.append(_past_turn(c, day, draw, drawn))
    c.told, c.retold, c.notes, c.unsure_notes, c.said, c.heard, c.speaker = kept
    return past


def _past_turn(c: Conversation, day: date, draw: Draw, drawn: Drawn) -> PastTurn:
    told, repeated = tuple(c.heard), tuple[Fact, ...]()
    if draw is asking.ask_told:
        value = c.known(c.asked)
        is_listed = c.asked.kind.adds or c.asked.kind.name == "animal"
        repeated = () if is_listed or value is None else ((c.asked, value),)
    shows = all(plain(value) in drawn.answer for _, value in told + repeated)
    is_whose = not c.is_group or (c.speaker in drawn.answer and not drawn.answer.startswith("Nice to meet"))
    tells_nothing = not told and draw is not asking.ask_told
    can_be_alone = not c.notes and (tells_nothing or (bool(told or repeated) and shows and is_whose))
    return PastTurn(
        day, c.speaker, c.said[-1][1], drawn.answer, told, (told or repeated) if can_be_alone else None,
        tuple(c.notes.get(c.speaker, ())), c.speaker in c.unsure_notes,
    )  # fmt: skip


def third_person(key: Key, value: str) -> str:
    """A fact as a summary has it: about somebody by name, also where it is the only person's."""
    return plain(clause(key.kind.theirs, key.shown or key.thing, value, key.owner or THE_USER))


def _lines_of(c: Conversation, turns: Iterable[tuple[int, PastTurn]]) -> list[tuple[int, Key, str]]:
    """What a piece of a summary has of some turns: each fact once, as it was told last, and by which turn."""
    kept, c.told = c.told, {}
    lines: dict[tuple[str, str, str], int] = {}
    for at, turn in turns:
        for key, value in turn.told:
            c.tell(key, value)
            lines.pop(key.slot, None)
            lines[key.slot] = at
    found = [(at, *c.told[slot]) for slot, at in lines.items()]
    c.told = kept
    return found


class Memories:
    """What one conversation has beside its row."""

    def __init__(self, c: Conversation, num_turns: int, *, has_summary: bool) -> None:
        self._c = c
        self._past = draw_past(c, num_turns)
        self._noted: dict[tuple[str, str, str], tuple[int, str]] = {}
        """By which turn of the past a section told a fact, and what it told."""
        self._values: dict[tuple[str, str, str], dict[str, tuple[int, int, str]]] = {}
        self._seen: set[int] = set()
        self._lines: list[tuple[int, Key, str]] = []
        if has_summary:
            turns = list(enumerate(self._past))
            pieces = [turns[at : at + SUMMARISED_TURNS] for at in range(0, len(turns), SUMMARISED_TURNS)]
            self._lines = [line for piece in pieces for line in _lines_of(c, piece)][-_MOST_LINES:]

    def turn(self, tokens_left: int) -> Drawn | None:
        """A question with sections before it: about something in them, or about something else."""
        c, rng = self._c, self._c.rng
        if rng.random() < 0.1 and (told := self._tell_anew()):
            return told
        most = min(_MOST_NOTES, tokens_left // _NOTE_TOKENS - 1)
        shows_summary = bool(self._lines) and rng.random() < 0.85 and tokens_left > 200 + 16 * len(self._lines)
        if most < 1 and not shows_summary:
            return None
        key, wanted = self._wanted()
        in_summary = shows_summary and key is not None and any(line[1].slot == key.slot for line in self._lines)
        if (in_summary and rng.random() < 0.6) or not self._past:
            wanted = []
        others = [at for at in range(len(self._past)) if at not in wanted]
        count = rng.randint(0, max(0, most - len(wanted)))
        if shows_summary and rng.random() < 0.3:
            count = 0
        shown = {*wanted, *rng.sample(others, min(count, len(others)))}
        if shows_summary:
            shown |= self._last_tellings(shown)
        sections = [self._show_summary()] if shows_summary else []
        shown = {at for at in shown if not any(self._would_join(key) for key, _ in self._past[at].told)}
        if not shown and not shows_summary:
            return None
        current: dict[tuple[str, str, str], set[str]] = {}
        if shown:
            sections.append(self._show_notes(sorted(shown), current))
        drawn = asking.ask_for(c, key) if key is not None and c.known(key) is not None else choose(BESIDE, c)(c)
        if drawn is None:
            return None
        return replace(drawn, user="\n\n".join([*sections, drawn.user]), skill=self._skill(drawn, current))

    def _tell_anew(self) -> Drawn | None:
        """Something that the past told, told in the row with another value."""
        c = self._c
        keys = [key for turn in self._past for key, _ in turn.told if key.owner in (None, *c.speakers)]
        keys = [key for key in keys if not key.kind.adds and not c.is_full(key)]
        if not keys:
            return None
        key = c.rng.choice(keys)
        c.speaker = key.owner or c.speaker
        return telling.tell_fact(c, key)

    def _wanted(self) -> tuple[Key | None, list[int]]:
        """What is asked for, and the turns that told it: all of them as a rule."""
        c, rng = self._c, self._c.rng
        tellings = [(at, key) for at, turn in enumerate(self._past) for key, _ in turn.told]
        if not tellings or rng.random() < 0.3:
            return None, []
        _, key = rng.choice(tellings)
        newer = [key for _, key in tellings if c.known(key) is not None and not self._is_noted(key)]
        if newer and rng.random() < 0.4:
            key = rng.choice(newer)
        elif rng.random() < 0.7:
            slots = [key.slot for _, key in tellings]
            often = [key for _, key in tellings if slots.count(key.slot) > 1]
            key = rng.choice(often) if often else key
        at_all = [at for at, other in tellings if other.slot == key.slot][-4:]
        if len(at_all) > 1 and rng.random() < 0.12:
            at_all = rng.sample(at_all, rng.randrange(1, len(at_all)))
        if c.is_group and rng.random() < 0.4:
            c.speaker = rng.choice(c.speakers)
        return key, at_all

    def _last_tellings(self, shown: set[int]) -> set[int]:
        """The newest turns about what some turns tell: a summary before the notes may have it from them."""
        slots = {key.slot for at in shown for key, _ in self._past[at].told + (self._past[at].repeated or ())}
        last = {key.slot: at for at, turn in enumerate(self._past) for key, _ in turn.told}
        return {last[slot] for slot in slots if slot in last}

    def _show_summary(self) -> str:
        lines = [line for line in self._lines if not self._would_join(line[1])]
        for at, key, value in lines:
            self.learn(at, (key, value))
        return summary_text(third_person(key, value) for _, key, value in lines)

    def _show_notes(self, shown: list[int], current: dict[tuple[str, str, str], set[str]]) -> str:
        c, rng, lines = self._c, self._c.rng, list[str]()
        for at in shown:
            turn = self._past[at]
            is_said = turn.repeated is None or rng.random() < 0.8
            is_answered = turn.repeated is not None and (not is_said or rng.random() < 0.12)
            who = turn.speaker if c.is_group else THE_USER
            said = [note(turn.day, who, turn.user, NOTE_CHARACTERS)] if is_said else []
            answered = [note(turn.day, THE_BOT, turn.answer, NOTE_CHARACTERS)] if is_answered else []
            lines += said + answered
            told = turn.told if is_said else ()
            for fact in told or (turn.repeated or () if is_answered else ()):
                if plain(fact[1]) in "\n".join(said + answered):
                    self.learn(at, fact)
                    current.setdefault(fact[0].slot, set()).add(fact[1])
            if is_said and at not in self._seen:
                c.notes.setdefault(turn.speaker, []).extend(turn.notes)
                if turn.is_unsure:
                    c.unsure_notes.add(turn.speaker)
                self._seen.add(at)
        return notes_text(lines)

    def learn(self, at: int, fact: Fact) -> None:
        """Take what a turn of the past told, unless the row or a later turn told it."""
        c, (key, value) = self._c, fact
        before = self._noted.get(key.slot)
        if c.known(key) is not None and not self._is_noted(key):
            return
        if key.kind.adds:
            at, value = self._joined(at, fact)
            if before == (at, value):
                return
            if c.told.pop(key.slot, None):
                c.retold.add(key.slot)
        elif before is not None and before[0] >= at:
            return
        c.tell(key, value)
        self._noted[key.slot] = at, value

    def _joined(self, at: int, fact: Fact) -> tuple[int, str]:
        """All values of a fact that were shown, in the order in which they were told, and the last one's turn."""
        found = self._values.setdefault(fact[0].slot, {})
        for number, each in enumerate(fact[1].split(" and ")):
            found[each.lower()] = max(found.get(each.lower(), (-1, 0, "")), (at, number, each))
        last = sorted(found.values())[-MOST_TOGETHER:]
        return last[-1][0], " and ".join(each for _, _, each in last)

    def _would_join(self, key: Key) -> bool:
        """Whether what the row told of a key, and what the past did, would both be part of one answer."""
        c = self._c
        pets = [known for known, _ in c.pets(key)] if key.kind.name in ("pet", "animal") else []
        joined = pets or ([key] if key.kind.adds else [])
        return any(c.known(each) is not None and not self._is_noted(each) for each in joined)

    def _is_noted(self, key: Key) -> bool:
        """Whether what is known of a key is what a section told."""
        noted = self._noted.get(key.slot)
        return noted is not None and noted[1] == self._c.known(key)

    def _skill(self, drawn: Drawn, current: Mapping[tuple[str, str, str], set[str]]) -> str:
        if not drawn.skill.startswith("recall ") or drawn.skill == "recall note":
            return "beside notes"
        slot, is_noted = self._c.asked.slot, self._is_noted(self._c.asked)
        if slot not in current:
            return "from the summary" if is_noted and self._lines else "beside notes"
        if not is_noted:
            return "newer than a note"
        return "corrected in notes" if len(current[slot]) > 1 else "from a note"


def pin_facts(c: Conversation) -> str:
    """Pinned facts: the conversation knows them, and this is how they stand behind the persona."""
    kept, pins, c.said = c.said, list[Pin](), []
    for number in range(c.rng.randint(1, _MOST_PINS)):
        if c.is_group:
            c.speaker = c.rng.choice(c.speakers)
        key = telling.draw_key(c)
        if c.known(key) is not None or key.kind.adds:
            break
        if not c.is_group or c.rng.random() < 0.75:
            telling.tell_fact(c, key)
            text = c.said[-1][1]
        else:
            value = telling.draw_value(c, key)
            text = sentence(third_person(key, value))
            c.tell(key, value)
        c.pinned.add(key.slot)
        pins.append(Pin(number, 0, c.speaker, text, datetime.min))
    c.said = kept
    section = pins_section(pins, (lambda _, name: name) if c.is_group else None)
    return section.text if section is not None else ""


def summaries(c: Conversation) -> Iterator[Drawn]:
    """Pieces of a summary as the bot asks for them: the facts of some turns, a line each."""
    rng = c.rng
    while True:
        past = draw_past(c, rng.randint(1, SUMMARISED_TURNS))
        found = _lines_of(c, enumerate(past))
        if not past or len(found) > MOST_SUMMARISED or (not found and rng.random() < 0.4):
            continue
        said = [
            note(turn.day, who, text, NOTE_CHARACTERS)
            for turn in past
            for who, text in ((turn.speaker if c.is_group else THE_USER, turn.user), (THE_BOT, turn.answer))
        ]
        answer = "\n".join(f"- {third_person(key, value)}" for _, key, value in found) or NOTHING
        yield Drawn(summary_question(said), answer, "write a summary" if found else "nothing to summarise")
