"""Turns that ask for what was told or said: told or not, one's own or somebody else's."""

from training import facts
from training.conversation import MOST_TOGETHER, Answer, Conversation, Drawn, clause, joined
from training.facts import Key, respelled
from training.grammar import article_fixed, draw, patterns, word_lists
from training.noise import add_noise, marked, sentence
from training.telling import draw_key, draw_value, in_context
from training.values import is_spellable

MOST_NOTES = 3
MOST_FACTS = 5
"""More are not asked for at once: a model of this size can't list them reliably."""
MOST_QUOTED = 80
"""The characters of the longest message that is asked for."""


def _told_otherwise(c: Conversation, key: Key) -> Key | None:
    """The key under which the answer to a question was told, where that is another than the question's own."""
    if c.known(key) is not None:
        return None
    swapped = {"property": "the", "the": "property"}.get(key.kind.name)
    name, _, thing = key.kind.same.get(key.thing, f"{swapped} {key.thing}" if swapped else "").partition(" ")
    other = c.key(facts.kinds()[name], thing, key.owner) if name else None
    return other if other and c.known(other) is not None else None


def question_about(c: Conversation, key: Key) -> Drawn:
    """A question for one fact, told or not; the answer repeats the question's own spelling of the thing."""
    rng, own = c.rng, c.is_own(key)
    c.asked = key = Key(key.kind, respelled(key.thing, rng), key.owner)
    name, value = key.kind.name, c.known(key)
    if name == "animal" or (name == "pet" and value and rng.random() < 0.2 and len(c.pets(key)) <= MOST_TOGETHER):
        return _question_about_pets(c, key)
    if own and value and rng.random() < 0.05 and name in ("favourite", "property", "name", "pet"):
        return _is_it(c, key, value)
    lower = rng.random() < 0.15
    if value is None and key.owner and not own and lower:
        key = Key(key.kind, key.thing, key.owner.lower())
    text, c.asked = c.draw(_block(c, key) if own else f"ask other {name}", key)
    text = add_noise(in_context(c, text, 0.03), rng, "question", lower=lower)
    key = _told_otherwise(c, c.asked) or c.asked
    answer = c.recall(key)
    if not own and not is_spellable(key.owner or ""):
        answer = c.answer_to("fallback")
    elif name == "name" and own and c.is_group and value is None and is_spellable(c.speaker):
        answer = Answer(f"Your name is {marked(c.speaker)}.", marked(c.speaker))
    skill = f"{'recall' if c.known(key) else 'not told'} {name if own else 'other'}"
    return c.finish(text, answer, "recall pinned" if key.slot in c.pinned else skill)


def _block(c: Conversation, key: Key) -> str:
    """The patterns that ask for a key: those of its kind, or of the very property."""
    if key.kind.name == "property" and c.rng.random() < 0.6:
        if f"ask {key.thing}" in patterns():
            return f"ask {key.thing}"
        if key.thing in word_lists()["dated"]:
            return "ask when"
    return f"ask {key.kind.name}"


def _is_it(c: Conversation, key: Key, told: str) -> Drawn:
    value = told if c.rng.random() < 0.5 else draw_value(c, key)
    thing = {"name": "name", "pet": f"{key.thing}'s name"}.get(key.kind.name, key.thing)
    text = draw("is it", c.rng, k=marked(thing), v=marked(value))
    right = value.lower() == told.lower()
    answer = Answer(c.recall(key, "Yes, " if right else "No, ").text, "Yes." if right else "No.")
    return c.finish(add_noise(text, c.rng), answer, "is it")


def _question_about_pets(c: Conversation, key: Key) -> Drawn:
    """Which pets somebody has: named ones count too, and are told first."""
    own, found = c.is_own(key), c.pets(key)
    key = c.key(facts.kinds()["animal"], "", key.owner)
    text, key = c.draw(("ask pets" if c.rng.random() < 0.5 else "ask animal") if own else "ask other animal", key)
    answer = c.not_told(key)
    if found:
        listed = sentence(joined([c.fact_clause(*fact) for fact in found]))
        last, value = found[-1]
        answer = Answer(f"{listed}{c.to if own else ''}.", marked(last.thing or value))
    if not own and not is_spellable(key.owner or ""):
        answer = c.answer_to("fallback")
    skill = f"{'recall' if found else 'not told'} {'animal' if own else 'other'}"
    return c.finish(add_noise(text, c.rng, "question"), answer, skill)


def can_ask(c: Conversation, key: Key) -> bool:
    """Whether there are patterns that ask for a key, and the answer's list is short enough."""
    is_long = key.kind.name == "animal" and len(c.pets(key)) > MOST_TOGETHER
    return not is_long and (c.is_own(key) or f"ask other {key.kind.name}" in patterns())


def ask_for(c: Conversation, key: Key) -> Drawn | None:
    """A question for one fact, often by whoever told it."""
    if c.is_group and key.owner in c.speakers and c.rng.random() < 0.5:
        c.speaker = str(key.owner)
    return question_about(c, key) if can_ask(c, key) else None


def ask_told(c: Conversation) -> Drawn | None:
    """A question for something that was told in this conversation, by whomever."""
    if not c.told:
        return None
    told = list(c.told.values())
    weights = [5.0 if key.kind.name in ("pet", "animal") else 2.5 if key.kind.adds else 1.0 for key, _ in told]
    return ask_for(c, c.rng.choices(told, weights)[0][0])


def ask_about_other(c: Conversation) -> Drawn | None:
    """A question for what somebody else told, or what was told of somebody else."""
    keys = [key for key, _ in c.told.values() if not c.is_own(key) and can_ask(c, key)]
    return question_about(c, c.rng.choice(keys)) if keys else None


def ask_untold(c: Conversation) -> Drawn | None:
    """A question for something nobody told, of rare kinds too: own, of others, what another told, or close to it."""
    rng, kinds = c.rng, tuple(facts.kinds().values())
    key = draw_key(c, rng.choice(kinds) if rng.random() < 0.5 else None)
    if rng.random() < 0.45 and c.told:
        told = rng.choice(list(c.told.values()))[0]
        alike = [kind for kind in kinds if kind.value == told.kind.value]
        key = c.key(told.kind, told.thing) if rng.random() < 0.65 else draw_key(c, rng.choice(alike))
    if rng.random() < (0.35 if c.is_group else 0.08):
        owner = rng.choice(c.others) if c.others and rng.random() < 0.7 else c.source.pick("person")
        key = c.key(key.kind, key.thing, owner)
    return question_about(c, key) if c.known(key) is None and can_ask(c, key) else None


def ask_note(c: Conversation) -> Drawn | None:
    """What the speaker asked to remember."""
    notes = c.notes.get(c.speaker, [])
    if len(notes) > MOST_NOTES or c.speaker in c.unsure_notes or (not notes and c.rng.random() < 0.6):
        return None
    answer = Answer(f"You haven't asked me to remember anything{c.to}.", "Nothing.")
    if notes:
        answer = Answer(f"You asked me to remember: {'; '.join(map(marked, notes))}", marked(notes[-1]))
    text = add_noise(draw("ask note", c.rng), c.rng, "question")
    return c.finish(text, answer, "recall note" if notes else "not told note")


def ask_summary(c: Conversation) -> Drawn | None:
    """What is known about the speaker."""
    mine = [fact for slot, fact in c.told.items() if slot[2] == (c.owner or "").lower()]
    if len(mine) > MOST_FACTS or any(key.slot in c.retold for key, _ in mine) or (not mine and c.rng.random() < 0.6):
        return None
    answer = Answer(f"I don't know anything about you yet{c.to}: you haven't told me anything.", "Nothing.")
    if mine:
        clauses = ", and that ".join(c.fact_clause(*fact) for fact in mine)
        answer = Answer(f"You told me that {clauses}{c.to}.", "Some.")
    return c.finish(add_noise(draw("summary", c.rng), c.rng, "question"), answer, "summary")


def ask_said(c: Conversation) -> Drawn | None:
    """What the speaker said first, or last."""
    lines = [text for who, text in c.said if who == c.speaker]
    block, opening, line = "last said", "You said", lines[-1] if lines else ""
    if c.rng.random() < 0.4:
        block, opening, line = "first said", "The first thing you said was", lines[0] if lines else ""
    nothing = f"You haven't said anything before{c.to}."
    return _quoted(c, draw(block, c.rng), line, opening, nothing, block.replace("said", "message"))


def ask_said_other(c: Conversation) -> Drawn | None:
    """In a group, what another speaker said last."""
    if not c.others:
        return None
    who = c.rng.choice(c.others)
    line = next((text for speaker, text in reversed(c.said) if speaker == who), "")
    opening, nothing = f"{marked(who)} said", f"{marked(who)} hasn't said anything yet."
    return _quoted(c, draw("said by", c.rng, who=marked(who)), line, opening, nothing, "said other")


def _quoted(c: Conversation, text: str, line: str, opening: str, nothing: str, skill: str) -> Drawn | None:
    """The question for a line and the line, or that nothing was said; a long one is not asked for."""
    if len(line) > MOST_QUOTED:
        return None
    answer = Answer(f"{opening}: {marked(line)}", marked(line)) if line else Answer(nothing, "Nothing.")
    return c.finish(add_noise(text, c.rng), answer, skill)


def ask_who_told(c: Conversation) -> Drawn | None:
    """Whose a value is, in a group."""
    named = [*c.others, c.speaker] if is_spellable(c.speaker) else c.others
    own = [(k, value) for k, value in c.told.values() if k.owner in named and f"who {k.kind.name}" in patterns()]
    if not own or c.rng.random() < 0.12:
        return _ask_who_unknown(c) if c.is_group and c.rng.random() < 0.4 else None
    key, value = c.rng.choice(own)
    same = [other for _, other in c.told.values() if value.lower() in (other.lower(), *other.lower().split(" and "))]
    if len(same) > 1:
        return None
    thing, ks = key.shown or key.thing, facts.third_person(key.thing)
    text = article_fixed(draw(f"who {key.kind.name}", c.rng, k=marked(thing), v=marked(value), ks=ks))
    fact = clause(key.kind.theirs, thing, value, str(key.owner))
    return c.finish(add_noise(text, c.rng), Answer(f"{fact}.", marked(str(key.owner))), "who told")


def _ask_who_unknown(c: Conversation) -> Drawn | None:
    """Whose a value is that nobody told."""
    kind = facts.kinds()[c.rng.choice(("likes", "city", "dislike"))]
    value = draw_value(c, draw_key(c, kind))
    if any(value.lower() in other.lower() for _, other in c.told.values()):
        return None
    told = clause(kind.theirs.removeprefix("{who} "), "", value)
    answer = Answer(f"I don't know who {told}: nobody has told me.", "Unknown.")
    return c.finish(add_noise(draw(f"who {kind.name}", c.rng, v=marked(value)), c.rng), answer, "not told other")
