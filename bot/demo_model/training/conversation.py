"""A conversation in the making: who speaks, what was told, and how an answer is worded. Turns are drawn in turns.py."""

import random
from dataclasses import dataclass, field

from bot.demo_model.training import kinds, values
from bot.demo_model.training.facts import FactKind, Key
from bot.demo_model.training.noise import marked, plain
from bot.demo_model.training.personas import Persona, draw_persona
from bot.demo_model.training.phrases_habits import VERBS
from bot.demo_model.training.phrases_talk import FALLBACK, Topic
from bot.demo_model.training.styles import Style


@dataclass(frozen=True)
class Drawn:
    """One turn: what the user typed, the answer, and whether the answer can be known (else it is not learnt)."""

    user: str
    answer: str
    skill: str = ""
    is_learnt: bool = True


@dataclass(frozen=True)
class Answer:
    """An answer before style: the sentence and its one-word form."""

    text: str
    short: str = ""


def clause(pattern: str, thing: str, value: str, who: str = "") -> str:
    pattern = pattern.replace("{ks}", VERBS.get(thing, (f"{thing}s",))[0])
    text = pattern.replace("{k}", thing).replace("{v}", marked(value)).replace("{who}", who)
    return text.replace("you work as ", f"you work as {article(value)} ").replace(
        "works as ", f"works as {article(value)} "
    )


def article(noun: str) -> str:
    return "an" if noun[:1].lower() in "aeiou" else "a"


def sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


@dataclass
class Conversation:
    """The state that answers depend on."""

    rng: random.Random
    held_out: bool = False
    is_group: bool = False
    persona: Persona = field(init=False)
    source: values.ValueSource = field(init=False)
    speakers: list[str] = field(default_factory=list)
    speaker: str = ""
    told: dict[tuple, tuple[Key, str]] = field(default_factory=dict)
    notes: dict[str, list[str]] = field(default_factory=dict)
    unsure_notes: set[str] = field(default_factory=set)
    """The speakers who said something that may have been a wish to remember, or not: their notes are not asked for."""
    said: list[tuple[str, str]] = field(default_factory=list)
    """What each speaker typed, without the name before it."""
    retold: set[tuple] = field(default_factory=set)
    """The slots of facts that were told more than once."""
    user_style: Style | None = None

    def __post_init__(self) -> None:
        self.source = values.ValueSource(self.rng, self.held_out)
        self.persona = draw_persona(self.source)
        if self.is_group:
            while len(self.speakers) < self.rng.choice((1, 2, 2, 2, 3, 3, 4, 6)):
                name = values.display_name(self.rng)
                taken = {speaker.lower() for speaker in self.speakers}
                if name and name.lower() not in taken and name.lower() != self.persona.name.lower():
                    self.speakers.append(name)
            self.speaker = self.speakers[0]

    @property
    def styles(self) -> list[Style]:
        if self.user_style is not None:
            return [] if self.user_style.name == "plain" else [self.user_style]
        return list(self.persona.styles)

    @property
    def owner(self) -> str | None:
        """Whose facts the speaker's own facts are."""
        return self.speaker if self.is_group else None

    def key(self, kind: FactKind, thing: str = "", owner: str | None = None) -> Key:
        if kind.is_shared:
            return Key(kind, thing, None)
        return Key(kind, thing, owner if owner is not None else self.owner)

    def is_own(self, key: Key) -> bool:
        """Whether a fact is the speaker's, or everybody's."""
        return key.kind.is_shared or key.owner == self.owner

    def known(self, key: Key) -> tuple[Key, str] | None:
        return self.told.get(key.slot)

    def own_facts(self) -> list[tuple[Key, str]]:
        mine = (self.owner or "").lower()
        return [entry for slot, entry in self.told.items() if slot[2] == mine and slot[0] != "note"]

    def tell(self, key: Key, value: str) -> None:
        """Notes a fact, in place of or beside what was told before."""
        before = self.told.pop(key.slot, None)
        if before is not None:
            self.retold.add(key.slot)
        if before is not None and key.kind.adds:
            values_told = [old for old in before[1].split(" and ") if old.lower() != value.lower()]
            value = " and ".join([*values_told, value][-3:])
        self.told[key.slot] = (key, value)

    @property
    def to(self) -> str:
        return f", {marked(self.speaker)}" if self.is_group else ""

    def topic_answer(self, topic: Topic) -> Answer:
        """The answer of a topic, with the persona's name and the speaker's put in."""
        role = f", {self.persona.role}" if self.persona.role else ""
        me = f"I'm {marked(self.persona.name)}{role}. How can I help you?"
        text = topic.answer.replace("{me}", me).replace("{name}", marked(self.persona.name)).replace("{to}", self.to)
        return Answer(text, topic.short.replace("{name}", marked(self.persona.name)) or text)

    def fallback(self) -> Answer:
        return self.topic_answer(FALLBACK)

    def acknowledge(self, key: Key, value: str) -> Answer:
        if key.kind is kinds.NAME and key.owner == self.owner:
            return Answer(f"Nice to meet you, {marked(value)}! I'm {marked(self.persona.name)}.", "Hello!")
        return Answer(f"Got it{self.to}: {self.fact_clause(key, value)}.", "Noted.")

    def fact_clause(self, key: Key, value: str) -> str:
        """A fact as a clause: about you where it is the speaker's own, about somebody else by name."""
        if self.is_own(key):
            return clause(key.kind.told, key.thing, value)
        return clause(key.kind.theirs, key.thing, value, marked(key.owner or ""))

    def recall(self, key: Key, opening: str = "") -> Answer:
        """The told value, in the words of the question (`key.thing`); or that nobody told it."""
        entry = self.known(key)
        if entry is None:
            return self.not_told(key)
        text = opening + self.fact_clause(key, entry[1])
        own = self.is_own(key)
        return Answer(
            f"{sentence(text) if not text.startswith(chr(1)) else text}{self.to if own else ''}.",
            sentence_value(entry[1]),
        )

    def not_told(self, key: Key) -> Answer:
        if self.is_own(key):
            label = key.kind.label.replace("{k}", key.thing)
            return Answer(f"I don't know {label}{self.to}: you haven't told me.", "Unknown.")
        label = (
            key.kind.their_label.replace("{ks}", VERBS.get(key.thing, ("",))[0])
            .replace("{k}", key.thing)
            .replace("{who}", marked(key.owner or ""))
        )
        return Answer(f"I don't know {label}: nobody has told me.", "Unknown.")

    def finish(
        self, user: str, answer: Answer, *, skill: str = "", style: Style | None = None, is_learnt: bool = True
    ) -> Drawn:
        """Puts the style on the answer and the name before the message, and remembers what was said."""
        text, short = answer.text, answer.short or answer.text
        for wish in [style] if style else self.styles:
            text = wish.apply(text, short)
        user = plain(user).strip() or "?"
        self.said.append((self.speaker, user))
        shown = f"{self.speaker}: {user}" if self.is_group else user
        return Drawn(shown, plain(text).strip(), skill, is_learnt)


def sentence_value(value: str) -> str:
    return f"{marked(value)}"
