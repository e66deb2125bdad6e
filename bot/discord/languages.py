"""In which language to speak to people: a guild has one, and whoever uses a command has one of their own.

Nothing is asked of Discord for it. A direct message says nothing about its writer's language; a command or a button
does, and that is remembered for as long as many others haven't used one.
"""

from collections import OrderedDict
from typing import TypeVar

import discord

from bot.words import ENGLISH

T = TypeVar("T")

MAX_REMEMBERED = 10_000


class Languages:
    """The locales of guilds, by what the client knows of them, and of people, by what they used lately."""

    def __init__(self) -> None:
        self._people: OrderedDict[int, str] = OrderedDict()  # person -> locale
        self._direct: OrderedDict[int, int] = OrderedDict()  # direct-message channel -> person

    def note_interaction(self, interaction: discord.Interaction) -> None:
        """Remember the locale of somebody who used a command or a button."""
        _remember(self._people, interaction.user.id, str(interaction.locale))
        if interaction.guild_id is None and interaction.channel_id is not None:
            self.note_direct(interaction.channel_id, interaction.user.id)

    def note_direct(self, channel_id: int, person_id: int) -> None:
        """Remember who writes in a direct-message channel."""
        _remember(self._direct, channel_id, person_id)

    def of(self, channel_id: int, guild: discord.Guild | None) -> str:
        """The locale in which to speak in a channel; English where it isn't known."""
        if guild is not None:
            return str(guild.preferred_locale)
        return self._people.get(self._direct.get(channel_id, 0), ENGLISH)


def _remember(known: OrderedDict[int, T], key: int, value: T) -> None:
    known[key] = value
    known.move_to_end(key)
    while len(known) > MAX_REMEMBERED:
        known.popitem(last=False)
