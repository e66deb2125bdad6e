"""A conversation in the making: who speaks, what was told, and how each answer is worded.

`telling`, `asking` and `talking` draw its turns; what they draw and this state decide the one right answer.
"""

import random
import re
from dataclasses import dataclass, field
from functools import cache

from training import facts
from training.facts import FactKind, Key
from training.grammar import article_fixed, draw, read_table
from training.noise import marked, plain, sentence
from training.personas import Persona, draw_persona
from training.styles import Style
from training.values import ValueSource, display_name, is_spellable

Fact = tuple[Key, str]
MOST_TOGETHER = 3
"""The values that one fact is told with, where a new one joins those before; and the pets of one person."""


@dataclass(frozen=True)
class Drawn:
    """One turn: what the user typed, the answer, and what it shows."""

    user: str
    answer: str
    skill: str


@dataclass(frozen=True)
class Answer:
    """An answer before style: the sentence and its one-word form."""

    text: str
    short: str


@dataclass(frozen=True)
class Topic:
    """The one answer to a matter that needs no memory; {name}, {me} and {to} are filled."""

    answer: str
    short: str
    weight: float
    is_question: bool = False
    stands_alone: bool = False


@cache
def topics() -> dict[str, Topic]:
    """Every topic of patterns/topics.toml by its name."""
    return {name: Topic(**entry) for name, entry in read_table("topics").items()}


def clause(pattern: str, thing: str, value: str, who: str = "") -> str:
    """A fact as a clause, with the article that its value wants."""
    text = pattern.replace("{ks}", facts.third_person(thing)).replace("{k}", thing)
    text = text.replace("{v}", marked(value)).replace("{who}", marked(who))
    return re.sub("\\ba (?=\x01[aeiouAEIOU])", "an ", text)


def joined(clauses: list[str]) -> str:
    """Clauses as one: "a", "a, and b", "a, b, and c"."""
    return f"{', '.join(clauses[:-1])}, and {clauses[-1]}" if len(clauses) > 1 else clauses[0]


@dataclass
class Conversation:
    """The state that answers depend on."""

    rng: random.Random
    held_out: bool = False
    is_group: bool = False
    persona: Persona = field(init=False)
    source: ValueSource = field(init=False)
    speakers: list[str] = field(default_factory=list)
    speaker: str = ""
    told: dict[tuple[str, str, str], Fact] = field(default_factory=dict)
    asked: Key = field(init=False)  # what the last question was about, as its answer spells it
    retold: set[tuple[str, str, str]] = field(default_factory=set)
    """The facts that were told more than once."""
    notes: dict[str, list[str]] = field(default_factory=dict)
    unsure_notes: set[str] = field(default_factory=set)
    """The speakers who said something that may have been a wish to remember, or not: their notes are not asked for."""
    said: list[tuple[str, str]] = field(default_factory=list)
    """What each speaker typed, without the name before it."""
    heard: list[Fact] = field(default_factory=list)
    """Every fact as it was told, whatever became of it."""
    pinned: set[tuple[str, str, str]] = field(default_factory=set)
    """The facts that are known from a pin alone."""
    user_style: Style | None = None

    def __post_init__(self) -> None:
        self.source = ValueSource(self.rng, self.held_out)
        self.persona = draw_persona(self.source)
        if not self.is_group:
            return
        count = self.rng.choice((1, 2, 2, 2, 3, 3, 4, 6))
        while len(self.speakers) < count:
            name = display_name(self.rng)
            if self.speakers and self.rng.random() < 0.25:
                name = f"{self.speakers[0]} (2)"  # the bot's label for a second person of that name
            taken = {speaker.lower() for speaker in self.speakers} | {self.persona.name.lower()}
            if name.lower() not in taken:
                self.speakers.append(name)
        self.speaker = self.speakers[0]

    @property
    def styles(self) -> list[Style]:
        """The styles of the next answer: the speaker's wish, else the persona's."""
        return list(self.persona.styles) if self.user_style is None else [self.user_style]

    @property
    def owner(self) -> str | None:
        """Whose facts the speaker's own facts are."""
        return self.speaker if self.is_group else None

    @property
    def to(self) -> str:
        """How an answer addresses the speaker: not at all where the name has letters that can't be spelled."""
        return f", {marked(self.speaker)}" if self.is_group and is_spellable(self.speaker) else ""

    @property
    def others(self) -> list[str]:
        """The other speakers, as far as their names can be spelled."""
        return [name for name in self.speakers if name != self.speaker and is_spellable(name)]

    def key(self, kind: FactKind, thing: str = "", owner: str | None = None) -> Key:
        """A key of the speaker's, or of somebody else's."""
        return Key(kind, thing, None if kind.shared else owner if owner is not None else self.owner)

    def is_own(self, key: Key) -> bool:
        """Whether a fact is the speaker's, or everybody's."""
        return key.kind.shared or key.owner == self.owner

    def known(self, key: Key) -> str | None:
        return self.told.get(key.slot, (key, None))[1]

    def is_full(self, key: Key) -> bool:
        """Whether so much was told about a key that a list of all of it would be long."""
        if key.kind.adds and " and " in (self.known(key) or ""):
            return True
        return key.kind.name in ("pet", "animal") and len(self.pets(key)) >= MOST_TOGETHER

    def pets(self, key: Key) -> list[Fact]:
        """The pets of a key's owner, the named ones first."""
        who = (key.owner or "").lower()
        return [self.told[slot] for name in ("pet", "animal") for slot in self.told if slot[::2] == (name, who)]

    def tell(self, key: Key, value: str) -> None:
        """Keeps a fact, in place of or beside what was told before."""
        self.heard.append((key, value))
        self.pinned.discard(key.slot)
        before = self.told.pop(key.slot, None)
        if before is not None:
            self.retold.add(key.slot)
            if key.kind.adds:
                others = [old for old in before[1].split(" and ") if old.lower() != value.lower()]
                value = " and ".join([*others, value][-MOST_TOGETHER:])
        self.told[key.slot] = (key, value)

    def fact_clause(self, key: Key, value: str) -> str:
        """A fact as a clause: about you where it is the speaker's own, about somebody else by name."""
        pattern = key.kind.told if self.is_own(key) else key.kind.theirs
        return clause(pattern, key.shown or key.thing, value, key.owner or "")

    def acknowledge(self, key: Key, value: str) -> Answer:
        if key.kind.name == "name" and key.owner == self.owner:
            return Answer(f"Nice to meet you, {marked(value)}! I'm {marked(self.persona.name)}.", "Hello!")
        return Answer(f"Got it{self.to}: {self.fact_clause(key, value)}.", "Noted.")

    def recall(self, key: Key, opening: str = "") -> Answer:
        """The told value, in the words of the question (`key.thing`); or that nobody told it."""
        if (value := self.known(key)) is None:
            return self.not_told(key)
        text = sentence(opening + self.fact_clause(key, value))
        return Answer(f"{text}{self.to if self.is_own(key) else ''}.", marked(value))

    def not_told(self, key: Key) -> Answer:
        own = self.is_own(key)
        label = clause(key.kind.label if own else key.kind.their_label, key.thing, "", key.owner or "")
        text = f"I don't know {label}{self.to}: you haven't" if own else f"I don't know {label}: nobody has"
        return Answer(f"{text} told me.", "Unknown.")

    def answer_to(self, topic: str) -> Answer:
        """The answer of a topic, with the persona's name and the speaker's put in."""
        entry, name = topics()[topic], marked(self.persona.name)
        role = f", {self.persona.role}" if self.persona.role else ""
        filled = {"name": name, "me": f"I'm {name}{role}. How can I help you?", "to": self.to}
        return Answer(entry.answer.format_map(filled), entry.short.format_map(filled))

    def finish(self, user: str, answer: Answer, skill: str) -> Drawn:
        """Puts the style on the answer and the name before the message, and keeps what was said."""
        text = answer.text
        for style in self.styles:
            text = style.apply(text, answer.short)
        user = plain(user).strip() or "?"
        self.said.append((self.speaker, user))
        return Drawn(f"{self.speaker}: {user}" if self.is_group else user, plain(text).strip(), skill)

    def draw(self, block: str, key: Key, **slots: str) -> tuple[str, Key]:
        """A text about a key, and the key as the answer spells its thing."""
        rng, shown, thing = self.rng, key.thing, key.thing
        roll = rng.random()
        if roll < 0.03 and key.kind.name != "verb":
            shown = thing.title() if rng.random() < 0.6 else thing.upper()
        elif roll < 0.1 and key.kind.name == "favourite":
            short = rng.choice(("fav", "fave", "fav.", "favourit", "favorit", "favrite", "favorate", "most favourite"))
            shown = f"{short} {key.bare}"
        objects = facts.verbs().get(key.thing, ("", ("thing",)))[1]
        more = {"o": rng.choice(objects), "ks": facts.third_person(key.thing), "who": marked(key.owner or "")}
        text = draw(block, rng, {"k": marked(shown), "t": marked(key.bare), **more, **slots})
        if key.kind.name == "favourite":
            thing = f"{'favorite' if 'favorite' in text.lower() else 'favourite'} {key.bare}"
        return article_fixed(text) if rng.random() < 0.9 else text, Key(key.kind, thing, key.owner)
