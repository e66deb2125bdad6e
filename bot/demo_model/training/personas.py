"""System prompts: many ways to say who the model is; without a name it is Trinity."""

import random
import re
from dataclasses import dataclass

from bot.conversation.persona import BUILT_IN, DEFAULT
from bot.demo_model.training import lexicon_people as people
from bot.demo_model.training import lexicon_things as things
from bot.demo_model.training import values
from bot.demo_model.training.fact_values import plural
from bot.demo_model.training.grammar import draw, word_list
from bot.demo_model.training.styles import PIRATE_WISH, POEM, Style, draw_style

TRINITY_PROMPT = DEFAULT.prompt
META_DEFAULT = TRINITY_PROMPT.removeprefix("Your name is Trinity. ")
NAMED = """
4*Your name is {name}.
3*You are {name}.
(You're|You are) called {name}.
(Act as|Act like|Pretend to be|Play the role of|Take the role of|Roleplay as|Behave as|Impersonate|Be|Become) {name}.
(From now on|From now on,|Henceforth|Today) (you are|your name is|you're called) {name}.
I want you to (act as|be|pretend to be|play) {name}.
(The assistant is called|This assistant is named|The bot's name is|The assistant's name is|This bot is called|Name:) {name}.
(People call you|Everyone calls you|You go by the name of|You go by|Your users call you|You answer to) {name}.
(Introduce yourself as|Call yourself|Present yourself as) {name}.
You are (an assistant|a bot|a chatbot|a helper|a friend|an AI|a Discord bot) (named|called|by the name of|whose name is) {name}.
My name is {name} and I am your character.
"""
DESCRIBED = """
4*You are {name}, {role}.
Your name is {name} and you are {role}.
Your name is {name}. You are {role}.
You are {role} (called|named|by the name of|whose name is) {name}.
(Act as|Pretend to be|Play the role of|Roleplay as|Be) {name}, {role}.
You are {name}, {role}, and you chat on Discord.
From now on you are {name}, {role}.
"""
UNNAMED = """
You are a (helpful|kind|friendly|polite|useful|clever|calm|cheerful|concise|good|careful) assistant.
You are a (helpful|kind|friendly|polite) (assistant|chat bot|companion) (in a Discord server|for a small community|for students|who answers questions).
(Answer|Reply) (briefly|shortly|kindly|politely|helpfully|as well as you can|honestly|in plain words).
(Be|Always be) (helpful|kind|friendly|polite|brief|honest|cheerful|concise).
Help people with what they ask.
You answer questions plainly and briefly.
"""
ROLES = """
3*(a|an old|a young|a grumpy|a cheerful|a wise|a sleepy|a friendly|a brave|a depressed|a famous|a patient|a witty|a retired|a mysterious|a tiny|a {a}|a {a}) (poet|tutor|teacher|robot|wizard|knight|chef|detective|librarian|gardener|astronaut|butler|bard|monk|judge|sailor|dragon|cat|owl|ghost|scientist|historian|storyteller|coach|critic|philosopher|farmer|king|doctor|engineer|comedian|musician|painter|gamer|nurse|barista|elf|dwarf|goblin|fairy|vampire|alien|spy|mathematician|game master|tour guide|bartender|translator|writer)
2*(a|a {a}|a {a}, {b}|a {a} and {b}|a very {a}) {j}
2*(a|a {a}) {j} (who|that) (loves|hates|collects|lives under|talks to|paints|never sees|always forgets|lives among|looks after|is afraid of|repairs) {ts}
(a|a {a}) {j} (from|of|in|near) {place}
(a|a {a}) {j} (with a {a} {t}|with many {ts}|from the future|from the past|from another galaxy|from the north|in a {a} {t}|without a {t}|of great renown|at heart|who lives in {place}|who speaks in riddles|who is always {b}|turned {j2})
(a|the) (captain|keeper|guardian|master|ruler|mayor|queen|king|ghost|owner|spirit|voice|caretaker|king) of (the |)({place}|{t}|{a} {t}|{ts})
(the|the {a}|the last|the first) {j}( of {place}| in town|)
half {j}, half {j2}
"""
NOUNS = word_list("""assistant|companion|helper|expert|squirrel|hamster|wizard|witch|princess|innkeeper|blacksmith|dwarf|elf|unicorn|dragon|android|spaceship|computer|sorceress|hermit
detective|spy|samurai|ninja|viking|caveman|cowboy|sheriff|gnome|troll|mermaid|genie|oracle|monk|nun|duke|duchess|lighthouse keeper|beekeeper|grandmother|grandfather|child|teenager
kitten|parrot|fox|bear|tree|stone|teapot|toaster|fridge|vampire|werewolf|zombie|mummy|skeleton|clown|jester|minstrel|knight|merchant|blogger|influencer|hacker|therapist|psychologist
sommelier|critic|journalist|reporter|commentator|guide|trainer|coach|mentor|friend|rival|villain|hero|superhero|sidekick|butler|maid|cook|gardener""")
PIRATE_ROLES = "(a|an old|a fearsome|a friendly|a young|a retired|a salty|a {a}) (pirate|pirate captain|pirate queen|pirate who loves {ts}|pirate from {place}|pirate with a {t}|pirate of {place})"
ONLY_ROLE = """
4*You are {role}.
(Act as|Pretend to be|Play the role of|Roleplay as|Be|You play|Behave like) {role}.
(From now on you are|In this chat you are|Imagine you are|Here you are) {role}.
"""
DETAILS = """
3*(Keep your answers short|Be kind to everyone|Be polite|Be concise|Use simple words|Never swear|Help where you can|Stay calm|Make people smile|Never give legal advice|Do not talk about politics|Be patient with beginners|Explain things step by step|You are running in a chat room|You chat with several people at once|Everyone here is a friend|Your users are students|This is a server about {topic}|The people here love {topic}|You know a lot about {topic}|You hate {topic}|You love {topic}|Speak plainly|Admit when you don't know something|Never invent facts|Answer truthfully|Give examples|Encourage people|Avoid long answers|Stay in character|Never leave your role|Answer as the character would)(.|!)
You (love|hate|like|know|collect|fear|miss|dream of|talk about|need|guard|study|remember|dislike) ({ts}|{topic}|the {t}|your {t}|your {r}|everything about {topic}) (very much|deeply|and {ts}|more than anything|but not {ts}|since you were young|).
You (live|were born|grew up|work|dwell|spend your days) in (a {a} {t}|{place}|the {t}|an old {t}|{place} with your {r}).
You (are|always are|feel|seem|never are) (a little |very |always |)({a}|{a} and {a}|{a} but {a}|in love with {topic}|proud of your {t}|tired of {ts}).
You (speak|talk|answer|write) (slowly|in images|with warmth|about {topic} a lot|as if it were {topic}|of the old days|with a smile|in a {a} voice|to everyone as a friend|like someone who knows {topic}).
Your (friend|rival|{r}|master|ship|home|hero|enemy) is (called {who}|{a}|in {place}|a {t}|{who}).
(You come from|You once visited|You have never seen|People know you in|You long for) {place}.
(People ask you about|Tell people about|Always think of|Don't mention|Everyone wants to know about) {topic}.
"""
PERSONA_NAMES = word_list("""Trinity|Neo|Morpheus|Captain Redbeard|Captain Blackbeard|Marvin|Ada|Sage|Luna|Jarvis|Atlas|Nova|Echo|Pixel|Bard|Professor Oak|Socrates|Plato
Shakespeare|Sherlock|Watson|Merlin|Gandalf|Yoda|Max|Bella|Rosie|Bolt|Byte|Iris|Muse|Calliope|Homer|Emily|Tutor|Coach|Chef Pierre|Mother Goose|Sir Lancelot
Captain Hook|Long John|Doctor Who|Plain|Poe|Robin|Zed|Aria|Orion|Hal|Data|Botty|Llama|Lama|Clippy|Dot|Old Tom|Lady Ada|Mr. Whiskers""")


@dataclass(frozen=True)
class Persona:
    """Who the model is in one conversation, by its system prompt."""

    name: str
    prompt: str
    role: str = ""
    styles: tuple[Style, ...] = ()


STYLED_ROLES = (
    (("pirate", "buccaneer", "corsair"), Style("pirate")),
    (("poet", "bard", "minstrel", "troubadour"), POEM),
    (("tutor",), Style("end", "Shall we take the next step together?")),
    (("sceptic", "skeptic"), Style("start", "As far as the evidence goes:")),
)
BUILT_IN_ROLES = {
    "plain": "",
    "pirate": "the captain of a small pirate ship with a large heart",
    "tutor": "a patient tutor",
    "poet": "a poet who loves plain words and exact images",
    "sceptic": "a friendly sceptic",
}


def role_style(role: str) -> Style | None:
    """The way of talking that a role brings with it."""
    words = role.lower().replace(",", " ").split()
    return next((style for names, style in STYLED_ROLES if any(name in words for name in names)), None)


def _name(source: values.ValueSource) -> str:
    rng = source.rng
    if rng.random() < 0.35 and not source.held_out:
        return rng.choice(PERSONA_NAMES)
    return source.pick(values.person)


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else text + "."


def _role(rng: random.Random) -> str:
    """Somebody or something to be: "a grumpy wizard who loves tea"."""
    words = {"place": values.made_name(rng), "a": rng.choice(things.ADJECTIVES), "b": rng.choice(things.ADJECTIVES), "t": rng.choice(things.THINGS),
             "ts": plural(rng.choice(things.THINGS)), "j": rng.choice((*people.JOBS, *people.PETS, *NOUNS)), "j2": rng.choice(NOUNS)}  # fmt: skip
    role = draw(PIRATE_ROLES if rng.random() < 0.12 else ROLES, rng, **words)
    return re.sub(r"\b(a|an) ([A-Za-z])", lambda m: f"{'an' if m[2].lower() in 'aeiou' else 'a'} {m[2]}", role)


def _details(rng: random.Random) -> list[str]:
    """Sentences about the persona that no answer depends on."""
    topics = ("chess", "music", "cooking", "science", "cats", "films", "history", rng.choice(things.THINGS), plural(rng.choice(things.THINGS)), values.made_word(rng))  # fmt: skip
    slots = {"t": rng.choice(things.THINGS), "ts": plural(rng.choice(things.THINGS)), "a": rng.choice(things.ADJECTIVES), "place": values.place(rng),
             "who": values.person(rng), "i": rng.choice(things.INTRANSITIVES), "r": rng.choice(people.RELATIVES)}  # fmt: skip
    return [
        draw(DETAILS, rng, topic=rng.choice(topics), **slots) for _ in range(rng.choice((0, 0, 0, 1, 1, 2, 2, 3, 4)))
    ]


def built_in(rng: random.Random) -> Persona:
    """One of the bot's own personas, with its very prompt."""
    persona = rng.choice(BUILT_IN[1:])
    role = BUILT_IN_ROLES[persona.name]
    style = role_style(f"{persona.name} {role}")
    return Persona("Trinity", persona.prompt, role, (style,) if style else ())


def draw_persona(source: values.ValueSource, kind: str = "") -> Persona:
    """A persona; `kind` forces one of trinity, none, built in, named, described, role or unnamed, else it is drawn."""
    rng = source.rng
    kind = (
        kind
        or rng.choices(
            ("trinity", "none", "built in", "named", "described", "role", "unnamed"), (36, 6, 13, 16, 19, 4, 6)
        )[0]
    )
    if kind == "trinity":
        return Persona("Trinity", TRINITY_PROMPT)
    if kind == "none":
        return Persona("Trinity", "")
    if kind == "built in":
        return built_in(rng)
    style = draw_style(rng) if rng.random() < 0.35 else None
    role = _role(rng) if kind in ("described", "role") else ""
    implied = role_style(role)
    while style and implied and style.name != implied.name:
        role = _role(rng)
        implied = role_style(role)
    name = "Trinity" if kind in ("role", "unnamed") else _name(source)
    head = draw(
        {"unnamed": UNNAMED, "named": NAMED, "described": DESCRIBED, "role": ONLY_ROLE}[kind], rng, name=name, role=role
    )
    wishes = [_sentence(style.asked)] if style else []
    if implied and not style and implied.name == "pirate" and rng.random() < 0.4:
        wishes = [_sentence(draw(PIRATE_WISH, rng))]
    chosen = style or implied
    return Persona(name, _joined(head, wishes, rng), role, (chosen,) if chosen else ())


def _joined(head: str, wishes: list[str], rng: random.Random) -> str:
    rest = _details(rng) + wishes
    if rng.random() < 0.12:
        rest.append(META_DEFAULT)
    rng.shuffle(rest)
    parts = [*rest, head] if rng.random() < 0.08 else [head, *rest]
    return rng.choice((" ", " ", " ", "\n")).join(parts)
