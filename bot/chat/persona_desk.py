"""Who the bot is in a channel: built-in personas and the guild's own, shown, chosen and changed."""

import asyncio
from collections.abc import Callable, Sequence

from bot.chat.pin_desk import PinDesk
from bot.conversation.cards import Card, fitting_prompt
from bot.conversation.chat_format import TurnEncoder
from bot.conversation.messages import ConversationKey
from bot.conversation.persona import (
    BUILT_IN,
    Persona,
    check_name,
    check_prompt,
    find_built_in,
    is_called,
    prompt_cost,
)
from bot.conversation.window import TokenBudget
from bot.errors import BuiltInPersona, NothingToUndo, PersonaUsedElsewhere, UnknownPersona
from bot.inference.engine import Engine
from bot.store.rows.personas import PersonaChange, Personas
from bot.words import phrase

MayChangeIn = Callable[[int], bool]
"""Whether a person may change who the bot is in another channel of the guild, by its id."""


def anywhere(_channel_id: int) -> bool:
    """Everywhere."""
    return True


class PersonaDesk:
    """Personas by conversation. A change drops what the engine kept of it, since its prompt begins anew.

    A guild's personas are shared by its channels: what changes or deletes one concerns each channel that chose it.
    """

    def __init__(
        self, personas: Personas, pins: PinDesk, engine: Engine, encoder: TurnEncoder, budget: TokenBudget
    ) -> None:
        self._personas = personas
        self._pins = pins
        self._engine = engine
        self._encoder = encoder
        self._budget = budget

    async def show(self, key: ConversationKey) -> Persona:
        """The persona in use."""
        return (await self._personas.settings(key)).persona

    async def list(self, key: ConversationKey) -> list[Persona]:
        """Every persona that can be used here: the operator's, the built-in ones, then the guild's own by name."""
        default = self._personas.default
        operators = (default,) if default.is_operators else ()
        own = [each for each in await self._personas.list_own(key) if not is_called(default, each.name)]
        return [*operators, *BUILT_IN, *(Persona(persona.name, persona.prompt) for persona in own)]

    def _find_provided(self, name: str) -> Persona | None:
        """The built-in persona of that name, or the operator's."""
        default = self._personas.default
        return default if is_called(default, name) else find_built_in(name)

    async def use(self, key: ConversationKey, name: str, by: int) -> Persona:
        """Make a persona the channel's.

        Raises:
            UnknownPersona: there is none of that name here.
            PinError: beside it there is no room for what is to be kept in mind here.
        """
        persona = self._find_provided(name)
        if persona is None:
            own = await self._personas.find_own(key, name)
            if own is None:
                raise UnknownPersona(phrase("unknown_persona", name=name))
            persona = Persona(own.name, own.prompt)
        await self._pins.require_room(key, persona)
        await self._personas.choose(key, persona.name, author_id=by, author_name="")
        await self._engine.forget(key.cache_owner)
        return persona

    async def set(
        self, key: ConversationKey, name: str, prompt: str, by: int, may_change_in: MayChangeIn = anywhere
    ) -> Persona:
        """Make a persona, or replace the guild's own of that name; it is not chosen by that.

        Raises:
            PersonaUsedElsewhere: a channel uses it in which that person may not change it.
            InvalidPersonaName: the name can't be one.
            BuiltInPersona: the name is a built-in persona's.
            PersonaTooLong: the prompt leaves too little room for the conversation.
            PinError: it is the one in use, and leaves none for what is to be kept in mind here.
        """
        name = check_name(name)
        if self._find_provided(name):
            raise BuiltInPersona(phrase("built_in_stays", name=name))
        prompt = check_prompt(prompt, self._encoder, self._budget)
        await self.refuse_reach(key, name, may_change_in)
        if is_called(await self.show(key), name):
            await self._pins.require_room(key, Persona(name, prompt))
        await self._personas.save(key, name, prompt, author_id=by, author_name="")
        await self._engine.forget(key.cache_owner)
        return Persona(name, prompt)

    async def delete(self, key: ConversationKey, name: str, by: int, may_change_in: MayChangeIn = anywhere) -> None:
        """Delete one of the guild's own personas; channels that used it go back to the default.

        Raises:
            PersonaUsedElsewhere: a channel uses it in which that person may not change it.
            BuiltInPersona: it is built in.
            UnknownPersona: there is none of that name here.
        """
        if self._find_provided(name):
            raise BuiltInPersona(phrase("built_in_not_deleted", name=name))
        await self.refuse_reach(key, name, may_change_in)
        if not await self._personas.delete(key, name, author_id=by, author_name=""):
            raise UnknownPersona(phrase("unknown_persona", name=name))
        await self._engine.forget(key.cache_owner)

    def checked(self, prompt: str) -> str:
        """A prompt as it can be used.

        Raises:
            PersonaTooLong: it leaves too little room for the conversation.
        """
        return check_prompt(prompt, self._encoder, self._budget)

    def adopt_default(self, persona: Persona) -> None:
        """Have that one where nobody chose, from now on."""
        self._personas.default = persona

    def cost(self, persona: Persona) -> tuple[int, int]:
        """The tokens that a persona takes, and how many it may take."""
        return prompt_cost(persona.prompt, self._encoder, self._budget)

    async def find(self, key: ConversationKey, name: str) -> Persona:
        """The persona of that name.

        Raises:
            UnknownPersona: there is none here.
        """
        found = next((each for each in await self.list(key) if is_called(each, name)), None)
        if found is None:
            raise UnknownPersona(phrase("unknown_persona", name=name))
        return found

    async def from_card(
        self, key: ConversationKey, card: Card, name: str | None, by: int, may_change_in: MayChangeIn = anywhere
    ) -> Persona:
        """Make a persona of a character card, under the card's name or another.

        Raises:
            CardTooLong: it costs too much.
            PersonaError, PersonaUsedElsewhere: as for `set`.
        """
        prompt = await asyncio.to_thread(fitting_prompt, card, self._encoder, self._budget)
        return await self.set(key, name or card.persona_name, prompt, by, may_change_in)

    async def changes(self, key: ConversationKey, limit: int) -> Sequence[PersonaChange]:
        """The newest changes to personas made here, newest first."""
        return await self._personas.changes(key, limit)

    async def undo(self, key: ConversationKey, by: int, may_change_in: MayChangeIn = anywhere) -> PersonaChange:
        """Take back the last change of a persona here, or of this channel's choice; returns that change.

        Raises:
            NothingToUndo: none is on record, or not what was before it.
            PersonaUsedElsewhere: as for `set`.
        """
        last = await self._personas.last_change(key)
        if last is not None and last.action == "set" and last.name is not None:
            await self.refuse_reach(key, last.name, may_change_in)
        undone = await self._personas.undo(key, author_id=by, author_name="")
        if undone is None:
            raise NothingToUndo(phrase("nothing_to_undo"))
        await self._engine.forget(key.cache_owner)
        return undone

    async def clear(self, key: ConversationKey, by: int) -> Persona:
        """Go back to the default persona, in a thread to its channel's; returns it."""
        await self._personas.clear_choice(key, author_id=by, author_name="")
        await self._engine.forget(key.cache_owner)
        return await self.show(key)

    async def refuse_reach(self, key: ConversationKey, name: str, may_change_in: MayChangeIn) -> None:
        """See to it that a person may change that persona wherever it is used.

        Raises:
            PersonaUsedElsewhere: they may not.
        """
        others = await self._personas.used_in(key, name) - {key.channel_id}
        if not all(map(may_change_in, others)):
            raise PersonaUsedElsewhere(name)
