"""People at random, as in the first depth; but commands and clicks go through Discord."""

import random
from dataclasses import dataclass, field
from typing import Any

from bot.delivery.transport import ButtonKind
from bot.discord.components import custom_id_of
from bot.words import in_language, phrase
from tests.loopback.command_use import command_data, find_component
from tests.loopback.entities import Message as LoopbackMessage
from tests.loopback.interaction import COMMAND, COMPONENT, Interaction
from tests.simulation.discord import Channel
from tests.simulation.people import GUILD_ID, Forgetting, People
from tests.simulation.whole.server import WholeDiscord

_ON_ITS_WAY_SECONDS = 15.0
"""So long a command may take to be followed."""
_LOOKS = (
    *("stop", "stop", "help", "context", "stats", "about", "export", "privacy show", "privacy export"),
    *("privacy erase", "persona show", "persona list", "settings show"),
)
_DONE = [
    in_language(phrase(key), "en-US") for key in ("forgotten", "forgotten_own", "nothing_to_forget", "privacy_erased")
]


@dataclass(eq=False)
class WholePeople(People):
    """All who are there, in some channels."""

    discord: WholeDiscord  # type: ignore[assignment]
    _places: list[int | None] = field(default_factory=list)
    _pending: list[tuple[Interaction, Forgetting]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.channels = [self.discord.add_channel(guild_id, self._people[0]) for guild_id in self._places]
        self.discord.answered = self._note_answers
        self._acts += [self._look, self._chat]
        self._weights += [self.chance.choice((1, 4, 12)), self.chance.choice((0, 4, 12))]

    def act(self) -> bool:
        """Somebody does something, unless nobody can."""
        return not self.discord.loopback.guild.is_unavailable and super().act()

    def _add_channel(self, guild_id: int | None) -> None:
        self._places.append(None if guild_id is None else self.discord.loopback.guild.id)

    def _click(self, kind: ButtonKind) -> None:
        shown = [
            (message, button)
            for channel in self.channels
            for message in channel.messages[-8:]
            for button in message.buttons
            if button.kind is kind and message.is_there
        ]
        if not shown:
            return
        message, button = self.chance.choice(shown)
        self.stopped.add(button.question_id)
        self.discord.journal.note("clicks", kind.value, button.question_id)
        person = self.discord.messages[button.question_id].author_id
        self._press(self.discord.loopback.world.messages[message.id], custom_id_of(button), person)

    def _press(self, clicked: LoopbackMessage, custom_id: str, person: int) -> None:
        found = find_component(clicked, custom_id)
        data = {"component_type": found["type"], "custom_id": found["custom_id"], "id": found.get("id", 1)}
        loopback = self.discord.loopback
        loopback.interactions.begin(
            loopback.bot, self.discord.people[person], clicked.channel, COMPONENT, data, "click", clicked
        )

    def _chat(self) -> None:
        """People talk to each other."""
        channel = self.chance.choice([each for each in self.channels if each.guild_id is not None])
        self.discord.say(channel, self._person_in(channel), "so they say", to_bot=False)

    def greet(self, chance: random.Random) -> None:
        """Whoever sees that it is back asks at once, and some take it back while it still finds out what it missed."""
        channel = chance.choice(self.channels)
        person = self._people[0] if channel.guild_id is None else chance.choice(self._people)

        def ask() -> None:
            if self.are_quiet or self.discord.loopback.guild.is_unavailable:
                return
            asked = self.ask(channel, person)
            if chance.random() < 0.6:
                self.discord.loop.call_later(chance.uniform(0.02, 0.6), self.discord.delete, asked)

        for _ in range(chance.randint(1, 3)):
            self.discord.loop.call_later(chance.uniform(0.05, 1.0), ask)

    def _look(self) -> None:
        """Somebody uses a command that changes nothing, or stops an answer."""
        command = self.chance.choice(_LOOKS)
        channel = self.chance.choice(self.channels)
        self._use(command, channel, self._person_in(channel), None)

    def _reset(self, channel: Channel | None = None) -> None:
        channel = channel or self.chance.choice(self.channels)
        fact = Forgetting(channel.id, None, self.discord.loop.time() + _ON_ITS_WAY_SECONDS, self.num_asked())
        self._use("reset", channel, self._person_in(channel), fact)

    def _undo(self) -> None:
        done = [each for each in self.forgettings if each.channel_id is not None]
        if not done:
            return
        channel = self.discord.channels[self.chance.choice(done).channel_id or 0]
        for each in done:
            each.is_undone = each.is_undone or each.channel_id == channel.id
        button = self._undo_button(channel) if self.chance.random() < 0.5 else None
        if button is None:
            self._use("reset", channel, self._person_in(channel), None, undo=True)
        else:
            self.discord.journal.note("clicks undo", channel.id)
            self._press(*button, self._person_in(channel))

    def _undo_button(self, channel: Channel) -> tuple[LoopbackMessage, str] | None:
        """The one below the newest reply to a reset in a channel."""
        for used in reversed(self.discord.loopback.interactions.all):
            shown = used.original
            if used.name == "reset" and used.channel.id == channel.id and shown is not None and shown.components:
                return shown, str(shown.components[0]["components"][0]["custom_id"])
        return None

    def _erase(self) -> None:
        person = self.chance.choice(self._people)
        places = [each for each in self.channels if each.guild_id is not None]
        fact = Forgetting(None, person, self.discord.loop.time() + _ON_ITS_WAY_SECONDS, self.num_asked())
        self._use("privacy erase", self.chance.choice(places), person, fact, confirm=True)

    def _use(self, command: str, channel: Channel, person: int, fact: Forgetting | None, **options: Any) -> None:
        loopback = self.discord.loopback
        place, user = loopback.world.channels[channel.id], self.discord.people[person]
        try:
            data = command_data(loopback.bot, user, place, command.split(), options)
        except LookupError:
            return  # not registered yet
        self.discord.journal.note("command", command, channel.id, person)
        used = loopback.interactions.begin(loopback.bot, user, place, COMMAND, data, command)
        if fact is not None:
            self.forgettings.append(fact)
            self._pending.append((used, fact))

    def _note_answers(self) -> None:
        for used, fact in [*self._pending]:
            if any(words in used.text for words in _DONE):
                self._pending.remove((used, fact))
                self.discord.journal.note("command done", used.name)
                fact.ended_at, fact.num_asked_after = self.discord.loop.time(), self.num_asked()


__all__ = ["GUILD_ID", "WholePeople"]
