"""Turns that ask for more than one fact: notes, what is known, what was said, and who said it."""

from bot.demo_model.training import facts, values
from bot.demo_model.training import lexicon_things as things
from bot.demo_model.training.conversation import Answer, Conversation, Drawn, clause
from bot.demo_model.training.grammar import draw
from bot.demo_model.training.noise import add_noise, marked
from bot.demo_model.training.statements import draw_statement
from bot.demo_model.training.turns_facts import article_fixed

SAY_NOTE = "(Remember|remember|Please remember|Note|Make a note|Take a note|Keep in mind|Write down|Don't forget|Remember this|Please note|Save this|Note this|Can you remember this|I want you to remember|Please keep in mind|Store this|Memorise this|Memorize)(:| that) {v}(|.|!)"
ASK_NOTE = """
3*(What did I ask you to remember|What did I tell you to remember|What should you remember|What did I want you to remember|What was the note|What note did I give you|What were you supposed to remember|What's my note|What do you have to remember|what was it I asked you to remember|What did I ask you to note|What did I ask you to keep in mind|Read my note|show me my note|what is my note|What did I say you should remember)(|?| again?| please?)
(Do you remember|Tell me|Do you know|Can you repeat|remind me) what I (asked|told|wanted) you to (remember|note|keep in mind|write down)(|?)
"""
NOTE_TEXTS = """
the (meeting|party|train|exam|film|match|lesson|concert|flight|delivery) is (at|on) {d}
the (key|spare key|book|cake|map|treasure|letter|ladder) is (under|behind|in|on) the {t}
I (have to|need to|must|should) (buy|call|visit|fix|feed|water|clean|return) (the|my|a) {t}
the (code|password|secret word|number|pin|room number|answer|gate|magic word) is {v}
{v}
we meet at {v} on {d}
{v} owes me {n} (euros|dollars|pounds)
{s}
"""


def tell_note(c: Conversation) -> Drawn:
    rng = c.rng
    note = draw(
        NOTE_TEXTS,
        rng,
        d=values.date(rng),
        t=rng.choice(things.THINGS),
        n=str(rng.randint(2, 500)),
        v=c.source.pick(values.anything),
        s=draw_statement(rng),
    )
    c.notes[c.speaker] = [note]
    return c.finish(
        add_noise(draw(SAY_NOTE, rng, v=marked(note)), rng),
        Answer(f"I will remember{c.to}: {marked(note)}", "Noted."),
        skill="tell note",
    )


def ask_note(c: Conversation) -> Drawn:
    rng = c.rng
    notes = c.notes.get(c.speaker)
    answer = (
        Answer(f"You asked me to remember: {marked(notes[-1])}", marked(notes[-1]))
        if notes
        else Answer(f"You haven't asked me to remember anything{c.to}.", "Nothing.")
    )
    return c.finish(
        add_noise(draw(ASK_NOTE, rng), rng, "question"), answer, skill="recall note" if notes else "not told note"
    )


SUMMARY = """
3*(What do you know about me|What have I told you about myself|What have you learned about me|What do you remember about me|What did I tell you about me|Tell me what you know about me|Tell me about me|what do you know of me|List what you know about me|summarise what you know about me|Do you know anything about me|what have I told you|What have you remembered about me|tell me everything you know about me|Who do you think I am|what did you learn about me|What facts do you know about me|Describe me|what info do you have on me|sum up what I told you)(|?|.| so far?| please| now?| already?)
"""


def ask_summary(c: Conversation) -> Drawn | None:
    mine = c.own_facts()
    if len(mine) > 4:
        return None
    clauses = [c.fact_clause(key, value) for key, value in mine]
    if not clauses:
        answer = Answer(f"I don't know anything about you yet{c.to}: you haven't told me anything.", "Nothing.")
    else:
        answer = Answer(f"You told me that {', and that '.join(clauses)}{c.to}.", "Some.")
    return c.finish(add_noise(draw(SUMMARY, c.rng), c.rng, "question"), answer, skill="summary")


LAST_SAID = """
2*(What did I just say|What did I say|What was my last message|Repeat my last message|What did I just write|what was the last thing I said|What did I say before|Repeat what I said|Repeat what I just said|what did I just tell you|What did I write before|quote my last message|what was my previous message|What did I say just now|what have I just said|say again what I said)(|?|.| please)
"""
FIRST_SAID = "(What was my first message|What was the first thing I said|What did I say first|Repeat my first message|What was the first message I sent|what did I say at the beginning|How did I start this conversation|what was the very first thing I said)(|?|.)"


def ask_said(c: Conversation) -> Drawn | None:
    """What the speaker, or in a group another speaker, said last."""
    rng = c.rng
    said_by = c.speaker
    if c.is_group and rng.random() < 0.5:
        said_by = rng.choice(c.speakers)
    lines = [text for who, text in c.said if who == said_by]
    line = lines[-1] if lines else ""
    if len(line) > 160:
        return None
    if said_by != c.speaker:
        text = draw(
            "(What did|what did) {who} (say|write|just say|say last|want|tell you)(|?)\n(Repeat|What was|quote) (the last message of {who}|{who}'s last message|what {who} said)(|?|.)",
            rng,
            who=marked(said_by),
        )
        answer = Answer(
            f"{marked(said_by)} said: {marked(line)}" if lines else f"{marked(said_by)} hasn't said anything yet.",
            marked(line) if lines else "Nothing.",
        )
        return c.finish(add_noise(text, rng), answer, skill="said other")
    answer = (
        Answer(f"You said: {marked(line)}", marked(line))
        if lines
        else Answer(f"You haven't said anything before{c.to}.", "Nothing.")
    )
    return c.finish(add_noise(draw(LAST_SAID, rng), rng), answer, skill="last message")


def ask_who_told(c: Conversation) -> Drawn | None:
    """Who said something, or whose a value is, in a group."""
    rng = c.rng
    own = [
        (key, value)
        for key, value in c.told.values()
        if key.owner in c.speakers
        and key.kind in (facts.FAVOURITE, facts.PROPERTY, facts.CITY, facts.PET, facts.JOB, facts.LIKES)
    ]
    if not c.is_group or not own:
        return None
    key, value = rng.choice(own)
    if sum(other[0].kind is key.kind and other[1].lower() == value.lower() for other in own) > 1:
        return None
    who = {
        "city": "(Who lives|who lives|Who said they live|Who is living|who told you they live) in {v}?",
        "job": "(Who works|who works|Who said they work|Who is working) as (a|an) {v}?",
        "likes": "(Who likes|who likes|Who said they like|Who told you they like) {v}?",
        "pet": "(Whose {k} is called|whose {k} is called|Whose {k} is named|Who has a {k} called|Who said their {k} is called) {v}?",
    }.get(
        key.kind.name,
        "(Whose {k} is|whose {k} is|Who said their {k} is|Who told you their {k} is|Who said that their {k} is|who has told you that their {k} is) {v}?",
    )
    text = article_fixed(draw(who, rng, k=marked(key.thing), v=marked(value)))
    fact = clause(key.kind.theirs, key.thing, value, marked(str(key.owner)))
    return c.finish(add_noise(text, rng), Answer(f"{fact}.", marked(str(key.owner))), skill="who told")
