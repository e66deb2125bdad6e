"""System prompts: many ways to say who the model is, and the bot's built-in personas. Without a name it is Trinity."""

import random
from dataclasses import dataclass

from bot.conversation.persona import BUILT_IN, DEFAULT
from training.grammar import article_fixed, draw, word_lists
from training.styles import Style, draw_style
from training.values import ValueSource

_META_PROMPT = DEFAULT.prompt.removeprefix("Your name is Trinity. ")
_PLAIN = Style("brief")
_STYLED_ROLES = (
    (("pirate", "buccaneer", "corsair"), Style("pirate")),
    (("poet", "bard", "minstrel", "troubadour"), Style("poem")),
    (("tutor",), Style("end", "Shall we take the next step together?")),
    (("sceptic", "skeptic"), Style("start", "As far as the evidence goes:")),
)
_BUILT_IN_ROLES = {
    "pirate": "the captain of a small pirate ship with a large heart",
    "tutor": "a patient tutor",
    "poet": "a poet who loves plain words and exact images",
    "sceptic": "a friendly sceptic",
}
_SHARES = {"trinity": 33, "none": 6, "built in": 20, "named": 14, "described": 17, "role": 4, "unnamed": 6}


@dataclass(frozen=True)
class Persona:
    """Who the model is in one conversation, by its system prompt."""

    name: str
    prompt: str
    role: str = ""
    styles: tuple[Style, ...] = ()


TRINITY = Persona("Trinity", DEFAULT.prompt)


def built_in(name: str) -> Persona:
    """One of the bot's own personas, with its very prompt, and the manner that shows which one it is."""
    prompt = next(persona.prompt for persona in BUILT_IN if persona.name == name)
    role = _BUILT_IN_ROLES.get(name, "")
    style = _PLAIN if name == "plain" else _role_style(f"{name} {role}")
    return Persona("Trinity", prompt, role, (style,) if style else ())


def draw_persona(source: ValueSource, kind: str = "") -> Persona:
    """A persona; `kind` is one of `_SHARES`, else it is drawn."""
    rng = source.rng
    kind = kind or rng.choices(tuple(_SHARES), tuple(_SHARES.values()))[0]
    if kind in ("trinity", "none"):
        return TRINITY if kind == "trinity" else Persona("Trinity", "")
    if kind == "built in":
        return built_in(rng.choice([persona.name for persona in BUILT_IN if persona is not DEFAULT]))
    style = draw_style(rng) if rng.random() < 0.35 else None
    role = _draw_role(rng) if kind in ("described", "role") else ""
    while style and (implied := _role_style(role)) and style.name != implied.name:
        role = _draw_role(rng)
    implied = _role_style(role)
    name = "Trinity" if kind in ("role", "unnamed") else _draw_name(source)
    wishes = [style.asked] if style else []
    if implied and not style and implied.name == "pirate" and rng.random() < 0.4:
        wishes = [draw("style pirate", rng)]
    rest = [draw("persona detail", rng) for _ in range(rng.choice((0, 0, 0, 1, 1, 2, 2, 3, 4)))]
    rest += [wish if wish.endswith((".", "!", "?")) else f"{wish}." for wish in wishes]
    if rng.random() < 0.12:
        rest.append(_META_PROMPT)
    rng.shuffle(rest)
    head = draw(f"persona {kind}", rng, name=name, role=role)
    parts = [*rest, head] if rng.random() < 0.08 else [head, *rest]
    chosen = style or implied
    return Persona(name, rng.choice((" ", " ", " ", "\n")).join(parts), role, (chosen,) if chosen else ())


def _role_style(role: str) -> Style | None:
    """The way of talking that a role brings with it."""
    said = role.lower().replace(",", " ").split()
    return next((style for names, style in _STYLED_ROLES if any(name in said for name in names)), None)


def _draw_role(rng: random.Random) -> str:
    """Somebody or something to be: "a grumpy wizard who loves tea"."""
    return article_fixed(draw("pirate role" if rng.random() < 0.12 else "role", rng))


def _draw_name(source: ValueSource) -> str:
    if source.rng.random() < 0.35 and not source.held_out:
        return source.rng.choice(word_lists()["persona_name"])
    return source.pick("person")
