"""Turns that tell something: a fact or several, about oneself or somebody else, and notes to remember."""

import re

from training import facts
from training.conversation import Answer, Conversation, Drawn, joined
from training.facts import FactKind, Key
from training.grammar import article_fixed, draw, fill, patterns
from training.noise import ASKS_TO_REMEMBER, MAY_ASK_TO_REMEMBER, VALUE, add_noise, marked, plain, sentence
from training.statements import draw_statement

_BARE_NAME = re.compile(r"^\W*(i'?m|i am)\b", re.IGNORECASE)
"""In small letters "i'm tired" and "i'm josh" are told apart by the name alone: only known names are told so."""
_SECOND = ("city", "age", "job", "origin", "likes", "pet", "favourite")
_JOINERS = (" and ", " and ", ", ", ", and ", ". ", " & ", "; ", ". Also, ", ", oh and ", " but ", ". And ")


def draw_key(c: Conversation, kind: FactKind | None = None) -> Key:
    """What the speaker could tell, or be asked for."""
    rng = c.rng
    if kind is None and c.is_group and c.told and rng.random() < 0.25:
        told = rng.choice(list(c.told.values()))[0]  # what another told of themselves, now by the speaker
        if not c.is_full(c.key(told.kind, told.thing)):
            return c.key(told.kind, told.thing)
    kinds = tuple(facts.kinds().values())
    for _ in range(8):
        drawn = kind or rng.choices(kinds, [each.weight for each in kinds])[0]
        key = c.key(drawn, drawn.draw_thing(rng))
        if not c.is_full(key):
            break
    return key


def draw_value(c: Conversation, key: Key) -> str:
    """A value that fits the key; now and then a name that is a longer form of the one that everybody sees."""
    shown = c.speaker.partition(" ")[0].rstrip("0123456789_-.")
    is_own_name = key.kind.name == "name" and key.owner == c.speaker
    if is_own_name and 2 < len(shown) < 7 and shown.isalpha() and c.rng.random() < 0.15:
        return c.source.pick(lambda rng: shown.capitalize() + fill("made_word", rng)[:5])
    return c.source.pick(lambda rng: article_fixed(fill(key.kind.value_block(key.thing, rng), rng)))


def in_context(c: Conversation, text: str, share: float = 0.05) -> str:
    """The text with a sentence that tells nothing before or after it, now and then."""
    roll = c.rng.random()
    if roll > share:
        return text
    other = sentence(draw_statement(c.rng).strip())
    other += "" if other.endswith((".", "!", "?")) else "."
    if roll < share * 0.7:
        return f"{other} {text}"
    return f"{text.rstrip('.')}{'' if text.endswith(('!', '?')) else '.'} {other}"


def tell_fact(c: Conversation, key: Key | None = None) -> Drawn:
    """Somebody states a fact about themselves; now and then one told before, with another value."""
    rng, key = c.rng, key or draw_key(c)
    value = draw_value(c, key)
    lower = rng.random() < 0.14
    is_name = key.kind.name == "name"
    if lower:
        known = is_name and not c.held_out and rng.random() < 0.7
        value = c.source.pick("first_name").lower() if known else value.lower()
    special = f"tell {key.thing}" if key.kind.name == "property" and f"tell {key.thing}" in patterns() else ""
    block = special if special and rng.random() < 0.65 else f"tell {key.kind.name}"
    text, spelled = c.draw(block, key, v=marked(value))
    while lower and is_name and _BARE_NAME.match(text):
        text, spelled = c.draw(block, key, v=marked(value))
    text = add_noise(in_context(c, text), rng, "statement", lower=lower)
    c.tell(spelled, value)
    _keep_note(c, text, spelled, value)
    return c.finish(text, c.acknowledge(spelled, value), f"tell {key.kind.name}")


def _keep_note(c: Conversation, text: str, key: Key, value: str) -> None:
    """A fact that somebody asked to remember is a note as well."""
    around = VALUE.sub("", text)
    if ASKS_TO_REMEMBER.search(around):
        c.notes.setdefault(c.speaker, []).append(plain(c.fact_clause(key, value)))
    elif MAY_ASK_TO_REMEMBER.search(plain(text)):
        c.unsure_notes.add(c.speaker)


def tell_pair(c: Conversation) -> Drawn:
    """Two pets or two relatives in one sentence: "a cat called Mochi and a dog called Bruno"."""
    kind = facts.kinds()[c.rng.choice(("pet", "pet", "pet", "relative"))]
    first, second = draw_key(c, kind), draw_key(c, kind)
    if first.slot == second.slot or c.is_full(first):
        return tell_several(c)
    told = [(first, draw_value(c, first)), (second, draw_value(c, second))]
    slots = {"k": first.thing, "k2": second.thing, "v": told[0][1], "v2": told[1][1]}
    text = article_fixed(draw("pair", c.rng, {name: marked(slot) for name, slot in slots.items()}))
    return _finish_several(c, text, told, "tell two")


def tell_several(c: Conversation) -> Drawn:
    """Two or three facts in one message."""
    rng, kinds = c.rng, facts.kinds()
    keys = [draw_key(c, kinds["name"] if rng.random() < 0.5 else None)]
    while len(keys) < (3 if rng.random() < 0.3 else 2):
        key = draw_key(c, kinds[rng.choice(_SECOND)] if rng.random() < 0.6 else None)
        alike = [other for other in keys if other.kind is key.kind]
        if not alike or (key.kind.name in ("favourite", "property", "pet") and all(o.slot != key.slot for o in alike)):
            keys.append(key)
    if rng.random() < 0.2:
        rng.shuffle(keys)
    told = [(key, draw_value(c, key)) for key in keys]
    slots = [{"k": marked(key.thing), "v": marked(value)} for key, value in told]
    parts = [draw(f"briefly {key.kind.name}", rng, slot) for (key, _), slot in zip(told, slots, strict=True)]
    parts = [part if part.startswith("I") else part[:1].lower() + part[1:] for part in parts]
    joiner = rng.choice(_JOINERS)
    if joiner == ". ":
        parts = [parts[0], *map(sentence, parts[1:])]
    first = rng.choice((", ", "; ", ". ", joiner)).join(parts[:-1])
    text = article_fixed(f"{first}{joiner}{parts[-1]}")
    greeting = draw("greeting", rng) if rng.random() < 0.25 else ""
    return _finish_several(c, greeting + text, told, "tell two" if len(keys) == 2 else "tell three")


def _finish_several(c: Conversation, text: str, told: list[tuple[Key, str]], skill: str) -> Drawn:
    text = add_noise(text, c.rng, "statement")
    clauses = [c.fact_clause(key, value) for key, value in told]
    for key, value in told:
        c.tell(key, value)
        _keep_note(c, text, key, value)
    return c.finish(text, Answer(f"Got it{c.to}: {joined(clauses)}.", "Noted."), skill)


def tell_about_other(c: Conversation) -> Drawn:
    """Somebody states a fact about another person."""
    rng = c.rng
    owner = rng.choice(c.others) if c.others and rng.random() < 0.6 else c.source.pick("person")
    told = [name for name in facts.kinds() if f"tell other {name}" in patterns()]
    name = "favourite" if rng.random() < 0.4 else rng.choice(told)
    drawn = draw_key(c, facts.kinds()[name])
    key = Key(drawn.kind, drawn.thing, owner)
    value = draw_value(c, key)
    text, key = c.draw(f"tell other {name}", key, v=marked(value))
    c.tell(key, value)
    text = add_noise(text, rng, "statement")
    if MAY_ASK_TO_REMEMBER.search(text):
        c.unsure_notes.add(c.speaker)
    return c.finish(text, c.acknowledge(key, value), "tell other")


def tell_note(c: Conversation) -> Drawn:
    """Somebody asks to remember something."""
    says = draw("say note", c.rng, v="\x03")
    value = c.source.pick("anything")
    note = draw("tasks" if " to \x03" in says else "note texts", c.rng, v=value)
    kept = note.rstrip(".! ")
    c.notes.setdefault(c.speaker, []).append(kept)
    text = add_noise(says.replace("\x03", marked(note)), c.rng)
    return c.finish(text, Answer(f"I will remember{c.to}: {marked(kept)}", "Noted."), "tell note")
