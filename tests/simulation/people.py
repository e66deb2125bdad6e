"""People at random: they ask, edit, delete, click, reset, and some of them flood."""

import random
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from bot.delivery.parts import is_growing
from bot.delivery.transport import ButtonKind
from bot.errors import StoreError, UserError
from tests.simulation.daemon import Daemon
from tests.simulation.discord import BOT_ID, Channel, Discord, Message
from tests.simulation.front_end import NAMES, PLATFORM, key_of
from tests.simulation.script import mark_of_answer  # noqa: F401 - the other kind of mark

GUILD_ID = 9


@dataclass(slots=True, eq=False)
class Forgetting:
    """Something that takes words out of what is remembered: a reset of a channel, or a person's erasure."""

    channel_id: int | None
    person_id: int | None
    begun_at: float
    num_asked: int
    """Requests to the engine before it."""
    ended_at: float | None = None
    num_asked_after: int | None = None
    """Requests to the engine when it was done; None where that isn't known."""
    is_undone: bool = False


@dataclass(eq=False)
class People:
    """All who are there, in some channels."""

    discord: Discord
    chance: random.Random
    num_asked: "Any"
    """Tells how many requests the engine has had."""
    channels: list[Channel] = field(default_factory=list)
    questions: list[Message] = field(default_factory=list)
    marks: dict[str, Message] = field(default_factory=dict)
    said_at: dict[str, float] = field(default_factory=dict)
    """When each mark was written: an edit writes another one."""
    forgettings: list[Forgetting] = field(default_factory=list)
    stopped: set[int] = field(default_factory=set)
    daemon: Daemon | None = None
    have_regretted: Callable[[], None] = lambda: None
    """Called when somebody takes back what they said a moment ago."""
    are_quiet: bool = False

    def __post_init__(self) -> None:
        chance = self.chance
        for _ in range(chance.randint(1, 3)):
            self._add_channel(GUILD_ID)
        if chance.random() < 0.5:
            self._add_channel(None)
        self._people = chance.sample([*NAMES], chance.randint(1, len(NAMES)))
        weights = {
            self._ask: 60, self._follow_up: 10, self._edit: 7, self.delete: 5, self._delete_answer: 2,
            self._stop: 5, self._again: 6, self._continue: 3, self._reset: 3, self._undo: 1.5, self._erase: 0.7,
            self._flood: 1.5, self._regret: 5,
        }  # fmt: skip
        self._acts, self._weights = [*weights], [*weights.values()]
        # Every seed has its own habits.
        self._weights = [weight * chance.choice((0.2, 1, 1, 3)) for weight in self._weights]

    def act(self) -> bool:
        """Somebody does something; whether that takes back what was said."""
        act: Callable[[], None] = self.chance.choices(self._acts, self._weights)[0]
        act()
        return act in (self.delete, self._delete_answer, self._reset, self._erase)

    def ask(self, channel: Channel, person_id: int, words: str = "") -> Message:
        """A person asks something that nobody asked before."""
        mark = f"q{len(self.marks)}x"
        message = self.discord.say(channel, person_id, f"{mark} {words or self._words()}")
        self.marks[mark], self.said_at[mark] = message, self.discord.loop.time()
        self.questions.append(message)
        return message

    def _add_channel(self, guild_id: int | None) -> None:
        channel = Channel(10 + len(self.channels), guild_id)
        self.channels.append(channel)
        self.discord.channels[channel.id] = channel

    def _words(self) -> str:
        words = "tell me about the green fox and the river where Anna sang one night"
        num_words = self.chance.choice((3, 5, 8, 8, 30))
        return " ".join(self.chance.choices(words.split(), k=num_words)) + "?"

    def _person_in(self, channel: Channel) -> int:
        return self._people[0] if channel.guild_id is None else self.chance.choice(self._people)

    def _ask(self) -> None:
        channel = self.chance.choice(self.channels)
        self.ask(channel, self._person_in(channel))

    def _follow_up(self) -> None:
        channel = self.channels[0]
        for _ in range(self.chance.randint(2, 4)):
            self.ask(channel, self._person_in(channel))

    def _flood(self) -> None:
        channel = self.chance.choice(self.channels)
        person = self._person_in(channel)
        for _ in range(self.chance.randint(8, 20)):
            self.ask(channel, person)

    def _regret(self) -> None:
        """People ask in one channel, and somebody takes something back while it is answered or waits."""
        channel = self.chance.choice(self.channels)
        for _ in range(self.chance.randint(1, 5)):
            self.ask(channel, self._person_in(channel))
        acts = (self.delete, self._delete_answer, lambda: self._reset(channel), self._erase, self._stop, self._edit)
        act, after = self.chance.choice(acts), self.chance.choice((2.0, 10.0, 30.0))

        def take_back() -> None:
            if not self.are_quiet:
                act()
                self.have_regretted()

        self.discord.loop.call_later(self.chance.uniform(0.2, after), take_back)

    def _recent(self) -> Message | None:
        there = [each for each in self.questions[-6:] if each.is_there]
        return self.chance.choice(there) if there else None

    def _edit(self) -> None:
        if message := self._recent():
            mark = f"q{len(self.marks)}x"
            self.marks[mark], self.said_at[mark] = message, self.discord.loop.time()
            self.discord.edit(message, f"{mark} {self._words()}")

    def delete(self) -> None:
        """Somebody deletes what they asked a moment ago."""
        if message := self._recent():
            self.discord.delete(message)

    def _delete_answer(self) -> None:
        own = [each for each in self.discord.messages.values() if each.author_id == BOT_ID and each.is_there][-5:]
        if own:
            self.discord.delete(self.chance.choice(own))

    def _stop(self) -> None:
        self._click(ButtonKind.STOP)

    def _again(self) -> None:
        self._click(ButtonKind.AGAIN)

    def _continue(self) -> None:
        self._click(ButtonKind.CONTINUE)

    def _click(self, kind: ButtonKind) -> None:
        shown = [
            (message, button)
            for channel in self.channels
            for message in channel.messages[-8:]
            for button in message.buttons
            if button.kind is kind and message.is_there
        ]
        front_end = self.daemon.front_end if self.daemon else None
        if not shown or front_end is None:
            return
        message, button = self.chance.choice(shown)
        self.stopped.add(button.question_id)
        self.discord.journal.note("clicks", kind.value, button.question_id)
        person = self.discord.messages[button.question_id].author_id
        front_end.begin(front_end.click(button, message.channel, person, self.discord.new_id()))

    def _reset(self, channel: Channel | None = None) -> None:
        channel = channel or self.chance.choice(self.channels)
        fact = Forgetting(channel.id, None, self.discord.loop.time(), self.num_asked())
        self._command(fact, lambda chat: chat.reset(key_of(channel)))

    def _undo(self) -> None:
        done = [each for each in self.forgettings if each.channel_id is not None]
        if not done:
            return
        channel = self.discord.channels[self.chance.choice(done).channel_id]
        for each in done:
            each.is_undone = each.is_undone or each.channel_id == channel.id
        self._command(None, lambda chat: chat.undo_reset(key_of(channel)))

    def _erase(self) -> None:
        person = self.chance.choice(self._people)
        fact = Forgetting(None, person, self.discord.loop.time(), self.num_asked())
        self._command(fact, lambda chat: chat.privacy.erase(PLATFORM, person, name=NAMES[person], guild_id=GUILD_ID))

    def _command(self, fact: Forgetting | None, work: "Any") -> None:
        daemon = self.daemon
        front_end = daemon.front_end if daemon else None
        if daemon is None or daemon.chat is None or front_end is None:
            return
        what = "undo" if fact is None else f"reset {fact.channel_id}" if fact.channel_id else f"erase {fact.person_id}"
        self.discord.journal.note("command", what)
        if fact is not None:
            self.forgettings.append(fact)
        front_end.begin(self._run_command(fact, work(daemon.chat), what))

    async def _run_command(self, fact: Forgetting | None, work: Coroutine[Any, Any, Any], what: str) -> None:
        try:
            await work
        except (UserError, StoreError) as error:
            self.discord.journal.note("command refused", what, type(error).__name__)
            return
        self.discord.journal.note("command done", what)
        if fact is not None:
            fact.ended_at, fact.num_asked_after = self.discord.loop.time(), self.num_asked()


def is_whole(message: Message) -> bool:
    """Whether a message of the bot's isn't growing any more."""
    return not is_growing(message.content)
