"""What people tell and ask: the kinds of fact, read from patterns/kinds.toml, and what one fact is about."""

import random
import re
from dataclasses import dataclass, field
from functools import cache

from training.grammar import fill, read_table, word_lists

_SPELLINGS = (("favorite", "favourite"), ("color", "colour"), ("flavor", "flavour"), ("neighbor", "neighbour"))


@dataclass(frozen=True, eq=False)
class FactKind:
    """One kind of fact. `told` is a clause about you, `theirs` about somebody; `label` is what is unknown."""

    name: str
    told: str
    theirs: str
    label: str
    their_label: str
    value: str
    thing: str = ""
    weight: float = 1.0
    adds: bool = False
    shared: bool = False
    suited: float = 0.0
    suits: dict[str, str] = field(default_factory=dict)
    same: dict[str, str] = field(default_factory=dict)

    def draw_thing(self, rng: random.Random) -> str:
        """What a fact of this kind is about; for favourites with that word."""
        if not self.thing:
            return ""
        thing = fill(self.thing, rng)
        return f"{'favourite' if rng.random() < 0.6 else 'favorite'} {thing}" if self.name == "favourite" else thing

    def value_block(self, thing: str, rng: random.Random) -> str:
        """The maker of a value for a thing."""
        suits = self.suits.get(thing) or self.suits.get(thing.rpartition(" ")[2] if self.name == "favourite" else "")
        if self.name == "property" and thing in word_lists()["dated"]:
            return "dated_value"
        return suits if suits and rng.random() < self.suited else self.value


@cache
def kinds() -> dict[str, FactKind]:
    """Every kind of fact by its name."""
    return {name: FactKind(name, **entry) for name, entry in read_table("kinds").items()}


@cache
def verbs() -> dict[str, tuple[str, tuple[str, ...]]]:
    """A verb's third person, and what it is done to."""
    return {verb: (third, tuple(objects.split("|"))) for verb, (third, objects) in read_table("verbs").items()}


def third_person(verb: str) -> str:
    """A verb as it stands behind a name."""
    return verbs()[verb][0] if verb in verbs() else f"{verb}s"


@dataclass(frozen=True)
class Key:
    """What a fact is about: the kind, the thing where the kind has one, and whose it is (None: the only person's)."""

    kind: FactKind
    thing: str
    owner: str | None
    shown: str = ""  # the thing as a turn that can be seen spells it, where the turn that told it was trimmed away

    @property
    def slot(self) -> tuple[str, str, str]:
        """Two keys with the same slot hold the same fact: spellings and case don't matter."""
        thing = self.thing.lower()
        for other, spelling in _SPELLINGS:
            thing = thing.replace(other, spelling)
        return self.kind.name, thing, (self.owner or "").lower()

    @property
    def bare(self) -> str:
        """The thing of a favourite without that word."""
        return self.thing.partition(" ")[2] if self.kind.name == "favourite" else self.thing


def respelled(thing: str, rng: random.Random) -> str:
    """The same thing in the other spelling, some of the time."""
    for american, british in _SPELLINGS[:2]:
        if rng.random() < 0.35:
            pattern = british if british in thing else rf"{american}(?!u)"
            thing = re.sub(pattern, american if british in thing else british, thing)
    return thing
