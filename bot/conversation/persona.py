"""Who the bot is in a conversation: a name and a system prompt. Prompts are public: a persona never holds a secret.

What a persona may cost is bounded when it is set, so that no prompt can crowd the conversation out of the window. Where
a prompt says {date} the model reads the day, but no time: within a day it stays the same, and so does what the engine
keeps of the prompt.
"""

import re
import unicodedata
from dataclasses import dataclass, replace
from datetime import date

from bot.conversation.chat_format import TurnEncoder
from bot.conversation.sanitize import has_visible_text, repair
from bot.conversation.sections import Section
from bot.conversation.window import TokenBudget
from bot.errors import InvalidPersonaName, PersonaError, PersonaTooLong
from bot.words import phrase

MAX_PERSONA_TOKENS = 512
MAX_PERSONA_NAME_LENGTH = 32
DATE = "{date}"
"""What stands for the day in a persona's prompt."""
_LONGEST_DAY = date(2026, 9, 30)  # a Wednesday in September: no other day takes longer to write

_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\uffa0"  # fillers, joiners and blank letters
    "\ufe00-\ufe0f\U000e0100-\U000e01ef]"  # variation selectors
)


@dataclass(frozen=True, slots=True)
class Persona:
    """A name to choose it by, and the system prompt that makes it."""

    name: str
    prompt: str
    is_operators: bool = False
    """Whether the operator gave it, in a file, for every channel that has chosen none."""

    @property
    def is_built_in(self) -> bool:
        """Whether it comes with the bot, or from its operator, and can't be changed."""
        return self.is_operators or find_built_in(self.name) is not None

    def on(self, day: date) -> "Persona":
        """It as it stands in the prompts of a day."""
        return replace(self, prompt=_dated(self.prompt, day))

    @property
    def section(self) -> Section:
        """Its place in a prompt. It stays whole, because what it costs was checked when it was set."""
        is_everywhere = self.is_operators or self in BUILT_IN
        return Section("persona", self.prompt, MAX_PERSONA_TOKENS, is_required=True, is_shared=is_everywhere)


TRINITY = Persona(
    "Trinity",
    "Your name is Trinity. You are a helpful, respectful and honest assistant. Always answer as helpfully as possible, "
    "while being safe. Your answers should not include any harmful, unethical, racist, sexist, toxic, dangerous, or "
    "illegal content. Please ensure that your responses are socially unbiased and positive in nature. If a question "
    "does not make any sense, or is not factually coherent, explain why instead of answering something not correct. If "
    "you don't know the answer to a question, please don't share false information.",
)

PLAIN = Persona("plain", "Your name is Trinity, and you answer plainly, briefly and honestly.")

PIRATE = Persona(
    "pirate",
    "Your name is Trinity. You are the captain of a small pirate ship with a large heart. Talk like a pirate in every "
    "answer, and help as well as any good crew would: the talk is salty, the facts are straight.",
)

TUTOR = Persona(
    "tutor",
    "Your name is Trinity. You are a patient tutor. Find out what the other person knows already, explain one step at "
    "a time with a small example, and end with one question that lets them try it themselves. When they are wrong, say "
    "so kindly and show where.",
)

POET = Persona(
    "poet",
    "Your name is Trinity. You are a poet who loves plain words and exact images. Answer in a short poem, rhymed only "
    "where a rhyme comes by itself, and never let the poem hide the answer.",
)

SCEPTIC = Persona(
    "sceptic",
    "Your name is Trinity. You are a friendly sceptic. Say what the evidence is and how strong it is, name the best "
    "argument of the other side, and keep apart what is known, what is likely and what is only said. If you don't "
    "know, say that first.",
)

BUILT_IN = (TRINITY, PLAIN, PIRATE, TUTOR, POET, SCEPTIC)
DEFAULT = TRINITY


def find_built_in(name: str) -> Persona | None:
    """The built-in persona of that name, in whatever case it is written."""
    wanted = normal_name(name)
    return next((persona for persona in BUILT_IN if normal_name(persona.name) == wanted), None)


def normal_name(name: str) -> str:
    """The form in which names are stored as a key and compared: the one fold, whoever asks.

    Two names are one if they differ only in case, width, the way their accents are composed, in blanks or in what
    can't be seen. Folding twice changes nothing more.
    """
    folded = _visible(name)
    # Twice: folding the case can bring forth what has another normal form, and the other way round.
    for _ in range(2):
        folded = _visible(folded.casefold())
    return "".join(folded.split())


def is_called(persona: Persona, name: str) -> bool:
    """Whether that is the persona's name, in whatever case it is written."""
    return normal_name(persona.name) == normal_name(name)


def check_name(name: str) -> str:
    """`name` as a persona can have it: one word of at most 32 letters, digits, hyphens and underscores.

    Raises:
        InvalidPersonaName: it can't be a name.
    """
    plain = _visible(name).strip()
    if not plain:
        raise InvalidPersonaName(phrase("persona_needs_name"))
    if len(plain) > MAX_PERSONA_NAME_LENGTH:
        raise InvalidPersonaName(phrase("persona_name_too_long", limit=MAX_PERSONA_NAME_LENGTH))
    if not all(map(_is_name_character, plain)) or not any(map(str.isalnum, plain)):
        raise InvalidPersonaName(phrase("persona_name_has_other_characters"))
    return plain


def check_prompt(prompt: str, encoder: TurnEncoder, budget: TokenBudget) -> str:
    """`prompt` as it can be stored, made sure that it leaves room for the conversation.

    Args:
        prompt: a system prompt as somebody wrote it.
        encoder: counts what it costs.
        budget: what a whole prompt may cost.

    Raises:
        PersonaTooLong: it takes more than 512 tokens, or more than half of the budget.
        PersonaError: there is nothing to read in it.
    """
    prompt = repair(prompt).strip()
    if not has_visible_text(prompt):
        raise PersonaError(phrase("persona_needs_prompt"))
    num_tokens, limit = prompt_cost(prompt, encoder, budget)
    if num_tokens > limit:
        raise PersonaTooLong(num_tokens, limit)
    return prompt


def prompt_cost(prompt: str, encoder: TurnEncoder, budget: TokenBudget) -> tuple[int, int]:
    """The tokens that a prompt takes, on the day whose name is longest, and how many it may take."""
    limit = min(MAX_PERSONA_TOKENS, budget.num_prompt_tokens // 2)
    return encoder.num_system_tokens(_dated(prompt, _LONGEST_DAY)), limit


def _dated(prompt: str, day: date) -> str:
    return prompt.replace(DATE, f"{day:%A}, {day.day} {day:%B} {day.year}")


def _visible(name: str) -> str:
    """A name in its compatible composed form, without what can't be seen; control characters stay to be refused."""
    composed = unicodedata.normalize("NFKC", name)
    shown = "".join(character for character in composed if unicodedata.category(character) != "Cf")
    return unicodedata.normalize("NFKC", _INVISIBLE.sub("", shown))


def _is_name_character(character: str) -> bool:
    return character.isalnum() or character in "-_" or unicodedata.category(character) in ("Mn", "Mc")
