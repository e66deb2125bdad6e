"""What people tell and ask: a kind of fact has ways to say it, ways to ask it, and one wording for each of our answers.

`{k}` is the thing ("favourite colour"), `{v}` its value. Answers exist in two persons: about you, and about somebody (`{who}`).
"""

import random
from dataclasses import dataclass

from bot.demo_model.training import phrases_habits, phrases_wider
from bot.demo_model.training.fact_values import Maker
from bot.demo_model.training.phrases_ask import ASK
from bot.demo_model.training.phrases_others import ASK_OTHER, SAY_OTHER
from bot.demo_model.training.phrases_tell import SAY

TELL = phrases_wider.joined(SAY, phrases_wider.SAY) | phrases_habits.SAY
QUESTIONS = phrases_wider.joined(ASK, phrases_wider.ASK) | phrases_habits.ASK


@dataclass(frozen=True)
class FactKind:
    """One kind of fact. `told` is a clause about you, `theirs` about somebody; `label` is what is unknown."""

    name: str
    told: str
    theirs: str
    label: str
    their_label: str
    value: Maker
    thing: Maker | None = None
    weight: float = 1.0
    has_other: bool = True
    adds: bool = False
    """Whether another value joins the ones told before, and does not replace them."""
    is_shared: bool = False
    """Whether it is the channel's and not one speaker's: "the password"."""

    @property
    def say(self) -> str:
        return TELL[self.name]

    @property
    def ask(self) -> str:
        return QUESTIONS[self.name]

    @property
    def ask_other(self) -> str:
        return ASK_OTHER[self.name]

    @property
    def say_other(self) -> str:
        return SAY_OTHER.get(self.name, "")


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
    return f"{'favourite' if rng.random() < 0.6 else 'favorite'} {thing}" if kind.name == "favourite" else thing


def respelled(thing: str, rng: random.Random) -> str:
    """The same thing in the other spelling, some of the time."""
    if rng.random() < 0.35:
        thing = (
            thing.replace("favorite", "favourite") if "favorite" in thing else thing.replace("favourite", "favorite")
        )
    if rng.random() < 0.35:
        thing = thing.replace("colour", "color") if "colour" in thing else thing.replace("color", "colour")
    return thing
