"""What facts are about and what they say: the makers of things ("favourite colour") and of their values."""

import random
from collections.abc import Callable

from bot.demo_model.training import aliases, values
from bot.demo_model.training import lexicon_people as people
from bot.demo_model.training import lexicon_things as things
from bot.demo_model.training.grammar import word_list

Maker = Callable[[random.Random], str]


def favourite_thing(rng: random.Random) -> str:
    roll = rng.random()
    if roll < 0.12:
        return rng.choice(("colour", "color"))
    if roll < 0.72:
        return rng.choice(things.FAVOURITES)
    if roll < 0.88:
        return rng.choice(things.THINGS)
    if roll < 0.93:
        return f"{rng.choice(things.VALUE_WORDS)} {rng.choice(things.FAVOURITES)}"
    return values.made_word(rng)


def property_thing(rng: random.Random) -> str:
    roll = rng.random()
    if roll < 0.42:
        return rng.choice(things.PROPERTIES)
    if roll < 0.66:
        return rng.choice(tuple(aliases.ALIASES))
    if roll < 0.8:
        return rng.choice(aliases.DATED)
    if roll < 0.9:
        return f"{rng.choice(things.VALUE_WORDS)} {rng.choice(('code', 'number', 'name', 'team', 'password', 'project', 'address', 'id', 'key', 'date'))}"
    return f"{rng.choice(people.RELATIVES)}'s {rng.choice(('birthday', 'favourite colour', 'job', 'age', 'phone number', 'favorite food', 'address', 'car'))}"


def favourite_value(thing: str) -> Maker:
    """Values that suit a favourite thing half of the time."""
    lists = {
        "colour": things.COLOURS,
        "color": things.COLOURS,
        "food": things.FOODS,
        "dish": things.FOODS,
        "drink": things.FOODS,
        "animal": people.PETS,
        "city": people.CITIES,
        "place": people.CITIES,
        "hobby": things.HOBBIES,
        "sport": things.HOBBIES,
        "language": people.LANGUAGES,
    }
    known = lists.get(thing.rsplit(" ", 1)[-1])
    if known:
        return values.one_of(known, known=0.6)
    return values.anything


GERUNDS = [
    "flying",
    "racing",
    "collecting",
    "watching",
    "spotting",
    "making",
    "painting",
    "riding",
    "hunting",
    "throwing",
    "building",
    "carving",
    "training",
    "polishing",
    "juggling",
    "walking",
    "stacking",
    "diving",
]


def pastime(rng: random.Random) -> str:
    """Something of two or three words that people like or do: "lantern racing", "tiny bridges"."""
    first = rng.choice((*things.THINGS, *things.VALUE_WORDS)) if rng.random() < 0.75 else values.made_word(rng)
    roll = rng.random()
    if roll < 0.5:
        return f"{first} {rng.choice(GERUNDS)}"
    if roll < 0.8:
        return f"{first} {plural(rng.choice(things.THINGS))}"
    return f"{rng.choice(things.ADJECTIVES)} {plural(rng.choice(things.THINGS))}"


def liked(words: list[str]) -> Maker:
    """A maker of what people like: of a list, put together, or anything."""

    def make(rng: random.Random) -> str:
        roll = rng.random()
        return rng.choice(words) if roll < 0.5 else pastime(rng) if roll < 0.8 else values.anything(rng)

    return make


def age(rng: random.Random) -> str:
    return str(rng.randint(3, 99)) if rng.random() < 0.9 else str(rng.randint(100, 3000))


def job(rng: random.Random) -> str:
    roll = rng.random()
    if roll < 0.6:
        return rng.choice(people.JOBS)
    if roll < 0.8:
        return f"{rng.choice(things.THINGS)} {rng.choice(('maker', 'painter', 'designer', 'seller', 'inspector', 'tester', 'engineer', 'driver', 'collector'))}"
    return values.made_word(rng) + rng.choice(("er", "ist", "or", "maker", "smith"))


def year(rng: random.Random) -> str:
    return (
        str(rng.randint(1920, 2018))
        if rng.random() < 0.85
        else f"{rng.choice(values.MONTHS)} {rng.randint(1930, 2018)}"
    )


PET_WORDS = word_list("""big|small|little|tiny|huge|old|young|lazy|fat|grumpy|friendly|shy|clever|fluffy|three-legged|wild|noisy|sleepy|cute|blind|deaf|tame
spotted|striped|long-haired|beautiful|ugly|crazy|nervous|brave|gentle|lovely|funny|new|rescue|very old|rather fat""")


def animals(rng: random.Random) -> str:
    """A pet or a few, without a name: "a black cat", "two dogs"."""
    pet = rng.choice(people.PETS)
    roll = rng.random()
    if roll < 0.45:
        return with_article(pet)
    if roll < 0.7:
        return with_article(f"{rng.choice((*things.COLOURS, *PET_WORDS))} {pet}")
    return f"{rng.choice(('two', 'three', 'four', 'five', 'six', 'many', 'some', 'ten', '2', '3', '12'))} {plural(pet)}"


def with_article(noun: str) -> str:
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"


def plural(noun: str) -> str:
    if noun in ("fish", "goldfish", "sheep"):
        return noun
    if noun in ("mouse", "goose"):
        return {"mouse": "mice", "goose": "geese"}[noun]
    if noun.endswith(("y",)) and noun[-2] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}es" if noun.endswith(("x", "s", "ch", "sh")) else f"{noun}s"


def verb_value(verb: str) -> Maker:
    """Values that suit what is done, most of the time."""
    lists = {
        "drive": values.vehicle, "ride": values.vehicle, "repair": values.vehicle, "own": values.vehicle, "fly": values.vehicle,
        "play": lambda rng: rng.choice((*things.INSTRUMENTS, *things.HOBBIES)), "practise": lambda rng: rng.choice((*things.INSTRUMENTS, *things.HOBBIES)),
        "study": lambda rng: rng.choice(things.SUBJECTS), "teach": lambda rng: rng.choice(things.SUBJECTS), "drink": lambda rng: rng.choice(things.FOODS[-16:]),
        "bake": lambda rng: rng.choice(things.FOODS), "cook": lambda rng: rng.choice(things.FOODS), "eat": lambda rng: rng.choice(things.FOODS),
        "collect": lambda rng: plural(rng.choice(things.THINGS)), "sell": lambda rng: plural(rng.choice(things.THINGS)),
        "build": lambda rng: plural(rng.choice(things.THINGS)), "breed": lambda rng: plural(rng.choice(people.PETS)),
        "speak": lambda rng: rng.choice(people.LANGUAGES), "admire": values.person, "trust": values.person, "support": lambda rng: rng.choice(people.CITIES),
        "read": values.title, "watch": values.title, "attend": values.title, "run": lambda rng: f"{with_article(rng.choice(things.THINGS))} shop",
    }  # fmt: skip
    suited = lists.get(verb, values.anything)
    return lambda rng: suited(rng) if rng.random() < 0.75 else values.anything(rng)


def one_of_mostly(words: list[str]) -> Maker:
    """A maker of things from a list, now and then with a word before it."""

    def make(rng: random.Random) -> str:
        word = rng.choice(words)
        return word if rng.random() < 0.85 else f"{rng.choice(things.VALUE_WORDS)} {word}"

    return make
