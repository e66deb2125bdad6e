"""What people want kept in mind in a conversation: facts that stand in each of its prompts, at a price that is named.

They go the way of what was said: with a reset, with whoever's words are erased, with the channel, and by their age.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.conversation.chat_format import TurnEncoder
from bot.conversation.messages import ConversationKey
from bot.conversation.persona import Persona, prompt_cost
from bot.conversation.pins import (
    MAX_PIN_TOKENS,
    MAX_PINS,
    Pin,
    check_pin,
    pins_cost,
    pins_section,
    refuse_crowded,
    refuse_too_long,
)
from bot.conversation.sections import Section
from bot.conversation.speakers import Speakers, newest_names
from bot.conversation.window import TokenBudget
from bot.errors import NotAllowed, PinError
from bot.inference.engine import Engine
from bot.store.rows.history import Conversation, History
from bot.words import phrase


@dataclass(frozen=True, slots=True)
class PinnedFacts:
    """The pins of a conversation, oldest first, and what they cost together, of which at most `limit` tokens."""

    pins: tuple[Pin, ...]
    num_tokens: int
    num_newest_tokens: int = 0
    """What the newest costs of that, where it was just added."""
    limit: int = MAX_PIN_TOKENS


class PinDesk:
    """Adds, shows and forgets pins.

    Args:
        history: keeps them.
        engine: forgets what it kept of a prompt with a pin that is gone.
        encoder: knows what they cost.
        budget: what a prompt may cost.
        own_name: the bot's name, which nobody else has.
    """

    def __init__(
        self, history: History, engine: Engine, encoder: TurnEncoder, budget: TokenBudget, own_name: str
    ) -> None:
        self._history = history
        self._engine = engine
        self._encoder = encoder
        self._budget = budget
        self._own_name = own_name

    async def list(self, key: ConversationKey) -> PinnedFacts:
        """The pins of a conversation."""
        conversation = await self._history.load(key)
        section = self._section(conversation, conversation.pins)
        return PinnedFacts(conversation.pins, pins_cost(section, self._encoder))

    async def add(self, key: ConversationKey, person_id: int, person_name: str, text: str) -> PinnedFacts:
        """Keep a fact in mind; returns all of the conversation.

        Raises:
            PinError: it says nothing, there are ten already, or it costs too much; alone, or beside the persona.
        """
        content = check_pin(text)
        conversation = await self._history.load(key)
        num_persona_tokens, _ = prompt_cost(conversation.settings.persona.prompt, self._encoder, self._budget)
        budget = self._budget.with_longest_answer(conversation.settings.longest_answer)
        costs: list[int] = []

        def check(pins: Sequence[Pin]) -> None:
            if len(pins) > MAX_PINS:
                raise PinError(phrase("pins_full", limit=MAX_PINS))
            before = pins_cost(self._section(conversation, pins[:-1]), self._encoder)
            num_tokens = refuse_too_long(self._section(conversation, pins), before, self._encoder)
            refuse_crowded(num_tokens, num_persona_tokens, budget)
            costs[:] = before, num_tokens

        pins = await self._history.pins.add(key, person_id, person_name, content, check)
        before, num_tokens = costs
        return PinnedFacts(pins, num_tokens, num_tokens - before)

    async def forget(
        self, key: ConversationKey, number: int, person_id: int, *, may_forget_others: bool
    ) -> PinnedFacts:
        """Forget the fact of that number for good; returns what is left.

        Raises:
            PinError: there is none of that number.
            NotAllowed: it is somebody else's.
        """

        def check(pin: Pin) -> None:
            if pin.author_id != person_id and not may_forget_others:
                raise NotAllowed(phrase("may_not_forget_pin"))

        if await self._history.pins.forget(key, number, check) is None:
            raise PinError(phrase("unknown_pin", number=number))
        await self._engine.forget(key.cache_owner)
        return await self.list(key)

    async def require_room(self, key: ConversationKey, persona: Persona) -> None:
        """See to it that a persona and the conversation's pins leave enough of the prompt.

        Raises:
            PinError: they don't.
        """
        conversation = await self._history.load(key)
        num_tokens = pins_cost(self._section(conversation, conversation.pins), self._encoder)
        budget = self._budget.with_longest_answer(conversation.settings.longest_answer)
        refuse_crowded(num_tokens, prompt_cost(persona.prompt, self._encoder, self._budget)[0], budget)

    def _section(self, conversation: Conversation, pins: Sequence[Pin]) -> Section | None:
        return section_of(pins, conversation, Speakers(conversation.speakers, self._own_name))


def section_of(
    pins: Sequence[Pin], conversation: Conversation, speakers: Speakers, asker: tuple[int, str] | None = None
) -> Section | None:
    """Where these pins stand in a prompt of a conversation; everybody under the newest of their names."""
    if conversation.key.guild_id is None:
        return pins_section(pins, None)
    names = newest_names(conversation.turns, asker)
    return pins_section(pins, lambda author_id, name: speakers.label(author_id, names.get(author_id, name)))
