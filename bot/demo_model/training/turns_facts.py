"""Turns that tell a fact or ask for one; what was told, and by whom, decides the answer."""

import random
import re

from bot.demo_model.training import aliases, facts, kinds, lexicon_people, values
from bot.demo_model.training import lexicon_things as things
from bot.demo_model.training.conversation import Answer, Conversation, Drawn
from bot.demo_model.training.facts import FactKind, Key
from bot.demo_model.training.grammar import draw
from bot.demo_model.training.noise import VALUE, add_noise, marked, plain
from bot.demo_model.training.phrases_habits import VERBS
from bot.demo_model.training.statements import draw_statement

SIMPLE_SAY = {
    "name": "(my name is|my name's|I'm called|I am|I'm|I'm|i'm|im|call me|they call me|people call me|the name is) {v}",
    "favourite": "3*my {k} is {v}\n(I think my {k} is|my {k} would be|my {k} has always been) {v}\n{v} is my {k}",
    "property": "3*my {k} is {v}\n{v} is my {k}",
    "city": "(I live|I live|i live|I'm living|I am based|my home is|I reside) in {v}",
    "origin": "(I come from|I'm from|I am from|I was born in|I grew up in|I'm originally from) {v}",
    "age": "(I am|I'm) {v}( years old|)",
    "job": "(I work as|I'm|I am|my job is being) a {v}",
    "employer": "(I work|I'm employed) (at|for) {v}",
    "pet": "(my {k} is called|my {k} is named|my {k}'s name is|I have a {k} called|I have a {k} named|I own a {k} called|there's my {k}) {v}",
    "relative": "(my {k} is called|my {k} is named|my {k}'s name is|I have a {k} called|I have a {k} named) {v}",
    "hobby": "my hobby is {v}",
    "language": "I speak {v}",
    "likes": "I (like|love|enjoy|really like) {v}",
    "dislike": "I (hate|don't like|can't stand|dislike) {v}",
    "allergy": "(I'm|I am) allergic to {v}",
    "born": "I was born in {v}",
    "animal": "I (have|own) {v}",
    "verb": "I {k} {v}",
    "the": "the {k} is {v}",
}
GREETING = "(hi|hi|hello|hey|Hi|Hello|Hey|good morning|good evening|hey there|hi there|hiya|yo|greetings|hi Trinity|hello all|howdy)(!|,|.|! 👋|!!|) "
REMEMBER = re.compile(
    r"remember|\bnote\b|keep in mind|don.?t forget|bear in mind|\bsave\b|\bstore\b|memo|(write|jot|put|note) (this |that |it |)down",
    re.IGNORECASE,
)
PERHAPS_REMEMBER = re.compile(
    r"mind|aware|future|for later|your words|my words|record|register|memor|forget|save|store|note|keep|log this|write|need it|ask you later",
    re.IGNORECASE,
)
BARE_RELATIVE = re.compile(r"^\W*(my|our|meet my|here is my|this is my) [^ ]*\x01[^\x02]*\x02 \x01", re.IGNORECASE)
BARE_NAME = re.compile(r"^\W*(i'?m|i am)\b", re.IGNORECASE)


def article_fixed(text: str) -> str:
    """A written article agrees with the word behind it, most of the time as people do."""
    return re.sub(
        "\\b(a|an) (\x01?)([A-Za-z])", lambda m: f"{'an' if m[3].lower() in 'aeiou' else 'a'} {m[2]}{m[3]}", text
    )


def draw_key(conversation: Conversation, kind: FactKind | None = None) -> Key:
    rng = conversation.rng
    if kind is None and conversation.is_group and conversation.told and rng.random() < 0.25:
        told = rng.choice(list(conversation.told.values()))[0]  # what another told of themselves, now by the speaker
        return conversation.key(told.kind, told.thing)
    for _ in range(8):
        drawn = kind or rng.choices(kinds.KINDS, kinds.WEIGHTS)[0]
        key = conversation.key(drawn, facts.draw_thing(drawn, rng))
        if not _is_full(conversation, key):
            break
    return key


def _is_full(conversation: Conversation, key: Key) -> bool:
    """Whether so much was told about a key that a list of all of it would be long."""
    if key.kind.adds and (known := conversation.known(key)) and " and " in known[1]:
        return True
    who = (key.owner or "").lower()
    return key.kind in (kinds.PET, kinds.ANIMAL) and (
        sum(slot[0] in ("pet", "animal") and slot[2] == who for slot in conversation.told) >= 3
    )


def draw_value(conversation: Conversation, key: Key) -> str:
    """A value that fits the key; now and then a name that is a longer form of the one that everybody sees."""
    shown = conversation.speaker.partition(" ")[0].rstrip("0123456789_-.")
    is_own_name = key.kind is kinds.NAME and key.owner == conversation.speaker
    if is_own_name and 2 < len(shown) < 7 and shown.isalpha() and conversation.rng.random() < 0.15:
        return conversation.source.pick(lambda rng: f"{shown.capitalize()}{values.made_word(rng)[:5]}")
    return conversation.source.pick(kinds.value_maker(key.kind, key.thing))


def shown_thing(key: Key, rng: random.Random) -> tuple[str, str]:
    """How a thing is typed, and how the answer spells it."""
    thing = key.thing
    if rng.random() < 0.03 and key.kind is not kinds.VERB:
        return thing.title() if rng.random() < 0.6 else thing.upper(), thing
    _, _, rest = thing.partition(" ")
    if key.kind is kinds.FAVOURITE and rng.random() < 0.07:
        return (
            f"{rng.choice(('fav', 'fave', 'fav.', 'favourit', 'favorit', 'favrite', 'favourtie', 'favorate', 'favouite', 'most favourite', 'fav', 'faves'))} {rest}",
            f"favourite {rest}",
        )
    return thing, thing


def small_slots(key: Key, rng: random.Random) -> dict[str, str]:
    """What stands in a pattern besides thing and value: a relative, a year, a number, what a verb is done to."""
    verb, objects = VERBS.get(key.thing, (f"{key.thing}s", "thing"))
    return {
        "r": rng.choice(lexicon_people.RELATIVES),
        "y": str(rng.randint(1980, 2026)),
        "n": rng.choice((str(rng.randint(2, 40)), "two", "three", "ten", "a few", "many")),
        "adj": rng.choice(things.ADJECTIVES),
        "w": rng.choice(
            (
                rng.choice(things.VALUE_WORDS),
                values.made_name(rng),
                rng.choice(things.COLOURS),
                rng.choice(lexicon_people.FIRST_NAMES),
            )
        ),
        "ks": verb,
        "o": rng.choice(objects.split("|")),
    }


def draw_about(block: str, key: Key, rng: random.Random, **slots: str) -> tuple[str, Key]:
    """A text about a key, and the key as the answer spells it; {t} is a favourite thing without that word."""
    shown, thing = shown_thing(key, rng)
    text = draw(block, rng, k=marked(shown), t=marked(key.thing.partition(" ")[2]), **small_slots(key, rng), **slots)
    if key.kind is kinds.FAVOURITE:
        spelling = "favorite" if "favorite" in text.lower() else "favourite"
        thing = f"{spelling} {key.thing.partition(' ')[2]}"
    return text, Key(key.kind, thing, key.owner)


def say_block(key: Key, rng: random.Random) -> str:
    """The patterns that tell a key: those of its kind, or of the very property."""
    alias = aliases.ALIASES.get(key.thing) if key.kind is kinds.PROPERTY else None
    return alias.say if alias and rng.random() < 0.65 else key.kind.say


def in_context(text: str, rng: random.Random, share: float = 0.05) -> str:
    """The text with a sentence that tells nothing before or after it, now and then."""
    roll = rng.random()
    if roll > share:
        return text
    other = draw_statement(rng).strip()
    other = other[:1].upper() + other[1:] + ("" if other.endswith((".", "!", "?")) else ".")
    if roll < share * 0.7:
        return f"{other} {text}"
    return f"{text.rstrip('.')}{'' if text.endswith(('!', '?')) else '.'} {other}"


def tell_fact(c: Conversation, kind: FactKind | None = None, key: Key | None = None) -> Drawn:
    """Somebody states a fact about themselves; now and then one told before, with another value."""
    rng = c.rng
    key = key or draw_key(c, kind)
    value = draw_value(c, key)
    lower = rng.random() < 0.14
    if lower:
        value = value.lower()
        if key.kind is kinds.NAME and not c.held_out and rng.random() < 0.7:
            value = c.source.pick(lambda r: r.choice(lexicon_people.FIRST_NAMES)).lower()
    text, key = draw_about(say_block(key, rng), key, rng, v=marked(value))
    while lower and ((key.kind is kinds.NAME and BARE_NAME.match(text)) or BARE_RELATIVE.search(text)):
        text, key = draw_about(key.kind.say, key, rng, v=marked(value))
    text = in_context(article_fixed(text) if rng.random() < 0.9 else text, rng)
    text = add_noise(text, rng, "statement", lower=lower)
    c.tell(key, value)
    remember(c, text, key, value)
    return c.finish(text, c.acknowledge(key, value), skill=f"tell {key.kind.name}")


def remember(c: Conversation, text: str, key: Key, value: str) -> None:
    """A fact that somebody asked to remember is a note as well."""
    around = VALUE.sub("", text)
    if REMEMBER.search(around):
        c.notes.setdefault(c.speaker, []).append(plain(c.fact_clause(key, value)))
    elif PERHAPS_REMEMBER.search(around) or PERHAPS_REMEMBER.search(text):
        c.unsure_notes.add(c.speaker)


def tell_several(c: Conversation) -> Drawn:
    """Two or three facts in one message."""
    rng = c.rng
    keys = [draw_key(c, kinds.NAME if rng.random() < 0.5 else None)]
    second = (kinds.CITY, kinds.AGE, kinds.JOB, kinds.ORIGIN, kinds.LIKES, kinds.PET, kinds.FAVOURITE)
    while len(keys) < (3 if rng.random() < 0.3 else 2):
        key = draw_key(c, rng.choice(second) if rng.random() < 0.6 else None)
        if all(key.kind is not other.kind for other in keys) or (
            key.kind is kinds.FAVOURITE and all(key.slot != other.slot for other in keys)
        ):
            keys.append(key)
    if rng.random() < 0.2:
        rng.shuffle(keys)
    parts, clauses, told = [], [], []
    for key in keys:
        value = draw_value(c, key)
        text = draw(SIMPLE_SAY[key.kind.name], rng, k=marked(key.thing), v=marked(value))
        parts.append(text[:1].lower() + text[1:] if text[:1] != "I" else text)
        c.tell(key, value)
        clauses.append(c.fact_clause(key, value))
        told.append((key, value))
    joiner = rng.choice(
        (" and ", ", ", ", and ", ". ", " & ", "; ", ". Also, ", ", oh and ", " and by the way ", ". And ")
    )
    if joiner.startswith(". ") and joiner == ". ":
        parts = [parts[0], *(part[:1].upper() + part[1:] for part in parts[1:])]
    text = (
        (rng.choice((", ", "; ", ". ", joiner)).join(parts[:-1]) + joiner + parts[-1])
        if len(parts) > 2
        else joiner.join(parts)
    )
    if rng.random() < 0.25:
        text = draw(GREETING, rng) + text
    text = add_noise(article_fixed(text), rng, "statement")
    for key, value in told:
        remember(c, text, key, value)
    listed = f"{', '.join(clauses[:-1])}, and {clauses[-1]}"
    return c.finish(
        text, Answer(f"Got it{c.to}: {listed}.", "Noted."), skill="tell two" if len(keys) == 2 else "tell three"
    )


def tell_about_other(c: Conversation) -> Drawn:
    """Somebody states a fact about another person."""
    rng = c.rng
    others = [name for name in c.speakers if name != c.speaker]
    owner = rng.choice(others) if others and rng.random() < 0.6 else c.source.pick(values.person)
    kind = (
        kinds.FAVOURITE
        if rng.random() < 0.4
        else rng.choice([kind for kind in kinds.KINDS if kind.has_other and kind.say_other])
    )
    key = draw_key(c, kind)
    key = Key(key.kind, key.thing, owner)
    value = draw_value(c, key)
    text, key = draw_about(key.kind.say_other, key, rng, v=marked(value), who=marked(owner))
    text = article_fixed(text)
    c.tell(key, value)
    text = add_noise(text, rng, "statement")
    if REMEMBER.search(text) or PERHAPS_REMEMBER.search(text):
        c.unsure_notes.add(c.speaker)
    return c.finish(text, c.acknowledge(key, value), skill="tell other")
