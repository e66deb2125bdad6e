"""Turns that ask for a fact: told or not, one's own or somebody else's."""

import random

from bot.demo_model.training import aliases, kinds, values
from bot.demo_model.training.conversation import Answer, Conversation, Drawn, sentence
from bot.demo_model.training.facts import Key, respelled
from bot.demo_model.training.grammar import draw
from bot.demo_model.training.noise import add_noise, marked
from bot.demo_model.training.turns_facts import article_fixed, draw_about, draw_key, draw_value, in_context


def ask_block(key: Key, rng: random.Random) -> str:
    """The patterns that ask for a key: those of its kind, or of the very property."""
    if key.kind is kinds.PROPERTY:
        alias = aliases.ALIASES.get(key.thing)
        if alias and rng.random() < 0.6:
            return alias.ask
        if key.thing in aliases.DATED and rng.random() < 0.6:
            return aliases.WHEN
    return key.kind.ask


SAME_FACT = {
    ("verb", "drive"): (kinds.PROPERTY, "car"),
    ("property", "car"): (kinds.VERB, "drive"),
    ("verb", "support"): (kinds.PROPERTY, "football team"),
    ("property", "football team"): (kinds.VERB, "support"),
    ("verb", "play"): (kinds.PROPERTY, "instrument"),
    ("property", "instrument"): (kinds.VERB, "play"),
    ("property", "company"): (kinds.EMPLOYER, ""),
    ("property", "employer"): (kinds.EMPLOYER, ""),
    ("born", ""): (kinds.PROPERTY, "birthday"),
}
"""What answers a question as well where the thing itself was not told."""


def told_otherwise(c: Conversation, key: Key) -> Key | None:
    """The key under which the answer to a question was told, where that is another than the question's own."""
    if c.known(key) is not None:
        return None
    kind, thing = SAME_FACT.get((key.kind.name, key.thing), (None, ""))
    if kind is None and key.kind in (kinds.PROPERTY, kinds.THE):
        kind, thing = (kinds.THE if key.kind is kinds.PROPERTY else kinds.PROPERTY), key.thing
    if kind is None:
        return None
    other = c.key(kind, thing, key.owner)
    return other if c.known(other) is not None else None


def question_about(c: Conversation, key: Key) -> Drawn:
    """A question for one fact, told or not; the answer repeats the question's own spelling of the thing."""
    rng = c.rng
    key = Key(key.kind, respelled(key.thing, rng), key.owner)
    own = c.is_own(key)
    if key.kind is kinds.ANIMAL:
        return _question_about_pets(c, key)
    if (
        own
        and (entry := c.known(key))
        and rng.random() < 0.05
        and key.kind in (kinds.FAVOURITE, kinds.PROPERTY, kinds.NAME, kinds.PET)
    ):
        return is_it(c, key, entry[1])
    lower = rng.random() < 0.15
    who = key.owner or ""
    if lower and rng.random() < 0.5:
        who = who.lower()
    if c.known(key) is None and not own:
        key = Key(key.kind, key.thing, who)
    text, key = draw_about(ask_block(key, rng) if own else key.kind.ask_other, key, rng, who=marked(who))
    text = in_context(text, rng, 0.03)
    key = told_otherwise(c, key) or key
    answer = c.recall(key)
    if c.is_group and own and key.kind is kinds.NAME and c.known(key) is None:
        answer = Answer(f"Your name is {marked(c.speaker)}.", marked(c.speaker))
    skill = ("recall " if c.known(key) else "not told ") + (key.kind.name if own else "other")
    return c.finish(add_noise(article_fixed(text), rng, "question", lower=lower), answer, skill=skill)


def is_it(c: Conversation, key: Key, told: str) -> Drawn:
    """A yes-or-no question about a told fact."""
    rng = c.rng
    right = rng.random() < 0.5
    value = told if right else draw_value(c, key)
    thing = "name" if key.kind is kinds.NAME else f"{key.thing}'s name" if key.kind is kinds.PET else key.thing
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
    facts = list(c.told.values())
    key, _ = c.rng.choices(facts, [2.5 if key.kind.adds else 1.0 for key, _ in facts])[0]
    if c.is_group and key.owner in c.speakers and c.rng.random() < 0.45:
        c.speaker = str(key.owner)
    if not c.is_own(key) and not key.kind.has_other:
        return None
    return question_about(c, key)


def ask_about_other(c: Conversation) -> Drawn | None:
    """A question for what somebody else told, or what was told of somebody else."""
    keys = [key for key, _ in c.told.values() if not c.is_own(key) and key.kind.has_other]
    return question_about(c, c.rng.choice(keys)) if keys else None


def ask_untold(c: Conversation) -> Drawn | None:
    """A question for something nobody told: mostly own, in a group also about others, or what only another told."""
    rng = c.rng
    key = draw_key(c)
    if rng.random() < 0.35 and c.told:
        told = rng.choice(list(c.told.values()))[0]
        key = c.key(told.kind, told.thing)
    if (c.is_group and rng.random() < 0.35) or rng.random() < 0.08:
        others = [name for name in c.speakers if name != c.speaker]
        owner = rng.choice(others) if others and rng.random() < 0.7 else values.person(rng)
        key = c.key(key.kind, key.thing, owner)
    if c.known(key) is not None or (not c.is_own(key) and not key.kind.has_other):
        return None
    return question_about(c, key)


ASK_PETS = "3*(What pets do I have|Which pets do I have|Do I have a pet|Do I have pets|do I have any pets|What are my pets called|What are the names of my pets|what pet do I have|who are my pets|What's my pet called|What is the name of my pet|what's my pet's name|how are my pets called|tell me about my pets|what do you know about my pets|What did I tell you about my pets|which animals do I have)(|?| again?| please?)"


def listed(c: Conversation, found: list[tuple[Key, str]]) -> str:
    """Facts as one sentence."""
    clauses = [c.fact_clause(key, value) for key, value in found]
    text = f"{', '.join(clauses[:-1])}, and {clauses[-1]}" if len(clauses) > 1 else clauses[0]
    return text if text.startswith("\x01") else sentence(text)


def _question_about_pets(c: Conversation, key: Key) -> Drawn:
    """Which pets somebody has: named ones count too."""
    rng = c.rng
    own = c.is_own(key)
    who = (key.owner or "").lower()
    found = [entry for slot, entry in c.told.items() if slot[0] == "pet" and slot[2] == who]
    found += [entry for slot, entry in c.told.items() if slot[0] == "animal" and slot[2] == who]
    text, key = draw_about(key.kind.ask if own else key.kind.ask_other, key, rng, who=marked(key.owner or ""))
    if own and rng.random() < 0.5:
        text = draw(ASK_PETS, rng)
    answer = Answer(f"{listed(c, found)}{c.to if own else ''}.", marked(found[-1][1])) if found else c.not_told(key)
    skill = ("recall " if found else "not told ") + ("animal" if own else "other")
    return c.finish(add_noise(text, rng, "question"), answer, skill=skill)
