"""What people tell and ask: a kind of fact has ways to say it, ways to ask it, and one wording for each of our answers.

`{k}` is the thing ("favourite colour"), `{v}` its value. Answers exist in two persons: about you, and about somebody (`{who}`).
"""

import random
from dataclasses import dataclass

from bot.demo_model.training import fact_values, values
from bot.demo_model.training import lexicon_people as people
from bot.demo_model.training import lexicon_things as things
from bot.demo_model.training.fact_values import Maker
from bot.demo_model.training.phrases_ask import ASK
from bot.demo_model.training.phrases_others import ASK_OTHER, SAY_OTHER
from bot.demo_model.training.phrases_tell import SAY


@dataclass(frozen=True)
class FactKind:
    """One kind of fact. `told` and `now` are clauses about you, `theirs` about somebody; `label` is what is unknown."""

    name: str
    told: str
    now: str
    theirs: str
    label: str
    their_label: str
    value: Maker
    thing: Maker | None = None
    weight: float = 1.0
    has_other: bool = True

    @property
    def say(self) -> str:
        return SAY[self.name]

    @property
    def ask(self) -> str:
        return ASK[self.name]

    @property
    def ask_other(self) -> str:
        return ASK_OTHER[self.name]

    @property
    def say_other(self) -> str:
        return SAY_OTHER.get(self.name, "")


NAME = FactKind(
    "name",
    "your name is {v}",
    "your name is now {v}",
    "{who}'s name is {v}",
    "your name",
    "{who}'s name",
    values.person,
    weight=1.6,
)
FAVOURITE = FactKind(
    "favourite",
    "your {k} is {v}",
    "your {k} is now {v}",
    "{who}'s {k} is {v}",
    "your {k}",
    "{who}'s {k}",
    values.anything,
    fact_values.favourite_thing,
    4.0,
)
PROPERTY = FactKind(
    "property",
    "your {k} is {v}",
    "your {k} is now {v}",
    "{who}'s {k} is {v}",
    "your {k}",
    "{who}'s {k}",
    values.anything,
    fact_values.property_thing,
    2.2,
)
CITY = FactKind(
    "city",
    "you live in {v}",
    "you now live in {v}",
    "{who} lives in {v}",
    "where you live",
    "where {who} lives",
    values.place,
)
ORIGIN = FactKind(
    "origin",
    "you come from {v}",
    "you come from {v}",
    "{who} comes from {v}",
    "where you come from",
    "where {who} comes from",
    values.place,
    weight=0.6,
)
AGE = FactKind(
    "age",
    "you are {v} years old",
    "you are now {v} years old",
    "{who} is {v} years old",
    "how old you are",
    "how old {who} is",
    fact_values.age,
    weight=0.9,
)
JOB = FactKind(
    "job", "you work as {v}", "you now work as {v}", "{who} works as {v}", "your job", "{who}'s job", fact_values.job
)
EMPLOYER = FactKind(
    "employer",
    "you work at {v}",
    "you now work at {v}",
    "{who} works at {v}",
    "where you work",
    "where {who} works",
    values.one_of([*people.SURNAMES], known=0.2),
    weight=0.4,
)
PET = FactKind(
    "pet",
    "your {k} is called {v}",
    "your {k} is now called {v}",
    "{who}'s {k} is called {v}",
    "your {k}'s name",
    "{who}'s {k}'s name",
    values.person,
    lambda rng: rng.choice(people.PETS),
    1.3,
)
RELATIVE = FactKind(
    "relative",
    "your {k} is called {v}",
    "your {k} is now called {v}",
    "{who}'s {k} is called {v}",
    "your {k}'s name",
    "{who}'s {k}'s name",
    values.person,
    lambda rng: rng.choice(people.RELATIVES),
    1.0,
)
HOBBY = FactKind(
    "hobby",
    "your hobby is {v}",
    "your hobby is now {v}",
    "{who}'s hobby is {v}",
    "your hobby",
    "{who}'s hobby",
    values.one_of(things.HOBBIES, known=0.6),
    weight=0.7,
)
LANGUAGE = FactKind(
    "language",
    "you speak {v}",
    "you now speak {v}",
    "{who} speaks {v}",
    "which language you speak",
    "which language {who} speaks",
    values.one_of(people.LANGUAGES, known=0.75),
    weight=0.4,
)
LIKES = FactKind(
    "likes",
    "you like {v}",
    "you like {v}",
    "{who} likes {v}",
    "what you like",
    "what {who} likes",
    values.one_of([*things.FOODS, *things.HOBBIES], known=0.75),
    weight=0.7,
)
NOTE = FactKind("note", "{v}", "{v}", "{v}", "anything", "anything", values.anything, weight=0.6, has_other=False)
KINDS = (NAME, FAVOURITE, PROPERTY, CITY, ORIGIN, AGE, JOB, EMPLOYER, PET, RELATIVE, HOBBY, LANGUAGE, LIKES)
WEIGHTS = [kind.weight for kind in KINDS]


@dataclass(frozen=True)
class Key:
    """What a fact is about: the kind, the thing where the kind has one, and whose it is (None: the only person's)."""

    kind: FactKind
    thing: str
    owner: str | None

    @property
    def slot(self) -> tuple:
        """Two keys with the same slot hold the same fact: spellings and case do not matter."""
        thing = (
            self.thing.lower()
            .replace("favorite", "favourite")
            .replace("color", "colour")
            .replace("flavor", "flavour")
            .replace("neighbor", "neighbour")
        )
        return self.kind.name, thing, (self.owner or "").lower()


def draw_thing(kind: FactKind, rng: random.Random) -> str:
    """The thing a fact is about, as it stands in our answers; for favourites with the word itself."""
    if kind.thing is None:
        return ""
    thing = kind.thing(rng)
    return f"{'favourite' if rng.random() < 0.6 else 'favorite'} {thing}" if kind is FAVOURITE else thing


def respelled(thing: str, rng: random.Random) -> str:
    """The same thing in the other spelling, some of the time."""
    if rng.random() < 0.35:
        thing = (
            thing.replace("favorite", "favourite") if "favorite" in thing else thing.replace("favourite", "favorite")
        )
    if rng.random() < 0.35:
        thing = thing.replace("colour", "color") if "colour" in thing else thing.replace("color", "colour")
    return thing
