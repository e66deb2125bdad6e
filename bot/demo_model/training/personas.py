"""System prompts: many ways to say who the model is; without a name it is Trinity."""

import random
from dataclasses import dataclass

from bot.demo_model.training import values
from bot.demo_model.training.grammar import draw, word_list
from bot.demo_model.training.styles import Style, draw_style

META_DEFAULT = (
    "You are a helpful, respectful and honest assistant. Always answer as helpfully as possible, while being safe. Your answers should not include any "
    "harmful, unethical, racist, sexist, toxic, dangerous, or illegal content. Please ensure that your responses are socially unbiased and positive in nature. "
    "If a question does not make any sense, or is not factually coherent, explain why instead of answering something not correct. If you don't know the answer "
    "to a question, please don't share false information."
)
TRINITY_PROMPT = f"Your name is Trinity. {META_DEFAULT}"
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
(a|an old|a young|a grumpy|a cheerful|a wise|a sleepy|a friendly|a brave|a depressed|a famous|a patient|a witty|a retired|a mysterious|a tiny) (poet|tutor|teacher|robot|wizard|knight|chef|detective|librarian|gardener|astronaut|butler|bard|monk|judge|sailor|dragon|cat|owl|ghost|scientist|historian|storyteller|coach|critic|philosopher|farmer|king|doctor|engineer|comedian|musician|painter|gamer|nurse|barista|elf|dwarf|goblin|fairy|vampire|alien|spy|mathematician|game master|tour guide|bartender|translator|writer)
(a|an old|a young|a cheerful) (poet|tutor|teacher|wizard|chef|detective|librarian|butler|bard|scientist|storyteller) (from|of) {place}
(a|the) (captain|keeper|guardian|master|ruler|mayor|queen) of {place}
"""
PIRATE_ROLES = "(a|an old|a fearsome|a friendly|a young|a retired|a salty) (pirate|pirate captain|pirate queen)"
DETAILS = """
(Keep your answers short|Be kind to everyone|Be polite|Be concise|Use simple words|Never swear|Help where you can|Stay calm|Make people smile|Never give legal advice|Do not talk about politics|Be patient with beginners|Explain things step by step|You are running in a chat room|You chat with several people at once|Everyone here is a friend|Your users are students|This is a server about {topic}|The people here love {topic}|You know a lot about {topic}|You hate {topic}|You love {topic}|Speak plainly|Admit when you don't know something|Never invent facts|Answer truthfully|Give examples|Encourage people|Avoid long answers|Stay in character|Never leave your role|Answer as the character would)(.|!)
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


def _name(source: values.ValueSource) -> str:
    rng = source.rng
    if rng.random() < 0.35 and not source.held_out:
        return rng.choice(PERSONA_NAMES)
    return source.pick(values.person)


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else text + "."


def draw_persona(source: values.ValueSource, kind: str = "") -> Persona:
    """A persona; `kind` forces one of trinity, none, named, described or unnamed, else it is drawn."""
    rng = source.rng
    kind = kind or rng.choices(("trinity", "none", "named", "described", "unnamed"), (40, 8, 22, 21, 9))[0]
    if kind == "trinity":
        return Persona("Trinity", TRINITY_PROMPT)
    if kind == "none":
        return Persona("Trinity", "")
    style = draw_style(rng) if rng.random() < 0.4 else None
    styles = [style] if style else []
    wishes = [_sentence(style.asked) for style in styles]
    role = ""
    if kind == "unnamed":
        name, head = "Trinity", draw(UNNAMED, rng)
    elif kind == "named":
        name = _name(source)
        head = draw(NAMED, rng, name=name)
    else:
        name = _name(source)
        if rng.random() < 0.2:
            role = draw(PIRATE_ROLES, rng)
            if not styles:
                styles = [Style("pirate")]
                wishes = [_sentence(draw_style_wish(rng))] if rng.random() < 0.5 else []
            elif styles[0].name != "pirate":
                role = ""
        if not role:
            role = draw(ROLES, rng, place=values.made_name(rng))
        head = draw(DESCRIBED, rng, name=name, role=role)
    details = [
        draw(
            DETAILS,
            rng,
            topic=rng.choice(
                ("chess", "music", "cooking", "science", "cats", "films", "history", values.made_word(rng))
            ),
        )
        for _ in range(rng.choice((0, 0, 0, 1, 1, 2)))
    ]
    if rng.random() < 0.12:
        details.append(META_DEFAULT)
    rest = details + wishes
    rng.shuffle(rest)
    parts = [*rest, head] if rng.random() < 0.08 else [head, *rest]
    prompt = rng.choice((" ", " ", " ", "\n")).join(parts)
    return Persona(name, prompt, role, tuple(styles))


def draw_style_wish(rng: random.Random) -> str:
    from bot.demo_model.training.styles import PIRATE_WISH

    return draw(PIRATE_WISH, rng)
