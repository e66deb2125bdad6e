"""The kinds of fact: for each, the wording of our answers, where its values come from, and how often it is told."""

from bot.demo_model.training import aliases, fact_values, values
from bot.demo_model.training import lexicon_people as people
from bot.demo_model.training import lexicon_things as things
from bot.demo_model.training.facts import FactKind
from bot.demo_model.training.phrases_habits import THE_THINGS, VERBS

# fmt: off
NAME = FactKind("name", "your name is {v}", "{who}'s name is {v}", "your name", "{who}'s name", values.person, weight=2.1)
FAVOURITE = FactKind("favourite", "your {k} is {v}", "{who}'s {k} is {v}", "your {k}", "{who}'s {k}",
                     values.anything, fact_values.favourite_thing, 4.2)
PROPERTY = FactKind("property", "your {k} is {v}", "{who}'s {k} is {v}", "your {k}", "{who}'s {k}",
                    values.anything, fact_values.property_thing, 2.8)
CITY = FactKind("city", "you live in {v}", "{who} lives in {v}", "where you live", "where {who} lives", values.place, weight=1.1)
ORIGIN = FactKind("origin", "you come from {v}", "{who} comes from {v}", "where you come from", "where {who} comes from", values.place,
                  weight=1.0)
AGE = FactKind("age", "you are {v} years old", "{who} is {v} years old", "how old you are", "how old {who} is", fact_values.age,
               weight=0.9)
JOB = FactKind("job", "you work as {v}", "{who} works as {v}", "your job", "{who}'s job", fact_values.job, weight=1.2)
EMPLOYER = FactKind("employer", "you work at {v}", "{who} works at {v}", "where you work", "where {who} works",
                    values.one_of(people.SURNAMES, known=0.2), weight=0.4)
PET = FactKind("pet", "your {k} is called {v}", "{who}'s {k} is called {v}", "your {k}'s name", "{who}'s {k}'s name",
               values.person, lambda rng: rng.choice(people.PETS), 1.4)
RELATIVE = FactKind("relative", "your {k} is called {v}", "{who}'s {k} is called {v}", "your {k}'s name", "{who}'s {k}'s name",
                    values.person, lambda rng: rng.choice(people.RELATIVES), 1.1)
HOBBY = FactKind("hobby", "your hobby is {v}", "{who}'s hobby is {v}", "your hobby", "{who}'s hobby",
                 fact_values.liked(things.HOBBIES), weight=0.8)
LANGUAGE = FactKind("language", "you speak {v}", "{who} speaks {v}", "which language you speak", "which language {who} speaks",
                    values.one_of(people.LANGUAGES, known=0.5), weight=0.7, adds=True)
LIKES = FactKind("likes", "you like {v}", "{who} likes {v}", "what you like", "what {who} likes",
                 fact_values.liked([*things.FOODS, *things.HOBBIES]), weight=1.1, adds=True)
DISLIKE = FactKind("dislike", "you don't like {v}", "{who} doesn't like {v}", "what you don't like", "what {who} doesn't like",
                   fact_values.liked([*things.FOODS, *things.HOBBIES, *things.PLURALS]), weight=1.5, adds=True)
ALLERGY = FactKind("allergy", "you are allergic to {v}", "{who} is allergic to {v}", "what you are allergic to",
                   "what {who} is allergic to", fact_values.liked([*things.FOODS, *things.PLURALS]), weight=0.5, adds=True)
BORN = FactKind("born", "you were born in {v}", "{who} was born in {v}", "when you were born", "when {who} was born",
                fact_values.year, weight=0.45)
ANIMAL = FactKind("animal", "you have {v}", "{who} has {v}", "which pets you have", "which pets {who} has", fact_values.animals,
                  weight=1.5, adds=True)
VERB = FactKind("verb", "you {k} {v}", "{who} {ks} {v}", "what you {k}", "what {who} {ks}", values.anything,
                lambda rng: rng.choice(tuple(VERBS)), 1.6, adds=True)
THE = FactKind("the", "the {k} is {v}", "the {k} is {v}", "the {k}", "the {k}", values.anything,
               fact_values.one_of_mostly(THE_THINGS), 1.2, has_other=False, is_shared=True)
NOTE = FactKind("note", "{v}", "{v}", "anything", "anything", values.anything, weight=0.6, has_other=False)
# fmt: on
KINDS = (
    NAME,
    FAVOURITE,
    PROPERTY,
    CITY,
    ORIGIN,
    AGE,
    JOB,
    EMPLOYER,
    PET,
    RELATIVE,
    HOBBY,
    LANGUAGE,
    LIKES,
    DISLIKE,
    ALLERGY,
    BORN,
    ANIMAL,
    VERB,
    THE,
)  # fmt: skip
WEIGHTS = [kind.weight for kind in KINDS]


def value_maker(kind: FactKind, thing: str) -> fact_values.Maker:
    """What makes the values of a kind's thing."""
    if kind is FAVOURITE:
        return fact_values.favourite_value(thing)
    if kind is VERB:
        return fact_values.verb_value(thing)
    if kind is PROPERTY and thing in aliases.ALIASES:
        return aliases.ALIASES[thing].value
    if kind is PROPERTY and thing in aliases.DATED:
        return aliases.dated_value
    return kind.value
