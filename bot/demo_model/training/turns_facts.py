"""Turns that tell a fact or ask for one; what was told, and by whom, decides the answer."""

import random
import re

from bot.demo_model.training import fact_values, facts, lexicon_people, values
from bot.demo_model.training.conversation import Answer, Conversation, Drawn
from bot.demo_model.training.facts import FactKind, Key
from bot.demo_model.training.grammar import draw
from bot.demo_model.training.noise import add_noise, marked

SIMPLE_SAY = {
    "name": "my name is {v}",
    "favourite": "my {k} is {v}",
    "property": "my {k} is {v}",
    "city": "I live in {v}",
    "origin": "I come from {v}",
    "age": "I am {v} years old",
    "job": "I work as a {v}",
    "employer": "I work at {v}",
    "pet": "my {k} is called {v}",
    "relative": "my {k} is called {v}",
    "hobby": "my hobby is {v}",
    "language": "I speak {v}",
    "likes": "I like {v}",
}
BARE_NAME = re.compile(r"^\W*(i'?m|i am)\b", re.IGNORECASE)


def article_fixed(text: str) -> str:
    """A written article agrees with the word behind it, most of the time as people do."""
    return re.sub(
        "\\b(a|an) (\x01?)([A-Za-z])", lambda m: f"{'an' if m[3].lower() in 'aeiou' else 'a'} {m[2]}{m[3]}", text
    )


def draw_key(conversation: Conversation, kind: FactKind | None = None) -> Key:
    rng = conversation.rng
    kind = kind or rng.choices(facts.KINDS, facts.WEIGHTS)[0]
    return conversation.key(kind, facts.draw_thing(kind, rng))


def draw_value(conversation: Conversation, key: Key) -> str:
    maker = fact_values.favourite_value(key.thing) if key.kind is facts.FAVOURITE else key.kind.value
    return conversation.source.pick(maker)


def shown_thing(key: Key, rng: random.Random) -> tuple[str, str]:
    """How a thing is typed, and how the answer spells it."""
    thing = key.thing
    if rng.random() < 0.03:
        return thing.title() if rng.random() < 0.6 else thing.upper(), thing
    _, _, rest = thing.partition(" ")
    if key.kind is facts.FAVOURITE and rng.random() < 0.07:
        return (
            f"{rng.choice(('fav', 'fave', 'fav.', 'favourit', 'favorit', 'favrite', 'favourtie', 'favorate', 'favouite', 'most favourite', 'fav', 'faves'))} {rest}",
            f"favourite {rest}",
        )
    return thing, thing


def draw_about(block: str, key: Key, rng: random.Random, **slots: str) -> tuple[str, Key]:
    """A text about a key, and the key as the answer spells it; {t} is a favourite thing without that word."""
    shown, thing = shown_thing(key, rng)
    text = draw(block, rng, k=marked(shown), t=marked(key.thing.partition(" ")[2]), **slots)
    if key.kind is facts.FAVOURITE and "fav" not in text.lower():
        thing = f"favourite {key.thing.partition(' ')[2]}"
    return text, Key(key.kind, thing, key.owner)


def tell_fact(c: Conversation, kind: FactKind | None = None, key: Key | None = None) -> Drawn:
    """Somebody states a fact about themselves; now and then one told before, with another value."""
    rng = c.rng
    key = key or draw_key(c, kind)
    value = draw_value(c, key)
    lower = rng.random() < 0.14
    if lower:
        value = value.lower()
        if key.kind is facts.NAME and not c.held_out and rng.random() < 0.7:
            value = c.source.pick(lambda r: r.choice(lexicon_people.FIRST_NAMES)).lower()
    text, key = draw_about(key.kind.say, key, rng, v=marked(value))
    while lower and key.kind is facts.NAME and BARE_NAME.match(text):
        text, key = draw_about(key.kind.say, key, rng, v=marked(value))
    text = add_noise(article_fixed(text) if rng.random() < 0.9 else text, rng, "statement", lower=lower)
    replaces = c.tell(key, value)
    return c.finish(text, c.acknowledge(key, value, replaces=replaces), skill=f"tell {key.kind.name}")


def tell_two(c: Conversation) -> Drawn:
    """Two facts in one message."""
    rng = c.rng
    first, second = draw_key(c), draw_key(c)
    while second.kind is first.kind:
        second = draw_key(c)
    parts, clauses = [], []
    for key in (first, second):
        value = draw_value(c, key)
        parts.append(SIMPLE_SAY[key.kind.name].replace("{k}", marked(key.thing)).replace("{v}", marked(value)))
        clauses.append(c.fact_clause(key, value, replaces=c.tell(key, value)))
    text = f"{parts[0]}{rng.choice((' and ', ', ', ', and ', '. ', ' & ', '; '))}{parts[1]}"
    text = add_noise(article_fixed(text), rng, "statement")
    return c.finish(text, Answer(f"Got it{c.to}: {clauses[0]}, and {clauses[1]}.", "Noted."), skill="tell two")


def tell_about_other(c: Conversation) -> Drawn:
    """Somebody states a fact about another person."""
    rng = c.rng
    others = [name for name in c.speakers if name != c.speaker]
    owner = rng.choice(others) if others and rng.random() < 0.7 else c.source.pick(values.person)
    key = draw_key(c, rng.choice((facts.FAVOURITE, facts.FAVOURITE, facts.PROPERTY, facts.PET)))
    key = Key(key.kind, key.thing, owner)
    value = draw_value(c, key)
    text, key = draw_about(key.kind.say_other, key, rng, v=marked(value), who=marked(owner))
    text = article_fixed(text)
    replaces = c.tell(key, value)
    return c.finish(add_noise(text, rng, "statement"), c.acknowledge(key, value, replaces=replaces), skill="tell other")


def question_about(c: Conversation, key: Key) -> Drawn:
    """A question for one fact, told or not; the answer repeats the question's own spelling of the thing."""
    rng = c.rng
    key = Key(key.kind, facts.respelled(key.thing, rng), key.owner)
    own = key.owner == c.owner
    if (
        own
        and (entry := c.known(key))
        and rng.random() < 0.05
        and key.kind in (facts.FAVOURITE, facts.PROPERTY, facts.NAME, facts.PET)
    ):
        return is_it(c, key, entry[1])
    lower = rng.random() < 0.15
    who = key.owner or ""
    if lower and rng.random() < 0.5:
        who = who.lower()
    if lower and rng.random() < 0.5 and c.known(key) is None and not own:
        key = Key(key.kind, key.thing, who)
    text, key = draw_about(key.kind.ask if own else key.kind.ask_other, key, rng, who=marked(who))
    answer = c.recall(key)
    if c.is_group and own and key.kind is facts.NAME and c.known(key) is None:
        answer = Answer(f"Your name is {marked(c.speaker)}.", marked(c.speaker))
    skill = ("recall " if c.known(key) else "not told ") + (key.kind.name if own else "other")
    return c.finish(add_noise(article_fixed(text), rng, "question", lower=lower), answer, skill=skill)


def is_it(c: Conversation, key: Key, told: str) -> Drawn:
    """A yes-or-no question about a told fact."""
    rng = c.rng
    right = rng.random() < 0.5
    value = told if right else draw_value(c, key)
    thing = "name" if key.kind is facts.NAME else f"{key.thing}'s name" if key.kind is facts.PET else key.thing
    text = draw(
        "(Is|is|Was) my {k} {v}?\nMy {k} is {v}, (right|isn't it|correct|am I right|true or false)?\nIs {v} my {k}?",
        rng,
        k=marked(thing),
        v=marked(value),
    )
    right = value.lower() == told.lower()
    answer = c.recall(key, "Yes, " if right else "No, ")
    return c.finish(add_noise(text, rng), Answer(answer.text, "Yes." if right else "No."), skill="is it")


def ask_told(c: Conversation) -> Drawn | None:
    """A question for something that was told in this conversation, by whomever."""
    if not c.told:
        return None
    key, _ = c.rng.choice(list(c.told.values()))
    if key.kind is facts.NOTE:
        return None
    if c.is_group and key.owner in c.speakers and c.rng.random() < 0.45:
        c.speaker = str(key.owner)
    if key.owner != c.owner and not key.kind.has_other:
        return None
    return question_about(c, key)


def ask_untold(c: Conversation) -> Drawn | None:
    """A question for something nobody told: mostly own, in a group also about others, or what only another told."""
    rng = c.rng
    key = draw_key(c)
    if rng.random() < 0.35 and c.told:
        told = rng.choice(list(c.told.values()))[0]
        if told.kind is not facts.NOTE:
            key = Key(told.kind, told.thing, c.owner)
    if (c.is_group and rng.random() < 0.35) or rng.random() < 0.08:
        others = [name for name in c.speakers if name != c.speaker]
        owner = rng.choice(others) if others and rng.random() < 0.7 else values.person(rng)
        key = Key(key.kind, key.thing, owner)
    if c.known(key) is not None or (key.owner != c.owner and not key.kind.has_other):
        return None
    return question_about(c, key)
