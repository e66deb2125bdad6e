"""What stands in a prompt beside what was said: an ordered list of sections, each with a budget of its own.

The persona is one; notes and memories are others. Whoever adds a section makes the value: the window knows only where
a section stands and what it may cost. Two places exist because of the KV cache, which reuses a prompt's beginning: what
hardly ever changes stands at the beginning, and what changes with the question right before the newest question.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from bot.conversation.chat_format import TurnEncoder

SEPARATOR = "\n\n"


class Place(Enum):
    """Where in the prompt a section stands."""

    BEGINNING = auto()
    """In the system message, before everything that was said."""
    NEWEST_QUESTION = auto()
    """Before the newest question, in the same turn."""


@dataclass(frozen=True, slots=True)
class Section:
    """A text in the prompt that nobody said in the conversation.

    Args:
        name: for whoever reads logs and tests.
        text: what stands there; it is cleaned like everything that people write.
        max_tokens: what it may cost. A longer text loses whole lines from its end.
        place: where it stands; sections of one place keep the order of the list.
        is_required: it always stays, and whole; whoever made it has seen to what it costs. Any other section gives way
            where it would not leave room for the question.
        is_shared: everybody who chooses it has the same text, so that other conversations may use what the engine
            keeps of it. Of a guild's own text this would tell that somebody uses it.
        people: the labels of those whose words stand in it; nobody else's words may speak for them.
        made_of: the ids of what it was made of, by which whoever made it can make it again.
    """

    name: str
    text: str
    max_tokens: int
    place: Place = Place.BEGINNING
    is_required: bool = False
    is_shared: bool = False
    people: frozenset[str] = frozenset()
    made_of: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class PlacedSections:
    """The texts of all sections, cleaned, within their budgets and joined, by where they stand."""

    system_message: str
    before_question: str
    shared: str
    """The beginning of `system_message` that other conversations may share."""


def place_sections(encoder: TurnEncoder, sections: Sequence[Section]) -> PlacedSections:
    """Put sections where they belong; each costs its `max_tokens` at most, unless it is required."""
    fitted = [(section, fit_section(encoder, section)) for section in sections]
    placed = [(section, text) for section, text in fitted if text]
    beginning = [(section, text) for section, text in placed if section.place is Place.BEGINNING]
    num_shared = next((index for index, (section, _) in enumerate(beginning) if not section.is_shared), len(beginning))
    return PlacedSections(
        system_message=SEPARATOR.join(text for _, text in beginning),
        before_question=SEPARATOR.join(text for section, text in placed if section.place is Place.NEWEST_QUESTION),
        shared=SEPARATOR.join(text for _, text in beginning[:num_shared]),
    )


def fit_section(encoder: TurnEncoder, section: Section) -> str:
    """The text of a section as it may stand in a prompt: cleaned, and of as many of its lines as fit."""
    text = encoder.format.tags.clean(section.text)
    if section.is_required:
        return text
    longest = section.max_tokens * encoder.longest_piece
    if len(text) > longest:  # so much can't fit, and is not worth encoding
        text = text[:longest].rpartition("\n")[0]
    if encoder.num_added_tokens(text) <= section.max_tokens:
        return text
    lines = text.split("\n")
    costs = range(1, len(lines) + 1)
    num_kept = bisect_right(
        costs, section.max_tokens, key=lambda num_lines: encoder.num_added_tokens("\n".join(lines[:num_lines]))
    )
    return "\n".join(lines[:num_kept]).strip()
