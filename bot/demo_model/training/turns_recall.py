"""Turns that ask for more than one fact: notes, what is known, what was said, and who said it."""

from bot.demo_model.training import kinds, lexicon_people, values
from bot.demo_model.training import lexicon_things as things
from bot.demo_model.training.conversation import Answer, Conversation, Drawn, clause
from bot.demo_model.training.grammar import draw
from bot.demo_model.training.noise import add_noise, marked
from bot.demo_model.training.statements import draw_statement
from bot.demo_model.training.turns_facts import article_fixed, draw_key, draw_value, small_slots

SAY_NOTE = """
3*(Remember|remember|Please remember|Note|Make a note|Take a note|Keep in mind|Write down|Don't forget|Remember this|Please note|Save this|Note this|Can you remember this|I want you to remember|Please keep in mind|Store this|Memorise this|Memorize|For your memory|Please memorise)(:| that) {v}(|.|!)
(Note|Memo|Reminder|A note|A reminder|My note|A note for later|Memo to me|Note to myself|Memo to myself|Please log this|Take this down|Jot this down|Write this down|Keep this for me|Save this for later|Save this note|New note|Add a note|Add this to your notes|Make a memo|Hold on to this|To do|Todo|On my list|Put this on my list|For later|Don't let me forget this)(:| -|:) {v}(|.|!)
2*(Remind me|Please remind me|Can you remind me|Could you remind me|Would you remind me|Help me remember|Don't let me forget|I want you to remind me|You must remind me|remember|don't forget|I must remember|I need to remember) to {v}(|.|!|, please| please|, ok?)
"""
ASK_NOTE = """
3*(What did I ask you to remember|What did I tell you to remember|What should you remember|What did I want you to remember|What was the note|What note did I give you|What were you supposed to remember|What's my note|What do you have to remember|what was it I asked you to remember|What did I ask you to note|What did I ask you to keep in mind|Read my note|show me my note|what is my note|What did I say you should remember|what was my note|What were my notes|What are my notes|show my notes|list my notes|Do you have my note|Which note did I leave|What did I want to remember|What do I have to remember|What did I not want to forget|What should I not forget|What must I not forget|What was on my list|what did I ask you to write down|what did I ask you to save|What was that note again|what was I supposed to remember)(|?| again?| please?)
(Do you remember|Tell me|Do you know|Can you repeat|remind me) what I (asked|told|wanted) you to (remember|note|keep in mind|write down|memorise|save|remind me of)(|?)
(Do you remember|Do you still have|Tell me|Read me|Give me|Repeat|I need) my (note|notes|reminder|memo)(|?|.| please)
"""
NOTE_TEXTS = """
(buy|get|order|bring|return) (the |a |some |new |){t}(|s)( on {d}| for my {r}| tonight||)
(call|visit|text|thank|pay|meet) (my {r}|{p})( on {d}| about the {t}||)
(feed the {pet}|pay the rent by {d}|buy {f}|{f}, {f} and {f}|{t} and {t}|ask {p} about the {t}|{p}, {d}|{d}: {t}|{v}, {d})
the (meeting|party|train|exam|film|match|lesson|concert|flight|delivery) is (at|on) {d}
the (key|spare key|book|cake|map|treasure|letter|ladder) is (under|behind|in|on) the {t}
I (have to|need to|must|should) (buy|call|visit|fix|feed|water|clean|return) (the|my|a) {t}
{v}
we meet at {v} on {d}
{v} owes me {n} (euros|dollars|pounds)
{s}
"""

TASKS = """
3*(buy|get|order|bring|return|sell|fetch|pack|find|clean|fix|paint|repair|wash) (the|a|my|some|new|two|three|more) {t}(|s)( on {d}| for my {r}| tonight| tomorrow| before {d}||)
2*(call|visit|text|email|thank|invite|pay|ask|meet|pick up|write to) (my {r}|{p}|my {r} and {p}|the {t} shop)( on {d}| about the {t}| tomorrow| at noon||)
(feed|walk|brush|wash|check on) the {pet}(| at noon| twice a day| on {d})
(buy|eat|cook|order|bring) {f}(| and {f}| for my {r}| on {d})
(water|cut|plant|move) the (flowers|grass|trees|plants|{t})(| on {d}| tonight)
(pay|send|print|sign|renew|check|finish|read|hand in) (the|my) (bill|rent|form|report|homework|ticket|passport|invoice|contract|essay|{t})(| by {d}| today| before {d})
(say {v}|try {v}|look up {v}|listen to {v}|google {v}|watch {v}|ask about {v})
"""


def tell_note(c: Conversation) -> Drawn:
    rng = c.rng
    says = draw(SAY_NOTE, rng)
    note = draw(
        TASKS if " to {v}" in says else NOTE_TEXTS,
        rng,
        d=values.date(rng),
        r=rng.choice(lexicon_people.RELATIVES),
        pet=rng.choice(lexicon_people.PETS),
        p=values.person(rng),
        f=rng.choice(things.FOODS),
        t=rng.choice(things.THINGS),
        n=str(rng.randint(2, 500)),
        v=c.source.pick(values.anything),
        s=draw_statement(rng),
    )
    c.notes.setdefault(c.speaker, []).append(note.rstrip(".! "))
    return c.finish(
        add_noise(says.replace("{v}", marked(note)), rng),
        Answer(f"I will remember{c.to}: {marked(note.rstrip('.! '))}", "Noted."),
        skill="tell note",
    )


MOST_NOTES = 3
MOST_FACTS = 5
"""More are not asked for at once: a model of this size can't list them reliably."""
MOST_QUOTED = 80
"""The characters of the longest message that is asked for."""


def ask_note(c: Conversation) -> Drawn | None:
    rng = c.rng
    notes = c.notes.get(c.speaker, [])
    if len(notes) > MOST_NOTES or c.speaker in c.unsure_notes or (not notes and rng.random() < 0.6):
        return None
    answer = (
        Answer(f"You asked me to remember: {'; '.join(map(marked, notes))}", marked(notes[-1]))
        if notes
        else Answer(f"You haven't asked me to remember anything{c.to}.", "Nothing.")
    )
    return c.finish(
        add_noise(draw(ASK_NOTE, rng), rng, "question"), answer, skill="recall note" if notes else "not told note"
    )


SUMMARY = """
3*(What do you know about me|What have I told you about myself|What have you learned about me|What do you remember about me|What did I tell you about me|Tell me what you know about me|Tell me about me|what do you know of me|List what you know about me|summarise what you know about me|Do you know anything about me|what have I told you|What have you remembered about me|tell me everything you know about me|what did you learn about me|What facts do you know about me|Describe me|what do you know about me|What have we talked about|What did we talk about|Summarise our conversation|summarise what I told you|What do you remember from our conversation|which facts do you have about me|what did you note about me|What things did I tell you|Repeat everything I told you about me|How much do you know about me|list everything I told you|what facts did I share|what info do you have on me|sum up what I told you)(|?|.| so far?| please| now?| already?)
"""


def ask_summary(c: Conversation) -> Drawn | None:
    mine = c.own_facts()
    if len(mine) > MOST_FACTS and c.is_group:
        c.speaker = c.rng.choice(c.speakers)
        mine = c.own_facts()
    if len(mine) > MOST_FACTS or any(key.slot in c.retold for key, _ in mine) or (not mine and c.rng.random() < 0.6):
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

SAID_BY = """
2*(What did|what did|Tell me what did|And what did) {who} (say|write|just say|say last|want|tell you|type|just write|post|say just now|ask|mention)(|?| again?| before?)
(Repeat|What was|quote|Show me|Tell me|Give me|Read) (the last message of {who}|{who}'s last message|what {who} said|the last thing {who} said|what {who} wrote|what {who} just said)(|?|.| again| please)
"""


def ask_said_other(c: Conversation) -> Drawn | None:
    """In a group, what another speaker said last."""
    others = [name for name in c.speakers if name != c.speaker]
    return ask_said(c, c.rng.choice(others)) if others else None


def ask_said(c: Conversation, said_by: str = "") -> Drawn | None:
    """What the speaker, or somebody else, said last."""
    rng = c.rng
    said_by = said_by or c.speaker
    lines = [text for who, text in c.said if who == said_by]
    line = lines[-1] if lines else ""
    if len(line) > MOST_QUOTED:
        return None
    if said_by != c.speaker:
        text = draw(
            SAID_BY,
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


WHO_TOLD = {
    "city": "(Who lives|who lives|Who said they live|Who is living|who told you they live|Which of us lives) in {v}?",
    "origin": "(Who is from|Who comes from|who's from|Which of us is from) {v}?",
    "job": "(Who works|who works|Who said they work|Who is working|Which of us works) as (a|an) {v}?",
    "age": "(Who is|who's|Which of us is) {v} years old?",
    "likes": "(Who likes|who likes|Who said they like|Who told you they like|Who loves|Who enjoys|Which of us likes) {v}?",
    "dislike": "(Who hates|who hates|Who doesn't like|Who said they hate|Who dislikes|Which of us hates) {v}?",
    "allergy": "(Who is|who's|Which of us is|Who said they are) allergic to {v}?",
    "verb": "(Who {ks}|who {ks}|Which of us {ks}|Who said they {k}|Who told you they {k}) {v}?",
    "animal": "(Who has|who has|Who owns|Which of us has|Who said they have) {v}?",
    "hobby": "(Whose hobby is|Who does|who has the hobby of|Who said their hobby is) {v}?",
    "pet": "(Whose {k} is called|whose {k} is called|Whose {k} is named|Who has a {k} called|Who said their {k} is called|Who owns the {k} called) {v}?",
    "favourite": "2*(Whose {k} is|whose {k} is|Who said their {k} is|Who told you their {k} is|Who said that their {k} is|who has told you that their {k} is|Which of us has {k}) {v}?\n2*(Who likes|who likes|Who loves|who prefers|Who is fond of|Which of us likes|Who of us likes|who said they like|Who's into|who is a fan of) {v}( best| most| the most| as their {k}|)?".replace(
        "|Which of us has {k}", ""
    ),
    "property": "(Whose {k} is|whose {k} is|Who said their {k} is|Who told you their {k} is|Who said that their {k} is) {v}?",
}


def ask_who_told(c: Conversation) -> Drawn | None:
    """Whose a value is, in a group."""
    rng = c.rng
    if not c.is_group:
        return None
    own = [(key, value) for key, value in c.told.values() if key.owner in c.speakers and key.kind.name in WHO_TOLD]
    if not own or rng.random() < 0.12:
        return _ask_who_unknown(c)
    key, value = rng.choice(own)
    if (
        sum(
            value.lower() in other.lower().split(" and ") or other.lower() == value.lower()
            for _, other in c.told.values()
        )
        > 1
    ):
        return None
    slots = small_slots(key, rng)
    text = article_fixed(draw(WHO_TOLD[key.kind.name], rng, k=marked(key.thing), v=marked(value), ks=slots["ks"]))
    fact = clause(key.kind.theirs, key.thing, value, marked(str(key.owner)))
    return c.finish(add_noise(text, rng), Answer(f"{fact}.", marked(str(key.owner))), skill="who told")


def _ask_who_unknown(c: Conversation) -> Drawn | None:
    rng = c.rng
    key = draw_key(c, rng.choice((kinds.LIKES, kinds.FAVOURITE, kinds.CITY, kinds.DISLIKE)))
    value = draw_value(c, key)
    if any(value.lower() in other.lower() for _, other in c.told.values()):
        return None
    who = {"city": "Who lives in {v}?", "dislike": "Who (hates|dislikes) {v}?"}.get(
        key.kind.name, "(Who likes|Who loves|who likes|Which of us likes) {v}?"
    )
    told = {"city": "lives in", "dislike": "doesn't like"}.get(key.kind.name, "likes")
    answer = Answer(f"I don't know who {told} {marked(value)}: nobody has told me.", "Unknown.")
    return c.finish(add_noise(draw(who, rng, v=marked(value)), rng), answer, skill="not told other")
