"""What its people chose for a channel: one value, which is loaded with the conversation and says what answers are like.

A new choice is a field here, with a default for where nobody chose. What stands in every prompt because of it, such as
a persona or notes, is a section: the window takes whatever `sections` lists.
"""

from dataclasses import dataclass

from bot.conversation.persona import DEFAULT, Persona
from bot.conversation.sections import Section

__all__ = ["ChannelSettings"]


@dataclass(frozen=True, slots=True)
class ChannelSettings:
    """The choices of one channel; a thread has those of its channel where it has none of its own."""

    persona: Persona = DEFAULT

    @property
    def sections(self) -> tuple[Section, ...]:
        """What stands in the prompt beside what was said, in its order there."""
        return (self.persona.section,)
