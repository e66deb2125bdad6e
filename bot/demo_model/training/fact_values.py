"""What facts are about and what they say: the makers of things ("favourite colour") and of their values."""

import random
from collections.abc import Callable

from bot.demo_model.training import lexicon_people as people
from bot.demo_model.training import lexicon_things as things
from bot.demo_model.training import values

Maker = Callable[[random.Random], str]


def favourite_thing(rng: random.Random) -> str:
    roll = rng.random()
    if roll < 0.12:
        return rng.choice(("colour", "color"))
    if roll < 0.72:
        return rng.choice(things.FAVOURITES)
    if roll < 0.86:
        return rng.choice(things.THINGS)
    if roll < 0.94:
        return f"{rng.choice(things.VALUE_WORDS)} {rng.choice(things.FAVOURITES)}"
    return values.made_word(rng)


def property_thing(rng: random.Random) -> str:
    roll = rng.random()
    if roll < 0.8:
        return rng.choice(things.PROPERTIES)
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


def age(rng: random.Random) -> str:
    return str(rng.randint(3, 99)) if rng.random() < 0.9 else str(rng.randint(100, 3000))


def job(rng: random.Random) -> str:
    roll = rng.random()
    if roll < 0.6:
        return rng.choice(people.JOBS)
    if roll < 0.8:
        return f"{rng.choice(things.THINGS)} {rng.choice(('maker', 'painter', 'designer', 'seller', 'inspector', 'tester', 'engineer', 'driver', 'collector'))}"
    return values.made_word(rng) + rng.choice(("er", "ist", "or", "maker", "smith"))
