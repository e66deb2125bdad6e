"""System prompts: many ways to say who the model is, and the bot's built-in personas. Without a name it is Trinity."""

import random
from dataclasses import dataclass

from bot.conversation.persona import BUILT_IN, DEFAULT
from training.grammar import article_fixed, draw, read_table, word_lists
from training.styles import Style, draw_style
from training.values import ValueSource

_META_PROMPT = DEFAULT.prompt.removeprefix("Your name is Trinity. ")
_ROLES = read_table("roles")
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
    role = _ROLES.get(name, {}).get("built_in", "")
    style = Style("brief") if name == "plain" else _role_style(f"{name} {role}")
    return Persona("Trinity", prompt, role, (style,) if style else ())


def draw_persona(source: ValueSource) -> Persona:
    """A persona of one of the kinds of `_SHARES`."""
    rng = source.rng
    kind = rng.choices(tuple(_SHARES), tuple(_SHARES.values()))[0]
    if kind in ("trinity", "none"):
        return TRINITY if kind == "trinity" else Persona("Trinity", "")
    if kind == "built in":
        return built_in(rng.choice([persona.name for persona in BUILT_IN if persona is not DEFAULT]))
    style = draw_style(rng) if rng.random() < 0.35 else None
    role = _draw_role(rng) if kind in ("described", "role") else ""
    while style and (implied := _role_style(role)) and style.name != implied.name:
        role = _draw_role(rng)
    implied = _role_style(role)
    name = "Trinity" if kind in ("role", "unnamed") else source.pick("person")
    if name != "Trinity" and not source.held_out and rng.random() < 0.35:
        name = rng.choice(word_lists()["persona_name"])
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
    alike = (entry for entry in _ROLES.values() if any(name in said for name in entry["names"]))
    return next((Style(entry["style"], entry.get("extra", "")) for entry in alike), None)


def _draw_role(rng: random.Random) -> str:
    """Somebody or something to be: "a grumpy wizard who loves tea"."""
    return article_fixed(draw("pirate role" if rng.random() < 0.12 else "role", rng))
